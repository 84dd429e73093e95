"""A store in memory that offers everything, and stores whose capabilities are wrong in one way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from memory.errors import UnsupportedError
from memory.recall import Question, Ranking
from memory.records import (
    Entry,
    Forgotten,
    Health,
    Hit,
    LogKey,
    Match,
    Record,
    Turn,
)
from memory.stores import VolatileStore
from memory.testing.conformance.recall_oracle import documents_now, expected_ranking


class Twin:
    """The verbs of a store as coroutines."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        """Return a verb as a coroutine function."""
        verb = getattr(self._store, name)

        async def coroutine(*args: Any, **options: Any) -> Any:
            await asyncio.sleep(0)
            return verb(*args, **options)

        return coroutine


class Complete(VolatileStore):
    """Everything a store can offer but that it outlives the process."""

    def __init__(self) -> None:
        super().__init__()
        self.guard = threading.RLock()
        self.leases: dict[tuple[LogKey, str], tuple[str, float]] = {}
        self.indexed: dict[LogKey, int] = {}
        self.asynchronous: Any = Twin(self)

    def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Look through a conversation."""
        records = self.load(key).records if key.name else ()
        return expected_ranking(records, question, limit=limit)

    def index(self, key: LogKey) -> int:
        """Remember how much was there, and return how many messages with words are new."""
        with self.guard:
            records = self.load(key).records if key.name else ()
            new = records[self.indexed.get(key, 0) :]
            self.indexed[key] = len(records)
            return len(documents_now(new))

    def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
        """Take or renew a lease."""
        with self.guard:
            if self.holder(key, purpose) not in {None, owner}:
                return False
            self.leases[key, purpose] = owner, time.monotonic() + seconds
            return True

    def holder(self, key: LogKey, purpose: str) -> str | None:
        """Return who has a lease."""
        owner, until = self.leases.get((key, purpose), (None, 0.0))
        return owner if until > time.monotonic() else None

    def release(self, key: LogKey, purpose: str, *, owner: str) -> None:
        """Give up a lease."""
        with self.guard:
            if self.holder(key, purpose) == owner:
                del self.leases[key, purpose]

    def health(self) -> Health:
        """Return that it is in memory."""
        return Health(kind="complete", location="memory")

    def forget(self, key: LogKey) -> Forgotten:
        """Remove a log and its leases."""
        self.indexed.pop(key, None)
        return replace(super().forget(key), leases=self._released({key}))

    def forget_user(self, namespace: str, user: str) -> Forgotten:
        """Remove the logs of a user and their leases."""
        keys = {key for key, _ in self.leases}
        theirs = {key for key in keys if (key.namespace, key.user) == (namespace, user)}
        return replace(super().forget_user(namespace, user), leases=self._released(theirs))

    def _released(self, keys: set[LogKey]) -> int:
        gone = [place for place in self.leases if place[0] in keys]
        for place in gone:
            del self.leases[place]
        return len(gone)


class ListsTwice(VolatileStore):
    """Begins a page with the last conversation of the one before."""

    def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return a page that overlaps."""
        page = super().conversations(namespace, user=user, limit=10_000)
        return tuple(e for e in page if after is None or (e.user, e.name) >= after)[:limit]


class ListsAsJavaSorts(VolatileStore):
    """Sorts by UTF-16."""

    def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return a page in another order."""
        page = super().conversations(namespace, user=user, limit=10_000)
        page = tuple(sorted(page, key=lambda e: _units(e.user, e.name)))
        start = None if after is None else _units(*after)
        return tuple(e for e in page if start is None or _units(e.user, e.name) > start)[:limit]


def _units(*texts: str) -> list[bytes]:
    return [text.encode("utf-16-be", "surrogatepass") for text in texts]


class ListsWhatWasSaid(VolatileStore):
    """Counts messages that turns went back behind."""

    def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return entries with all messages that ever were."""
        page = super().conversations(namespace, user=user, after=after, limit=limit)
        return tuple(replace(each, messages=self._said(namespace, each)) for each in page)

    def _said(self, namespace: str, entry: Entry) -> int:
        key = LogKey(namespace=namespace, user=entry.user, name=entry.name)
        return sum(len(r.messages) for r in self.load(key).records if isinstance(r, Turn))


class HalfListing(VolatileStore):
    """Lists conversations, and cannot forget a user."""

    forget_user = None  # type: ignore[assignment]


class SearchesEverybody(VolatileStore):
    """Searches what nobody in particular said as well."""

    def search(
        self,
        namespace: str,
        query: str,
        *,
        user: str = "",
        name: str | None = None,
        match: Match = "all",
        limit: int = 10,
    ) -> tuple[Hit, ...]:
        """Return hits of two users."""
        options: dict[str, Any] = {"name": name, "match": match, "limit": limit}
        found = super().search(namespace, query, user=user, **options)
        return found + (super().search(namespace, query, **options) if user else ())


class SearchesAnyTerm(VolatileStore):
    """Finds messages with one of the terms where all were asked for."""

    def search(
        self,
        namespace: str,
        query: str,
        *,
        user: str = "",
        name: str | None = None,
        match: Match = "all",
        limit: int = 10,
    ) -> tuple[Hit, ...]:
        """Return hits for any term."""
        del match
        return super().search(namespace, query, user=user, name=name, match="any", limit=limit)


class CannotSearch(VolatileStore):
    """Has the verb and refuses it."""

    def search(self, *_args: object, **_options: object) -> tuple[Hit, ...]:
        """Refuse."""
        capability = "search"
        msg = "this store cannot search"
        raise UnsupportedError(msg, capability=capability)


class SharesLeases(Complete):
    """Gives a lease to whoever asks."""

    def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
        """Take it, whoever has it."""
        self.leases[key, purpose] = owner, time.monotonic() + seconds
        return True


class LetsAnybodyRelease(Complete):
    """Does not ask who gives a lease up."""

    def release(self, key: LogKey, purpose: str, *, owner: str) -> None:
        """Give it up for whoever has it."""
        del owner
        self.leases.pop((key, purpose), None)


class NeverRenews(Complete):
    """Lets a lease run out though its owner took it again."""

    def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
        """Take a lease once."""
        return self.holder(key, purpose) == owner or super().acquire(
            key, purpose, owner=owner, seconds=seconds
        )


class KeepsLeases(Complete):
    """Forgets logs without their leases."""

    def _released(self, keys: set[LogKey]) -> int:
        del keys
        return 0


class TellsItsPassword(Complete):
    """Shows the URL that it was given."""

    def health(self) -> Health:
        """Return a location with credentials."""
        return Health(kind="complete", location="postgresql://app:hunter2@db/memory")


class FirstLoopOnly(Complete):
    """Serves the event loop that came first."""

    def __init__(self) -> None:
        super().__init__()
        self.asynchronous = _BoundTwin(self)


class _BoundTwin(Twin):
    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._loop: object = None

    def __getattr__(self, name: str) -> Any:
        """Return a verb that remembers the loop it is called in first."""
        coroutine = super().__getattr__(name)

        async def bound(*args: Any, **options: Any) -> Any:
            loop = asyncio.get_running_loop()
            self._loop = self._loop or loop
            if self._loop is not loop:
                msg = "attached to a different loop"
                raise RuntimeError(msg)
            return await coroutine(*args, **options)

        return bound


class CancelledByHalves(Complete):
    """Appends record by record, so that a task can be cancelled in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.asynchronous = _SlowTwin(self)


class _SlowTwin(Twin):
    async def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append one record after the other."""
        for record in records:
            expected = self._store.append(key, [record], expected=expected)
            await asyncio.sleep(0)
        return expected
