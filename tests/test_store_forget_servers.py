"""Forgetting on servers: of what was forgotten there is no row and no key, nor in the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from planted import BOB, FORGETTING, SECRET, WHOLE, plant, remembered, surround
from psycopg.sql import SQL, Identifier
from redis_servers import cleared, client
from services import postgres_url
from stored import key

from memory.stores import PostgresStore, RedisStore

STEM = SECRET.removesuffix("e")
"""What a search index has of it."""


@pytest.fixture
def postgres() -> Iterator[PostgresStore]:
    """Return a store in a schema of its own."""
    url, schema = postgres_url(), f"forget_{uuid4().hex}"
    with PostgresStore(url, schema=schema) as opened:
        opened.upgrade()
        yield opened
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))


def rows(store: PostgresStore, secret: str) -> dict[str, int]:
    """Return how many rows of which tables hold a secret in any column."""
    schema = store._pools.dialect.tables.strip('".')  # noqa: SLF001  # where the tables are
    found = {}
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        listed = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        tables = [name for (name,) in connection.execute(listed, (schema,)).fetchall()]
        assert 5 <= len(tables)
        for table in tables:
            text = "SELECT count(*) FROM {} t WHERE t::text ILIKE %s OR t::text ILIKE %s"
            counted = connection.execute(
                SQL(text).format(Identifier(schema, table)),
                (f"%{secret}%", f"%{secret.encode().hex()}%"),
            ).fetchone()
            assert counted is not None
            found[table] = counted[0]
    return {table: number for table, number in found.items() if number}


@FORGETTING
def test_no_row_is_left_in_postgres(postgres: PostgresStore, forget: Any) -> None:
    """In no table and no column, and not in the process either."""
    surround(postgres, BOB, logs=2, turns=50)
    plant(postgres)
    planted = {"memory_records": 5, "memory_documents": 2, "memory_postings": 1}
    assert planted == rows(postgres, STEM)

    assert WHOLE == forget(postgres)
    assert {} == rows(postgres, STEM)
    assert [] == remembered(postgres, SECRET)
    assert 50 == postgres.load(key("talk 1", user=BOB)).version


@pytest.fixture
def redis() -> Iterator[RedisStore]:
    """Return a store with keys of its own."""
    with cleared() as opened:
        yield opened


def values(prefix: str, secret: str) -> list[bytes]:
    """Return the keys that begin with a prefix and hold a secret, in name or contents."""
    with client() as server:
        keys = [*server.scan_iter(f"{prefix}*", count=1_000)]
        assert keys
        dumped: dict[bytes, Any] = {each: server.dump(each) for each in keys}
        told: dict[bytes, Any] = {each: _read(server, each) for each in keys}
    texts = {each: each + (dumped[each] or b"") + repr(told[each]).encode() for each in keys}
    return [each for each, text in texts.items() if secret.encode() in text]


def _read(server: Any, name: bytes) -> Any:
    """Return what stands under a key; a dump may be compressed."""
    readers = {
        b"list": lambda: server.lrange(name, 0, -1),
        b"hash": lambda: server.hgetall(name),
        b"set": lambda: server.smembers(name),
        b"zset": lambda: server.zrange(name, 0, -1),
        b"string": lambda: server.get(name),
    }
    return readers[server.type(name)]()


@FORGETTING
def test_no_key_is_left_in_redis(redis: RedisStore, forget: Any) -> None:
    """In no key, of whatever kind."""
    surround(redis, BOB, logs=2, turns=50)
    plant(redis)
    assert values(redis.prefix, SECRET)

    done = forget(redis)
    assert (2, 5, 4, 2) == (done.logs, done.records, done.messages, done.compactions)
    assert [] == values(redis.prefix, SECRET)
    assert [] == remembered(redis, SECRET)
    assert 50 == redis.load(key("talk 1", user=BOB)).version
