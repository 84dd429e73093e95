"""Logs in PostgreSQL: whose connections are used, for how long, and by whom at once."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from kimi_clients import ask, connect, talk
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool
from services import postgres_url
from stored import SPACE, elsewhere, finished, forked, grow, key, turn

from memory import AsyncMemoryManager, MemoryManager
from memory.errors import ConfigError, ConflictError, StoreError
from memory.records import Health
from memory.stores import PostgresStore
from memory.testing import FakeKimi


@pytest.fixture(scope="module")
def schema() -> Iterator[str]:
    """Return a schema with our tables, which the tests of this file share."""
    name = f"pools_{uuid4().hex}"
    with PostgresStore(postgres_url(), schema=name) as store:
        store.upgrade()
    yield name
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(name)))


@pytest.fixture
def user() -> str:
    """Return somebody whom no other test knows."""
    return uuid4().hex


@pytest.fixture
def store(schema: str) -> Iterator[PostgresStore]:
    """Return a store with connections of its own."""
    with PostgresStore(postgres_url(), schema=schema) as opened:
        yield opened


def named(label: str) -> str:
    """Return the URL of the server for connections that go by a label."""
    url = postgres_url()
    return f"{url}{'&' if '?' in url else '?'}application_name={label}"


def connections(label: str) -> int:
    """Return how many connections of a label the server has."""
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        text = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        row = connection.execute(text, (label,)).fetchone()
    assert row is not None
    return int(row[0])


def test_each_schema_is_a_place_of_its_own(store: PostgresStore, user: str) -> None:
    """Also the first one of the search path, which is meant without a name."""
    other = f"pools_{uuid4().hex}"
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(other)))
    grow(store, key(user=user))
    url = f"{postgres_url()}?options=-csearch_path%3D{other}"
    with PostgresStore(url) as first, PostgresStore(postgres_url(), schema=other) as second:
        assert ("001_logs.sql", "002_search.sql", "003_recall.sql") == first.upgrade()
        grow(first, key(user=user), turns=2)

        assert (2, 1) == (second.load(key(user=user)).version, store.load(key(user=user)).version)
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(other)))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"url": "postgresql://h/d", "pool": ConnectionPool("", open=False)},
        {"url": "postgresql://h/d", "schema": "a-b"},
        {"url": "postgresql://h/d", "schema": 'a"; DROP TABLE x; --'},
        {"url": "postgresql://ann:s3cr3t@h/d?colour=red"},
        {"url": "postgresql://ann:s3/cr3t@h/d"},
        {"url": "postgresql://ann:s3cr3t@h:port/d"},
    ],
)
def test_arguments_are_checked(wrong: dict[str, Any]) -> None:
    """No error shows a password, nor what it was made of."""
    with pytest.raises(ConfigError) as caught:
        PostgresStore(**wrong)
    shown = f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "cr3t" not in shown.replace("colour", "")


def test_who_lacks_the_driver_is_told_what_to_install() -> None:
    """In the words that the shell takes."""
    program = """
import sys
sys.modules["psycopg"] = None
from memory.errors import ConfigError
from memory.stores import PostgresStore
try:
    PostgresStore("postgresql://127.0.0.1")
except ConfigError as error:
    print(error)
"""
    assert 'pip install "kimi-memory[postgres]"' in elsewhere(program)


def test_a_store_tells_how_it_is(store: PostgresStore) -> None:
    """And where, without who asks."""
    parts = urlsplit(postgres_url())
    place = f"postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"

    assert Health(kind="postgres", location=place, schema=3, latest=3) == store.health()
    assert f"PostgresStore({place!r})" == repr(store)


def test_a_closed_store_opens_again(schema: str, user: str) -> None:
    """Closing twice is closing once, and leaves no connection."""
    label = f"t{uuid4().hex}"
    store = PostgresStore(named(label), schema=schema)
    store.close()
    grow(store, key(user=user))
    assert 1 == connections(label)
    store.close()
    store.close()
    end = time.monotonic() + 10  # the server notices a little later
    while connections(label) and time.monotonic() < end:
        time.sleep(0.05)
    assert 0 == connections(label)

    assert 2 == grow(store, key(user=user))
    store.close()


POOLS: dict[str, Callable[[], ConnectionPool[Any]]] = {
    "plain": lambda: ConnectionPool(postgres_url(), min_size=1, open=False),
    "autocommit": lambda: ConnectionPool(
        postgres_url(), min_size=1, open=False, kwargs={"autocommit": True}
    ),
    "dictionaries": lambda: ConnectionPool(
        postgres_url(), min_size=1, open=False, kwargs={"row_factory": dict_row}
    ),
    "none": lambda: NullConnectionPool(postgres_url(), open=False),
    "arguments": lambda: ConnectionPool(
        "", min_size=1, open=False, kwargs=dict(conninfo_to_dict(postgres_url()))
    ),
    "a function": lambda: ConnectionPool(postgres_url, min_size=1, open=False),
    "serializable": lambda: ConnectionPool(
        postgres_url(), min_size=1, open=False, configure=_serializable
    ),
}


def _serializable(connection: psycopg.Connection[Any]) -> None:
    connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE


@pytest.mark.parametrize("kind", POOLS)
def test_a_pool_of_the_callers_serves(kind: str, schema: str, user: str) -> None:
    """Whatever its connections are set to; it stays open, and nothing in it changes."""
    with POOLS[kind]() as pool:
        store = PostgresStore(pool=pool, schema=schema)
        assert 3 == grow(store, key(user=user), turns=3)
        with pytest.raises(ConflictError):
            store.append(key(user=user), [turn()], expected=1)
        assert 3 == len(store.search(SPACE, "hi", user=user))
        assert 3 == store.load(key(user=user)).version
        assert (1, "postgresql://") == (
            store.forget(key(user=user)).logs,
            store.health().location[:13],
        )
        store.close()

        with pool.connection() as connection:
            assert psycopg.pq.TransactionStatus.IDLE == connection.info.transaction_status
            assert 1 == len(connection.execute("SELECT 1 AS one").fetchall())


def test_a_pool_of_tasks_serves_tasks(schema: str, user: str) -> None:
    """And nobody else, who is told what to do."""

    async def used() -> int:
        async with AsyncConnectionPool(postgres_url(), min_size=1, open=False) as pool:
            store = PostgresStore(pool=pool, schema=schema)
            manager = AsyncMemoryManager(store=store, hooks=(), namespace=SPACE)
            conversation = manager.conversation("trip", user=user)
            await conversation.add([{"role": "user", "content": "hi"}])
            with pytest.raises(StoreError, match="AsyncMemoryManager"):
                store.load(key(user=user))
            await store.aclose()
            return len(await conversation.history())

    assert 1 == asyncio.run(used())


def test_a_pool_of_threads_serves_tasks_too(schema: str, user: str) -> None:
    """In threads."""
    with ConnectionPool(postgres_url(), min_size=1, open=False) as pool:
        store = PostgresStore(pool=pool, schema=schema)

        async def used() -> int:
            await store.asynchronous.append(key(user=user), [turn()], expected=0)
            return (await store.asynchronous.load(key(user=user))).version

        assert 1 == asyncio.run(used())


def test_no_connection_is_held_while_a_model_is_asked(schema: str, user: str) -> None:
    """Who asks it for a reply, or a summary, finds the only connection of the pool free."""
    free: list[bool] = []
    with ConnectionPool(postgres_url(), min_size=1, max_size=1, open=False) as pool:

        def answered(_: Any) -> str:
            with pool.connection(timeout=2) as connection:
                free.append(connection.execute("SELECT true").fetchone() == (True,))
            return "Noted: crate and shelf."

        fake = FakeKimi(reply=answered)
        manager = MemoryManager(store=PostgresStore(pool=pool, schema=schema), hooks=(), budget=900)
        ask(manager.with_options(user=user).wrap(connect(fake)), talk(30))
        kept = manager.with_options(user=user, conversation="trip").wrap(connect(fake))
        for message in talk(20)[1::2]:
            ask(kept, [message])

    assert "summary" in {request.kind for request in fake.requests}
    assert [True] * len(free) == free
    assert 21 <= len(free)


def test_statements_are_not_prepared(store: PostgresStore, user: str) -> None:
    """A pooler between may give each transaction another connection."""
    for _ in range(12):
        grow(store, key(user=user))
    with store._pools._pool().connection() as connection:  # noqa: SLF001  # the one that was used
        assert [] == connection.execute("SELECT name FROM pg_prepared_statements").fetchall()


def test_each_event_loop_leaves_no_connection(schema: str, user: str) -> None:
    """It has connections of its own, which it closes."""
    label = f"t{uuid4().hex}"
    store = PostgresStore(named(label), schema=schema)

    async def used() -> int:
        found = await asyncio.gather(*(store.asynchronous.load(key(user=user)) for _ in range(3)))
        await store.aclose()
        return len(found)

    assert [3] * 4 == [asyncio.run(used()) for _ in range(4)]
    gc.collect()
    assert 0 == connections(label)


def test_threads_and_loops_use_a_store_at_once(store: PostgresStore, user: str) -> None:
    """Of two appends at one version, one is a conflict, and nothing is lost."""

    def threaded(name: str) -> None:
        for number in range(8):
            _until_done(lambda number=number: _append(store, user, f"{name} {number}"))  # type: ignore[misc]

    async def task(name: str) -> None:
        for number in range(8):
            while True:
                version = (await store.asynchronous.load(key(user=user))).version
                said = turn(version, f"{name} {number}")
                try:
                    await store.asynchronous.append(key(user=user), [said], expected=version)
                except ConflictError:
                    continue
                break

    async def tasks(name: str) -> None:
        await asyncio.gather(*(task(f"{name} {number}") for number in range(3)))
        await store.aclose()

    works = [partial(threaded, "thread 1"), partial(threaded, "thread 2")]
    works += [lambda name=name: asyncio.run(tasks(name)) for name in ("loop 1", "loop 2")]  # type: ignore[misc]
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work) for work in works]:
            done.result(60)

    records: Any = store.load(key(user=user)).records
    assert 8 * 8 == len({record.messages[0]["content"] for record in records}) == len(records)


def _append(store: PostgresStore, user: str, text: str) -> None:
    version = store.load(key(user=user)).version
    store.append(key(user=user), [turn(version, text)], expected=version)


def _until_done(work: Callable[[], None]) -> None:
    while True:
        try:
            return work()
        except ConflictError:
            continue


def test_a_forked_process_has_connections_of_its_own(store: PostgresStore, user: str) -> None:
    """Parent and child go on with the same store."""
    grow(store, key(user=user))
    child = forked(lambda: grow(store, key("child", user=user), turns=10))
    grow(store, key(user=user), turns=10)

    assert 0 == finished(child)
    assert 11 == store.load(key(user=user)).version
    assert 10 == store.load(key("child", user=user)).version


def test_a_busy_pool_is_waited_for_and_then_refused(schema: str, user: str) -> None:
    """Not for ever."""
    with ConnectionPool(postgres_url(), min_size=1, max_size=1, open=False) as pool:
        store = PostgresStore(pool=pool, schema=schema, timeout=0.3)
        with pool.connection(), pytest.raises(StoreError, match=r"^postgresql://.*PoolTimeout"):
            store.load(key(user=user))

        assert 1 == grow(store, key(user=user))
