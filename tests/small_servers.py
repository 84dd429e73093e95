"""Servers that take less than a wrapped client was told, and that count text as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kimi_clients import connect

from memory import wrap
from memory.events import Event
from memory.testing import FakeKimi

if TYPE_CHECKING:
    from openai import OpenAI

ROOMY = 100_000
"""A budget that leaves it to the server to say what is too much."""


def quarters(text: str) -> int:
    """Count text as both sides do here, so that no vocabulary matters."""
    return (len(text) + 3) // 4


def server(**more: Any) -> FakeKimi:
    """Return a server that counts so."""
    return FakeKimi(**({"count_text": quarters, "reply": lambda _: "Noted."} | more))


def remembering(fake: FakeKimi, **memory: Any) -> OpenAI:
    """Return a wrapped client that counts so, with room for more than the server takes."""
    options: Any = {"budget": ROOMY, "tokenizer": quarters, "hooks": ()}
    return wrap(connect(fake), **(options | memory))


def refusals(fake: FakeKimi) -> list[int]:
    """Return the status of each turn that the server refused."""
    return [each.status for each in fake.requests if each.kind == "chat" and each.status != 200]


def of_kind(events: list[Event], kind: type[Event]) -> list[Any]:
    """Return the events of one kind."""
    return [event for event in events if isinstance(event, kind)]
