"""Logs in memory: gone with the process, bounded, and the default."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory.errors import ConflictError
from memory.flow import Log, LogKey
from memory.records import Compaction, Logged, Record, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ("VolatileStore",)


@dataclass(slots=True)
class _Namespace:
    """What is kept to search one namespace."""

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
        self._namespaces: dict[str, _Namespace] = {}
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
            version = expected + 1
            self._logs[key] = Log(records=(*log.records, *records), version=version)
            self._logs.move_to_end(key)
            self._index(key, records)
            evicted = self._make_room(key)
        for messages, compactions in evicted:
            self.on_evict(messages, compactions)
        return version

    def known(self, namespace: str) -> int | None:
        """Return the smallest number of messages a record of `namespace` was made for."""
        space = self._namespaces.get(namespace)
        if space is None:
            return None
        with self._lock:
            return min(space.lengths, default=None)

    def find(self, namespace: str, hashes: frozenset[bytes]) -> tuple[Compaction, ...]:
        """Return the compactions of `namespace` with a hash among `hashes`, oldest first."""
        with self._lock:
            space = self._namespaces.get(namespace)
            if space is None:
                return ()
            by_hash = space.by_hash
            shared = by_hash.keys() & hashes if len(by_hash) > len(hashes) else None
            keys = shared if shared is not None else [key for key in by_hash if key in hashes]
            found = {order: entry for key in keys for order, entry in by_hash[key].items()}
            for key, _ in found.values():
                self._logs.move_to_end(key)
        return tuple(found[order][1] for order in sorted(found))

    def forget(self, key: LogKey) -> int:
        """Remove everything under `key` and return how many records that were."""
        with self._lock:
            log = self._drop(key) if key in self._logs else Log()
        return len(log.records)

    def _index(self, key: LogKey, records: Sequence[Record]) -> None:
        space = self._namespaces.setdefault(key.namespace, _Namespace())
        for record in records:
            self._held += _messages(record)
            if not isinstance(record, Compaction):
                continue
            space.lengths[record.adopted] = space.lengths.get(record.adopted, 0) + 1
            self._order += 1
            for link in _hashes(record):
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
            evicted.append((sum(map(_messages, log.records)), compactions))
        return evicted

    def _drop(self, key: LogKey) -> Log:
        log = self._logs.pop(key)
        space = self._namespaces.setdefault(key.namespace, _Namespace())
        for record in log.records:
            self._held -= _messages(record)
            if not isinstance(record, Compaction):
                continue
            space.lengths[record.adopted] -= 1
            if not space.lengths[record.adopted]:
                del space.lengths[record.adopted]
            for link in _hashes(record):
                held = space.by_hash[link]
                space.by_hash[link] = {n: e for n, e in held.items() if e[1] is not record}
                if not space.by_hash[link]:
                    del space.by_hash[link]
        if not space.by_hash:
            self._namespaces.pop(key.namespace, None)
        return log


def _messages(record: Record) -> int:
    """Return how many original messages a record holds."""
    if isinstance(record, Turn):
        return len(record.messages)
    return int(isinstance(record, Logged))


def _hashes(record: Compaction) -> set[bytes]:
    marks = () if record.mark is None else (record.mark,)
    return {record.coverage, record.adoption, *marks}
