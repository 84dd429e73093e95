"""Records that were moved, altered or never sealed are refused, and nothing is lost for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sealing import (
    ANN,
    BEGINNING,
    BOB,
    OLD,
    SPACE,
    TRIP,
    Glass,
    a_hash,
    compaction,
    filled,
    keys_of,
    sealing,
    turn,
)

from memory.errors import CorruptError, SealedError, StoreError
from memory.records import (
    Compaction,
    Forgotten,
    Log,
    Logged,
    LogKey,
    Pinned,
    Record,
    Standing,
    Turn,
    Undone,
    Usage,
)
from memory.stores import VolatileStore

WORK = replace(TRIP, name="work")


def moved(record: Record, source: LogKey, to: LogKey) -> type[Exception] | None:
    """Return what is raised where a record was moved from one log to another."""
    inner = Glass()
    filled(sealing(inner), [(source, [record]), (to, [compaction()])])
    (_, records), (place, _) = inner.logs().items()
    inner.put(place, *records)
    try:
        sealing(inner).load(to)
    except StoreError as error:
        return type(error)
    return None


@pytest.mark.parametrize("record", [turn(), compaction(), Undone(mark=None), Undone(mark=b"m")])
def test_a_record_opens_only_in_its_own_log(record: Record) -> None:
    """Moved to another conversation it is refused, and moved to another user as well."""
    other = replace(BEGINNING, root="ff" * 16)

    for source, to in [(TRIP, WORK), (BEGINNING, other), (TRIP, BEGINNING), (BEGINNING, TRIP)]:
        assert CorruptError is moved(record, source, to)
        assert SealedError is moved(record, source, replace(to, user=BOB))
        assert SealedError is moved(record, source, replace(source, namespace="other"))


def test_a_compaction_with_a_name_cannot_be_made_to_be_found() -> None:
    """In a log without one it is found by no hash, and not taken if its hashes are exchanged."""
    inner, record, other = Glass(), compaction(), compaction()
    store = sealing(inner)
    filled(store, [(TRIP, [record]), (BEGINNING, [other])])
    (place,) = [key for key in inner.logs() if not key.name]
    (found,), (alike,) = inner.logs()[TRIP], inner.logs()[place]
    assert isinstance(found, Compaction)
    assert isinstance(alike, Compaction)
    inner.put(place, found)
    assert () == store.find(SPACE, frozenset({record.coverage}), user=ANN)

    inner.put(place, replace(found, coverage=alike.coverage))
    with pytest.raises(CorruptError):
        store.find(SPACE, frozenset({other.coverage}), user=ANN)


def altered(record: Record) -> list[Record]:
    """Return a sealed record with one thing altered that stands open, in every way there is."""
    match record:
        case Turn():
            return [
                replace(record, start=5),
                replace(record, messages=record.messages[:-1]),
                replace(record, messages=({"role": "user"}, *record.messages[1:])),
                replace(record, complete=False),
                replace(record, usage=Usage(prompt_tokens=1, completion_tokens=1)),
            ]
        case Pinned():
            return [replace(record, held=not record.held)]
        case Logged():
            return [replace(record, index=5), replace(record, link=a_hash())]
        case Compaction():
            return [
                replace(record, covered=6),
                replace(record, mark=None, standing=(Standing("Obey.", "user"),)),
            ]
    return [Undone(mark=a_hash() + (record.mark or b"")[16:])]


@pytest.mark.parametrize("read_before", [False, True])
def test_what_stands_open_cannot_be_altered(*, read_before: bool) -> None:
    """It is compared with what is sealed, also when that was opened before."""
    inner = Glass()
    said = Logged(index=0, link=a_hash(), message={"role": "user", "content": "hi"})
    pinned = Pinned(text="Use metres.")
    for record in (turn(), said, pinned, compaction(), Undone(mark=a_hash())):
        store = sealing(inner)
        store.forget(TRIP)
        store.append(TRIP, [record], expected=0)
        (inside,) = inner.logs()[TRIP]
        if read_before:
            store.load(TRIP)
        for each in altered(inside):
            inner.put(TRIP, each)
            with pytest.raises(CorruptError):
                store.load(TRIP)


def test_what_is_sealed_cannot_be_altered() -> None:
    """Nor is anything overwritten or dropped for it; the rest of the user's can be read."""
    inner = Glass()
    filled(sealing(inner), [(TRIP, [turn()]), (WORK, [turn()])])
    (inside,) = inner.logs()[TRIP]
    assert isinstance(inside, Turn)
    (envelope,) = inside.head or ()
    text = envelope["ct"]
    for wrong in (text[:-9] + "AAAA" + text[-5:], "", "é", None, 7, OLD):
        broken = replace(inside, head=({**envelope, "ct": wrong},))
        inner.put(TRIP, broken)
        with pytest.raises(SealedError) as caught:
            sealing(inner).load(TRIP)
        assert TRIP.label in caught.value.where
        assert (broken,) == inner.load(TRIP).records
    assert (turn(),) == sealing(inner).load(WORK).records


def test_a_later_form_is_not_guessed_at() -> None:
    """What another version of the library sealed otherwise is left to it."""
    inner = Glass()
    sealing(inner).append(TRIP, [turn()], expected=0)
    (inside,) = inner.logs()[TRIP]
    assert isinstance(inside, Turn)
    inner.put(TRIP, replace(inside, head=({**(inside.head or ({},))[0], "v": 2},)))

    with pytest.raises(StoreError, match="form 2"):
        sealing(inner).load(TRIP)


@pytest.mark.parametrize("key", [TRIP, BEGINNING])
def test_what_was_written_without_sealing_is_not_passed_off(key: LogKey) -> None:
    """The error says so; it can be neither read nor written on, only forgotten."""
    inner = VolatileStore()
    inner.append(key, [turn(), compaction(), Logged(index=0, link=b"", message={})], expected=0)
    store = sealing(inner)
    store.append(WORK, [turn()], expected=0)

    with pytest.raises(StoreError, match="without sealing"):
        store.load(key)
    with pytest.raises(StoreError, match="without sealing"):
        store.append(key, [turn()], expected=3)
    assert 3 == store.forget(key).records
    assert Log() == store.load(key)


def test_no_log_of_a_caller_is_that_of_the_keys() -> None:
    """A root that is called as that log is one of many."""
    inner = VolatileStore()
    store, same = sealing(inner), keys_of()
    store.append(TRIP, [turn()], expected=0)
    before = inner.load(same)

    assert Log() == store.load(same)
    assert Forgotten() == store.forget(same)
    store.append(same, [turn("mine")], expected=0)
    assert ((turn("mine"),), before) == (store.load(same).records, inner.load(same))
    assert Forgotten(logs=1, records=1, messages=2) == store.forget(same)
    assert (turn(),) == sealing(inner).load(TRIP).records


def put(inner: Glass, **changes: Any) -> None:
    """Change the record of a user's key."""
    (record,) = inner.load(keys_of()).records
    assert isinstance(record, Logged)
    inner.put(keys_of(), replace(record, message={**record.message, **changes}))


@pytest.mark.parametrize("changes", [{"salt": "00"}, {"salt": None}, {"ct": "x"}, {"ct": []}])
def test_a_key_on_record_cannot_be_altered(changes: dict[str, Any]) -> None:
    """It is noticed before anything is written with another one."""
    inner = Glass()
    sealing(inner).append(TRIP, [turn()], expected=0)
    put(inner, **changes)
    store = sealing(inner)

    with pytest.raises(CorruptError):
        store.append(WORK, [turn()], expected=0)
    assert 0 == inner.load(WORK).version


def test_a_key_of_one_user_is_not_taken_for_another_user() -> None:
    """Whoever copies a salt copies no key."""
    inner = Glass()
    sealing(inner).append(TRIP, [turn()], expected=0)
    inner.put(keys_of(BOB), *inner.load(keys_of()).records)

    with pytest.raises(CorruptError):
        sealing(inner).load(replace(TRIP, user=BOB))


def test_a_later_form_of_a_key_is_not_guessed_at() -> None:
    """Nothing is written under it."""
    inner = Glass()
    sealing(inner).append(TRIP, [turn()], expected=0)
    put(inner, v=2)

    with pytest.raises(StoreError, match="form 2"):
        sealing(inner).append(WORK, [turn()], expected=0)
