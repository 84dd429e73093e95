"""Finding compactions by their hashes, and telling how long the shortest input on record is."""

from __future__ import annotations

from memory.records import Compaction
from memory.testing.conformance.bench import Bench
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect_records
from memory.testing.conformance.samples import KINDS, a_hash, compaction, logged

__all__ = ("FIND", "expect_known")

FIND = Group("store")

MANY = 5_000


@FIND.check
def compactions_are_found_by_each_hash(bench: Bench) -> None:
    """A compaction is found, whole, by its coverage, its adoption and its mark, at once."""
    full = KINDS["a compaction"]
    for place, record in enumerate([compaction(), full]):
        assert isinstance(record, Compaction)
        bench.add(bench.key(root=f"{place:02x}"), logged(), record)
        for link in (record.coverage, record.adoption, record.mark or b""):
            for handle in (bench.one, bench.other):
                found = handle.find(bench.namespace, frozenset({link, a_hash()}))
                expect_records([record], found, f"what has the hash {link.hex()}")


@FIND.check
def compaction_is_found_once(bench: Bench) -> None:
    """A compaction of which all hashes are asked for is found once."""
    record = compaction()
    bench.add(bench.key(), record)
    hashes = frozenset({record.coverage, record.adoption, record.mark or b""})
    expect_records([record], bench.one.find(bench.namespace, hashes), "all hashes of a compaction")


@FIND.check
def found_oldest_first(bench: Bench) -> None:
    """Compactions are found in the order in which they came, over all logs and handles."""
    records = [compaction(mark=bool(place % 3)) for place in range(20)]
    for place, record in enumerate(records):
        key = bench.key(root=f"{place * 7 % 4:02x}")
        handle = (bench.one, bench.other)[place % 2]
        handle.append(key, [record], expected=handle.load(key).version)
    for hashes in ({r.coverage for r in records}, {r.adoption for r in reversed(records)}):
        found = bench.one.find(bench.namespace, frozenset(hashes))
        expect_records(records, found, "compactions of four logs")


@FIND.check
def shared_hashes_find_all(bench: Bench) -> None:
    """All compactions with the same hash are found, those of other logs and other roles too."""
    shared = a_hash()
    records = [compaction(coverage=shared), compaction(coverage=shared), compaction()]
    other_role = Compaction(covered=1, coverage=a_hash(), adopted=2, adoption=shared)
    bench.add(bench.key(root="aa"), *records)
    bench.add(bench.key(root="bb"), other_role)
    found = bench.one.find(bench.namespace, frozenset({shared}))
    expect_records([*records[:2], other_role], found, "compactions with one hash")


@FIND.check
def nothing_else_is_found(bench: Bench) -> None:
    """Originals, unknown hashes and no hashes find nothing."""
    original = logged()
    bench.add(bench.key(), original, compaction())
    for hashes in (frozenset({original.link}), frozenset({a_hash(), b""}), frozenset[bytes]()):
        found = bench.one.find(bench.namespace, hashes)
        expect_records([], found, f"find of {len(hashes)} hashes that no compaction has")


@FIND.check
def named_logs_are_not_searched_by_hash(bench: Bench) -> None:
    """Compactions of conversations with a name are neither found nor known."""
    record = compaction(adopted=3)
    bench.add(bench.key("trip"), record)
    found = bench.one.find(bench.namespace, frozenset({record.coverage, record.adoption}))
    expect_records([], found, "the compaction of a conversation with a name")
    expect_known(bench, None)


@FIND.check
def found_for_one_user_only(bench: Bench) -> None:
    """Compactions are found and known in their own namespace, for their own user, only."""
    shared = a_hash()
    places = [("", ""), ("ann", ""), ("bob", ""), ("", "x"), ("ann", "x")]
    records = [compaction(adopted=5 + n, coverage=shared) for n in range(len(places))]
    for (user, beside), record in zip(places, records, strict=True):
        bench.add(bench.key(user=user, root="aa", beside=beside), record)
    for (user, beside), record in zip(places, records, strict=True):
        namespace = bench.namespace + beside
        found = bench.other.find(namespace, frozenset({shared}), user=user)
        expect_records([record], found, f"find for user {user!r} of namespace {namespace!r}")
        expect_known(bench, record.adopted, user=user, beside=beside)
    expect_records([], bench.one.find(bench.namespace, frozenset({shared}), user="eve"), "eve's")
    expect_known(bench, None, user="eve")


@FIND.check
def thousands_of_hashes_at_once(bench: Bench) -> None:
    """Five thousand hashes in one call find what has one of them."""
    records = [compaction() for _ in range(4)]
    for place, record in enumerate(records):
        bench.add(bench.key(root=f"{place:02x}"), record)
    hashes = {a_hash() for _ in range(MANY)} | {record.adoption for record in records[1:]}
    found = bench.one.find(bench.namespace, frozenset(hashes))
    expect_records(records[1:], found, f"find of {MANY} hashes")


@FIND.check
def shortest_input_is_known(bench: Bench) -> None:
    """The smallest number of messages on record is known, or 0 where it is not; None for none."""
    key = bench.key(root="aa")
    expect_known(bench, None)
    bench.add(key, logged())
    expect_known(bench, None)
    bench.add(key, compaction(adopted=9), compaction(adopted=7))
    expect_known(bench, 7)
    bench.add(bench.key(root="bb"), compaction(adopted=8))
    expect_known(bench, 7)
    bench.one.forget(key)
    expect_known(bench, 8)


def expect_known(bench: Bench, least: int | None, *, user: str = "", beside: str = "") -> None:
    """Fail where another smallest number is known; 0 says that it cannot be told cheaply.

    Raises:
        AssertionError: It is.
    """
    for handle in (bench.one, bench.other):
        known = handle.known(bench.namespace + beside, user=user)
        told = type(known) is int or known is None
        message = f"known for user {user!r}: expected {least} (or 0), got {known!r}"
        demand(told and known in (least, 0), message)
