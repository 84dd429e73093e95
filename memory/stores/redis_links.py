"""How the Redis store reaches a server: its clients, one an event loop, and what is sent again."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from memory.errors import ConfigError, CorruptError, StoreError
from memory.stores.redis_scripts import Batch, Command, Script

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncGenerator, Callable

    import redis
    import redis.asyncio

    from memory.flow import Effect

__all__ = ("Links",)

CONNECTIONS = 50
"""Connections of one process, or one event loop; whoever needs another one waits."""
CONNECT = 5.0
"""Seconds for a connection."""
REPLY = 10.0
"""Seconds for the next piece of a reply."""
_TCP = {"socket_connect_timeout": CONNECT, "socket_keepalive": True}
RAW = {"NEVER_DECODE": True}
"""Replies are bytes, whatever the client was told: names and users can be any text."""


class Links:
    """The clients of a store, ours or the caller's, and how an effect is performed with them."""

    def __init__(
        self,
        url: str | None,
        client: redis.Redis | redis.RedisCluster | None,
        async_client: redis.asyncio.Redis | redis.asyncio.RedisCluster | None,
    ) -> None:
        _imported()
        self._own = client is None and url is not None
        self._client = _client(url) if url is not None and client is None else client
        self._async_client = async_client
        self._loops = None if url is None else _Loops(lambda: _async_client(url))
        self.asynchronous = async_client is not None or url is not None
        self.location = _location(self._client if self._client is not None else async_client)

    def perform(self, effect: Effect[Any]) -> Any:
        """Send an effect to the server and return its reply.

        What was sent and not answered is sent once more: no effect does harm when it happens
        twice.
        """
        if self._client is None:
            msg = "this store has an asynchronous client only: give `client` or a url as well"
            raise ConfigError(msg)
        try:
            try:
                return _send(self._client, effect)
            except _lost():
                return _send(self._client, effect)
        except _errors() as error:
            raise self._failed(error, effect) from error

    async def aperform(self, effect: Effect[Any]) -> Any:
        """As `perform`, with `await`."""
        client = self._async_client
        if client is None:
            assert self._loops is not None  # noqa: S101  # else there are no coroutines
            client = await self._loops.client()
        try:
            try:
                return await _asend(client, effect)
            except _lost():
                return await _asend(client, effect)
        except _errors() as error:
            raise self._failed(error, effect) from error

    def close(self) -> None:
        """Close what is ours."""
        if self._own and self._client is not None:
            self._client.close()
        if self._loops is not None:
            self._loops.sweep()

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        if self._loops is not None:
            await self._loops.aclose()

    def _failed(self, error: Exception, effect: Effect[Any]) -> StoreError:
        """Return the error that says what went wrong, and where."""
        reason = str(error).partition(" script: ")[0] or type(error).__name__
        if "WRONGTYPE" in reason:
            keys = " or ".join(_keys(effect))
            return CorruptError(f"{keys} in {self.location}", "it is of another type")
        return StoreError(f"{self.location}: {reason}")


class _Loops:
    """One asynchronous client for each event loop: connections cannot be shared between loops."""

    def __init__(self, make: Callable[[], redis.asyncio.Redis]) -> None:
        self._make = make
        self._held: dict[AbstractEventLoop, tuple[redis.asyncio.Redis, AsyncGenerator[None]]] = {}

    async def client(self) -> redis.asyncio.Redis:
        """Return the client of the running loop."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            self.sweep()
            client = self._make()
            held = self._held[loop] = client, _keep(weakref.ref(self), loop, client)
            await anext(held[1])
        return held[0]

    def leave(self, loop: AbstractEventLoop) -> None:
        """Know nothing of a loop any more."""
        self._held.pop(loop, None)

    async def aclose(self) -> None:
        """Close the client of the running loop."""
        held = self._held.get(asyncio.get_running_loop())
        if held is not None:
            await held[1].aclose()

    def sweep(self) -> None:
        """Drop the clients of loops that were closed without being shut down."""
        for loop in [loop for loop in list(self._held) if loop.is_closed()]:
            held = self._held.pop(loop, None)
            if held is not None:
                _drop(held[0])

    def __del__(self) -> None:
        """Leave nothing open; the clients of loops that run close when their keepers go."""
        self.sweep()


async def _keep(
    loops: weakref.ref[_Loops], loop: AbstractEventLoop, client: redis.asyncio.Redis
) -> AsyncGenerator[None]:
    """Close a client when its loop shuts down: a loop closes the generators that began in it."""
    try:
        yield
    finally:
        here = loops()
        if here is not None:
            here.leave(loop)
        with suppress(*_errors()):
            await client.aclose()


def _imported() -> None:
    """Make sure that redis-py is there.

    Raises:
        ConfigError: It is not.
    """
    try:
        import redis  # noqa: F401, PLC0415  # an extra, and only when it is asked for
    except ImportError as error:
        msg = 'Redis needs redis-py: pip install "kimi-memory[redis]"'
        raise ConfigError(msg) from error


def _client(url: str) -> redis.Redis:
    from redis import BlockingConnectionPool, Redis  # noqa: PLC0415  # an extra
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    return Redis.from_pool(_pool(BlockingConnectionPool, url, Retry(NoBackoff(), 0)))


def _async_client(url: str) -> redis.asyncio.Redis:
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415  # an extra
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    return Redis.from_pool(_pool(BlockingConnectionPool, url, Retry(NoBackoff(), 0)))


def _pool(kind: Any, url: str, retry: Any) -> Any:
    """Return a pool of connections, none of which is open yet.

    Raises:
        ConfigError: The URL is wrong; its text is not shown, for it may hold a password.
    """
    try:
        pool = kind.from_url(
            url,
            max_connections=CONNECTIONS,
            protocol=2,  # the newer one needs Redis 6, and does not notice dead connections
            retry=retry,  # the store knows better what may be sent again
            socket_timeout=REPLY,
            **({} if url.startswith("unix:") else _TCP),
        )
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError):
        msg = (
            "that is no URL of a Redis server: redis://HOST:6379/0, rediss://HOST:6379/0 or "
            "unix:///PATH, with options of redis-py as its query"
        )
        raise ConfigError(msg) from None
    return pool


def _location(client: Any) -> str:
    """Return where a client's server is, without credentials."""
    pool = getattr(client, "connection_pool", None)
    where = getattr(pool, "connection_kwargs", {})
    if "path" in where:
        return f"unix://{where['path']}?db={where.get('db') or 0}"
    if "host" not in where:
        return f"redis ({type(client).__name__})"
    secure = "SSL" in getattr(pool, "connection_class", type(None)).__name__
    scheme = "rediss" if secure else "redis"
    return f"{scheme}://{where['host']}:{where.get('port', 6379)}/{where.get('db') or 0}"


def _lost() -> tuple[type[Exception], ...]:
    """Return the errors after which nobody knows whether something happened."""
    from redis.exceptions import ConnectionError as Lost  # noqa: PLC0415  # an extra
    from redis.exceptions import TimeoutError as Late  # noqa: PLC0415

    return Lost, Late


def _errors() -> tuple[type[Exception], ...]:
    """Return everything that redis-py raises when a server cannot be used."""
    from redis.exceptions import RedisClusterException, RedisError  # noqa: PLC0415  # an extra

    return RedisError, RedisClusterException, OSError


def _send(client: Any, effect: Effect[Any]) -> Any:
    if isinstance(effect, Batch):
        with client.pipeline(transaction=False) as pipe:
            return _filled(pipe, effect).execute()
    try:
        return client.execute_command(*_words(effect), **_options(effect))
    except _unknown():
        return client.execute_command(*_words(effect, whole=True), **RAW)


async def _asend(client: Any, effect: Effect[Any]) -> Any:
    if isinstance(effect, Batch):
        async with client.pipeline(transaction=False) as pipe:
            return await _filled(pipe, effect).execute()
    try:
        return await client.execute_command(*_words(effect), **_options(effect))
    except _unknown():
        return await client.execute_command(*_words(effect, whole=True), **RAW)


def _filled(pipe: Any, batch: Batch) -> Any:
    for command in batch.commands:
        pipe.execute_command(*command.words, **RAW)
    return pipe


def _options(effect: Effect[Any]) -> dict[str, bool]:
    return {} if isinstance(effect, Command) and not effect.raw else RAW


def _words(effect: Effect[Any], *, whole: bool = False) -> tuple[Any, ...]:
    """Return an effect as the words of a command; a script by its digest, or as a whole."""
    if isinstance(effect, Command):
        return effect.words
    if isinstance(effect, Script):
        head = ("EVAL", effect.lua.text) if whole else ("EVALSHA", effect.lua.sha)
        return (*head, len(effect.keys), *effect.keys, *effect.values)
    msg = f"no handler for {type(effect).__name__}"
    raise TypeError(msg)


def _unknown() -> type[Exception]:
    """Return the error of a server that has not seen a script yet."""
    from redis.exceptions import NoScriptError  # noqa: PLC0415  # an extra

    return NoScriptError


def _keys(effect: Effect[Any]) -> tuple[str, ...]:
    """Return the keys that an effect touches."""
    if isinstance(effect, Script):
        return effect.keys
    commands = effect.commands if isinstance(effect, Batch) else (effect,)
    return tuple(command.words[1] for command in commands if isinstance(command, Command))


def _drop(client: Any) -> None:
    """Close the sockets of a client whose loop was closed before them.

    There is no public way left: its transports want to tell the loop, and else complain when they
    are collected.
    """
    pool = client.connection_pool
    for connection in (*pool._available_connections, *pool._in_use_connections):  # noqa: SLF001
        transport: Any = getattr(connection._writer, "transport", None)  # noqa: SLF001
        with suppress(Exception):
            transport.abort()  # which fails, but then it is closing
        with suppress(Exception):
            transport._call_connection_lost(None)  # noqa: SLF001
        connection._reader = connection._writer = None  # noqa: SLF001
