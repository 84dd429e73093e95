"""Conversations with notes: what the tests of a user's control over them share."""

from __future__ import annotations

from typing import Any

from chats import kept, result
from fake_kimi_requests import assistant
from kimi_clients import talk

from memory import Conversation
from memory.records import Compaction
from memory.testing import FakeKimi

ROOMY = 10_000
WORDS = "We booked sixty crates in; Ann signed for them."
RULE = "Always weigh twice."
EXCHANGE: list[dict[str, Any]] = [
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "w:0", "type": "function", "function": {"name": "weigh", "arguments": "{}"}}
        ],
    },
    result("w:0"),
]


def talked(
    turns: int = 20, *, budget: int = ROOMY, **options: Any
) -> tuple[FakeKimi, Any, Conversation]:
    """Return a server, a client and a conversation of so many turns that were added to it."""
    fake = FakeKimi()
    client, conversation = kept(fake, budget=budget, **options)
    conversation.add([*talk(turns), assistant("Noted.")])
    return fake, client, conversation


def made(record: Compaction | None) -> Compaction:
    """Return a compaction that there has to be."""
    assert record is not None
    return record


def notes_of(conversation: Conversation) -> str:
    """Return the notes that would be sent; empty where there are none."""
    found = [m["content"] for m in conversation.messages() if "<conversation-" in str(m["content"])]
    return found[0] if found else ""
