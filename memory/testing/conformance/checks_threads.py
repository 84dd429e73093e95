"""Several writers at once: nobody's records are lost, and all agree on the order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from memory.errors import ConflictError
from memory.records import Logged, LogKey, Record
from memory.testing.conformance.bench import Bench, Full
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect, expect_log, expect_records
from memory.testing.conformance.samples import compaction, logged, turn
from memory.testing.conformance.together import together

__all__ = ("THREADS",)

THREADS = Group("store")

WRITERS = 8
APPENDS = 8
BATCH = 3


@THREADS.check
def writers_at_once_lose_nothing(bench: Bench) -> None:
    """Eight threads that append, and load again after a conflict, lose nothing and agree."""
    key = bench.key("trip")
    works = [partial(_write, _handle(bench, n), key, n) for n in range(WRITERS)]
    written = dict(pair for done in together(works) for pair in done)
    expect(WRITERS * APPENDS, len(written), "the number of versions that appends returned")
    expected = [record for version in sorted(written) for record in written[version]]
    for handle in (bench.one, bench.other):
        expect_log(expected, max(written), handle.load(key), "what all threads wrote, by version")


def _write(store: Full, key: LogKey, writer: int) -> list[tuple[int, list[Record]]]:
    """Append batches, each until it succeeds, and return what was written at which version."""
    written = []
    for number in range(APPENDS):
        batch: list[Record] = [logged(f"{writer} {number} {place}") for place in range(BATCH)]
        written.append((_append(store, key, batch), batch))
    return written


def _append(store: Full, key: LogKey, batch: Sequence[Record]) -> int:
    """Append records at whatever version the log is, and return the new one."""
    while True:
        log = store.load(key)
        expect(0, len(log.records) % len(batch), "records of half an append, seen by a reader")
        with suppress(ConflictError):
            return store.append(key, batch, expected=log.version)


@THREADS.check
def one_of_many_begins_a_log(bench: Bench) -> None:
    """Of eight threads that begin the same log at the same time one does; the others are told."""
    for key in (bench.key("trip"), bench.key(root="aa")):
        tries = [partial(_begin, _handle(bench, n), key, logged(str(n))) for n in range(WRITERS)]
        begun = [each for each in together(tries) if each is not None]
        expect(1, len(begun), "the number of threads that began the log")
        record, version = begun[0]
        expect_log([record], version, bench.other.load(key), "the log that was begun")


def _begin(store: Full, key: LogKey, record: Logged) -> tuple[Logged, int] | None:
    try:
        return record, store.append(key, [record], expected=0)
    except ConflictError as error:
        expect(0, error.expected, "the version that the error says was expected")
        demand(error.actual > 0, f"a conflict with a log at version {error.actual}")
        return None


@THREADS.check
def logs_of_their_own_do_not_disturb(bench: Bench) -> None:
    """Threads that each write a log of their own, while others search, meet no conflict."""
    keys = [bench.key(root=f"{n:02x}") for n in range(WRITERS)]
    together([partial(_work, _handle(bench, n), key) for n, key in enumerate(keys)])
    for key in keys:
        expect(APPENDS, len(bench.one.load(key).records), "the records of one thread")


def _work(store: Full, key: LogKey) -> None:
    version = 0
    for _ in range(APPENDS):
        record = compaction()
        version = store.append(key, [record], expected=version)
        found = store.find(key.namespace, frozenset({record.coverage}), user=key.user)
        expect_records([record], found, "a compaction that was just appended")
        demand(store.known(key.namespace, user=key.user) is not None, "nothing is known")


@THREADS.check
def forgetting_meets_writers(bench: Bench) -> None:
    """A log that is forgotten while others append is whole at any time: theirs, or empty."""
    key = bench.key("trip")

    def write() -> int:
        for place in range(APPENDS):
            _append(bench.one, key, _pair(place))
        return 0

    def forget() -> int:
        return sum(bench.other.forget(key).records for _ in range(APPENDS))

    removed = sum(together([write, write, forget]))
    left = len(bench.one.load(key).records)
    expect(2 * APPENDS * 2, left + removed, "records that are left and those removed")


def _pair(place: int) -> list[Record]:
    return [turn(f"{place}"), turn(f"{place} again")]


def _handle(bench: Bench, number: int) -> Full:
    return (bench.one, bench.other)[number % 2]
