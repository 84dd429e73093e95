"""Compactions that the store did not take: they hold in the process until it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench import LONG, Workbench, talk

from memory.errors import StoreError
from memory.records import Compaction, LogKey
from memory.stores import VolatileStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Record


class Refusing(VolatileStore):
    """A store that takes no compaction while it is told so."""

    refuses = True

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records, or refuse them."""
        if self.refuses and any(isinstance(record, Compaction) for record in records):
            msg = "the disk is full"
            raise StoreError(msg)
        return super().append(key, records, expected=expected)


def fitted(bench: Workbench, messages: Sequence[Any] = LONG) -> Sequence[Any]:
    """Return what is sent for messages."""
    return bench.fit(messages).messages


def test_nothing_is_paid_twice_while_the_store_refuses() -> None:
    """The same input asks for its summary once."""
    bench = Workbench(1_000, store=Refusing())
    views = [fitted(bench) for _ in range(3)]

    assert 1 == bench.asked
    assert views[0] == views[1] == views[2]


def test_a_conversation_goes_on_while_the_store_refuses() -> None:
    """Its summaries are about as many as with a store that works."""
    refused, taken = Workbench(1_000, store=Refusing()), Workbench(1_000)
    for bench in (refused, taken):
        said = list(LONG)
        for _ in range(20):
            bench.fit(said)
            said += LONG[1:5]

    assert taken.asked == refused.asked


def test_it_is_put_on_record_once_the_store_takes_it() -> None:
    """The next input that uses it writes it, with its originals."""
    store = Refusing()
    bench = Workbench(1_000, store=store)
    before = fitted(bench)
    store.refuses = False
    assert [] == bench.compactions(LONG)
    after = fitted(bench)

    assert before == after
    assert 1 == len(bench.compactions(LONG))
    assert 1 == bench.asked


def test_what_was_written_late_keeps_every_promise() -> None:
    """Its originals are in the log then."""
    store = Refusing()
    bench = Workbench(1_000, store=store)
    bench.fit(LONG)
    store.refuses = False

    talk(bench, LONG, 5)
