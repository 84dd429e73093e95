"""Logs in memory: versions, searching by hash, namespaces, and forgetting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from threading import Thread

import pytest
from workbench import SPACE, user

from memory.errors import ConflictError
from memory.flow import LogKey
from memory.records import Compaction, Forgotten, Logged, Record
from memory.stores import VolatileStore

_numbers: Iterator[int] = count()


def key(root: str = "a", *, namespace: str = SPACE, user: str = "") -> LogKey:
    """Return the key of a log."""
    return LogKey(namespace=namespace, user=user, root=root)


def a_hash() -> bytes:
    """Return a hash that nothing else has."""
    return next(_numbers).to_bytes(16, "big")


def compaction(*, adopted: int = 10, mark: bool = True) -> Compaction:
    """Return a record with hashes of its own."""
    return Compaction(
        covered=5,
        coverage=a_hash(),
        adopted=adopted,
        adoption=a_hash(),
        mark=a_hash() if mark else None,
    )


def logged() -> Logged:
    """Return an original with a hash of its own."""
    return Logged(index=0, link=a_hash(), message=user("hi"))


def test_an_unknown_log_is_empty() -> None:
    """Nothing is at version 0."""
    log = VolatileStore().load(key())

    assert ((), 0) == (log.records, log.version)


def test_records_are_kept_in_order() -> None:
    """Each append adds to the end and raises the version by what is added."""
    store = VolatileStore()
    first: list[Record] = [logged(), compaction()]
    second: list[Record] = [compaction()]

    assert 2 == store.append(key(), first, expected=0)
    assert 3 == store.append(key(), second, expected=2)
    assert ((*first, *second), 3) == (store.load(key()).records, store.load(key()).version)


@pytest.mark.parametrize("expected", [0, 2])
def test_another_version_is_a_conflict(expected: int) -> None:
    """Who read an older log, or one that never was, writes nothing."""
    store, record = VolatileStore(), compaction()
    store.append(key(), [record], expected=0)

    with pytest.raises(ConflictError) as caught:
        store.append(key(), [compaction()], expected=expected)

    assert (expected, 1) == (caught.value.expected, caught.value.actual)
    assert (record,) == store.load(key()).records
    assert 1 == store.load(key()).version


def test_compactions_are_found_by_each_of_their_hashes() -> None:
    """Coverage, adoption and mark are looked at."""
    store, record = VolatileStore(), compaction()
    store.append(key(), [record], expected=0)

    for each in (record.coverage, record.adoption, record.mark):
        assert (record,) == store.find(SPACE, frozenset({each or b"", a_hash()}))


def test_a_compaction_is_found_once() -> None:
    """Though all its hashes are asked for."""
    store, record = VolatileStore(), compaction()
    store.append(key(), [record], expected=0)
    hashes = frozenset({record.coverage, record.adoption, record.mark or b""})

    assert (record,) == store.find(SPACE, hashes)


@pytest.mark.parametrize("asked", [0, 1_000])
def test_compactions_are_found_oldest_first(asked: int) -> None:
    """In the order in which they came, over all logs, however many hashes are asked for."""
    store = VolatileStore()
    records = [compaction(mark=False) for _ in range(20)]
    for version, record in enumerate(records):
        store.append(key(str(version % 2)), [record], expected=version // 2)
    hashes = frozenset(record.coverage for record in records) | {a_hash() for _ in range(asked)}

    assert tuple(records) == store.find(SPACE, hashes)


def test_originals_are_not_found() -> None:
    """Only compactions are searched."""
    store, record = VolatileStore(), logged()
    store.append(key(), [record], expected=0)

    assert () == store.find(SPACE, frozenset({record.link}))


def test_namespaces_do_not_see_each_other() -> None:
    """No call reaches from one into another."""
    store, record = VolatileStore(), compaction()
    store.append(key(), [record], expected=0)

    assert () == store.find("other", frozenset({record.coverage}))
    assert () == store.load(key(namespace="other")).records
    assert store.known("other") is None
    assert Forgotten() == store.forget(key(namespace="other"))
    assert (record,) == store.find(SPACE, frozenset({record.coverage}))


def test_users_do_not_see_each_other() -> None:
    """No call reaches from one to another, nor to what is nobody's."""
    store, record = VolatileStore(), compaction()
    store.append(key(user="ada"), [record], expected=0)

    for other in ("", "bob"):
        assert () == store.find(SPACE, frozenset({record.coverage}), user=other)
        assert () == store.load(key(user=other)).records
        assert store.known(SPACE, user=other) is None
        assert Forgotten() == store.forget(key(user=other))
    assert (record,) == store.find(SPACE, frozenset({record.coverage}), user="ada")


def test_conversations_with_a_name_are_not_searched() -> None:
    """Their compactions are for nobody but themselves."""
    store, record = VolatileStore(), compaction()
    store.append(LogKey(namespace=SPACE, name="trip"), [record], expected=0)

    assert () == store.find(SPACE, frozenset({record.coverage, record.adoption}))
    assert store.known(SPACE) is None


def test_the_shortest_input_on_record_is_known() -> None:
    """Of a namespace without a compaction nothing is."""
    store = VolatileStore()
    store.append(key(), [logged()], expected=0)
    assert store.known(SPACE) is None

    store.append(key(), [compaction(adopted=7), compaction(adopted=9)], expected=1)
    assert 7 == store.known(SPACE)


def test_what_is_forgotten_is_gone_from_everywhere() -> None:
    """Neither loading nor searching brings it back, and the next append starts anew."""
    store, record = VolatileStore(), compaction()
    store.append(key(), [logged(), record], expected=0)

    assert Forgotten(logs=1, records=2, messages=1, compactions=1) == store.forget(key())
    assert () == store.load(key()).records
    assert () == store.find(SPACE, frozenset({record.coverage, record.adoption}))
    assert store.known(SPACE) is None
    assert 1 == store.append(key(), [record], expected=0)


def test_forgetting_leaves_other_logs_alone() -> None:
    """Not even one that shares a hash loses anything."""
    store, record = VolatileStore(), compaction(adopted=7)
    twin = Compaction(covered=1, coverage=record.coverage, adopted=9, adoption=a_hash())
    store.append(key("a"), [record], expected=0)
    store.append(key("b"), [twin], expected=0)
    store.forget(key("a"))

    assert (twin,) == store.find(SPACE, frozenset({record.coverage}))
    assert 9 == store.known(SPACE)


def test_compactions_of_one_log_may_share_a_hash() -> None:
    """All of them are found, and all are gone with their log."""
    store, record = VolatileStore(), compaction(adopted=7)
    again = Compaction(covered=5, coverage=record.coverage, adopted=9, adoption=a_hash())
    store.append(key(), [record, again], expected=0)
    assert (record, again) == store.find(SPACE, frozenset({record.coverage}))

    assert Forgotten(logs=1, records=2, compactions=2) == store.forget(key())
    assert () == store.find(SPACE, frozenset({record.coverage}))
    assert store.known(SPACE) is None


def test_logs_without_compactions_can_be_forgotten() -> None:
    """One after the other, as any log."""
    store = VolatileStore()
    store.append(key("a"), [logged()], expected=0)
    store.append(key("b"), [logged()], expected=0)

    one = Forgotten(logs=1, records=1, messages=1)
    assert [one, one] == [store.forget(key("a")), store.forget(key("b"))]


def test_the_log_used_least_recently_makes_room() -> None:
    """Loading and appending are uses."""
    store = VolatileStore(conversations=2)
    for root in "ab":
        store.append(key(root), [compaction()], expected=0)
    store.load(key("a"))
    store.append(key("c"), [compaction()], expected=0)

    assert [1, 0, 1] == [store.load(key(root)).version for root in "abc"]


def test_a_log_whose_records_are_found_is_used() -> None:
    """Following a record on every turn keeps the conversation."""
    store, record = VolatileStore(conversations=2), compaction()
    store.append(key("a"), [record], expected=0)
    store.append(key("b"), [compaction()], expected=0)
    store.find(SPACE, frozenset({record.adoption}))
    store.append(key("c"), [compaction()], expected=0)

    assert [1, 0, 1] == [store.load(key(root)).version for root in "abc"]


def test_too_many_messages_make_room_too() -> None:
    """The oldest logs go until the rest is within bounds; whoever is interested is told."""
    told: list[tuple[int, int]] = []
    store = VolatileStore(messages=5, on_evict=lambda *numbers: told.append(numbers))
    store.append(key("a"), [logged(), logged(), compaction()], expected=0)
    store.append(key("b"), [logged(), logged()], expected=0)
    store.append(key("c"), [logged(), logged()], expected=0)

    assert [(2, 1)] == told
    assert [0, 2, 2] == [store.load(key(root)).version for root in "abc"]


def test_the_log_being_written_stays() -> None:
    """Even when it alone has more messages than there is room for."""
    store = VolatileStore(messages=2)
    store.append(key("a"), [logged()], expected=0)
    store.append(key("b"), [logged() for _ in range(5)], expected=0)

    assert [0, 5] == [store.load(key(root)).version for root in "ab"]


def test_what_made_room_is_not_found_any_more() -> None:
    """The index goes with the log."""
    store, record = VolatileStore(conversations=1), compaction(adopted=3)
    store.append(key("a"), [record], expected=0)
    store.append(key("b"), [compaction(adopted=8)], expected=0)

    assert () == store.find(SPACE, frozenset({record.coverage, record.adoption}))
    assert 8 == store.known(SPACE)


def test_who_is_told_of_an_eviction_may_use_the_store() -> None:
    """It is told outside the lock."""
    versions: list[int] = []
    store = VolatileStore(conversations=1)
    store.on_evict = lambda *_numbers: versions.append(store.load(key("b")).version)
    store.append(key("a"), [compaction()], expected=0)
    store.append(key("b"), [compaction()], expected=0)

    assert [1] == versions


def test_writers_in_threads_lose_nothing() -> None:
    """Of several writers at one version one succeeds; with reloading all do."""
    store = VolatileStore()
    failed: list[Exception] = []

    def write() -> None:
        for _ in range(50):
            while True:
                try:
                    store.append(key(), [compaction()], expected=store.load(key()).version)
                    break
                except ConflictError:
                    continue
                except Exception as error:  # noqa: BLE001  # shown below
                    failed.append(error)
                    return

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed
    assert (200, 200) == (len(store.load(key()).records), store.load(key()).version)


def test_readers_in_threads_are_not_disturbed_by_eviction() -> None:
    """Searching while logs come and go raises nothing."""
    store = VolatileStore(conversations=2)
    failed: list[Exception] = []

    def work(name: str) -> None:
        try:
            for number in range(100):
                record = compaction()
                store.append(key(f"{name}{number}"), [record], expected=0)
                store.find(SPACE, frozenset({record.coverage}))
                store.known(SPACE)
        except Exception as error:  # noqa: BLE001  # shown below
            failed.append(error)

    threads = [Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed
