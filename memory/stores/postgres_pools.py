"""The connections of the PostgreSQL store, and what can go wrong with them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from memory.drive import arun, run
from memory.errors import ConfigError, CorruptError, SchemaError, StoreError
from memory.flow import Effect
from memory.forks import Forking, attend
from memory.stores.sql import Dialect, Statement, Transaction
from memory.stores.upgrading import check_version, upgrade

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from memory.stores.sql import Row, Steps

    T = TypeVar("T")

__all__ = ("Pools",)

ATTEMPTS = 3
"""How often a transaction is tried where connections turn out to be broken."""
PAUSE = 0.2
"""Seconds before the second attempt; more before the third."""
PATIENCE, GLANCE = 5.0, 0.5
"""For so many seconds after a connection could not be had, others are waited for so long."""
LOCK = 0x6B696D69
"""Which advisory lock those take who change the schema; it ends with their transaction."""
_abandoned: list[object] = []
"""Pools from before a fork: closing their connections here would close those of the parent."""
_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
"""Each statement sees what others have written by then: who waited for a lock depends on it."""
_VERSION = Statement("SELECT max(version) FROM memory_schema")


class Pools(Forking):
    """The connections to one database: ours, for threads, or a pool of the caller's."""

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
        self._down = 0.0
        self._checked = False
        self.location = self._located(url, pool)
        attend(self)

    def perform(self, effect: Effect[Any]) -> Any:
        """Carry out a transaction in a thread and return what its steps return."""
        transaction = _transaction(effect)
        for attempt in range(1, ATTEMPTS + 1):
            pool = self._pool()
            try:
                with pool.connection(timeout=self._wait) as connection:
                    self._check(connection)
                    return self._carried_out(connection, transaction)
            except self._psycopg.Error as error:
                if not self._again(error, attempt):
                    raise self._error(self._reason(error)) from error
                with suppress(self._psycopg.Error):
                    pool.check()
            time.sleep(PAUSE * attempt)
        raise AssertionError  # the last attempt returns or raises

    async def aperform(self, effect: Effect[Any]) -> Any:
        """Carry out a transaction in a task and return what its steps return."""
        from anyio import to_thread  # noqa: PLC0415  # comes with openai

        if not self._tasks:
            return await to_thread.run_sync(self.perform, effect)
        transaction = _transaction(effect)
        for attempt in range(1, ATTEMPTS + 1):
            pool: AsyncConnectionPool[Any] = self._given
            try:
                async with pool.connection(timeout=self._wait) as connection:
                    await self._acheck(connection)
                    return await self._acarried_out(connection, transaction)
            except self._psycopg.Error as error:
                if not self._again(error, attempt):
                    reason: Exception = await to_thread.run_sync(self._reason, error)
                    raise self._error(reason) from error
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

    def after_fork(self, *, child: bool) -> None:
        """Begin anew in the child."""
        if child:
            _abandoned.append((self._sync, self._given))
            self._lock = threading.Lock()
            self._sync = None

    @property
    def _wait(self) -> float:
        """Seconds to wait for a connection: not long again where there was none just now."""
        return min(self._timeout, GLANCE) if time.monotonic() < self._down else self._timeout

    @property
    def _tasks(self) -> bool:
        """Whether callers in tasks have connections of their own kind here.

        Ours are for threads: a pool for tasks has tasks of its own in each event loop, and those
        may keep a loop from ending (psycopg_pool 3.3 swallows their cancellation).
        """
        return isinstance(self._given, self._pooling.AsyncConnectionPool)

    def _pool(self) -> ConnectionPool[Any]:
        if isinstance(self._given, self._pooling.ConnectionPool):
            given: ConnectionPool[Any] = self._given
            return given
        if self._given is not None:
            msg = "this store has a pool for tasks only: use AsyncMemoryManager, or give it a url"
            raise StoreError(msg)
        with self._lock:
            if self._sync is None:
                self._sync = self._pooling.ConnectionPool(**self._options(), configure=_configure)
                self._sync.open()
            return self._sync

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
            return run(transaction.steps(), partial(self._rows, connection))
        with connection.transaction():
            if self._given is not None:
                connection.execute(_COMMITTED)
            return run(transaction.steps(), partial(self._rows, connection))

    async def _acarried_out(
        self, connection: AsyncConnection[Any], transaction: Transaction[T]
    ) -> T:
        if not transaction.write:
            return await arun(transaction.steps(), partial(self._arows, connection))
        async with connection.transaction():
            if self._given is not None:
                await connection.execute(_COMMITTED)
            return await arun(transaction.steps(), partial(self._arows, connection))

    def _rows(self, connection: Connection[Any], statement: Statement) -> list[Row]:
        cursor = connection.cursor(row_factory=self._psycopg.rows.tuple_row)
        done = cursor.execute(self.dialect.sql(statement.sql), statement.parameters)
        return [(done.rowcount,)] if done.description is None else done.fetchall()

    async def _arows(self, connection: AsyncConnection[Any], statement: Statement) -> list[Row]:
        cursor = connection.cursor(row_factory=self._psycopg.rows.tuple_row)
        done = await cursor.execute(self.dialect.sql(statement.sql), statement.parameters)
        return [(done.rowcount,)] if done.description is None else await done.fetchall()

    def _check(self, connection: Connection[Any]) -> None:
        """Look once whether the schema is the one we know."""
        if not self._checked:
            try:
                found = self._rows(connection, _VERSION)
            except self._psycopg.errors.UndefinedTable:
                found = []
            if not connection.autocommit:
                connection.rollback()
            self._known(found)

    async def _acheck(self, connection: AsyncConnection[Any]) -> None:
        if not self._checked:
            try:
                found = await self._arows(connection, _VERSION)
            except self._psycopg.errors.UndefinedTable:
                found = []
            if not connection.autocommit:
                await connection.rollback()
            self._known(found)

    def _known(self, found: list[Row]) -> None:
        check_version(self.dialect, (found[0][0] if found else 0) or 0, self.location)
        self._checked = True

    def _again(self, error: Exception, attempt: int) -> bool:
        """Return whether another attempt may help: the connection broke, or others were in the way.

        What had been written by then is found by the append that is tried again.
        """
        if isinstance(error, self._pooling.PoolTimeout):
            self._down = time.monotonic() + PATIENCE
            return False
        if attempt == ATTEMPTS:
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

    def _reason(self, error: Exception) -> Exception:
        """Return why there was no connection, which a pool does not tell."""
        timeout: type[Exception] = self._pooling.PoolTimeout
        if self._url is None or not isinstance(error, timeout):
            return error
        try:
            self._psycopg.connect(self._url, connect_timeout=2).close()
        except Exception as found:  # noqa: BLE001  # whatever it is, that is the reason
            return found
        return error

    def _located(self, url: str | None, pool: Any) -> str:
        given = {} if pool is None or callable(pool.kwargs) else pool.kwargs or {}
        text = pool.conninfo if url is None else url
        try:
            parts = self._psycopg.conninfo.conninfo_to_dict("" if callable(text) else text)
        except self._psycopg.Error:
            parts = {"dbname": "@"}
        parts |= {key: given[key] for key in ("host", "port", "dbname") if given.get(key)}
        host, port = parts.get("host") or "localhost", parts.get("port") or 5432
        name = str(parts.get("dbname") or "")
        if "@" in name or "@" in str(host) or not str(port).replace(",", "").isdigit():
            msg = (
                "the URL of the PostgreSQL database cannot be read: use postgresql://"
                "user:password@host/database, with / and @ in a password as %2F and %40"
            )
            raise ConfigError(msg)
        return f"postgresql://{host}:{port}/{name}"


def _modules() -> tuple[Any, Any]:
    try:
        import psycopg  # noqa: PLC0415  # an extra
        import psycopg.rows  # noqa: PLC0415
        import psycopg_pool  # noqa: PLC0415
    except ImportError as error:
        msg = 'a store in PostgreSQL needs psycopg: pip install "kimi-memory[postgres]"'
        raise ConfigError(msg) from error
    # What goes wrong with a connection is raised, and need not be on standard error as well.
    logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
    return psycopg, psycopg_pool


def _configure(connection: Connection[Any]) -> None:
    from psycopg import IsolationLevel  # noqa: PLC0415  # an extra, imported by now

    connection.isolation_level = IsolationLevel.READ_COMMITTED


def _transaction(effect: Effect[Any]) -> Transaction[Any]:
    if not isinstance(effect, Transaction):
        msg = f"no handler for {type(effect).__name__}"
        raise TypeError(msg)
    return effect
