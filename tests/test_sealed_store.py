"""Sealed stores: what goes in comes out, nobody can read it inside, and the contract holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealing import (
    ANN,
    BEGINNING,
    BOB,
    NEW,
    OLD,
    SPACE,
    TRIP,
    Glass,
    a_hash,
    compaction,
    filled,
    keys_of,
    places,
    records,
    sealing,
    stored,
    turn,
)
from workbench import LONG, Scribe, Workbench, context, prompt

from memory.errors import ConflictError, StoreError, UnsupportedError
from memory.flow import fit
from memory.handlers import Handler
from memory.outside import Outside
from memory.records import (
    Compaction,
    Forgotten,
    Log,
    Logged,
    LogKey,
    Record,
    Segment,
    Shortened,
    Turn,
    Undone,
    Usage,
)
from memory.stores import VolatileStore
from memory.stores.contract import Checking, Leasing, Listing, Searching, Store
from memory.stores.sealed import SealedStore
from memory.stores.sqlite import SqliteStore
from memory.testing.conformance import check_store

SECRET = "xylophone-hush-71"
Writing = Sequence[tuple[LogKey, Sequence[Record]]]


def writings() -> st.SearchStrategy[Writing]:
    """Return appends to logs of several users."""
    return st.lists(st.tuples(places(), st.lists(records(), min_size=1, max_size=3)), max_size=5)


def secrets() -> list[Record]:
    """Return a record of each kind with secrets wherever one can be."""
    message = {"role": "user", "content": SECRET, SECRET: {"a": [SECRET]}}
    mark = SECRET.encode()
    segment = Segment(text=SECRET, first=1, last=7_777_777, tokens=7_777_777, author=SECRET)
    usage = Usage(prompt_tokens=7_777_777, completion_tokens=7_777_777)
    return [
        Turn(start=0, messages=(message, message), head=(message,), usage=usage),
        Turn(start=2, usage=usage),
        Logged(index=0, link=mark, message=message),
        compaction(coverage=mark, adoption=mark, mark=mark, synthetic=message),
        compaction(segments=(segment,), standing=(SECRET,), kept=(7_777_777,), cost=7_777_777.5),
        compaction(shortened=(Shortened(index=7_777_777, head=0, tail=0),), tokens_after=7_777_777),
        Undone(mark=mark),
    ]


@given(writings())
def test_what_is_sealed_comes_back_whole(writing: Writing) -> None:
    """Records of any kind are what any store that writes them down gives back, in order."""
    inner = VolatileStore()
    filled(sealing(inner), writing)
    wanted: dict[LogKey, list[Record]] = {}
    for key, written in writing:
        wanted.setdefault(key, []).extend(map(stored, written))
    again = sealing(inner)

    assert wanted == {key: list(again.load(key).records) for key in wanted}
    assert [len(each) for each in wanted.values()] == [again.load(key).version for key in wanted]


@given(writings(), st.sets(st.integers(0, 7)))
def test_a_sealed_store_tells_the_same_as_a_plain_one(writing: Writing, asked: set[int]) -> None:
    """Lists, searches and what was forgotten have the same numbers."""
    plain, store = VolatileStore(), sealing(VolatileStore())
    filled(plain, [(key, [*map(stored, written)]) for key, written in writing])
    filled(store, writing)
    hashes = frozenset(number.to_bytes(16, "big") for number in asked)

    def told(each: VolatileStore | SealedStore) -> list[object]:
        users = ["", ANN, BOB]
        return [
            [replace(entry, updated=0.0) for entry in each.conversations(SPACE)],
            [(each.known(SPACE, user=user), each.find(SPACE, hashes, user=user)) for user in users],
            [each.forget(key) for key, _ in writing[:2]],
            [each.forget_user(SPACE, user) for user in users],
            each.conversations(SPACE),
        ]

    assert told(plain) == told(store)


def test_nothing_that_was_said_can_be_read_inside() -> None:
    """Neither texts nor keys, hashes, counts of tokens or roots stand in the inner store."""
    inner = VolatileStore()
    root = SECRET.encode().hex()
    for key in (TRIP, LogKey(namespace=SPACE, user=ANN, root=root)):
        sealing(inner).append(key, secrets(), expected=0)
    inside = repr(vars(inner))

    assert "ct" in inside
    assert [] == [each for each in (SECRET, root, "7777777", OLD) if each in inside]


def test_nothing_that_was_said_is_in_the_file(tmp_path: Path) -> None:
    """A SQLite file gives all of it back to whoever has the key, and to nobody else."""
    path = tmp_path / "memory.db"
    first = sealing(SqliteStore(path))
    first.append(TRIP, secrets(), expected=0)
    first.append(BEGINNING, secrets(), expected=0)
    first.close()
    raw = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    again = sealing(SqliteStore(path))
    found = (again.load(TRIP).records, again.load(BEGINNING).records)
    again.close()

    assert (tuple(secrets()[:3]), tuple(secrets()[:3])) == (found[0][:3], found[1][:3])
    assert [False] * 3 == [each.encode() in raw for each in (SECRET, BEGINNING.root, OLD)]


def test_conversations_are_listed_with_their_messages(tmp_path: Path) -> None:
    """An inner store counts them though it cannot read them."""
    store = sealing(SqliteStore(tmp_path / "memory.db"))
    store.append(TRIP, [turn(), turn(start=2), turn(start=1)], expected=0)
    entries = store.conversations(SPACE, user=ANN)
    forgotten = store.forget(TRIP)
    store.close()

    assert [("trip", 3, 3)] == [(each.name, each.version, each.messages) for each in entries]
    assert Forgotten(logs=1, records=3, messages=6) == forgotten


def test_compactions_are_found_by_each_of_their_hashes() -> None:
    """Coverage, adoption and mark are looked at, in logs without a name; the originals return."""
    store, record, named = sealing(VolatileStore()), compaction(), compaction()
    store.append(BEGINNING, [record], expected=0)
    store.append(TRIP, [named], expected=0)

    for each in (record.coverage, record.adoption, record.mark):
        assert (record,) == store.find(SPACE, frozenset({each or b"", a_hash()}), user=ANN)
        assert () == store.find(SPACE, frozenset({each or b""}))
    assert () == store.find(SPACE, frozenset({named.coverage}), user=ANN)
    assert () == store.find(SPACE, frozenset(), user=ANN)


def test_the_shortest_input_on_record_is_known() -> None:
    """It needs no key, for it says nothing of what was said."""
    store = sealing(VolatileStore())
    store.append(BEGINNING, [compaction(adopted=9), compaction(adopted=7)], expected=0)

    assert 7 == store.known(SPACE, user=ANN)
    assert store.known(SPACE) is None


def test_ten_thousand_hashes_are_looked_for_at_once() -> None:
    """Keying them takes well under 50 ms."""
    store, record = sealing(VolatileStore(), NEW, OLD), compaction()
    store.append(BEGINNING, [record], expected=0)
    hashes = frozenset(a_hash() for _ in range(10_000)) | {record.adoption}
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert (record,) == store.find(SPACE, hashes, user=ANN)
        times.append(time.perf_counter() - start)

    assert min(times) < 0.05


def test_records_are_opened_once() -> None:
    """A log that grew is read on, not read again."""
    store = sealing(VolatileStore())
    store.append(TRIP, [turn()], expected=0)
    (before,) = store.load(TRIP).records
    store.append(TRIP, [turn()], expected=1)

    assert before is store.load(TRIP).records[0]


@pytest.mark.parametrize("expected", [0, 2])
def test_another_version_is_a_conflict(expected: int) -> None:
    """Who read an older log, or one that never was, writes nothing."""
    inner = VolatileStore()
    sealing(inner).append(TRIP, [turn()], expected=0)

    with pytest.raises(ConflictError) as caught:
        sealing(inner).append(TRIP, [turn("other")], expected=expected)

    assert (expected, 1) == (caught.value.expected, caught.value.actual)
    assert (turn(),) == sealing(inner).load(TRIP).records


def test_what_is_not_json_is_refused() -> None:
    """Nothing is written, as in every store that writes things down."""
    store = sealing(VolatileStore())

    with pytest.raises(StoreError, match="not JSON"):
        store.append(TRIP, [Turn(start=0, messages=({"content": b"raw"},))], expected=0)
    assert 0 == store.load(TRIP).version


def test_users_have_keys_of_their_own() -> None:
    """The same records stand under other roots and hashes, and nobody finds what is another's."""
    inner, record = Glass(), compaction()
    keys = [BEGINNING, replace(BEGINNING, user=BOB), replace(BEGINNING, namespace="other")]
    filled(sealing(inner), [(key, [record]) for key in keys])
    logs = inner.logs()
    inside = [each for log in logs.values() for each in log if isinstance(each, Compaction)]
    everything = frozenset(each.coverage for each in inside)

    assert 3 == len({key.root for key in logs} - {BEGINNING.root})
    assert 3 == len(everything - {record.coverage})
    assert [1, 1] == [len(inner.find(SPACE, everything, user=user)) for user in (ANN, BOB)]


def test_logs_with_a_name_do_not_show_that_they_are_alike() -> None:
    """The hashes of one are keyed otherwise than those of the next."""
    inner, record = Glass(), compaction()
    filled(sealing(inner), [(TRIP, [record]), (replace(TRIP, name="work"), [record])])
    logs = inner.logs().values()

    assert 2 == len({each.mark for log in logs for each in log if isinstance(each, Compaction)})


def test_writers_in_threads_lose_nothing() -> None:
    """Two instances and several threads begin a user at once, and write on with reloading."""
    inner = VolatileStore()
    failed: list[Exception] = []

    def write(store: SealedStore) -> None:
        written = 0
        while written < 20:
            try:
                store.append(TRIP, [compaction()], expected=store.load(TRIP).version)
                written += 1
            except ConflictError:
                continue
            except Exception as error:  # noqa: BLE001  # shown below
                failed.append(error)
                return

    stores = [sealing(inner), sealing(inner)]
    threads = [Thread(target=write, args=(store,)) for store in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed
    assert 80 == len(sealing(inner).load(TRIP).records)
    assert 1 == inner.load(keys_of()).version


@given(st.lists(st.tuples(places(), st.booleans()), max_size=30))
def test_a_store_that_makes_room_drops_keys_last(uses: Sequence[tuple[LogKey, bool]]) -> None:
    """A log is there, whole, or gone; it never stays behind without its key."""
    store = sealing(VolatileStore(conversations=3))
    for key, write in uses:
        log = store.load(key)
        if write:
            store.append(key, [turn()], expected=log.version)

    held = [store.load(key) for key, _ in uses]
    assert held == [Log(records=(turn(),) * log.version, version=log.version) for log in held]


def test_a_store_without_room_for_a_key_holds_nothing() -> None:
    """A log that crowds its own key out is gone, rather than in the way."""
    store = sealing(VolatileStore(messages=2))
    store.append(TRIP, [turn()], expected=0)

    assert 0 == store.load(TRIP).version


def test_summaries_are_found_through_a_sealed_store() -> None:
    """A conversation is fitted as it is with a plain store, by another process too."""
    inner = VolatileStore()
    plain = Workbench(1_000)
    scribe = Scribe()

    def fitted() -> object:
        outside = Outside(store=sealing(inner), hooks=(), count=plain.meter.text)
        return Handler(outside, scribe).run(fit(prompt(LONG), context())).messages

    wanted = plain.fit(LONG).messages

    assert [wanted, wanted] == [fitted(), fitted()]
    assert 1 == len(scribe.requests)


def test_a_sealed_store_does_all_but_search() -> None:
    """Even where the inner store can search; how it is to be called is as there."""
    with SqliteStore() as inner:
        store: Store = sealing(inner)
        kinds = [Store, Listing, Leasing, Checking, Searching]

        assert [True, True, True, True, False] == [isinstance(store, kind) for kind in kinds]
        assert [(False, False), (True, False)] == [
            (each.immediate, each.durable) for each in (sealing(inner), sealing(VolatileStore()))
        ]


def test_leases_are_those_of_the_inner_store() -> None:
    """They hold between instances, for logs with a name and without, which show no root."""
    with SqliteStore() as inner:
        one, other = sealing(inner), sealing(inner)
        for key in (TRIP, BEGINNING):
            assert other.holder(key, "turn") is None
            other.release(key, "turn", owner="b")
            assert one.acquire(key, "turn", owner="a", seconds=60)
            assert not other.acquire(key, "turn", owner="b", seconds=60)
            assert "a" == other.holder(key, "turn")
            one.release(key, "turn", owner="a")
            assert other.acquire(key, "turn", owner="b", seconds=60)
        assert inner.holder(BEGINNING, "turn") is None
        assert 1 == one.forget(BEGINNING).leases


def test_what_a_lease_is_for_cannot_be_read_either(tmp_path: Path) -> None:
    """Its purpose may name the hash of messages."""
    store = sealing(SqliteStore(tmp_path / "memory.db"))
    purposes = [f"summary:{SECRET}", "summary:other"]
    taken = [store.acquire(BEGINNING, each, owner=each[8:11], seconds=60) for each in purposes]
    holders = [store.holder(BEGINNING, each) for each in purposes]
    store.close()

    assert ([True, True], [SECRET[:3], "oth"]) == (taken, holders)
    assert [] == [each for each in tmp_path.iterdir() if SECRET.encode() in each.read_bytes()]


class _Bare:
    """A store that can do the least there is."""

    def __init__(self) -> None:
        inner = VolatileStore()
        self.load, self.append, self.forget = inner.load, inner.append, inner.forget
        self.known, self.find = inner.known, inner.find


def test_an_inner_store_may_do_without_leases_and_lists() -> None:
    """Leases and lists are refused then, and all else works."""
    store = sealing(_Bare())
    store.append(TRIP, [turn()], expected=0)

    with pytest.raises(UnsupportedError, match="leases"):
        store.acquire(TRIP, "turn", owner="a", seconds=60)
    with pytest.raises(UnsupportedError) as caught:
        store.conversations(SPACE)
    assert "conversations" == caught.value.capability
    store.close()
    assert (turn(),) == store.load(TRIP).records


def test_a_sealed_store_keeps_the_contract() -> None:
    """Whatever the suite for stores checks, around one that can do everything."""
    with SqliteStore() as inner:
        store = sealing(inner)
        report = check_store(lambda: store)

    report.raise_for_failures()


def test_a_sealed_store_says_around_what_it_is() -> None:
    """Its health is that of the inner store, and neither shows a key."""
    with SqliteStore() as inner:
        store = sealing(inner)

        assert replace(inner.health(), kind="sealed(sqlite)") == store.health()
        assert "SealedStore(SqliteStore(':memory:'))" == repr(store)
    assert "sealed(_Bare)" == sealing(_Bare()).health().kind
