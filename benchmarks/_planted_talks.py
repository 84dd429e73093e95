"""Recorded conversations for the transcript check: made up, the same each time, of every kind.

An agent with parallel calls, thoughts and large results; a chat in several languages; and one that
declares many tools. Each ends in another way.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, Final

__all__ = ("talks", "write")

Wire = dict[str, Any]

WORDS: Final = (
    *("crate", "harbour", "invoice", "Lisbon", "meadow", "ladder", "window", "copper", "the", "of"),
    *("仓库", "订单", "明天", "réponse", "Straße", "привет", "grün", "and", "was", "moved", "to"),
)
"""What everything is said with."""
SEED: Final = 11


def talks() -> list[Wire]:
    """Return the conversations, as lines of a file of transcripts."""
    random = Random(SEED)  # the same conversations each time
    return [
        {"id": "agent", "messages": _agent(random)},
        {"id": "chat", "messages": _chat(random)},
        {"id": "tools", "messages": _chat(random, turns=24), "tools": _tools(random)},
    ]


def write(folder: Path) -> None:
    """Write the conversations into a folder, which is made."""
    folder.mkdir()
    lines = [json.dumps(talk, ensure_ascii=False) for talk in talks()]
    (folder / "talks.jsonl").write_text("\n".join(lines), encoding="utf-8")


def _said(random: Random, words: int) -> str:
    number = random.randrange(10_000, 99_999)
    return f"PO-{number}: {' '.join(random.choices(WORDS, k=words))}."


def _agent(random: Random) -> list[Wire]:
    """Return a long run of an agent for a few questions, that ends while it is at work."""
    messages: list[Wire] = [
        {"role": "system", "content": _said(random, 40)},
        {"role": "system", "content": _said(random, 20)},
    ]
    for _ in range(6):
        messages.append({"role": "user", "content": _said(random, 30), "name": "ann"})
        for _ in range(random.randrange(3, 8)):
            messages += _exchange(random)
        messages.append({"role": "assistant", "content": _said(random, 40)})
    messages.append({"role": "user", "content": _said(random, 20)})
    for _ in range(12):
        messages += _exchange(random)
    return messages


def _exchange(random: Random) -> list[Wire]:
    """Return a batch of calls with its results, in another order than they were asked for."""
    names = [f"look:{place}" for place in range(random.randrange(1, 4))]
    function = {"name": "look", "arguments": json.dumps({"order": random.randrange(999)})}
    asking: Wire = {
        "role": "assistant",
        "content": None,
        "reasoning_content": _said(random, 12),
        "tool_calls": [{"id": each, "type": "function", "function": function} for each in names],
    }
    results = [
        {
            "role": "tool",
            "tool_call_id": each,
            "content": _said(random, random.choice((20, 60, 300))),
            "x_trace": {"id": random.randrange(99)},
        }
        for each in reversed(names)
    ]
    return [asking, *results]


def _chat(random: Random, *, turns: int = 40) -> list[Wire]:
    """Return a chat with wishes, pictures and reminders, that ends with a prefix of the reply."""
    messages: list[Wire] = [{"role": "system", "content": _said(random, 30)}]
    for turn in range(turns):
        if turn % 9 == 0:
            messages.append({"role": "system", "content": _said(random, 8)})
        messages.append({"role": "user", "content": _content(random, turn)})
        answer = {"role": "assistant", "content": _said(random, random.choice((15, 50, 120)))}
        messages.append({**answer, "x_model": "kimi"} if turn % 4 == 0 else answer)
    messages.append({"role": "user", "content": _said(random, 15)})
    return [*messages, {"role": "assistant", "content": "So the", "partial": True}]


def _content(random: Random, turn: int) -> Any:
    text = _said(random, random.choice((10, 40)))
    if turn % 7 == 0:
        text = f"From now on, mention {text.partition(':')[0]} first. {text}"
    if turn % 11 == 5:  # now and then
        picture = {"type": "image_url", "image_url": {"url": f"ms://{turn}"}}
        return [{"type": "text", "text": text}, picture]
    return text


def _tools(random: Random) -> list[Wire]:
    """Return declarations that cost thousands of tokens."""
    return [
        {
            "type": "function",
            "function": {
                "name": f"tool_{number}",
                "description": _said(random, 30),
                "parameters": {"type": "object", "properties": {"order": {"type": "integer"}}},
            },
        }
        for number in range(40)
    ]
