"""Where the benchmark of stores writes: places that a store and bare inserts share.

A place can be sent to another process, which opens a store of its own there. The floor beside it
has the tables of the store, made by the store itself, in another file or another schema, and is
written to by the same driver with the same settings.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

from benchmarks._stores_rows import Step
from memory.stores import Store
from memory.stores.volatile import VolatileStore

__all__ = ("KINDS", "Floor", "Place", "SqlitePlace", "made", "unreachable")

POSTGRES: Final = ("KIMI_MEMORY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
REDIS: Final = ("KIMI_MEMORY_TEST_REDIS", "redis://127.0.0.1:6379/0")
PATIENCE: Final = 2
"""Seconds in which a server has to answer."""
_CONVERSATION: Final = """
INSERT INTO {0}memory_conversations (key, owner, namespace, user_id, name, root, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_RECORD: Final = """
INSERT INTO {0}memory_records
  (conversation_id, seq, kind, messages, total, append, created_at, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_NUMBERS: Final = "SELECT key, id FROM {0}memory_conversations"

Floor = Callable[[Step], None]
"""Writes the rows of a step in one transaction, as fast as the driver can."""


class Place(Protocol):
    """Somewhere to write."""

    def store(self) -> AbstractContextManager[Store]:
        """Open a store; every one is an object of its own, which has read nothing yet."""

    def floor(self) -> AbstractContextManager[Floor] | None:
        """Open what writes the same rows without a store, if there is such a thing."""


@dataclass(frozen=True)
class _Volatile:
    """The memory of this process, which no other one can write to."""

    kept: VolatileStore = field(default_factory=VolatileStore)

    @contextmanager
    def store(self) -> Iterator[Store]:
        yield self.kept

    def floor(self) -> None:
        return None


@dataclass(frozen=True)
class SqlitePlace:
    """Two files in a directory, `store.db` and `floor.db`."""

    folder: Path

    def store(self) -> AbstractContextManager[Store]:
        from memory.stores.sqlite import SqliteStore  # noqa: PLC0415  # each when it is asked for

        return SqliteStore(self.folder / "store.db", timeout=60)

    @contextmanager
    def floor(self) -> Iterator[Floor]:
        with closing(self.connection()) as connection:
            yield _sqlite_floor(connection)

    def connection(self) -> sqlite3.Connection:
        """Return a connection as the store has one, to tables that it made."""
        from memory.stores.sqlite import SqliteStore  # noqa: PLC0415

        path = self.folder / "floor.db"
        with SqliteStore(path) as store:
            store.health()
        connection = sqlite3.connect(
            path, timeout=60, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma in ("synchronous=normal", "secure_delete=1", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection


def _sqlite_floor(connection: sqlite3.Connection) -> Floor:
    execute = connection.execute
    new, record = _CONVERSATION.format(""), _RECORD.format("")
    numbers: dict[bytes, Any] = dict(execute(_NUMBERS.format("")).fetchall())

    def write(step: Step) -> None:
        execute("BEGIN IMMEDIATE")
        number = numbers.get(step.names[0])
        if number is None:
            number = numbers[step.names[0]] = execute(new, step.names).lastrowid
        execute(record, (number, *step.values))
        execute("COMMIT")

    return write


@dataclass(frozen=True)
class _Sealed(SqlitePlace):
    """The same two files, with a seal around the store; the floor stays in the open."""

    keys: tuple[str, ...] = ()

    @contextmanager
    def store(self) -> Iterator[Store]:
        from memory.stores.sealed import SealedStore  # noqa: PLC0415

        with closing(SealedStore(super().store(), keys=self.keys)) as store:  # type: ignore[arg-type]
            yield store


@dataclass(frozen=True)
class _Postgres:
    """Two schemas of a database."""

    url: str
    schema: str

    def store(self) -> AbstractContextManager[Store]:
        store: AbstractContextManager[Store] = self._opened(self.schema)
        return store

    @contextmanager
    def floor(self) -> Iterator[Floor]:
        import psycopg  # noqa: PLC0415

        with psycopg.connect(self.url, autocommit=True, prepare_threshold=None) as connection:
            yield _postgres_floor(connection, f'"{self._floor}".')

    def begin(self) -> None:
        """Make the tables of both."""
        for schema in (self.schema, self._floor):
            with self._opened(schema) as store:
                store.upgrade()

    def end(self) -> None:
        """Drop the tables of both."""
        import psycopg  # noqa: PLC0415

        with psycopg.connect(self.url, autocommit=True) as connection:
            for schema in (self.schema, self._floor):
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'.encode())

    @property
    def _floor(self) -> str:
        return f"{self.schema}_floor"

    def _opened(self, schema: str) -> Any:
        from memory.stores.postgres import PostgresStore  # noqa: PLC0415

        return PostgresStore(self.url, schema=schema)


def _postgres_floor(connection: Any, tables: str) -> Floor:
    execute = connection.execute
    new = _CONVERSATION.format(tables).replace("?", "%s") + "RETURNING id"
    record = _RECORD.format(tables).replace("?", "%s")
    numbers = dict(execute(_NUMBERS.format(tables)).fetchall())

    def write(step: Step) -> None:
        with connection.transaction():
            number = numbers.get(step.names[0])
            if number is None:
                number = numbers[step.names[0]] = execute(new, step.names).fetchone()[0]
            execute(record, (number, *step.values))

    return write


@dataclass(frozen=True)
class _Redis:
    """Keys with two prefixes; the floor pushes what is no more than a list of texts."""

    url: str
    prefix: str

    def store(self) -> AbstractContextManager[Store]:
        from memory.stores.redis import RedisStore  # noqa: PLC0415

        return RedisStore(self.url, prefix=self.prefix)

    @contextmanager
    def floor(self) -> Iterator[Floor]:
        from redis import Redis  # noqa: PLC0415

        with Redis.from_url(self.url) as client:
            push = client.rpush

            def write(step: Step) -> None:
                push(f"{self.prefix}-floor:{step.conversation}", step.values[-1])

            yield write

    def end(self) -> None:
        """Delete the keys of both."""
        from redis import Redis  # noqa: PLC0415

        with Redis.from_url(self.url) as client:
            for name in client.scan_iter(match=f"{self.prefix}*", count=1_000):
                client.delete(name)


def _folder() -> Any:
    return tempfile.TemporaryDirectory(prefix="kimi-memory-bench-")


@contextmanager
def _volatile() -> Iterator[Place]:
    yield _Volatile()


@contextmanager
def _sqlite() -> Iterator[Place]:
    with _folder() as folder:
        yield SqlitePlace(Path(folder))


@contextmanager
def _sealed() -> Iterator[Place]:
    from memory.stores.sealed import SealedStore  # noqa: PLC0415

    with _folder() as folder:
        yield _Sealed(Path(folder), (SealedStore.new_key(),))


@contextmanager
def _postgres() -> Iterator[Place]:
    place = _Postgres(_url(POSTGRES), f"stores_bench_{uuid4().hex[:12]}")
    try:
        place.begin()
        yield place
    finally:
        place.end()


@contextmanager
def _redis() -> Iterator[Place]:
    place = _Redis(_url(REDIS), f"stores-bench-{uuid4().hex[:12]}")
    try:
        yield place
    finally:
        place.end()


KINDS: Final[dict[str, Callable[[], AbstractContextManager[Place]]]] = {
    "volatile": _volatile,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "redis": _redis,
    "sealed": _sealed,
}
"""What makes a new place for each kind of store, and takes it away at the end."""


def made(kind: str) -> AbstractContextManager[Place]:
    """Return a new place for a kind of store, which is gone after the `with`."""
    return KINDS[kind]()


def unreachable(kind: str) -> str | None:
    """Return why a kind of store cannot be measured here, or None."""
    try:
        if kind == "postgres":
            _ask_postgres(_url(POSTGRES))
        elif kind == "redis":
            _ask_redis(_url(REDIS))
        elif kind == "sealed":
            importlib.import_module("cryptography")
    except Exception as error:  # noqa: BLE001  # of a driver that may not be installed
        variable = {"postgres": POSTGRES, "redis": REDIS}.get(kind, ("", ""))[0]
        hint = f"; {variable} can name a server" if variable else ""
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}{hint}"
    return None


def _ask_postgres(url: str) -> None:
    import psycopg  # noqa: PLC0415

    importlib.import_module("psycopg_pool")
    psycopg.connect(url, connect_timeout=PATIENCE).close()


def _ask_redis(url: str) -> None:
    from redis import Redis  # noqa: PLC0415

    with Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
        client.ping()


def _url(variable: tuple[str, str]) -> str:
    name, default = variable
    return os.environ.get(name) or default
