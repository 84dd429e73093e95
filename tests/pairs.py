"""Whether calls and results belong together, told without anything of the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def unpaired(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the ids of calls without a result right after them, and of results without a call."""
    wrong: list[str] = []
    waiting: list[str] = []
    for message in messages:
        if message.get("role") == "tool":
            name = str(message.get("tool_call_id"))
            known = name in waiting
            wrong += [] if known else [name]
            waiting = [each for each in waiting if each != name]
        else:
            wrong += waiting
            waiting = [str(call["id"]) for call in message.get("tool_calls") or ()]
    return wrong + waiting
