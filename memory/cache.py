"""A bounded map for things that are cheap to keep and can be computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

__all__ = ("GenerationCache", "missing")

V = TypeVar("V")
_FEW = 16
"""How many None a list may have for each to be looked for on its own."""


def missing(values: Sequence[object]) -> list[int]:
    """Return where a list has None; that is rare, and so looked for at the speed of `index`.

    Where it is not, the rest is looked through one by one, which is quicker then.
    """
    found: list[int] = []
    place = 0
    try:
        while len(found) < _FEW:
            found.append(values.index(None, place))
            place = found[-1] + 1
    except ValueError:
        return found
    return found + [index for index, value in enumerate(values[place:], place) if value is None]


class GenerationCache(Generic[V]):
    """A map that forgets what was not used for a while, without a lock and without bookkeeping.

    Entries live in a young dict; when that is full it becomes the old one and the previous old
    one is dropped, so between `entries` and twice as many are kept. What is read from the old
    one moves to the young one. A read costs one dict lookup, against three operations and a lock
    for a least-recently-used list. Two threads can at worst compute the same value twice.

    Args:
        entries: How many entries the young dict may have.
        weight: How much all entries of the young dict may weigh (the unit is the caller's).
    """

    __slots__ = ("_entries", "_old", "_room", "_weight", "_young")

    def __init__(self, *, entries: int, weight: int | None = None) -> None:
        self._entries = entries
        self._weight = weight
        self._room = weight or 0
        self._young: dict[Hashable, V] = {}
        self._old: dict[Hashable, V] = {}

    def get(self, key: Hashable) -> V | None:
        """Return the value kept for `key`, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None and len(self._young) < self._entries:
                self._young[key] = value
        return value

    def many(self, keys: Sequence[Hashable]) -> list[V | None]:
        """Return the values kept for `keys`, in order; a quarter of the time of as many `get`."""
        values = [*map(self._young.get, keys)]
        if self._old and None in values:
            return [self.get(k) if v is None else v for k, v in zip(keys, values, strict=True)]
        return values

    def put(self, key: Hashable, value: V, *, weight: int = 0) -> V:
        """Keep `value` for `key` and return it."""
        self._room -= weight
        if len(self._young) >= self._entries or (self._weight is not None and self._room < 0):
            self._old, self._young = self._young, {}
            self._room = (self._weight or 0) - weight
        self._young[key] = value
        return value

    def __len__(self) -> int:
        """Return how many entries are kept; one that is in both dicts counts twice."""
        return len(self._young) + len(self._old)
