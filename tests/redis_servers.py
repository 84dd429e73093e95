"""What the tests of the Redis store share: stores of their own, servers, and lines that break."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis
from lines import Line
from services import redis_url

from memory.records import Compaction, LogKey, Turn
from memory.stores.redis import RedisStore

__all__ = (
    "Proxy",
    "a_prefix",
    "cleared",
    "client",
    "cluster_begun",
    "compaction",
    "connections",
    "key",
    "kill_connections",
    "named",
    "open_key",
    "own_server",
    "turn",
    "written",
)

_numbers: Iterator[int] = count()


def key(name: str = "trip", *, user: str = "ann", namespace: str = "tests") -> LogKey:
    """Return the key of a conversation."""
    return LogKey(namespace=namespace, user=user, name=name)


def open_key(root: str = "ab", *, user: str = "ann", namespace: str = "tests") -> LogKey:
    """Return the key of a log without a name."""
    return LogKey(namespace=namespace, user=user, root=root)


def turn(start: int = 0, text: str = "hi") -> Turn:
    """Return a turn of one message."""
    return Turn(start=start, messages=({"role": "user", "content": text},))


def compaction(*, adopted: int = 10) -> Compaction:
    """Return a compaction with hashes of its own."""
    coverage, adoption, mark = (next(_numbers).to_bytes(16, "big") for _ in range(3))
    return Compaction(covered=5, coverage=coverage, adopted=adopted, adoption=adoption, mark=mark)


def a_prefix() -> str:
    """Return a prefix of keys that nobody else has."""
    return f"test-{uuid4().hex}"


def client(url: str | None = None) -> closing[redis.Redis]:
    """Return a client to look at a server with, to be closed."""
    return closing(redis.Redis.from_url(url or redis_url()))


def written(prefix: str) -> list[bytes]:
    """Return the keys that begin with a prefix."""
    with client() as server:
        return sorted(server.scan_iter(f"{prefix}*", count=1_000))


def named(store: RedisStore) -> RedisStore:
    """Return a store with the same keys, whose connections go by their prefix."""
    return RedisStore(f"{redis_url()}?client_name={store.prefix}", prefix=store.prefix)


def connections(store: RedisStore) -> list[str]:
    """Return the ids of the connections of `named` stores."""
    with client() as server:
        return [each["id"] for each in server.client_list() if each["name"] == store.prefix]


def kill_connections(store: RedisStore) -> None:
    """End the connections of `named` stores, from the side of the server."""
    with client() as server:
        for each in connections(store):
            server.client_kill_filter(_id=each)


@contextmanager
def cleared(url: str | None = None) -> Iterator[RedisStore]:
    """Return a store with a prefix of its own, of which nothing is left in the end."""
    prefix = a_prefix()
    with RedisStore(url or redis_url(), prefix=prefix) as store:
        yield store
    keys = written(prefix)
    if keys:
        with client() as server:
            server.delete(*keys)


@contextmanager
def own_server(folder: Path, *options: str, port: int = 0) -> Iterator[str]:
    """Run a server of one's own and return its URL; skip the test where there is none to run."""
    program = shutil.which("redis-server")
    if program is None:
        reason = "redis-server is not on the PATH"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    with closing(socket.create_server(("127.0.0.1", port))) as probe:
        port = probe.getsockname()[1]
    fixed = ("--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen((program, *fixed, *options), **quiet) as process:  # type: ignore[call-overload]
        try:
            _await(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()


def cluster_begun(url: str) -> None:
    """Give a server all slots of a cluster of its own, and wait until it serves them."""
    with client(url) as server:
        server.cluster("addslots", *range(16_384))
        while server.cluster("info")["cluster_state"] != "ok":
            time.sleep(0.1)


def _await(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


class Proxy(Line):
    """Stands between a store and the server, and can lose a reply: the server did what was asked.

    Attributes:
        url: Where it listens.
    """

    def __init__(self) -> None:
        parts = urlsplit(redis_url())
        super().__init__(parts.hostname or "127.0.0.1", parts.port or 6379)
        self.url = f"redis://127.0.0.1:{self.port}{parts.path}"
