"""Keys of sealed stores: rotation, wrong ones, and what is left when one is destroyed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from sealing import (
    ANN,
    BEGINNING,
    BOB,
    NEW,
    OLD,
    OTHER,
    SPACE,
    TRIP,
    Glass,
    compaction,
    filled,
    sealing,
    turn,
)

from memory.errors import ConfigError, ConflictError, SealedError
from memory.records import Forgotten, Log, LogKey, Turn
from memory.stores import VolatileStore
from memory.stores.sealed import SealedStore
from memory.stores.sqlite import SqliteStore

WORK = replace(TRIP, name="work")


@pytest.mark.parametrize(
    "keys",
    [
        [],
        OLD,
        OLD.encode(),
        [OLD[:-2]],
        [OLD, OLD + "AAAA"],
        [OLD, "ключ " + OLD],
        [OLD, OLD[:-5] + " !!" + OLD[-2:]],
        [OLD, b"\xff" + OLD.encode()],
        [OLD, None],
        [""],
    ],
    ids=range(10),
)
def test_what_is_no_key_is_refused_without_showing_it(keys: Any) -> None:
    """Neither the message nor anything chained to it has a part of a key."""
    with pytest.raises(ConfigError) as caught:
        SealedStore(VolatileStore(), keys=keys)
    told = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value.__context__)

    assert "keys: " in told
    assert OLD[:8] not in told


def test_keys_are_texts_or_bytes() -> None:
    """White space around one, as in a file, does no harm, and one given twice is one."""
    inner = VolatileStore()
    sealing(inner, OLD).append(TRIP, [turn()], expected=0)
    again = SealedStore(inner, keys=[f" {OLD}\n".encode(), OLD])

    assert (turn(),) == again.load(TRIP).records


def test_new_keys_are_fernet_keys() -> None:
    """No two are the same, and `cryptography` takes them."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    keys = [SealedStore.new_key() for _ in range(3)]

    assert 3 == len(set(keys))
    assert [b"hi"] * 3 == [Fernet(key).decrypt(Fernet(key).encrypt(b"hi")) for key in keys]


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)

    with pytest.raises(ConfigError, match=r'pip install "kimi-memory\[seal\]"'):
        sealing(VolatileStore())


def test_old_logs_are_read_and_written_on_after_a_rotation() -> None:
    """They are found under the new key as under the old one, with a name and without."""
    inner, first, second = Glass(), compaction(), compaction()
    filled(sealing(inner, OLD), [(BEGINNING, [first]), (TRIP, [first])])
    rotated = sealing(inner, NEW, OLD)
    filled(rotated, [(BEGINNING, [second]), (TRIP, [second])])
    either = frozenset({first.coverage, second.coverage})

    assert [(first, second)] * 2 == [rotated.load(key).records for key in (BEGINNING, TRIP)]
    assert (first, second) == rotated.find(SPACE, either, user=ANN)
    assert 2 == len(inner.logs())


def test_processes_may_differ_in_which_key_is_the_newest() -> None:
    """While a rotation is under way, all that have both keys read and write the same logs."""
    inner = Glass()
    stores = [sealing(inner, OLD, NEW), sealing(inner, NEW, OLD)] * 2
    for number, store in enumerate(stores):
        store.append(BEGINNING, [turn(str(number))], expected=store.load(BEGINNING).version)

    assert tuple(turn(str(number)) for number in range(4)) == stores[0].load(BEGINNING).records
    assert 1 == len(inner.logs())


def test_without_the_old_key_only_what_came_later_can_be_read() -> None:
    """Old logs are named and left as they are; they are not written to either."""
    inner = Glass()
    sealing(inner, OLD).append(TRIP, [turn()], expected=0)
    sealing(inner, NEW, OLD).append(WORK, [turn("later")], expected=0)
    before, store = inner.logs(), sealing(inner, NEW)

    assert (turn("later"),) == store.load(WORK).records
    for ask in (lambda: store.load(TRIP), lambda: store.append(TRIP, [turn()], expected=1)):
        with pytest.raises(SealedError) as caught:
            ask()
        assert TRIP.label in caught.value.where
    assert before == inner.logs()
    assert 2 == store.append(WORK, [turn()], expected=1)


def test_without_the_old_key_an_old_log_without_a_name_is_known_to_be_there() -> None:
    """It is neither taken for empty nor left behind when it is forgotten."""
    inner, record = Glass(), compaction()
    sealing(inner, OLD).append(BEGINNING, [record], expected=0)
    sealing(inner, NEW, OLD).append(WORK, [turn()], expected=0)
    store = sealing(inner, NEW)

    with pytest.raises(SealedError):
        store.load(BEGINNING)
    with pytest.raises(SealedError):
        store.find(SPACE, frozenset({record.adoption}), user=ANN)
    assert 1 == store.forget(BEGINNING).compactions


def wrong_uses(store: SealedStore) -> list[Callable[[], object]]:
    """Return whatever needs the key of the user."""
    return [
        lambda: store.load(TRIP),
        lambda: store.load(BEGINNING),
        lambda: store.append(TRIP, [turn()], expected=1),
        lambda: store.append(TRIP, [turn()], expected=0),
        lambda: store.append(WORK, [turn()], expected=0),
        lambda: store.append(replace(BEGINNING, root="ff"), [turn()], expected=0),
        lambda: store.find(SPACE, frozenset({b"hash"}), user=ANN),
        lambda: store.forget(BEGINNING),
        lambda: store.acquire(BEGINNING, "turn", owner="a", seconds=1),
    ]


def test_a_wrong_key_reads_and_writes_nothing() -> None:
    """It is noticed before the first write, errors name the log, and the right key reads on."""
    with SqliteStore() as inner:
        filled(sealing(inner, OLD), [(TRIP, [turn()]), (BEGINNING, [compaction()])])
        for use in wrong_uses(sealing(inner, OTHER)):
            with pytest.raises(SealedError) as caught:
                use()
            assert SPACE in caught.value.where
            assert ANN in caught.value.where

        assert 0 == inner.load(WORK).version
        assert (turn(),) == sealing(inner, OLD).load(TRIP).records
        assert 2 == sealing(inner, OLD).append(TRIP, [turn()], expected=1)


def test_a_wrong_key_for_one_user_is_a_right_one_for_the_next() -> None:
    """The rest can be read and written."""
    inner, bobs = VolatileStore(), replace(TRIP, user=BOB)
    sealing(inner, OLD).append(TRIP, [turn()], expected=0)
    store = sealing(inner, OTHER)
    store.append(bobs, [turn("bob")], expected=0)

    assert (turn("bob"),) == store.load(bobs).records


def test_without_a_key_one_can_list_and_forget() -> None:
    """What was said cannot be read, and need not be to be removed."""
    inner = VolatileStore()
    filled(sealing(inner, OLD), [(TRIP, [turn()]), (WORK, [turn()]), (BEGINNING, [compaction()])])
    store = sealing(inner, OTHER)

    assert ["trip", "work"] == [each.name for each in store.conversations(SPACE)]
    assert Forgotten(logs=1, records=1, messages=2) == store.forget(TRIP)
    done = store.forget_user(SPACE, ANN)
    assert Forgotten(logs=2, records=2, messages=2, compactions=1) == done
    assert Forgotten() == store.forget_user(SPACE, ANN)


def test_who_is_forgotten_loses_the_key() -> None:
    """Another one is made for what comes after, and what was copied before stays closed."""
    inner = Glass()
    store = sealing(inner)
    store.append(TRIP, [turn()], expected=0)
    (copied,) = inner.logs()[TRIP]
    store.forget_user(SPACE, ANN)
    inner.put(WORK, copied)

    assert Log() == store.load(TRIP)
    assert 1 == store.append(TRIP, [turn("again")], expected=0)
    assert (turn("again"),) == sealing(inner).load(TRIP).records
    for each in (store, sealing(inner)):
        with pytest.raises(SealedError):
            each.load(WORK)


def test_forgetting_a_conversation_leaves_the_key() -> None:
    """The others of that user can be read."""
    inner = VolatileStore()
    store = sealing(inner)
    filled(store, [(TRIP, [turn()]), (WORK, [turn()])])
    store.forget(TRIP)

    assert (turn(),) == sealing(inner).load(WORK).records


def test_a_key_is_destroyed_without_touching_a_log() -> None:
    """No process reads or writes on what it sealed, whatever it held before."""
    inner = Glass()
    store, other = sealing(inner), sealing(inner)
    filled(store, [(TRIP, [turn()]), (BEGINNING, [compaction()])])
    other.load(TRIP)
    before = inner.logs()

    assert [True, False] == [store.shred(SPACE, ANN), store.shred(SPACE, ANN)]
    for each in (store, other, sealing(inner)):
        with pytest.raises(SealedError) as caught:
            each.load(TRIP)
        assert TRIP.label in caught.value.where
        with pytest.raises(SealedError):
            each.append(TRIP, [turn()], expected=1)
        with pytest.raises(ConflictError):
            each.append(TRIP, [turn()], expected=0)
    assert before == inner.logs()
    assert 1 == store.forget(TRIP).logs


def test_life_goes_on_after_a_key_was_destroyed() -> None:
    """New logs have a new key, those without a name begin anew, and other users notice nothing."""
    inner, bobs, record = VolatileStore(), replace(TRIP, user=BOB), compaction()
    store = sealing(inner)
    filled(store, [(TRIP, [turn()]), (BEGINNING, [record]), (bobs, [turn()])])
    store.shred(SPACE, ANN)

    assert () == store.find(SPACE, frozenset({record.mark or b""}), user=ANN)
    assert Log() == store.load(BEGINNING)
    filled(store, [(WORK, [turn()]), (BEGINNING, [record])])
    assert (record,) == store.find(SPACE, frozenset({record.mark or b""}), user=ANN)
    assert [(turn(),)] * 2 == [sealing(inner).load(key).records for key in (WORK, bobs)]


@pytest.mark.parametrize("key", [WORK, BEGINNING])
def test_a_log_begun_while_its_user_is_forgotten_is_gone_too(key: LogKey) -> None:
    """It is as if it had come before; nobody is left with a log that no key opens."""
    inner = Glass()
    store = sealing(inner)
    store.append(TRIP, [turn()], expected=0)
    inner.meanwhile = lambda: sealing(inner).forget_user(SPACE, ANN)

    assert 1 == store.append(key, [turn("late")], expected=0)
    assert [Log(), Log()] == [each.load(key) for each in (store, sealing(inner))]
    with pytest.raises(ConflictError):
        store.append(key, [turn()], expected=1)
    assert 1 == store.append(key, [turn("anew")], expected=0)
    assert (turn("anew"),) == sealing(inner).load(key).records


def test_a_log_is_not_gone_on_with_while_its_user_is_forgotten() -> None:
    """The version tells."""
    inner = Glass()
    store = sealing(inner)
    store.append(TRIP, [turn()], expected=0)
    inner.meanwhile = lambda: sealing(inner).forget_user(SPACE, ANN)

    with pytest.raises(ConflictError):
        store.append(TRIP, [turn()], expected=1)
    assert {} == inner.logs()


def test_a_key_that_comes_while_one_is_begun_is_used() -> None:
    """Of two processes that begin a user at once, the second reloads and takes the first one's."""
    inner = Glass()
    first, second = sealing(inner), sealing(inner, OTHER, OLD)
    inner.meanwhile = lambda: first.append(WORK, [turn()], expected=0)
    second.append(TRIP, [turn()], expected=0)

    for each in (second, sealing(inner, OTHER, OLD)):
        assert [(turn(),)] * 2 == [each.load(key).records for key in (TRIP, WORK)]
    assert (turn(),) == first.load(WORK).records


def test_users_who_come_and_go_leave_nothing_behind() -> None:
    """While one thread forgets a user, others go on; in the end no log is left without a key."""
    inner = VolatileStore()
    wrong: list[Exception] = []

    def work() -> None:
        store = sealing(inner)
        for _ in range(60):
            try:
                store.append(TRIP, [turn()], expected=store.load(TRIP).version)
            except (ConflictError, SealedError):
                continue
            except Exception as error:  # noqa: BLE001  # shown below
                wrong.append(error)

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        sealing(inner).forget_user(SPACE, ANN)
    for thread in threads:
        thread.join()

    assert [] == wrong
    assert {"user"} >= {record.messages[0]["role"] for record in turns(sealing(inner).load(TRIP))}


def turns(log: Log) -> list[Turn]:
    """Return the turns of a log."""
    return [record for record in log.records if isinstance(record, Turn)]


def test_more_users_come_than_keys_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are not held are read again."""
    monkeypatch.setattr("memory.stores._keyring.USERS", 2)
    users = [f"user-{number}" for number in range(5)]
    store = sealing(VolatileStore())
    filled(store, [(replace(TRIP, user=user), [turn(user)]) for user in users])

    for user in users:
        assert (turn(user),) == store.load(replace(TRIP, user=user)).records
