"""What this process has read of logs already, so that reading on costs what is new."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from memory.forks import Forking, attend

if TYPE_CHECKING:
    from memory.records import Log, LogKey

__all__ = ("Held", "LogCache")


class Held(NamedTuple):
    """A log as it was read last."""

    incarnation: str
    """Which log under that key: another one once it was forgotten and begun again."""
    log: Log
    weight: int


class LogCache(Forking):
    """The logs that were read most recently; safe to share between threads.

    Args:
        weight: How much is kept, in characters of stored records.
    """

    def __init__(self, *, weight: int = 64_000_000) -> None:
        self._most = weight
        self._lock = threading.Lock()
        self._held: OrderedDict[LogKey, Held] = OrderedDict()
        self._weight = 0
        attend(self)

    def after_fork(self, *, child: bool) -> None:
        """Begin anew in the child: somebody may have been amid a change."""
        if child:
            self._lock = threading.Lock()
            self._held = OrderedDict()
            self._weight = 0

    def get(self, key: LogKey) -> Held | None:
        """Return what is held of a log."""
        with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._held.move_to_end(key)
            return held

    def put(self, key: LogKey, incarnation: str, log: Log, *, weight: int) -> None:
        """Hold a log, unless a newer version of it is held; those not read for longest go first.

        Args:
            key: Which log.
            incarnation: Which one under that key.
            log: All of it.
            weight: The characters of its records.
        """
        with self._lock:
            held = self._held.get(key)
            same = held is not None and held.incarnation == incarnation
            if same and held is not None and held.log.version >= log.version:
                return
            self._remove(key)
            self._held[key] = Held(incarnation, log, weight)
            self._weight += weight
            while self._weight > self._most and len(self._held) > 1:
                self._remove(next(iter(self._held)))

    def drop(self, key: LogKey) -> None:
        """Hold nothing of a log any more."""
        with self._lock:
            self._remove(key)

    def drop_user(self, namespace: str, user: str) -> None:
        """Hold nothing of a user any more."""
        with self._lock:
            for key in [k for k in self._held if (k.namespace, k.user) == (namespace, user)]:
                self._remove(key)

    def _remove(self, key: LogKey) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._weight -= held.weight
