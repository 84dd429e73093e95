"""From what the options say to a manager and a conversation in a store."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from memory.cli.output import CommandError, NothingError, plain
from memory.manager import Conversation, MemoryManager
from memory.manager.scope import address
from memory.records import Entry, LogKey
from memory.stores.opening import SEALED, open_store
from memory.stores.sqlite import SqliteStore

__all__ = ("Named", "cursor", "found", "label", "opened", "place_of", "unsealed")


@contextmanager
def opened(url: str, namespace: str, *, make: bool = False) -> Generator[MemoryManager, None, None]:
    """Yield a manager on a store, which is closed at the end.

    Args:
        url: The URL of the store.
        namespace: The namespace.
        make: Whether a file is made where there is none.

    Raises:
        CommandError: There is no such file, or the store keeps nothing between two commands.
        ConfigError: The URL names no store.
    """
    path = place_of(url)
    if path is not None and not make and not path.exists():
        raise CommandError(f"there is no {path}: nothing has been stored there yet")
    with MemoryManager(store=url, namespace=namespace, hooks=()) as manager:
        yield manager


def unsealed(url: str) -> str:
    """Return the URL of the store inside a sealed one, whose schema needs no key."""
    return url.removeprefix(SEALED)


def place_of(url: str) -> Path | None:
    """Return the file of a store, without opening or making it; None where it is none.

    Raises:
        CommandError: The store keeps nothing between two commands.
        ConfigError: The URL names no store.
    """
    store = open_store(unsealed(url))
    if not getattr(store, "durable", False):
        raise CommandError("that store is gone with its process: name one that lasts with --store")
    return Path(store.path) if isinstance(store, SqliteStore) else None


class Named(NamedTuple):
    """A conversation, and whose it is."""

    talk: Conversation
    user: str
    name: str

    @classmethod
    def of(cls, manager: MemoryManager, name: str, user: str | None) -> Named:
        """Return a conversation, whether it is in the store or not.

        Raises:
            ConfigError: That is no name, or no user.
        """
        where = address(name, user)
        return cls(manager.conversation(where.name, user=where.user or None), *where)

    @property
    def label(self) -> str:
        """User and name as one printable text."""
        return label(self.user, self.name)

    @property
    def row(self) -> dict[str, str]:
        """User and name as a JSON object."""
        return {"user": self.user, "name": self.name}


def found(manager: MemoryManager, name: str, user: str | None) -> Named:
    """Return a conversation that is in the store.

    Raises:
        ConfigError: That is no name, or no user.
        NothingError: There is none of that name.
        StoreError: The store cannot be read.
    """
    named = Named.of(manager, name, user)
    key = LogKey(namespace=manager.namespace, user=named.user, name=named.name)
    if not manager.store.load(key).version:
        space = f"in namespace {manager.namespace!r}"
        raise NothingError(f"there is no conversation {plain(named.label)} {space}")
    return named


def label(user: str, name: str) -> str:
    """Return user and name as one printable text, the user escaped as in URLs."""
    return LogKey(namespace="", user=user, name=name).label


def cursor(text: str | None, user: str | None) -> Entry | None:
    """Return the place in a list after which the next page begins.

    Args:
        text: What `label` made of the last entry of the page before; None for the first page.
        user: Whose conversations are listed; None for those of all users.
    """
    if text is None:
        return None
    before, slash, name = text.partition("/")
    if not slash:
        before, name = "" if user is None else user, text
    else:
        before = unquote(before, errors="surrogatepass")
    return Entry(user=before, name=name, version=0, messages=0, updated=0.0)
