"""Stores to run the same tests on: each a place of its own, of which factories open handles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from services import postgres_url, redis_url

from memory.stores import Store
from memory.testing.conformance import Factory

__all__ = ("FACTORIES",)

Place: TypeAlias = Callable[[Path], AbstractContextManager[Factory]]
"""Makes a store in a directory or on a server, and removes it at the end."""


@contextmanager
def _volatile(_folder: Path) -> Iterator[Factory]:
    from memory.stores.volatile import VolatileStore  # noqa: PLC0415  # each when it is asked for

    store = VolatileStore()
    yield lambda: store


@contextmanager
def _sqlite(folder: Path) -> Iterator[Factory]:
    from memory.stores.sqlite import SqliteStore  # noqa: PLC0415

    yield lambda: SqliteStore(folder / "memory.db")


@contextmanager
def _sealed(folder: Path) -> Iterator[Factory]:
    from memory.stores.sealed import SealedStore  # noqa: PLC0415
    from memory.stores.sqlite import SqliteStore  # noqa: PLC0415

    keys = [SealedStore.new_key(), SealedStore.new_key()]

    def opened() -> Store:
        return SealedStore(SqliteStore(folder / "sealed.db", scrub=False), keys=keys)

    yield opened


@contextmanager
def _postgres(_folder: Path) -> Iterator[Factory]:
    url = postgres_url()
    import psycopg  # noqa: PLC0415

    from memory.stores.postgres import PostgresStore  # noqa: PLC0415

    schema = f"conformance_{uuid4().hex}"
    try:
        with PostgresStore(url, schema=schema) as store:
            store.upgrade()
        yield lambda: PostgresStore(url, schema=schema)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@contextmanager
def _redis(_folder: Path) -> Iterator[Factory]:
    url = redis_url()
    from redis import Redis  # noqa: PLC0415

    from memory.stores.redis import RedisStore  # noqa: PLC0415

    prefix = f"conformance-{uuid4().hex}"
    try:
        yield lambda: RedisStore(url, prefix=prefix)
    finally:
        with Redis.from_url(url) as client:
            for name in client.scan_iter(match=f"{prefix}*", count=1_000):
                client.delete(name)


FACTORIES: dict[str, Place] = {
    "volatile": _volatile,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "redis": _redis,
    "sealed": _sealed,
}
"""Every kind of store, by name."""
