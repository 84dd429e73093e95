"""Loading and appending: what is written comes back as it was, in order, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memory.errors import StoreError
from memory.records import Log, LogKey, Record, Turn
from memory.stores.contract import Store
from memory.testing.conformance.bench import Bench
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect, expect_conflict, expect_log
from memory.testing.conformance.samples import (
    KINDS,
    MESSAGES,
    compaction,
    logged,
    said,
    turn,
    unstorable,
)

__all__ = ("LOG",)

LOG = Group("store")

MANY = 1_000


@LOG.check
def unknown_log_is_empty(bench: Bench) -> None:
    """A log that nobody has written is empty and at version 0."""
    for key in (bench.key("trip"), bench.key(root="aa"), bench.key("trip", user="ann")):
        expect(Log(), bench.one.load(key), f"load({key})")


@LOG.check
def records_of_every_kind_come_back(bench: Bench) -> None:
    """Records of every kind come back equal, with everything in them or with nothing."""
    for place, (kind, record) in enumerate(KINDS.items()):
        for key in (bench.key(f"trip {place}"), bench.key(root=f"{place:02x}")):
            version = bench.add(key, record)
            expect_log([record], version, bench.one.load(key), kind)
            expect_log([record], version, bench.other.load(key), f"{kind}, by another handle")


@LOG.check
def odd_messages_come_back(bench: Bench) -> None:
    """Messages come back equal, whatever their texts, numbers and unknown keys, in their order."""
    for place, (what, message) in enumerate(MESSAGES.items()):
        record = Turn(start=0, messages=(message, said("and on")))
        key = bench.key(f"trip {place}")
        version = bench.add(key, record)
        expect_log([record], version, bench.one.load(key), what)
        expect_log([record], version, bench.other.load(key), f"{what}, by another handle")


@LOG.check
def versions_grow(bench: Bench) -> None:
    """Each append returns a larger version, which is the one that load tells from then on."""
    for key in (bench.key("trip"), bench.key(root="aa")):
        before = 0
        batches: list[list[Record]] = [[logged()], [logged(), compaction()], [logged()]]
        for batch in batches:
            version = bench.one.append(key, batch, expected=before)
            demand(version > before, f"an append at version {before} returned {version}")
            for handle in (bench.one, bench.other):
                expect(version, handle.load(key).version, "the version after an append")
            before = version


@LOG.check
def order_is_kept(bench: Bench) -> None:
    """Records come back in the order in which they were given, within and across appends."""
    key, records = bench.key("trip"), [turn(str(place), start=place) for place in range(MANY)]
    version, start = 0, 0
    for size in (1, 2, 17, 500, MANY):
        batch = records[start : start + size]
        handle = (bench.one, bench.other)[size % 2]
        version, start = handle.append(key, batch, expected=version), start + size
    expect_log(records, version, bench.one.load(key), f"{MANY} records in five appends")


@LOG.check
def what_one_handle_writes_another_reads(bench: Bench) -> None:
    """What one handle appends another one loads at once, though it has loaded the log before."""
    key = bench.key("trip")
    handles, records, version = [bench.one, bench.other], [turn("a"), turn("b"), turn("c")], 0
    for place, record in enumerate(records):
        for handle in handles:
            expect_log(records[:place], version, handle.load(key), f"after {place} appends")
        version = handles[place % 2].append(key, [record], expected=version)
    for handle in (*handles, bench.handles.open()):
        expect_log(records, version, handle.load(key), "at the end")


@LOG.check
def other_version_is_a_conflict(bench: Bench) -> None:
    """Who expects an older or a newer version is refused; the log is as it was and goes on."""
    key, records = bench.key("trip"), [turn("a"), turn("b"), turn("c")]
    first = bench.one.append(key, records[:1], expected=0)
    second = bench.one.append(key, records[1:2], expected=first)
    for handle in (bench.one, bench.other):
        for wrong in (0, first, second + 1, second + 1_000):
            _expect_refused(handle, key, wrong, second)
        expect_log(records[:2], second, handle.load(key), "the log after conflicts")
    third = bench.other.append(key, records[2:], expected=second)
    expect_log(records, third, bench.one.load(key), "the log after an append that fits")


@LOG.check
def new_log_begins_at_zero(bench: Bench) -> None:
    """An append to a log that is not there is refused unless it expects version 0."""
    key = bench.key("trip")
    for wrong in (1, 7):
        _expect_refused(bench.one, key, wrong, 0)
    expect(Log(), bench.one.load(key), "the log after conflicts")
    version = bench.one.append(key, [turn("a")], expected=0)
    _expect_refused(bench.other, key, 0, version)


def _expect_refused(store: Store, key: LogKey, expected: int, actual: int) -> None:
    batch: list[Record] = [turn("never"), compaction()]
    expect_conflict(
        lambda: store.append(key, batch, expected=expected), expected=expected, actual=actual
    )


@LOG.check
def append_is_all_or_nothing(bench: Bench) -> None:
    """A record that is no JSON is kept as it is or refused with a StoreError, and all with it."""
    for place, (what, message) in enumerate(unstorable().items()):
        for key in (bench.key(f"trip {place}"), bench.key(root=f"{place:02x}")):
            bench.add(key, logged("first"))
            _expect_whole_or_nothing(bench, key, message, what)


def _expect_whole_or_nothing(
    bench: Bench, key: LogKey, message: Mapping[str, Any], what: str
) -> None:
    log = bench.one.load(key)
    bad = Turn(start=0, messages=(message,))
    batch: list[Record] = [logged("before"), bad, logged("after")]
    try:
        later = bench.one.append(key, batch, expected=log.version)
    except StoreError:
        found = bench.other.load(key)
        expect_log(log.records, log.version, found, f"the log after {what} was refused")
        later = bench.one.append(key, batch[:1], expected=log.version)
        expect(later, bench.other.load(key).version, f"the version after {what} was left out")
    else:
        found = bench.other.load(key)
        expect(later, found.version, f"the version of a log that holds {what}")
        demand(found.records == (*log.records, *batch), f"{what}: kept, but not as it was")


@LOG.check
def large_append_comes_back(bench: Bench) -> None:
    """A thousand messages in one turn, and a thousand turns in one append, are kept whole."""
    long = Turn(start=0, messages=tuple(said(f"{place} " * 100) for place in range(MANY)))
    records = [long, *(turn(str(place), start=MANY + place) for place in range(MANY))]
    key = bench.key("trip")
    version = bench.one.append(key, records, expected=0)
    expect_log(records, version, bench.other.load(key), "a large append")


@LOG.check
def logs_do_not_mix(bench: Bench) -> None:
    """Appends to several logs by turns go to the log that they are for."""
    keys = [bench.key("a"), bench.key("b"), bench.key(root="aa"), bench.key("a", user="ann")]
    records = {key: [logged(f"{place}") for place in range(5)] for key in keys}
    versions = dict.fromkeys(keys, 0)
    for place in range(5):
        for key in keys:
            batch = records[key][place : place + 1]
            versions[key] = bench.one.append(key, batch, expected=versions[key])
    for key in keys:
        expect_log(records[key], versions[key], bench.other.load(key), f"the log under {key}")
