"""Forgetting in a file: no byte of what was forgotten is left there, nor in the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from kimi_clients import HEAD, ask, connect
from planted import (
    ANN,
    BOB,
    FILLER,
    FORGETTING,
    NAME,
    OTHER,
    SECRET,
    WHOLE,
    forget_one,
    forget_user,
    hits,
    plant,
    remembered,
    surround,
)
from stored import SPACE, elsewhere, key

from memory import MemoryManager
from memory.records import Turn
from memory.stores import SealedStore, SqliteStore
from memory.testing import FakeKimi


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory for a database and nothing else."""
    return tmp_path / "base"


@pytest.fixture
def store(folder: Path) -> Iterator[SqliteStore]:
    """Return a store in that directory, with rows of somebody else."""
    with SqliteStore(folder / "memory.db") as opened:
        surround(opened, BOB, logs=5, turns=200)
        yield opened


@FORGETTING
def test_no_byte_is_left_in_any_file(store: SqliteStore, folder: Path, forget: Any) -> None:
    """Though it was searched, edited and summarised, and thousands of other rows stay."""
    plant(store)
    surround(store, "cyd", logs=10, turns=200)
    assert hits(folder, SECRET)
    assert remembered(store, SECRET)

    assert WHOLE == forget(store)
    assert {} == hits(folder, SECRET)
    assert [] == remembered(store, SECRET)
    assert 200 == store.load(key("talk 4", user=BOB)).version
    assert 10 == len(store.conversations(SPACE, user="cyd"))


@FORGETTING
def test_no_byte_is_left_while_the_file_is_read(
    store: SqliteStore, folder: Path, forget: Any
) -> None:
    """Readers of the same process go on all the time."""
    plant(store)
    stop, failures = Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                store.load(key("talk 1", user=BOB))
                store.search(SPACE, "crate shelf", user=BOB)
            except Exception as error:  # noqa: BLE001  # told to the test
                failures.append(error)

    threads = [Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert WHOLE == forget(store)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)

    assert [] == failures
    assert {} == hits(folder, SECRET)


def test_no_byte_is_left_that_other_users_did_not_say(store: SqliteStore, folder: Path) -> None:
    """The same word of somebody else stays, and is found."""
    plant(store)
    plant(store, user=BOB)
    plant(store, OTHER)
    forget_user(store)

    assert {} == hits(folder, OTHER)
    assert {BOB} == {hit.user for hit in store.search(SPACE, SECRET, user=BOB)}
    assert hits(folder, SECRET)


def test_one_conversation_of_several_is_forgotten(store: SqliteStore, folder: Path) -> None:
    """What the same user said elsewhere stays."""
    plant(store)
    store.append(key("work"), [Turn(start=0, messages=tuple(_plain(OTHER)))], expected=0)
    store.search(SPACE, OTHER, user=ANN)
    forget_one(store)

    assert {} == hits(folder, SECRET)
    assert ["work"] == [hit.name for hit in store.search(SPACE, OTHER, user=ANN)]


def _plain(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def test_a_name_and_a_user_are_forgotten_too(store: SqliteStore, folder: Path) -> None:
    """They stand in rows of their own."""
    whose, where = f"{OTHER}@example.org", f"{SECRET} trip"
    store.append(key(where, user=whose), [Turn(start=0)], expected=0)
    store.acquire(key(where, user=whose), "turn", owner=SECRET, seconds=60)
    assert hits(folder, OTHER)

    store.forget_user(SPACE, whose)
    assert ({}, {}) == (hits(folder, OTHER), hits(folder, SECRET))


def test_what_another_process_wrote_is_forgotten(store: SqliteStore, folder: Path) -> None:
    """And what it holds in its log of changes."""
    program = f"""
import sys
from stored import key
from planted import plant
from memory.stores import SqliteStore
with SqliteStore(sys.argv[1]) as store:
    plant(store)
    print(store.load(key("{NAME}")).version)
"""
    assert "3" == elsewhere(program, store.path).strip()
    assert hits(folder, SECRET)

    assert WHOLE == forget_user(store)
    assert {} == hits(folder, SECRET)


def test_who_does_not_scrub_forgets_all_the_same(folder: Path) -> None:
    """The rows are gone, and so is their text from the pages: only the log is left to time."""
    with SqliteStore(folder / "memory.db", scrub=False) as store:
        plant(store)
        assert WHOLE == forget_user(store)
        assert 0 == store.load(key(NAME)).version
        assert () == store.search(SPACE, SECRET, user=ANN)


def test_a_manager_forgets_what_was_summarised(folder: Path) -> None:
    """A conversation through a client: head, turns, notes of a compaction, the search."""
    fake = FakeKimi()
    with MemoryManager(store=f"sqlite:///{folder}/memory.db", hooks=(), budget=2_000) as manager:
        talking = manager.with_options(conversation=f"{ANN}/{NAME}").wrap(connect(fake))
        alone = manager.with_options(user=ANN).wrap(connect(fake))
        said: list[Any] = [HEAD]
        for number in range(60):
            asked = {"role": "user", "content": f"{SECRET} {number}: {FILLER[number % 50]} " * 3}
            ask(talking, [HEAD, asked])
            said += [asked, {"role": "assistant", "content": f"{SECRET}, noted."}]
        ask(alone, said[:-1])
        conversation = manager.conversation(f"{ANN}/{NAME}")
        assert any(
            SECRET in segment.text for c in conversation.compactions() for segment in c.segments
        )
        assert conversation.search(SECRET)
        with manager.override(user=ANN):
            assert manager.log(said[:-1])

        done = manager.forget_user(ANN)
        assert [] == conversation.history()
        assert {} == hits(folder, SECRET)
    assert 2 == done.logs
    assert done.compactions


def test_a_sealed_store_shows_nothing_and_keeps_nothing(folder: Path) -> None:
    """Not while it is there, and not afterwards, in the process either."""
    with SqliteStore(folder / "memory.db") as inner:
        store = SealedStore(inner, keys=[SealedStore.new_key()])
        plant(store)
        assert {} == hits(folder, SECRET)
        assert remembered(store, SECRET)

        forget_user(store)
        assert [] == remembered(store, SECRET)
