"""Trials and conversations for the tests of tuning."""

from __future__ import annotations

import json
from typing import Any

from memory.replay import join
from memory.tuning.study import Trial

__all__ = ("talk", "trial", "with_calls")


def trial(usd: float = 1.0, recall: float = 0.5, wait: float = 1.0, **figures: Any) -> Trial:
    """Return a trial with these figures."""
    given: dict[str, Any] = {
        "settings": {"budget": 1_000},
        "requests": 10,
        "recall_low": recall,
        "recall_high": recall,
        "wait_p50": wait,
        "cached_share": 0.9,
        "tokens": 500.0,
        "largest": 900,
        "over_budget": 0,
        "rejected": 0,
        "too_large": 0,
        "summaries": 1,
        "merges": 0,
        "digest": "00",
        "wanted": 10,
    }
    return Trial(usd=usd, recall=recall, wait_p95=wait, **(given | figures))


def talk(turns: int = 12, *, name: str = "talk", words: int = 40, back: int = 4) -> dict[str, Any]:
    """Return a conversation in which every reply names what was said some turns before."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Answer briefly."}]
    for turn in range(turns):
        filler = " ".join(f"word{turn}x{place}" for place in range(words))
        messages.append(
            {"role": "user", "content": f"The code of day {turn} is zeta{turn}. {filler}"}
        )
        before = f"zeta{turn - back}" if turn >= back else "nothing"
        messages.append({"role": "assistant", "content": f"Before that it was {before}."})
    (joined,) = join([{"id": name, "messages": messages}], chain=1)
    return joined


def with_calls(turns: int = 6, *, words: int = 60) -> dict[str, Any]:
    """Return a conversation in which every turn calls a tool with the code of the first."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "My booking is QX7R2M. " + "Now then. " * words},
    ]
    for turn in range(turns):
        call = {
            "id": f"find:{turn}",
            "type": "function",
            "function": {"name": "find", "arguments": json.dumps({"booking": "QX7R2M"})},
        }
        found = " ".join(f"row{turn}x{place}" for place in range(words))
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"find:{turn}", "content": found},
            {"role": "assistant", "content": f"done{turn}"},
            {"role": "user", "content": "And once more?"},
        ]
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    (joined,) = join([{"id": "calls", "messages": messages[:-1], "tools": [tool]}], chain=1)
    return joined
