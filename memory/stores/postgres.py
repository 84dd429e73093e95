"""Logs in PostgreSQL: many machines, one database; psycopg 3, and poolers between are fine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from memory.closing import AsyncClosing, Closing
from memory.errors import ConfigError
from memory.stores.cache import LogCache
from memory.stores.postgres_pools import Pools
from memory.stores.searching import SearchPrograms
from memory.stores.sql import Dialect
from memory.stores.verbs import AsyncRecallVerbs, RecallVerbs

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    T = TypeVar("T")

__all__ = ("PostgresStore",)


def _dialect(schema: str | None) -> Dialect:
    return Dialect(
        name="postgres",
        now="extract(epoch FROM clock_timestamp())::float8",
        members="SELECT value FROM json_array_elements_text(?::json)",
        numbers="SELECT value::bigint FROM json_array_elements_text(?::json)",
        matches="d.terms @@ ?::tsquery",
        scoped=lambda scope, wanted, match: f"'{scope}' & ({wanted.tsquery(match)})",
        shared="FOR KEY SHARE OF c",
        # A server may come back from a crash, or as a replica, without the latest commits.
        preceded=(
            "EXISTS (SELECT 1 FROM memory_records l WHERE l.conversation_id = c.id AND l.seq = ?)"
        ),
        mark="%s",
        tables="" if schema is None else f'"{schema}".',
    )


class PostgresStore(Closing, AsyncClosing, RecallVerbs):
    """A store in a PostgreSQL database, whose schema `kimi-memory db upgrade` makes.

    No connection is held between two calls, none needs a session of its own, and statements are
    not prepared, so that poolers such as PgBouncer may stand between.

    Args:
        url: Where the database is, as libpq reads it.
        schema: The schema of our tables; None for the first one of the search path.
        pool: A pool of yours in place of our own, of connections for threads or for tasks; it
            has to be open, and stays yours to close. Ours are for threads, which tasks use too.
        size: How many connections our own pools may have.
        timeout: Seconds to wait for a connection.

    Attributes:
        location: Where the database is, without credentials.

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
        self._pools = Pools(url, pool, _dialect(schema), size=size, timeout=timeout)
        self.location = self._pools.location
        programs = SearchPrograms(self._pools.dialect, LogCache(), self.location)
        super().__init__(programs, self._pools.perform)
        self.asynchronous = AsyncRecallVerbs(programs, self._pools.aperform)

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
        """Close our own connections, as `close`."""
        from anyio import to_thread  # noqa: PLC0415  # comes with openai

        await to_thread.run_sync(self._pools.close)

    def __repr__(self) -> str:
        """Return where the database is, without credentials."""
        return f"PostgresStore({self.location!r})"
