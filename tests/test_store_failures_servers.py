"""Servers that are gone, lines that break, broken rows there: errors that name the place only.

No password appears in a message, a representation or a log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from kimi_clients import HEAD, ask, ask_async, connect, connect_async
from lines import Line
from planted import SECRET, refused
from psycopg.sql import SQL, Identifier
from redis_servers import cleared, client, written
from services import postgres_url, redis_url
from stored import SPACE, grow, key, turn

from memory import AsyncMemoryManager, MemoryManager, QueueHook
from memory.errors import CorruptError, SealedError, StoreError
from memory.events import Failed
from memory.stores import PostgresStore, RedisStore, SealedStore
from memory.testing import FakeKimi

PASSWORD = "s3cr3t"
QUESTION = [HEAD, {"role": "user", "content": "Where is crate 1?"}]
GONE: dict[str, tuple[Callable[[], Any], str]] = {
    "postgres": (
        lambda: PostgresStore(f"postgresql://ann:{PASSWORD}@127.0.0.1:1/memory", timeout=0.5),
        "postgresql://127.0.0.1:1/memory: ",
    ),
    "redis": (
        lambda: RedisStore(f"redis://ann:{PASSWORD}@127.0.0.1:1/3"),
        "redis://127.0.0.1:1/3: ",
    ),
    "sealed": (
        lambda: SealedStore(
            PostgresStore(f"postgresql://ann:{PASSWORD}@127.0.0.1:1/memory", timeout=0.5),
            keys=[SealedStore.new_key()],
        ),
        "postgresql://127.0.0.1:1/memory: ",
    ),
}
SERVERS = pytest.mark.parametrize("kind", GONE)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See to it that nothing that is logged has the password."""
    caplog.set_level(logging.DEBUG)
    yield
    assert PASSWORD not in caplog.text


def said(error: BaseException | None) -> str:
    """Return everything that a traceback shows of an error."""
    if error is None:
        return ""
    return f"{error} {error!r} {said(error.__cause__)} {said(error.__context__)}"


@SERVERS
def test_a_server_that_is_gone_is_named_without_credentials(kind: str) -> None:
    """Whatever is asked of it; why, too."""
    opened, place = GONE[kind]
    store = opened()
    calls = (partial(store.load, key()), partial(grow, store, key()), store.health)
    for call in (*calls, partial(store.forget, key()), partial(store.known, SPACE)):
        with pytest.raises(StoreError) as caught:
            call()
        assert str(caught.value).startswith(place)
        assert "refused" in str(caught.value)
        assert PASSWORD not in said(caught.value) + repr(store)
    store.close()


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_server_that_is_gone_is_named_to_tasks(kind: str) -> None:
    """As to threads."""
    opened, place = GONE[kind]
    store = opened()

    async def asked() -> None:
        for call in (partial(store.asynchronous.load, key()), store.asynchronous.health):
            with pytest.raises(StoreError) as caught:
                await call()
            assert str(caught.value).startswith(place)
            assert PASSWORD not in said(caught.value)
        await store.aclose()

    asyncio.run(asked())


@SERVERS
def test_calls_without_a_conversation_do_not_need_the_server(kind: str) -> None:
    """They go out, without much delay, and an event tells that memory failed."""
    store, fake, hook = GONE[kind][0](), FakeKimi(), QueueHook()
    begun = time.monotonic()
    client = MemoryManager(store=store, hooks=(hook,)).wrap(connect(fake))
    ask(client, QUESTION)
    ask(client, QUESTION)
    took = time.monotonic() - begun
    store.close()

    assert [QUESTION] * 2 == [request.body["messages"] for request in fake.requests]
    assert {"StoreError"} == {e.error for e in hook.drain() if isinstance(e, Failed)}
    assert took < 10


@SERVERS
def test_calls_of_tasks_do_not_need_the_server(kind: str) -> None:
    """As those of threads."""
    store, fake, hook = GONE[kind][0](), FakeKimi(), QueueHook()
    manager = AsyncMemoryManager(store=store, hooks=(hook,))
    asyncio.run(ask_async(manager.wrap(connect_async(fake)), QUESTION))
    store.close()

    assert [QUESTION] == [request.body["messages"] for request in fake.requests]
    assert {"StoreError"} == {e.error for e in hook.drain() if isinstance(e, Failed)}


@SERVERS
def test_a_conversation_needs_the_server(kind: str) -> None:
    """It says what is wrong before anything is sent."""
    opened, place = GONE[kind]
    store, fake = opened(), FakeKimi()
    manager = MemoryManager(store=store, hooks=())
    talking = manager.with_options(conversation="ann/trip").wrap(connect(fake))
    for call in (manager.conversation("ann/trip").history, partial(ask, talking, QUESTION)):
        assert refused(call).startswith(place)
    store.close()

    assert [] == fake.requests


@pytest.fixture
def postgres() -> Iterator[PostgresStore]:
    """Return a store in a schema of its own."""
    url, schema = postgres_url(), f"failures_{uuid4().hex}"
    with PostgresStore(url, schema=schema) as opened:
        opened.upgrade()
        yield opened
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))


@pytest.fixture
def redis() -> Iterator[RedisStore]:
    """Return a store with keys of its own."""
    with cleared() as opened:
        yield opened


def change(store: PostgresStore, text: str) -> None:
    """Do to a database what nobody should."""
    tables = store._pools.dialect.tables  # noqa: SLF001  # where they are
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(text.replace("memory_", f"{tables}memory_").encode())


BROKEN = (
    "UPDATE memory_records SET body = substr(body, 1, 20) WHERE seq = 2 AND conversation_id = 1",
    "UPDATE memory_records SET kind = 'dream' WHERE seq = 2 AND conversation_id = 1",
    "DELETE FROM memory_records WHERE seq = 2 AND conversation_id = 1",
)


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_row_of_postgres_is_named(postgres: PostgresStore, damage: str) -> None:
    """Everything else can be read and added to."""
    grow(postgres, key(), turns=4, text=SECRET)
    grow(postgres, key("other"), turns=4)
    change(postgres, damage)
    with closing(PostgresStore(postgres_url(), schema=_schema(postgres))) as store:
        told = refused(partial(store.load, key()), CorruptError)
        assert told.startswith("record 2 of conversation 1 in postgresql://")
        assert 5 == grow(store, key("other"))
        assert 5 == len(store.search(SPACE, "hi", user="ann", name="other"))
        assert ["other", "trip"] == [each.name for each in store.conversations(SPACE)]
        assert 1 == store.forget(key()).logs


def _schema(store: PostgresStore) -> str:
    return store._pools.dialect.tables.strip('".')  # noqa: SLF001  # where the tables are


def test_a_broken_record_of_redis_is_named(redis: RedisStore) -> None:
    """Everything else can be read and added to."""
    grow(redis, key(), turns=4, text=SECRET)
    (log,) = (each for each in written(redis.prefix) if b":log:" in each)
    with client() as server:
        server.lset(log.decode(), 1, "turn mine {broken")
    grow(redis, key("other"), turns=4)
    with closing(RedisStore(redis_url(), prefix=redis.prefix)) as store:
        told = refused(partial(store.load, key()), CorruptError)
        assert log.decode() in told
        assert 5 == grow(store, key("other"))
        assert 1 == store.forget(key()).logs


def test_another_key_opens_nothing_of_a_server(postgres: PostgresStore) -> None:
    """The error names the conversation; what is sealed stays as it is."""
    grow(SealedStore(postgres, keys=[SealedStore.new_key()]), key(), text=SECRET)
    store = SealedStore(postgres, keys=[SealedStore.new_key()])
    for call in (partial(store.load, key()), partial(grow, store, key())):
        assert "trip" in refused(call, SealedError)
    assert 1 == postgres.load(key()).version


@pytest.fixture
def line() -> Iterator[Line]:
    """Return a line to PostgreSQL that can break."""
    parts = urlsplit(postgres_url())
    with Line(parts.hostname or "127.0.0.1", parts.port or 5432) as opened:
        yield opened


@pytest.fixture
def far(postgres: PostgresStore, line: Line) -> Iterator[PostgresStore]:
    """Return a store at the other end of that line."""
    parts = urlsplit(postgres_url())
    user = f"{parts.username}@" if parts.username else ""
    url = f"postgresql://{user}127.0.0.1:{line.port}{parts.path}"
    with PostgresStore(url, schema=_schema(postgres), timeout=1.0) as opened:
        yield opened


def test_an_append_whose_reply_got_lost_is_written_once(
    postgres: PostgresStore, far: PostgresStore, line: Line
) -> None:
    """Whether the transaction was committed or not."""
    assert 1 == far.append(key(), [turn()], expected=0)
    line.cut(b"COMMIT")
    assert 2 == far.append(key(), [turn(1)], expected=1)
    line.cut(b"INSERT")
    assert 4 == far.append(key(), [turn(2), turn(3)], expected=2)

    assert 2 == line.cuts
    assert (turn(), turn(1), turn(2), turn(3)) == postgres.load(key()).records


def test_an_append_of_a_task_whose_reply_got_lost_is_written_once(
    postgres: PostgresStore, far: PostgresStore, line: Line
) -> None:
    """As one of a thread."""

    async def appended() -> int:
        try:
            line.cut(b"COMMIT")
            return await far.asynchronous.append(key(), [turn()], expected=0)
        finally:
            await far.aclose()

    assert (1, 1) == (asyncio.run(appended()), line.cuts)
    assert (turn(),) == postgres.load(key()).records


def test_a_line_that_dies_is_an_error_and_comes_back(far: PostgresStore, line: Line) -> None:
    """Who asks again later gets an answer."""
    grow(far, key())
    line.kill()
    assert refused(partial(grow, far, key())).startswith(f"postgresql://127.0.0.1:{line.port}/")
    line.revive()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            far.load(key())
            break
        except StoreError:
            time.sleep(0.1)

    assert 2 == grow(far, key())


def test_a_restarted_server_is_not_noticed(postgres: PostgresStore) -> None:
    """All connections are broken, and turns go on."""
    grow(postgres, key())
    schema = _schema(postgres)
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND query LIKE %s",
            (f"%{schema}%",),
        )

    assert (2, 2) == (grow(postgres, key()), postgres.load(key()).version)
