"""Who has which facts of a conversation: a text, a summariser, a sliding window."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks._faults_talk import Fact, Language, Message, Talk, text_of
from memory.testing.kimi_count import count_text
from memory.testing.kimi_spoiled import ORDER

__all__ = ("BUDGET", "floor", "notes", "ordered", "stands")

BUDGET: Final = 3_000
"""Tokens a prompt may have."""
_NOTHING: Final[Mapping[Language, str]] = {
    "en": "- Only small talk so far; nothing was agreed.",
    "zh": "- 目前只是闲聊，没有约定什么。",
}


def stands(fact: Fact, texts: Sequence[str]) -> bool:
    """Return whether a fact stands in one of several texts."""
    return any(fact.stands_in(text) for text in texts)


def notes(conversation: Talk, shown: Sequence[str], *, room: int | None) -> str:
    """Return what a summariser writes who sees every fact in what it is shown.

    Args:
        conversation: Whose facts.
        shown: The texts of its prompt.
        room: Tokens it may write; the latest facts are left out first. None for any number.
    """
    lines = [f"- {fact.text}" for fact in conversation.facts if stands(fact, shown)]
    while room is not None and lines and count_text("\n".join(lines)) > room:
        lines.pop()
    return "\n".join(lines) or _NOTHING[conversation.language]


def floor(conversation: Talk) -> int:
    """Return how many facts the last messages that fit into the budget have: a sliding window."""
    messages, left = conversation.messages(), BUDGET - count_text(conversation.system) - 8
    kept = list[str]()
    for message in reversed(messages[1:]):
        left -= count_text(text_of(message)) + 6
        if left < 0:
            break
        kept.append(text_of(message))
    return sum(stands(fact, kept) for fact in conversation.facts)


def ordered(messages: Sequence[Message]) -> bool:
    """Return whether a line of the order that hijacked summaries give is in a prompt."""
    said = json.dumps([text_of(message) for message in messages], ensure_ascii=False)
    return any(line in said for line in ORDER.splitlines() if len(line) > 32)
