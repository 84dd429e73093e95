"""Where the conversations of the endurance runs are kept, each by itself and removed afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from benchmarks._endurance_talk import NAME, USER
from memory.records import LogKey
from memory.stores.opening import KEYS, open_store

if TYPE_CHECKING:
    from memory.stores import Store

__all__ = ("PLACES", "Place", "postgres", "redis", "sealed", "sqlite", "volatile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A store for one run.

    Attributes:
        kind: What it is called in tables.
        url: Where it is.
        namespace: Which part of it.
        keys: The keys, if it is sealed.
        shared: Whether several processes can have it.
    """

    kind: str
    url: str
    namespace: str
    keys: str = ""
    shared: bool = True

    @property
    def key(self) -> LogKey:
        """The log of the conversation with a name."""
        return LogKey(namespace=self.namespace, user=USER, name=NAME)

    def open(self) -> Store:
        """Open the store as a process does that knows nothing yet."""
        return open_store(self.url, environ={KEYS: self.keys})

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Open the store, and close it again."""
        store = self.open()
        try:
            yield store
        finally:
            close = getattr(store, "close", None)
            if close is not None:
                close()


@contextmanager
def volatile(_url: str = "") -> Iterator[Place]:
    """Have the memory of one process."""
    yield Place(kind="volatile", url="volatile", namespace="endurance", shared=False)


@contextmanager
def sqlite(_url: str = "") -> Iterator[Place]:
    """Have a file."""
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        url = f"sqlite:///{Path(folder) / 'memory.db'}"
        yield Place(kind="sqlite", url=url, namespace="endurance")


@contextmanager
def sealed(_url: str = "") -> Iterator[Place]:
    """Have an encrypted file."""
    from memory.stores.sealed import SealedStore  # noqa: PLC0415  # each when it is asked for

    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        url = f"sealed+sqlite:///{Path(folder) / 'memory.db'}"
        keys = SealedStore.new_key()
        yield Place(kind="sealed", url=url, namespace="endurance", keys=keys)


@contextmanager
def postgres(url: str) -> Iterator[Place]:
    """Have a schema of a database."""
    import psycopg  # noqa: PLC0415

    from memory.stores.postgres import PostgresStore  # noqa: PLC0415

    schema = f"endurance_{uuid4().hex}"
    try:
        with PostgresStore(url, schema=schema) as store:
            store.upgrade()
        mark = "&" if "?" in url else "?"
        yield Place(kind="postgres", url=f"{url}{mark}schema={schema}", namespace="endurance")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@contextmanager
def redis(url: str) -> Iterator[Place]:
    """Have a namespace of a server."""
    place = Place(kind="redis", url=url, namespace=f"endurance-{uuid4().hex}")
    try:
        yield place
    finally:
        with place.opened() as store:
            for user in (USER, ""):
                store.forget_user(place.namespace, user)  # type: ignore[attr-defined]


PLACES: Final[dict[str, Callable[[str], AbstractContextManager[Place]]]] = {
    "volatile": volatile,
    "sqlite": sqlite,
    "sealed": sealed,
    "postgres": postgres,
    "redis": redis,
}
"""Every kind of store, by name; those with a server take its URL."""
