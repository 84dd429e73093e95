"""What a check works with: handles on one store, and a namespace that nobody else has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeAlias, cast
from uuid import uuid4

from memory.records import Forgotten, LogKey, Record
from memory.stores.contract import Checking, Leasing, Listing, Recalling, Searching, Store

__all__ = ("Bench", "Factory", "Full", "Handles", "counts")

Factory: TypeAlias = Callable[[], Store]
"""Returns a handle on one and the same store each time; a store in one object returns that."""


class Full(Store, Listing, Searching, Recalling, Leasing, Checking, Protocol):
    """All that a store can offer; a check uses what it says that it needs."""


class Handles:
    """Handles on one store; those that the factory made for us are closed at the end.

    Args:
        factory: Returns a handle.
    """

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._opened: list[Full] = []
        self.one = self.open()
        self.other = self.open()

    @property
    def separate(self) -> bool:
        """Whether each call of the factory returns a handle of its own."""
        return self.one is not self.other

    def open(self) -> Full:
        """Return one more handle."""
        handle = cast("Full", self._factory())
        self._opened.append(handle)
        return handle

    def close(self) -> None:
        """Close the handles, unless the store lives in one object, which is its owner's."""
        opened, self._opened = self._opened, []
        if self.separate:
            for handle in opened:
                shut(handle)


def shut(handle: Any) -> None:
    """Close a handle that can be closed."""
    close = getattr(handle, "close", None)
    if callable(close):
        close()


class Bench:
    """Two handles on a store, keys in a namespace that nobody else has, and a seed for chance.

    Args:
        handles: The handles.
        seed: What chance is seeded with.
    """

    def __init__(self, handles: Handles, *, seed: int = 0) -> None:
        self.handles = handles
        self.seed = seed
        self.namespace = f"conformance-{uuid4().hex}"
        self._keys: dict[LogKey, None] = {}

    @property
    def one(self) -> Full:
        """A handle on the store."""
        return self.handles.one

    @property
    def other(self) -> Full:
        """Another handle on the same store; the same one where the store lives in one object."""
        return self.handles.other

    @property
    def twin(self) -> Any:
        """The coroutines of the store."""
        return cast("Any", self.one).asynchronous

    def key(
        self, name: str = "", *, user: str = "", root: str = "", beside: str | None = None
    ) -> LogKey:
        """Return a key; what is under it is forgotten after the check.

        Args:
            name: The name of the conversation.
            user: Whose it is.
            root: What it begins with, where it has no name.
            beside: What follows our namespace in that of the key.
        """
        root = root or ("" if name else "00")
        namespace = self.namespace if beside is None else self.namespace + beside
        key = LogKey(namespace=namespace, user=user, name=name, root=root)
        self._keys[key] = None
        return key

    def add(self, key: LogKey, *records: Record) -> int:
        """Append records to what there is, and return the new version."""
        return self.one.append(key, records, expected=self.one.load(key).version)

    def clear(self) -> None:
        """Forget all that was written; what forgetting does wrong is found by its own checks."""
        store: Store = self.one
        users = {(key.namespace, key.user) for key in self._keys}
        if isinstance(store, Listing):  # it also removes what a store keeps for a user beside logs
            for namespace, user in users:
                with suppress(Exception):
                    store.forget_user(namespace, user)
        for key in self._keys:
            with suppress(Exception):
                self.one.forget(key)


def counts(forgotten: Forgotten | Sequence[Forgotten]) -> tuple[int, int, int, int]:
    """Return how many logs, records, messages and compactions were removed."""
    every = [forgotten] if isinstance(forgotten, Forgotten) else forgotten
    return (
        sum(each.logs for each in every),
        sum(each.records for each in every),
        sum(each.messages for each in every),
        sum(each.compactions for each in every),
    )
