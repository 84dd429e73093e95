"""The conversations that all peers are run on: what each of them can represent, and nothing else.

They come from `memory.testing.strategies`; `plain` takes out what a peer has no place for, so that
nothing is held against it but what it does with texts, tool calls and a system prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from memory.messages import WireMessage, role_of, text_of, tool_calls
from memory.testing.strategies import conversations, requests

__all__ = ("LEFT_OUT", "QUIET", "Case", "cases", "drawn", "head_of", "plain", "shorter")

LIMITS: Final = (1_500, 2_500)
"""Tokens that a request may have, from and to."""
WORDS: Final = 40
"""Words that a text may have; no message comes near the limit."""
LEAST, MOST = 6, 8
"""Turns before the last one."""
LEFT_OUT: Final = (
    "images and texts in parts",
    "system messages after the first message, and developer messages",
    "names, thoughts, and keys that no API knows",
    "`partial` messages and empty ones",
    "tool-call ids that come again, and arguments that are not JSON",
    "lone surrogates",
    "messages that are larger than the limit by themselves",
)
"""What no conversation has, for people."""
_WITHOUT: Final = (
    *("reminders", "developer", "surrogates", "parts", "media", "repeated-ids", "thoughts"),
    *("names", "unknown-keys", "empty", "huge"),
)
QUIET: Final[dict[str, Any]] = {
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A conversation and what a request of it may cost.

    Attributes:
        limit: Tokens.
        messages: All of them, the last request's.
    """

    limit: int
    messages: Sequence[WireMessage]

    @property
    def requests(self) -> list[list[WireMessage]]:
        """What the caller had at each request, the last one whole."""
        return [list(each) for each in requests(self.messages)]


def cases(*, least: int = LEAST) -> st.SearchStrategy[Case]:
    """Return conversations that end where a model has to answer, and limits for them.

    Args:
        least: Turns before the last one, at least.
    """
    said = conversations(
        least=least, most=MOST, largest=WORDS, ends=("user", "results"), without=_WITHOUT
    )
    return st.builds(Case, limit=st.integers(*LIMITS), messages=said.map(plain))


def drawn(number: int, *, chance: int) -> list[Case]:
    """Return as many cases, the same for the same chance.

    Args:
        number: How many.
        chance: The seed.
    """
    found: list[Case] = []

    @seed(chance)
    @settings(max_examples=number, phases=[Phase.generate], **QUIET)
    @given(cases())
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


def shorter(case: Case) -> Iterator[Case]:
    """Return the same conversation without some of its turns: first many of them, then one."""
    head = head_of(case.messages)
    turns: list[list[WireMessage]] = []
    for message in case.messages[len(head) :]:
        if role_of(message) == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    size = len(turns) // 2
    while size:
        for start in range(len(turns) - size):
            left = [*turns[:start], *turns[start + size :]]
            messages = [*head, *(message for turn in left for message in turn)]
            yield Case(limit=case.limit, messages=messages)
        size //= 2


def head_of(messages: Sequence[WireMessage]) -> list[WireMessage]:
    """Return the system prompt of a plain conversation, or nothing."""
    return list(messages[:1]) if messages and role_of(messages[0]) == "system" else []


def plain(messages: Sequence[WireMessage]) -> list[WireMessage]:
    """Return a conversation without what only some can represent; see `LEFT_OUT`.

    Tool calls get ids that no other exchange has, and arguments in the form that `json.dumps`
    writes.
    """
    made: list[WireMessage] = []
    ids: dict[object, str] = {}
    number = 0
    for place, message in enumerate(messages):
        role = role_of(message)
        if role == "developer" or (role == "system" and place) or message.get("partial"):
            continue
        text = text_of(message).encode("utf-8", "ignore").decode()
        if role == "tool":
            call = ids[message["tool_call_id"]]
            made.append({"role": role, "tool_call_id": call, "content": text})
            continue
        calls = tool_calls(message)
        ids = {call.get("id"): f"call_{number + i}" for i, call in enumerate(calls, start=1)}
        number += len(calls)
        made.append(_spoken(role, text, [_call(call, ids) for call in calls]))
    return made


def _spoken(role: object, text: str, calls: Sequence[WireMessage]) -> WireMessage:
    if calls:
        return {"role": role, "tool_calls": list(calls), "content": text}
    return {"role": role, "content": text or "(nothing)"}


def _call(call: WireMessage, ids: dict[object, str]) -> WireMessage:
    function = call["function"]
    try:
        arguments = json.dumps(json.loads(function["arguments"]))
    except ValueError:
        arguments = "{}"
    return {
        "type": "function",
        "id": ids[call.get("id")],
        "function": {"name": function["name"], "arguments": arguments},
    }
