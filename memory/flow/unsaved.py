"""Compactions that could not be put on record: they hold in this process until they can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from memory.records import Compaction, LogKey

__all__ = ("Unsaved",)

LOGS = 256
"""Of how many logs records are kept, the latest ones."""
MOST = 64
"""How many are kept for one log, the latest ones."""


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What a store did not take, by log, so that nothing is paid for twice while it fails."""

    _held: dict[LogKey, tuple[Compaction, ...]] = field(default_factory=dict)

    def keep(self, key: LogKey, record: Compaction) -> None:
        """Keep a record that could not be appended to a log."""
        held = self._held.pop(key, ())
        self._held[key] = (*held, record)[-MOST:]
        for old in list(self._held)[:-LOGS]:
            self._held.pop(old, None)

    def of(self, key: LogKey) -> tuple[Compaction, ...]:
        """Return the records of a log that are only here, oldest first."""
        return self._held.get(key, ())

    def saved(self, key: LogKey, record: Compaction) -> None:
        """Forget a record: the store has taken it."""
        left = tuple(each for each in self.of(key) if each != record)
        if left:
            self._held[key] = left
        else:
            self._held.pop(key, None)

    def forget(self, is_meant: Callable[[LogKey], bool]) -> None:
        """Forget the records of the logs that are meant."""
        for key in filter(is_meant, list(self._held)):
            self._held.pop(key, None)
