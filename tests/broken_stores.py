"""A store in memory that offers everything, and stores that are each wrong in one way."""

from __future__ import annotations

import asyncio
import threading
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from memory.errors import ConflictError, StoreError, UnsupportedError
from memory.records import (
    Compaction,
    Entry,
    Forgotten,
    Health,
    Hit,
    Log,
    LogKey,
    Match,
    Record,
    Turn,
)
from memory.stores import VolatileStore
from memory.stores.codec import decode, encode


class Twin:
    """The verbs of a store as coroutines."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
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
        self.asynchronous: Any = Twin(self)

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


class IgnoresVersions(VolatileStore):
    """Appends whatever version is expected."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append at the version there is."""
        del expected
        with self._lock:
            return super().append(key, records, expected=self.load(key).version)


class ForgetsOnConflict(VolatileStore):
    """Drops the log when two meet."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append, or lose everything."""
        try:
            return super().append(key, records, expected=expected)
        except ConflictError:
            self.forget(key)
            raise


class WritesByHalves(VolatileStore):
    """Encodes records while it writes them, one by one."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append what comes before the first record that cannot be encoded."""
        for record in records:
            encode(record)
            expected = super().append(key, [record], expected=expected)
        return expected


class Racy(VolatileStore):
    """Looks at the version, and writes a little later."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append without a lock."""
        actual = self.load(key).version
        if actual != expected:
            raise ConflictError(expected=expected, actual=actual)
        time.sleep(0.001)
        return super().append(key, records, expected=self.load(key).version)


class Reorders(VolatileStore):
    """Writes the records of one append last first."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append them in the wrong order."""
        return super().append(key, list(reversed(records)), expected=expected)


class SortsKeys(VolatileStore):
    """Keeps messages as a database with a JSON type of its own would."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records with their keys sorted."""
        return super().append(key, [self._sorted(r) for r in records], expected=expected)

    def _sorted(self, record: Record) -> Record:
        if not isinstance(record, Turn):
            return record
        return replace(record, messages=tuple(dict(sorted(m.items())) for m in record.messages))


class LosesSurrogates(VolatileStore):
    """Replaces what cannot be written as UTF-8."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records as their texts can be written."""
        return super().append(key, [self._written(r) for r in records], expected=expected)

    def _written(self, record: Record) -> Record:
        try:
            kind, body = encode(record)
        except StoreError:
            return record
        return decode(kind, body.replace("\\ud800", "?"), where="here")


class StaleHandle(VolatileStore):
    """One of several handles on the same logs, which never looks twice."""

    def __init__(self, inner: VolatileStore) -> None:
        super().__init__()
        self._inner = inner
        self._seen: dict[LogKey, Log] = {}

    def load(self, key: LogKey) -> Log:
        """Return what was seen first."""
        return self._seen.setdefault(key, self._inner.load(key))

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append and look again at the next load."""
        self._seen.pop(key, None)
        return self._inner.append(key, records, expected=expected)

    def __getattribute__(self, name: str) -> Any:
        if name in {"find", "known", "forget", "forget_user", "conversations", "search"}:
            return getattr(self._inner, name)
        return super().__getattribute__(name)


class FindsNewestFirst(VolatileStore):
    """Returns compactions in the wrong order."""

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return the newest first."""
        return super().find(namespace, hashes, user=user)[::-1]


class FindsForEverybody(VolatileStore):
    """Finds what was made for any user."""

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return what any user has, their own first."""
        found = super().find(namespace, hashes, user=user)
        for other in {"", "ann", "bob"} - {user}:
            found += super().find(namespace, hashes, user=other)
        return found


class BoundsHashes(VolatileStore):
    """Has a bound on the parameters of a statement."""

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return what is found, unless too much is asked for."""
        if len(hashes) > 999:
            msg = "too many SQL variables"
            raise StoreError(msg)
        return super().find(namespace, hashes, user=user)


class KnowsNothing(VolatileStore):
    """Says that there is no compaction."""

    def known(self, namespace: str, *, user: str = "") -> int | None:
        """Return that there is none."""
        super().known(namespace, user=user)


class CountsWrong(VolatileStore):
    """Counts the messages that are left instead of those there were."""

    def forget(self, key: LogKey) -> Forgotten:
        """Return another number of messages."""
        done = super().forget(key)
        return replace(done, messages=done.messages - 1) if done.messages > 1 else done


class LeavesTheIndex(VolatileStore):
    """Forgets logs, and finds their compactions all the same."""

    def __init__(self) -> None:
        super().__init__()
        self._left: list[tuple[LogKey, Compaction]] = []

    def forget(self, key: LogKey) -> Forgotten:
        """Remove the records only."""
        if not key.name:
            records = self.load(key).records
            self._left += [(key, r) for r in records if isinstance(r, Compaction)]
        return super().forget(key)

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return what is there and what was left."""
        left = (r for k, r in self._left if (k.namespace, k.user) == (namespace, user))
        found = super().find(namespace, hashes, user=user)
        return found + tuple(r for r in left if {r.coverage, r.adoption} & hashes)


class FoldsUsers(VolatileStore):
    """Takes users whose names look the same for one."""

    def load(self, key: LogKey) -> Log:
        """Return the log of whoever looks like that."""
        return super().load(self._folded(key))

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append to the log of whoever looks like that."""
        return super().append(self._folded(key), records, expected=expected)

    def forget(self, key: LogKey) -> Forgotten:
        """Forget the log of whoever looks like that."""
        return super().forget(self._folded(key))

    def _folded(self, key: LogKey) -> LogKey:
        return replace(key, user=unicodedata.normalize("NFC", key.user))


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
        raise UnsupportedError(capability, msg)


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
