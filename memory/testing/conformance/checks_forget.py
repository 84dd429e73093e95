"""Forgetting: all of it, only that, with the true numbers."""

from __future__ import annotations

from functools import partial

from memory.records import Compaction, Forgotten, Log, LogKey, Record, Undone
from memory.testing.conformance.bench import Bench, counts
from memory.testing.conformance.check import Group
from memory.testing.conformance.checks_find import expect_known
from memory.testing.conformance.expect import (
    demand,
    expect,
    expect_conflict,
    expect_log,
    expect_records,
)
from memory.testing.conformance.samples import a_hash, compaction, logged, turn

__all__ = ("FORGET",)

FORGET = Group("store")

RECORDS: tuple[Record, ...] = (
    turn("a", "b"),
    compaction(),
    turn("c", start=1),
    logged(),
    Undone(mark=None),
    turn(start=1),
    compaction(mark=False),
)
COUNTS = (1, 7, 4, 2)
"""How many logs, records, messages and compactions those are."""


@FORGET.check
def forgetting_tells_what_was_removed(bench: Bench) -> None:
    """Forgetting returns how many logs, records, original messages and compactions there were."""
    for key in (bench.key("trip"), bench.key(root="aa"), bench.key("trip", user="ann")):
        bench.one.append(key, RECORDS[:3], expected=0)
        bench.add(key, *RECORDS[3:])
        forgotten = bench.other.forget(key)
        expect(COUNTS, counts(forgotten), f"logs, records, messages, compactions of {key}")
        expect(0, forgotten.leases, "the number of leases removed, of none")
        _expect_gone(bench, key)


@FORGET.check
def what_is_not_there_cannot_be_forgotten(bench: Bench) -> None:
    """Forgetting a log that is not there removes nothing, and says so."""
    for key in (bench.key("trip"), bench.key(root="aa")):
        expect(Forgotten(), bench.one.forget(key), f"forget({key})")


@FORGET.check
def forgotten_compactions_are_not_found(bench: Bench) -> None:
    """What is forgotten is neither found nor known any more, by any handle."""
    key, record = bench.key(), compaction(adopted=7)
    bench.add(key, record, logged())
    hashes = frozenset({record.coverage, record.adoption, record.mark or b""})
    expect_records([record], bench.other.find(bench.namespace, hashes), "before it is forgotten")
    bench.one.forget(key)
    for handle in (bench.one, bench.other):
        expect_records([], handle.find(bench.namespace, hashes), "after it was forgotten")
    expect_known(bench, None)


@FORGET.check
def forgetting_spares_other_logs(bench: Bench) -> None:
    """Other logs keep everything, though they share hashes, user or name with the one forgotten."""
    shared = a_hash()
    one, twin = compaction(coverage=shared), compaction(coverage=shared, adopted=99)
    bench.add(bench.key(root="aa"), one)
    kept: dict[LogKey, Record] = {
        bench.key(root="bb"): twin,
        bench.key("aa"): compaction(),
        bench.key(root="aa", user="ann"): compaction(),
    }
    for key, record in kept.items():
        bench.add(key, record)
    bench.one.forget(bench.key(root="aa"))
    for key, record in kept.items():
        log = bench.other.load(key)
        expect_log([record], log.version, log, f"the log under {key}")
    found = bench.other.find(bench.namespace, frozenset({shared}))
    expect_records([twin], found, "the compaction that shares its hash with one forgotten")


@FORGET.check
def forgotten_log_begins_anew(bench: Bench) -> None:
    """After it was forgotten a log begins at version 0, and nothing of the old one comes back."""
    old: tuple[Record, ...] = (logged("old"), compaction())
    new: tuple[Record, ...] = (logged("new"), compaction())
    for key in (bench.key("trip"), bench.key(root="aa")):
        version = bench.one.append(key, old, expected=0)
        for handle in (bench.one, bench.other):
            expect_log(old, version, handle.load(key), "before it is forgotten")
        bench.one.forget(key)
        _expect_stale(bench, key, version)
        later = bench.other.append(key, new, expected=0)
        for handle in (bench.one, bench.other):
            expect_log(new, later, handle.load(key), "after it was begun anew")
        expect((1, 2, 1, 1), counts(bench.one.forget(key)), "what the second log had")


def _expect_stale(bench: Bench, key: LogKey, version: int) -> None:
    """Fail where somebody who has not heard of the forgetting can go on."""
    for handle in (bench.one, bench.other):
        expect_conflict(
            partial(handle.append, key, [turn("never")], expected=version),
            expected=version,
            actual=0,
        )


@FORGET.check
def forgetting_many_hashes(bench: Bench) -> None:
    """A log with many compactions goes with all of its hashes, and leaves those of others."""
    records = [compaction() for _ in range(300)]
    bench.add(bench.key(root="aa"), *records)
    bench.add(bench.key(root="bb"), records[0])
    expect((1, 300, 0, 300), counts(bench.one.forget(bench.key(root="aa"))), "what was removed")
    found = bench.one.find(bench.namespace, frozenset(record.coverage for record in records))
    expect_records(records[:1], found, "what the other log has")


@FORGET.needing("listing")
def forgetting_a_user_removes_all_of_theirs(bench: Bench) -> None:
    """Forgetting a user removes their logs, with a name and without, and tells the sum."""
    theirs = [bench.key("a", user="ann"), bench.key("b", user="ann")]
    theirs += [bench.key(root="aa", user="ann"), bench.key(root="bb", user="ann")]
    for key in theirs:
        bench.add(key, *RECORDS)
    forgotten = bench.other.forget_user(bench.namespace, "ann")
    expect(tuple(4 * n for n in COUNTS), counts(forgotten), "what was removed")
    for key in theirs:
        _expect_gone(bench, key)
    expect_known(bench, None, user="ann")
    expect(Forgotten(), bench.one.forget_user(bench.namespace, "ann"), "the second time")


@FORGET.needing("listing")
def forgetting_a_user_spares_others(bench: Bench) -> None:
    """Other users, nobody in particular, and the same user elsewhere keep everything."""
    bench.add(bench.key("a", user="ann"), *RECORDS)
    others = [bench.key("a", user="bob"), bench.key("a"), bench.key("ann")]
    others += [bench.key(root="aa"), bench.key("a", user="ann", beside="x")]
    for key in others:
        bench.add(key, *RECORDS)
    bench.one.forget_user(bench.namespace, "ann")
    _expect_kept(bench, others)
    expect(COUNTS, counts(bench.one.forget(others.pop())), "what the namesake had")
    forgotten = bench.one.forget_user(bench.namespace, "")
    expect(tuple(3 * n for n in COUNTS), counts(forgotten), "what nobody in particular had")
    _expect_kept(bench, others[:1])


@FORGET.needing("leasing")
def forgetting_removes_leases(bench: Bench) -> None:
    """Leases of a log are forgotten with it, counted, and can be taken by others at once."""
    key, beside = bench.key("trip"), bench.key("trip", user="ann")
    bench.add(key, turn("a"))
    for purpose in ("turn", "summary"):
        for each in (key, beside):
            bench.one.acquire(each, purpose, owner="one", seconds=300)
    expect(2, bench.other.forget(key).leases, "the number of leases removed")
    for purpose in ("turn", "summary"):
        expect(None, bench.one.holder(key, purpose), f"who has the {purpose} of a forgotten log")
        expect("one", bench.one.holder(beside, purpose), f"who has the {purpose} of another log")
    demand(bench.other.acquire(key, "turn", owner="two", seconds=300), "the lease is still taken")


@FORGET.needing("leasing", "listing")
def forgetting_a_user_removes_leases(bench: Bench) -> None:
    """Leases of all logs of a user are forgotten with them, and those of others are not."""
    for user in ("ann", "bob"):
        for key in (bench.key("trip", user=user), bench.key(root="aa", user=user)):
            bench.add(key, turn("a"))
            bench.one.acquire(key, "turn", owner=user, seconds=300)
    expect(2, bench.other.forget_user(bench.namespace, "ann").leases, "leases that were removed")
    held = [bench.one.holder(bench.key("trip", user=user), "turn") for user in ("ann", "bob")]
    expect([None, "bob"], held, "who has the leases afterwards")


def _expect_kept(bench: Bench, keys: list[LogKey]) -> None:
    for key in keys:
        log = bench.other.load(key)
        expect_log(RECORDS, log.version, log, f"the log under {key}")
    found = {c.coverage for c in RECORDS if isinstance(c, Compaction)}
    unnamed = [key for key in keys if not key.name]
    for key in unnamed:
        here = bench.one.find(key.namespace, frozenset(found), user=key.user)
        expect(2, len(here), f"the number of compactions found for {key}")


def _expect_gone(bench: Bench, key: LogKey) -> None:
    for handle in (bench.one, bench.other):
        expect(Log(), handle.load(key), f"{key} after it was forgotten")
    expect(Forgotten(), bench.one.forget(key), f"{key} forgotten a second time")
