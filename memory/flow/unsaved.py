"""Compactions that could not be put on record: they hold in this process until they can be."""

from __future__ import annotations

from dataclasses import dataclass, field

from memory.cache import GenerationCache
from memory.records import Compaction, LogKey

__all__ = ("Unsaved",)

MOST = 8
"""How many are kept for one log, the latest ones."""


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What a store did not take, by log, so that nothing is paid for twice while it fails."""

    _held: GenerationCache[tuple[Compaction, ...]] = field(
        default_factory=lambda: GenerationCache(entries=256)
    )

    def keep(self, key: LogKey, record: Compaction) -> None:
        """Keep a record that could not be appended to a log."""
        self._held.put(key, (*self.of(key), record)[-MOST:])

    def of(self, key: LogKey) -> tuple[Compaction, ...]:
        """Return the records of a log that are only here, oldest first."""
        return self._held.get(key) or ()

    def saved(self, key: LogKey) -> None:
        """Forget the records of a log: the store has taken the one in use."""
        if self.of(key):
            self._held.put(key, ())
