"""What goes wrong with a file: each an error that names the row or the file, and nothing is lost.

Of a broken row all others can be read; what is broken is never overwritten; what only waits for a
disk or a lock goes on when that is there again.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kimi_clients import HEAD, ask, ask_async, connect, connect_async
from planted import SECRET, refused
from stored import SPACE, compaction, grow, key, open_key

from memory import AsyncMemoryManager, MemoryManager, QueueHook
from memory.errors import CorruptError, SealedError, StoreError
from memory.events import Failed
from memory.stores import SealedStore, SqliteStore, Store
from memory.testing import FakeKimi

QUESTION = [HEAD, {"role": "user", "content": "Where is crate 1?"}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database with two conversations of four turns, closed."""
    path = tmp_path / "memory.db"
    with SqliteStore(path) as store:
        grow(store, key(), turns=4, text=f"hi {SECRET}")
        grow(store, key("other"), turns=4)
        store.search(SPACE, "hi", user="ann", name="other")
    return path


def change(path: Path, *statements: str) -> None:
    """Do to a database what nobody should."""
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


def dump(path: Path) -> Any:
    """Return all rows of a database that hold what was said, or its bytes where it is none."""
    tables = ("memory_conversations", "memory_records", "memory_hashes")
    with closing(sqlite3.connect(path)) as database:
        database.text_factory = bytes
        try:
            return [
                database.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()  # noqa: S608
                for table in tables
            ]
        except sqlite3.DatabaseError:
            return path.read_bytes()


BROKEN = {
    "no JSON": "UPDATE memory_records SET body = substr(body, 1, 20) WHERE id = 2",
    "no text": "UPDATE memory_records SET body = CAST(x'7bff' || body AS TEXT) WHERE id = 2",
    "a flipped bit": "UPDATE memory_records SET body = replace(body, '\"start\"', '\"stbrt\"')"
    " WHERE id = 2",
    "nothing": "UPDATE memory_records SET body = '' WHERE id = 2",
    "another JSON": "UPDATE memory_records SET body = 'null' WHERE id = 2",
    "another kind": "UPDATE memory_records SET kind = 'compaction' WHERE id = 2",
    "a later kind": "UPDATE memory_records SET kind = 'dream' WHERE id = 2",
    "a missing row": "DELETE FROM memory_records WHERE id = 2",
    "a row of bytes": "UPDATE memory_records SET body = x'00ff' WHERE id = 2",
    "no body": "UPDATE memory_records SET body = 7 WHERE id = 2",
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_row_is_named_and_left(path: Path, damage: str) -> None:
    """Whoever reads that conversation is told, each time; nothing is overwritten."""
    change(path, BROKEN[damage])
    before = dump(path)
    with SqliteStore(path) as store:
        for _ in range(2):
            told = refused(partial(store.load, key()), CorruptError)
            assert told.startswith(f"record 2 of conversation 1 in {path} cannot be read: ")
    assert before == dump(path)


@pytest.mark.parametrize("damage", BROKEN)
def test_beside_a_broken_row_everything_goes_on(path: Path, damage: str) -> None:
    """Other conversations are read, listed, searched, added to and forgotten."""
    change(path, BROKEN[damage])
    with SqliteStore(path) as store:
        assert 4 == store.load(key("other")).version
        assert 4 == len(store.search(SPACE, "hi", user="ann", name="other"))
        assert 5 == grow(store, key("other"))
        assert 1 == grow(store, key("new"))
        assert ["new", "other", "trip"] == [each.name for each in store.conversations(SPACE)]
        assert 1 == store.forget(key("other")).logs
        refused(partial(store.load, key()), CorruptError)
        assert 1 == store.forget(key()).logs
        assert 1 == grow(store, key())


def test_a_broken_row_breaks_the_search_of_its_user_only(path: Path) -> None:
    """The error says which conversation to forget."""
    change(path, BROKEN["no JSON"])
    with SqliteStore(path) as store:
        grow(store, key(user="bob"))

        told = refused(partial(store.search, SPACE, "hi", user="ann"), CorruptError)
        assert told.startswith(f"record 2 of conversation 1 in {path}")
        assert 1 == len(store.search(SPACE, "hi", user="bob"))


def test_a_broken_compaction_is_named(path: Path) -> None:
    """Where it is looked for by its hash."""
    record = compaction()
    with SqliteStore(path) as store:
        store.append(open_key(user=""), [record], expected=0)
    change(path, "UPDATE memory_records SET body = '{' WHERE kind = 'compaction'")
    with SqliteStore(path) as store:
        told = refused(partial(store.find, SPACE, frozenset({record.coverage})), CorruptError)
    assert told.startswith(f"record 1 of conversation 3 in {path}")


def _none(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1_000)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5_000])


def _scrambled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    path.write_bytes(content)


FILES: dict[str, Callable[[Path], None]] = {
    "no database": _none,
    "half of one": _torn,
    "scrambled": _scrambled,
}


@pytest.mark.parametrize("damage", FILES)
def test_a_broken_file_is_named_and_left(path: Path, damage: str) -> None:
    """Reading and writing say so, each time; upgrading does not repair it."""
    FILES[damage](path)
    before = path.read_bytes()
    with SqliteStore(path) as store:
        calls = (partial(store.load, key()), partial(grow, store, key("new")), store.upgrade)
        for call in (*calls, store.health, partial(store.forget, key()), *calls):
            assert refused(call, CorruptError).startswith(f"{path} cannot be read: ")
    assert before == path.read_bytes()


def _sealed(path: Path) -> Store:
    with SqliteStore(path) as inner:
        grow(SealedStore(inner, keys=[SealedStore.new_key()]), key("sealed"))
    return SealedStore(SqliteStore(path), keys=[SealedStore.new_key()])


def _damaged(path: Path, *statements: str) -> Store:
    change(path, *statements)
    return SqliteStore(path)


def _ruined(path: Path) -> Store:
    _none(path)
    return SqliteStore(path)


def _directory(path: Path) -> Store:
    return SqliteStore(path.parent)


STORES: dict[str, tuple[Callable[[Path], Store], str, type[StoreError]]] = {
    "a broken row": (lambda path: _damaged(path, BROKEN["no text"]), "trip", CorruptError),
    "a broken file": (_ruined, "trip", CorruptError),
    "a directory": (_directory, "trip", StoreError),
    "another key": (_sealed, "sealed", SealedError),
    "a newer schema": (
        lambda path: _damaged(path, "INSERT INTO memory_schema VALUES (99, 'x', 'x', 0)"),
        "trip",
        StoreError,
    ),
}


@pytest.mark.parametrize("what", STORES)
def test_a_conversation_says_what_is_wrong_with_the_store(path: Path, what: str) -> None:
    """Before anything is sent; what is stored is as before."""
    opened, name, kind = STORES[what]
    fake, store = FakeKimi(), opened(path)
    before = dump(path)
    manager = MemoryManager(store=store, hooks=(), namespace=SPACE)
    conversation = manager.conversation(name, user="ann")
    client = manager.with_options(conversation=name, user="ann").wrap(connect(fake))
    for call in (conversation.history, conversation.export, partial(ask, client, QUESTION)):
        refused(call, kind)
    store.close()  # type: ignore[attr-defined]

    assert [] == fake.requests
    assert before == dump(path)


@pytest.mark.parametrize("what", STORES)
def test_a_conversation_of_tasks_says_what_is_wrong_with_the_store(path: Path, what: str) -> None:
    """As in threads."""
    opened, name, kind = STORES[what]
    fake, store = FakeKimi(), opened(path)
    manager = AsyncMemoryManager(store=store, hooks=(), namespace=SPACE)
    conversation = manager.conversation(name, user="ann")
    client = manager.with_options(conversation=name, user="ann").wrap(connect_async(fake))
    for call in (conversation.history, conversation.export, partial(ask_async, client, QUESTION)):
        refused(lambda call=call: asyncio.run(call()), kind)  # type: ignore[misc]
    store.close()  # type: ignore[attr-defined]

    assert [] == fake.requests


@pytest.mark.parametrize("what", ["a broken file", "a directory", "a newer schema"])
def test_calls_without_a_conversation_go_out_all_the_same(path: Path, what: str) -> None:
    """An event tells that memory failed, in threads and in tasks."""
    store, fake, hook = STORES[what][0](path), FakeKimi(), QueueHook()
    ask(MemoryManager(store=store, hooks=(hook,)).wrap(connect(fake)), QUESTION)
    told = [event for event in hook.drain() if isinstance(event, Failed)]
    manager = AsyncMemoryManager(store=store, hooks=(hook,))
    asyncio.run(ask_async(manager.wrap(connect_async(fake)), QUESTION))
    told += [event for event in hook.drain() if isinstance(event, Failed)]
    store.close()  # type: ignore[attr-defined]

    assert [QUESTION] * 2 == [request.body["messages"] for request in fake.requests]
    assert {"CorruptError", "StoreError", "SchemaError"} >= {event.error for event in told}
    assert 2 <= len(told)
