"""What goes wrong on purpose: a store that fails now and then, and a clock that jumps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from memory.errors import StoreError

__all__ = ("Broken", "Clock", "Flaky", "Outage")

Broken = Literal["reads", "writes"]
"""What a store cannot do for a while."""

_VERBS: dict[Broken, frozenset[str]] = {
    "reads": frozenset({"load", "known", "find"}),
    "writes": frozenset({"append"}),
}


class Clock:
    """Tells the seconds, and goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass; a wait without end is a long one."""
        self.now += min(seconds, 3_600.0)


class Outage:
    """What the stores of one run cannot do now."""

    def __init__(self) -> None:
        self._broken: Broken | None = None

    @contextmanager
    def of(self, broken: Broken | None) -> Iterator[None]:
        """Have the stores fail in a way for a while, or not at all."""
        before, self._broken = self._broken, broken
        try:
            yield
        finally:
            self._broken = before

    def strike(self, verb: str) -> None:
        """Fail, if a store cannot do this now.

        Raises:
            StoreError: It cannot.
        """
        if self._broken is not None and verb in _VERBS[self._broken]:
            msg = "the disk is gone"
            raise StoreError(msg)


class Flaky:
    """A store that does what another one does, as long as there is no outage.

    Args:
        store: The other one.
        outage: Says when it fails.
    """

    def __init__(self, store: Any, outage: Outage) -> None:
        self._store = store
        self._outage = outage

    def __getattr__(self, name: str) -> Any:
        """Return what the other store has of that name, unless it cannot be used now."""
        value = getattr(self._store, name)
        if name == "asynchronous" and value is not None:
            return Flaky(value, self._outage)
        if not any(name in verbs for verbs in _VERBS.values()):
            return value

        def call(*args: Any, **more: Any) -> Any:
            self._outage.strike(name)
            return value(*args, **more)

        return call
