"""Logs in Redis: a fast place that several machines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.closing import AsyncClosing, Closing
from memory.errors import ConfigError
from memory.stores.cache import LogCache
from memory.stores.redis_links import Links
from memory.stores.redis_programs import RedisPrograms
from memory.stores.verbs import AsyncVerbs, Verbs

if TYPE_CHECKING:
    import redis
    import redis.asyncio

__all__ = ("RedisStore",)

PREFIX = "kimi-memory"


class RedisStore(Closing, AsyncClosing, Verbs):
    """A store in Redis 5 or later, a cluster of them, or what speaks its language.

    It needs core commands only, and keys that begin with `prefix`. What is written is as durable
    as the server makes it: by default Redis loses the last second, or minutes, in a crash, so it is
    no place for the only copy of what must not be lost. It cannot search.

    One store serves threads, forked processes and any number of event loops.

    Args:
        url: Where the server is: `redis://`, `rediss://` or `unix://`, with options of redis-py as
            its query, such as `?socket_timeout=10`.
        client: A client of your own for calls that block, instead of `url`; you close it.
        async_client: A client of your own for coroutines, instead of `url`; it belongs to one
            event loop, and you close it.
        prefix: What all keys begin with.

    Attributes:
        prefix: What all keys begin with.
        asynchronous: The same verbs as coroutines; None where only `client` was given.

    Raises:
        ConfigError: An argument is wrong, or redis-py is missing.
    """

    durable = True
    immediate = False
    asynchronous: AsyncVerbs | None

    def __init__(
        self,
        url: str | None = None,
        *,
        client: redis.Redis | redis.RedisCluster | None = None,
        async_client: redis.asyncio.Redis | redis.asyncio.RedisCluster | None = None,
        prefix: str = PREFIX,
    ) -> None:
        if not prefix or set(prefix) & set("{}"):
            msg = f"prefix={prefix!r}: use a text without braces, they say what belongs together"
            raise ConfigError(msg)
        given = client if client is not None else async_client
        if url is None and given is None:
            msg = "where is Redis? Give a url, such as redis://127.0.0.1:6379/0, or a client"
            raise ConfigError(msg)
        self.prefix = prefix
        self._links = Links(url, client, async_client)
        programs = RedisPrograms(prefix, LogCache(), self._links.location)
        self.asynchronous = None
        if self._links.asynchronous:
            self.asynchronous = AsyncVerbs(programs, self._links.aperform)
        super().__init__(programs, self._links.perform)

    def close(self) -> None:
        """Close the connections of functions; once is enough, and any verb opens them again."""
        self._links.close()

    async def aclose(self) -> None:
        """Close the connections of functions and of this event loop.

        Those of other loops are closed with their loops, as `asyncio.run` does it.
        """
        self.close()
        await self._links.aclose()

    def __repr__(self) -> str:
        """Return where the server is."""
        return f"RedisStore({self._links.location!r})"
