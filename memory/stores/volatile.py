"""Logs in memory: gone with the process, bounded, and the default."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory.errors import ConflictError
from memory.records import Compaction, Entry, Forgotten, Hit, Log, LogKey, Match, Record
from memory.stores._volatile_search import search_logs
from memory.stores.codec import hashes_of, messages_after, messages_in
from memory.stores.search import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ("VolatileStore",)


@dataclass(slots=True)
class _Owner:
    """What is kept to find the compactions of one user of a namespace."""

    by_hash: dict[bytes, dict[int, tuple[LogKey, Compaction]]] = field(default_factory=dict)
    """For each hash its compactions and whose they are, by the order in which they came."""
    lengths: dict[int, int] = field(default_factory=dict)
    """How many compactions were made for an input of so many messages."""


def _ignore(_messages: int, _compactions: int) -> None:
    return None


class VolatileStore:
    """A store in memory that forgets the conversations used least recently.

    Args:
        conversations: How many logs are kept.
        messages: How many original messages are kept over all logs; the log being written is
            kept even if it alone has more.
        on_evict: Called outside the lock with the numbers of messages and compactions of each
            log that was forgotten.
    """

    immediate = True
    durable = False

    def __init__(
        self,
        *,
        conversations: int = 1_024,
        messages: int = 200_000,
        on_evict: Callable[[int, int], None] = _ignore,
    ) -> None:
        self.on_evict = on_evict
        self._conversations = conversations
        self._messages = messages
        self._lock = threading.RLock()  # the garbage collector may run what reads while it is held
        self._logs: OrderedDict[LogKey, Log] = OrderedDict()
        self._updated: dict[LogKey, float] = {}
        self._owners: dict[tuple[str, str], _Owner] = {}
        self._held = 0
        self._order = 0

    def load(self, key: LogKey) -> Log:
        """Return all records under `key` and the version."""
        with self._lock:
            log = self._logs.get(key)
            if log is None:
                return Log()
            self._logs.move_to_end(key)
            return log

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records if the log is still at version `expected`, and return the new one.

        Raises:
            ConflictError: It is at another version.
        """
        with self._lock:
            log = self._logs.get(key, Log())
            if log.version != expected:
                raise ConflictError(expected=expected, actual=log.version)
            version = expected + len(records)
            self._logs[key] = Log(records=(*log.records, *records), version=version)
            self._logs.move_to_end(key)
            self._updated[key] = time.time()
            self._index(key, records)
            evicted = self._make_room(key)
        for messages, compactions in evicted:
            self.on_evict(messages, compactions)
        return version

    def known(self, namespace: str, *, user: str = "") -> int | None:
        """Return the smallest number of messages a record that `find` searches was made for."""
        space = self._owners.get((namespace, user))
        if space is None:
            return None
        with self._lock:
            return min(space.lengths, default=None)

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return the compactions with a hash among `hashes`, oldest first."""
        with self._lock:
            space = self._owners.get((namespace, user))
            if space is None:
                return ()
            by_hash = space.by_hash
            shared = by_hash.keys() & hashes if len(by_hash) > len(hashes) else None
            keys = shared if shared is not None else [key for key in by_hash if key in hashes]
            found = {order: entry for key in keys for order, entry in by_hash[key].items()}
            for key, _ in found.values():
                self._logs.move_to_end(key)
        return tuple(found[order][1] for order in sorted(found))

    def forget(self, key: LogKey) -> Forgotten:
        """Remove everything under `key` and return how much that was."""
        with self._lock:
            return _removed([self._drop(key)] if key in self._logs else [])

    def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return a page of the conversations with a name, by user and name."""
        with self._lock:
            found = sorted(
                (key.user, key.name)
                for key in self._logs
                if key.namespace == namespace and key.name and user in {None, key.user}
            )
            page = [each for each in found if after is None or each > after][:limit]
            return tuple(self._entry(LogKey(namespace=namespace, user=u, name=n)) for u, n in page)

    def forget_user(self, namespace: str, user: str) -> Forgotten:
        """Remove every log of a user and return how much that was."""
        with self._lock:
            keys = [key for key in self._logs if (key.namespace, key.user) == (namespace, user)]
            return _removed([self._drop(key) for key in keys])

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
        """Return the messages of conversations with a name that match, best first."""
        with self._lock:
            logs = {
                key: log.records
                for key, log in self._logs.items()
                if key.name and (key.namespace, key.user) == (namespace, user)
                if name in {None, key.name}
            }
        return search_logs(logs, Query.parse(query), match, limit=limit)

    def _entry(self, key: LogKey) -> Entry:
        log, messages = self._logs[key], 0
        for record in log.records:
            messages = messages_after(record, messages)
        return Entry(
            user=key.user,
            name=key.name,
            version=log.version,
            messages=messages,
            updated=self._updated[key],
        )

    def _index(self, key: LogKey, records: Sequence[Record]) -> None:
        self._held += sum(map(messages_in, records))
        if key.name:
            return
        space = self._owners.setdefault((key.namespace, key.user), _Owner())
        for record in records:
            if not isinstance(record, Compaction):
                continue
            space.lengths[record.adopted] = space.lengths.get(record.adopted, 0) + 1
            self._order += 1
            for link in hashes_of(record):
                space.by_hash.setdefault(link, {})[self._order] = (key, record)

    def _make_room(self, key: LogKey) -> list[tuple[int, int]]:
        evicted = []
        while len(self._logs) > 1 and (
            len(self._logs) > self._conversations or self._held > self._messages
        ):
            oldest = next(iter(self._logs))
            if oldest == key:
                break
            log = self._drop(oldest)
            compactions = sum(isinstance(record, Compaction) for record in log.records)
            evicted.append((sum(map(messages_in, log.records)), compactions))
        return evicted

    def _drop(self, key: LogKey) -> Log:
        log = self._logs.pop(key)
        self._held -= sum(map(messages_in, log.records))
        del self._updated[key]
        owner = (key.namespace, key.user)
        space = self._owners.get(owner)
        if key.name or space is None:
            return log
        for record in log.records:
            if not isinstance(record, Compaction):
                continue
            space.lengths[record.adopted] -= 1
            if not space.lengths[record.adopted]:
                del space.lengths[record.adopted]
            for link in hashes_of(record):
                held = space.by_hash.pop(link, {})
                others = {n: e for n, e in held.items() if e[0] != key}
                if others:
                    space.by_hash[link] = others
        if not space.by_hash:
            self._owners.pop(owner, None)
        return log


def _removed(logs: Sequence[Log]) -> Forgotten:
    """Return how much these logs were."""
    records = [record for log in logs for record in log.records]
    return Forgotten(
        logs=len(logs),
        records=len(records),
        messages=sum(map(messages_in, records)),
        compactions=sum(isinstance(record, Compaction) for record in records),
    )
