"""From what the options say to a manager and a conversation in a store."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from memory.cli.output import CommandError, NothingError, plain
from memory.manager import Conversation, MemoryManager
from memory.records import Entry, LogKey
from memory.stores import VolatileStore
from memory.stores.opening import open_store
from memory.stores.sqlite import MEMORY, SqliteStore

__all__ = ("Place", "cursor", "found", "label", "opened", "place_of", "unsealed")

SEALED = "sealed+"

Place = Path | None
"""The file of a store; None where it is none."""


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


def place_of(url: str) -> Place:
    """Return the file of a store, without opening or making it.

    Raises:
        CommandError: The store keeps nothing between two commands.
        ConfigError: The URL names no store.
    """
    store = open_store(unsealed(url))
    if isinstance(store, VolatileStore) or (
        isinstance(store, SqliteStore) and store.path == MEMORY
    ):
        raise CommandError("that store is gone with its process: name one that lasts with --store")
    return Path(store.path) if isinstance(store, SqliteStore) else None


def found(manager: MemoryManager, name: str, user: str | None) -> Conversation:
    """Return a conversation that is in the store.

    Raises:
        ConfigError: That is no name, or no user.
        NothingError: There is none of that name.
        StoreError: The store cannot be read.
    """
    conversation = manager.conversation(name, user=user)
    key = LogKey(namespace=manager.namespace, user=conversation.user, name=conversation.name)
    if not manager.store.load(key).version:
        space = f" in namespace {manager.namespace!r}"
        raise NothingError(f"there is no conversation {plain(label(conversation))}{space}")
    return conversation


def label(what: Conversation | Entry) -> str:
    """Return user and name as one printable text, the user escaped as in URLs."""
    return LogKey(namespace="", user=what.user, name=what.name).label


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
