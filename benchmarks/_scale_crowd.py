"""What one process holds while its manager has ever more conversations, each for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from time import thread_time
from typing import Any, Final, Literal

from benchmarks._report import Row
from benchmarks._scale_growth import held
from benchmarks._stores_places import made
from benchmarks._synthetic import Writer
from memory.manager import MemoryManager

__all__ = ("Kept", "crowded")

Kept = Literal["volatile", "sqlite"]
BYTES: Final = {"volatile": 200.0, "sqlite": 1_000.0}
"""Bytes of a message, about. What is read of a durable store is held up to a number of characters,
what is said in a volatile one up to a number of messages."""
DIFFERENT: Final = 997
"""Different texts; each message has its own number in front."""


def crowded(kept: Kept, sizes: Sequence[int]) -> list[Row]:
    """Return a row for each size: how many conversations there were, and what the process holds.

    Every conversation is begun with two messages and read once. To be called in a process of its
    own.
    """
    writer, rows, done = Writer("crowd"), list[Row](), 0
    texts = [writer.text(BYTES[kept]) for _ in range(DIFFERENT)]
    place: Any = nullcontext() if kept == "volatile" else made(kept)
    with place as where, nullcontext() if where is None else where.store() as store:
        manager = MemoryManager(store=store, hooks=())
        begun = held()
        for size in sizes:
            started = thread_time()
            for number in range(done, size):
                _have(manager, number, texts[number % DIFFERENT])
            seconds, count, done = thread_time() - started, size - done, size
            row = {"store": kept, "conversations": size, "held MiB": held() - begun}
            rows.append(row | {"ms a conversation": seconds / max(1, count) * 1e3})
    return rows


def _have(manager: MemoryManager, number: int, text: str) -> None:
    conversation = manager.conversation(f"user-{number // 10}/trip {number}")
    asked = {"role": "user", "content": f"{number}: {text}"}
    said = {"role": "assistant", "content": f"{number}. {text}"}
    conversation.add([asked, said])
    conversation.history()
