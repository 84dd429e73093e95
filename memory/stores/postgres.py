"""Logs in PostgreSQL: many machines, one database; psycopg 3, and poolers between are fine."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from memory.drive import running_loop
from memory.errors import ConfigError, CorruptError, SchemaError, StoreError
from memory.flow import Effect
from memory.stores.cache import LogCache
from memory.stores.searching import SearchPrograms
from memory.stores.sql import Dialect, Statement, Transaction
from memory.stores.upgrading import check_version, upgrade
from memory.stores.verbs import AsyncSearchVerbs, SearchVerbs

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from psycopg import AsyncConnection, Connection
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from memory.stores.sql import Row, Steps

    T = TypeVar("T")

__all__ = ("PostgresStore",)

ATTEMPTS = 3
"""How often a transaction is tried where connections turn out to be broken."""
PAUSE = 0.2
"""Seconds before the second attempt; more before the third."""
LOCK = 0x6B696D69
"""Which advisory lock those take who change the schema; it ends with their transaction."""
_abandoned: list[object] = []
"""Pools from before a fork: closing their connections here would close those of the parent."""
_VERSION = "SELECT max(version) FROM memory_schema"


def _dialect(schema: str | None) -> Dialect:
    return Dialect(
        name="postgres",
        now="extract(epoch FROM clock_timestamp())::float8",
        members="SELECT json_array_elements_text(?::json)",
        matches="d.terms @@ ?::tsquery",
        shared="FOR KEY SHARE OF c",
        mark="%s",
        tables="" if schema is None else f'"{schema}".',
    )


class PostgresStore(SearchVerbs):
    """A store in a PostgreSQL database, whose schema `kimi-memory db upgrade` makes.

    No connection is held between two calls, none needs a session of its own, and statements are
    not prepared, so that poolers such as PgBouncer may stand between.

    Args:
        url: Where the database is, as libpq reads it.
        schema: The schema of our tables; None for the first one of the search path.
        pool: A pool of yours in place of our own, of connections for threads or for tasks; it
            has to be open, and stays yours to close. Callers of the other kind get an error, or
            threads.
        size: How many connections our own pools may have.
        timeout: Seconds to wait for a connection.

    Raises:
        ConfigError: An argument is wrong, or psycopg is not installed.
    """

    immediate = False
    durable = True

    def __init__(
        self,
        url: str | None = None,
        *,
        schema: str | None = None,
        pool: ConnectionPool[Any] | AsyncConnectionPool[Any] | None = None,
        size: int = 8,
        timeout: float = 10.0,
    ) -> None:
        if (url is None) == (pool is None):
            msg = "PostgresStore takes either the url of a database or a pool"
            raise ConfigError(msg)
        if schema is not None and not schema.isidentifier():
            msg = f"schema={schema!r} must be a plain name"
            raise ConfigError(msg)
        self._pools = _Pools(url, pool, _dialect(schema), size=size, timeout=timeout)
        programs = SearchPrograms(self._pools.dialect, LogCache(), self._pools.location)
        super().__init__(programs, self._pools.perform)
        self.asynchronous = AsyncSearchVerbs(programs, self._pools.aperform)

    def upgrade(self) -> tuple[str, ...]:
        """Bring the schema up to date and return the names of the files applied.

        Raises:
            SchemaError: The database is newer than this library.
            StoreError: It cannot be reached or changed.
        """
        return self._pools.upgrade()

    def close(self) -> None:
        """Close our own connections; once is enough, and using the store opens others."""
        self._pools.close()

    async def aclose(self) -> None:
        """Close our own connections, those of the running event loop included."""
        await self._pools.aclose()

    def __enter__(self) -> Self:
        """Return the store, to be closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close our own connections."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the store, to be closed at the end."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close our own connections."""
        await self.aclose()

    def __repr__(self) -> str:
        """Return where the database is, without credentials."""
        return f"PostgresStore({self._pools.location!r})"


class _Pools:
    """The connections to one database: for threads, and for each event loop."""

    def __init__(
        self, url: str | None, pool: Any, dialect: Dialect, *, size: int, timeout: float
    ) -> None:
        self._psycopg, self._pooling = _modules()
        self.dialect = dialect
        self._url = url
        self._size = size
        self._timeout = timeout
        self._given = pool
        self._lock = threading.Lock()
        self._sync: ConnectionPool[Any] | None = None
        self._async: weakref.WeakKeyDictionary[Any, AsyncConnectionPool[Any]]
        self._async = weakref.WeakKeyDictionary()
        self._checked = False
        self.location = self._located(url if url is not None else pool.conninfo)
        if hasattr(os, "register_at_fork"):
            here = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _forked(here()))

    def perform(self, effect: Effect[Any]) -> Any:
        """Carry out a transaction in a thread and return what its steps return."""
        transaction = _transaction(effect)
        for attempt in range(1, ATTEMPTS + 1):
            pool = self._pool()
            try:
                with pool.connection(timeout=self._timeout) as connection:
                    self._check(connection)
                    return self._carried_out(connection, transaction)
            except self._psycopg.Error as error:
                if not self._again(error, attempt):
                    raise self._error(error) from error
                with suppress(self._psycopg.Error):
                    pool.check()
            time.sleep(PAUSE * attempt)
        raise AssertionError  # the last attempt returns or raises

    async def aperform(self, effect: Effect[Any]) -> Any:
        """Carry out a transaction in a task and return what its steps return."""
        if not self._tasks:
            from anyio import to_thread  # noqa: PLC0415  # comes with openai

            return await to_thread.run_sync(self.perform, effect)
        transaction = _transaction(effect)
        for attempt in range(1, ATTEMPTS + 1):
            pool = await self._apool()
            try:
                async with pool.connection(timeout=self._timeout) as connection:
                    await self._acheck(connection)
                    return await self._acarried_out(connection, transaction)
            except self._psycopg.Error as error:
                if not self._again(error, attempt):
                    raise self._error(error) from error
                with suppress(self._psycopg.Error):
                    await pool.check()
            await asyncio.sleep(PAUSE * attempt)
        raise AssertionError  # the last attempt returns or raises

    def upgrade(self) -> tuple[str, ...]:
        """Bring the schema up to date, within a lock that ends with the transaction."""

        def steps() -> Steps[tuple[str, ...]]:
            yield Statement(f"SELECT pg_advisory_xact_lock({LOCK})")
            if self.dialect.tables:
                yield Statement(f"CREATE SCHEMA IF NOT EXISTS {self.dialect.tables[:-1]}")
            return (yield from upgrade(self.dialect))

        self._checked = True
        try:
            names: tuple[str, ...] = self.perform(Transaction(steps=steps, write=True))
        finally:
            self._checked = False
        return names

    def close(self) -> None:
        """Close the pool for threads."""
        with self._lock:
            pool, self._sync = self._sync, None
        if pool is not None:
            pool.close()

    async def aclose(self) -> None:
        """Close the pools for threads and for the running event loop."""
        self.close()
        pool = self._async.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()

    def reset(self) -> None:
        """Begin anew in a process that was forked."""
        _abandoned.append((self._sync, dict(self._async), self._given))
        self._lock = threading.Lock()
        self._sync = None
        self._async = weakref.WeakKeyDictionary()

    @property
    def _tasks(self) -> bool:
        """Whether callers in tasks have connections of their own kind here."""
        if self._given is not None:
            return isinstance(self._given, self._pooling.AsyncConnectionPool)
        return running_loop() is not None

    def _pool(self) -> ConnectionPool[Any]:
        if isinstance(self._given, self._pooling.ConnectionPool):
            given: ConnectionPool[Any] = self._given
            return given
        if self._given is not None:
            msg = "this store has a pool for tasks only: use AsyncMemoryManager, or give it a url"
            raise StoreError(msg)
        with self._lock:
            if self._sync is None:
                self._sync = self._pooling.ConnectionPool(**self._options())
                self._sync.open()
            return self._sync

    async def _apool(self) -> AsyncConnectionPool[Any]:
        if self._given is not None:
            given: AsyncConnectionPool[Any] = self._given
            return given
        loop = asyncio.get_running_loop()
        pool = self._async.get(loop)
        if pool is None:
            pool = self._async[loop] = self._pooling.AsyncConnectionPool(**self._options())
            await pool.open()
        return pool

    def _options(self) -> dict[str, Any]:
        return {
            "conninfo": self._url,
            "min_size": 0,
            "max_size": self._size,
            "max_idle": 60.0,
            "timeout": self._timeout,
            "reconnect_timeout": self._timeout,
            "open": False,
            "name": "kimi-memory",
            "kwargs": {"autocommit": True, "prepare_threshold": None},
        }

    def _carried_out(self, connection: Connection[Any], transaction: Transaction[T]) -> T:
        if not transaction.write:
            return self._pumped(connection, transaction.steps())
        with connection.transaction():
            return self._pumped(connection, transaction.steps())

    async def _acarried_out(
        self, connection: AsyncConnection[Any], transaction: Transaction[T]
    ) -> T:
        if not transaction.write:
            return await self._apumped(connection, transaction.steps())
        async with connection.transaction():
            return await self._apumped(connection, transaction.steps())

    def _pumped(self, connection: Connection[Any], steps: Steps[T]) -> T:
        rows: list[Row] | None = None
        try:
            while True:
                statement = next(steps) if rows is None else steps.send(rows)
                done = connection.execute(self.dialect.sql(statement.sql), statement.parameters)
                rows = [(done.rowcount,)] if done.description is None else done.fetchall()
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _apumped(self, connection: AsyncConnection[Any], steps: Steps[T]) -> T:
        rows: list[Row] | None = None
        try:
            while True:
                statement = next(steps) if rows is None else steps.send(rows)
                sql = self.dialect.sql(statement.sql)
                done = await connection.execute(sql, statement.parameters)
                rows = [(done.rowcount,)] if done.description is None else await done.fetchall()
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _check(self, connection: Connection[Any]) -> None:
        """Look once whether the schema is the one we know."""
        if not self._checked:
            try:
                found = connection.execute(self.dialect.qualified(_VERSION)).fetchone()
            except self._psycopg.errors.UndefinedTable:
                found = None
            self._known(found)

    async def _acheck(self, connection: AsyncConnection[Any]) -> None:
        if not self._checked:
            try:
                done = await connection.execute(self.dialect.qualified(_VERSION))
                found = await done.fetchone()
            except self._psycopg.errors.UndefinedTable:
                found = None
            self._known(found)

    def _known(self, found: Row | None) -> None:
        check_version(self.dialect, (found[0] if found else 0) or 0, self.location)
        self._checked = True

    def _again(self, error: Exception, attempt: int) -> bool:
        """Return whether another attempt may help: the connection broke, or others were in the way.

        What had been written by then is found by the append that is tried again.
        """
        if attempt == ATTEMPTS or isinstance(error, self._pooling.PoolTimeout):
            return False
        return isinstance(error, self._psycopg.OperationalError)

    def _error(self, error: Exception) -> StoreError:
        """Return what went wrong with which database, without credentials."""
        errors = self._psycopg.errors
        if isinstance(error, (errors.UndefinedTable, errors.UndefinedColumn)):
            msg = f"{self.location} lacks tables of ours: run `kimi-memory db upgrade --store URL`"
            return SchemaError(msg, found=0, wanted=self.dialect.latest)
        if isinstance(error, (errors.DataCorrupted, errors.IndexCorrupted)):
            return CorruptError(self.location, str(error))
        text = str(error).strip().splitlines() or [""]
        return StoreError(f"{self.location}: {type(error).__name__}: {text[0]}")

    def _located(self, conninfo: str) -> str:
        try:
            parts = self._psycopg.conninfo.conninfo_to_dict(conninfo)
        except self._psycopg.Error as error:
            msg = "the URL of the PostgreSQL database cannot be read: use postgresql://user@host/db"
            raise ConfigError(msg) from error
        host, port = parts.get("host") or "localhost", parts.get("port") or 5432
        return f"postgresql://{host}:{port}/{parts.get('dbname') or ''}"


def _modules() -> tuple[Any, Any]:
    try:
        import psycopg  # noqa: PLC0415  # an extra
        import psycopg_pool  # noqa: PLC0415
    except ImportError as error:
        msg = 'a store in PostgreSQL needs psycopg: pip install "kimi-memory[postgres]"'
        raise ConfigError(msg) from error
    return psycopg, psycopg_pool


def _transaction(effect: Effect[Any]) -> Transaction[Any]:
    if not isinstance(effect, Transaction):
        msg = f"no handler for {type(effect).__name__}"
        raise TypeError(msg)
    return effect


def _forked(pools: _Pools | None) -> None:
    if pools is not None:
        pools.reset()
