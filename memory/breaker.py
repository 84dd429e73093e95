"""Leaving a failing summariser alone: a circuit breaker without a clock of its own.

Some failures in a row, or one that no retry mends, open it; after a pause one request may try, and
if that fails the next pause is twice as long (M. Nygard, *Release It!*, 2007).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ("PAUSE", "Breaker")

PAUSE = 30.0
"""Seconds of the first pause."""
FAILURES = 3
"""Failures in a row that open it."""
LONGEST = 16
"""The longest pause, as a multiple of the first."""


@dataclass(frozen=True, slots=True)
class _Health:
    failures: int = 0
    pauses: int = 0
    until: float = 0.0
    """When the next request may try, in seconds of the caller's clock."""
    probing: bool = False
    """Whether somebody tries."""


class Breaker:
    """Says of each summariser whether it may be asked now.

    Its methods replace one value each; of two threads at once one may ask in vain once more.

    Args:
        pause: Seconds that a failing summariser is left alone, the first time.
    """

    def __init__(self, pause: float = PAUSE) -> None:
        self._pause = pause
        self._known: dict[str, _Health] = {}

    def wait(self, who: str, now: float) -> float:
        """Return the seconds until `who` may be asked; 0 when it may be asked now.

        Where a pause is over, whoever is told so is the only one for the length of another.
        """
        health = self._known.get(who)
        if health is None or not health.pauses:
            return 0.0
        if now < health.until:
            return health.until - now
        until = now + self._length(health.pauses)
        self._known[who] = replace(health, until=until, probing=True)
        return 0.0

    def failed(self, who: str, now: float, *, final: bool = False) -> float:
        """Take note of a failure; return the seconds of the pause that it begins, or 0.

        Args:
            who: Who failed: a model, and whose key it is asked with.
            now: The time, in seconds.
            final: Whether asking again cannot help, as after a wrong key.
        """
        health = self._known.get(who, _Health())
        if health.pauses and now < health.until and not health.probing:
            return 0.0  # it was asked before the pause began
        failures = health.failures + 1
        if not final and failures < FAILURES and not health.pauses:
            self._known[who] = replace(health, failures=failures)
            return 0.0
        pauses = health.pauses + 1
        length = self._length(pauses)
        self._known[who] = _Health(failures, pauses, now + length)
        return length

    def worked(self, who: str) -> None:
        """Take note of a success: the next failure is the first one again."""
        self._known.pop(who, None)

    def _length(self, pauses: int) -> float:
        factor: int = min(LONGEST, 2 ** (pauses - 1))
        return self._pause * factor
