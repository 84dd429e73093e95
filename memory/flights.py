"""Who is at work on which conversation now: summarising it, or having a turn in it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING

from memory.background import running_loop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Sequence

__all__ = ("Flight", "Flights", "Hold")


GLANCE = 0.5
"""Seconds after which whoever waits looks whether anybody is still at work."""


class Flight:
    """Work on one conversation.

    Attributes:
        namespace: Where its records are kept.
        links: The chain hashes of the input.
        thread: The thread that claimed it.
        task: The task that claimed it; None in a thread.
        landed: Done when it is over; waited for by threads and by tasks of any event loop.
    """

    __slots__ = ("landed", "links", "namespace", "task", "thread")

    def __init__(
        self, namespace: str, links: Sequence[bytes], loop: AbstractEventLoop | None = None
    ) -> None:
        self.namespace = namespace
        self.links = links
        self.thread = threading.current_thread()
        self.task = None if loop is None else asyncio.current_task(loop)
        self.landed: Future[None] = Future()
        self.landed.set_running_or_notify_cancel()  # whoever waits cannot cancel it

    @property
    def lost(self) -> bool:
        """Whether the task that claimed it broke off, so that nobody else may ever end it.

        One that came to its end, like a thread, may have left a stream for others to read.
        """
        task = self.task
        if task is None:
            return False
        broken = task.done() and (task.cancelled() or task.exception() is not None)
        return broken or task.get_loop().is_closed()

    def concerns(self, namespace: str, links: Sequence[bytes]) -> bool:
        """Return whether another input may be served by the same work.

        It may if the older half of the shorter one is the same: that is what is summarised.
        """
        half = min(len(self.links), len(links)) // 2
        return self.namespace == namespace and self.links[half] == links[half]


class Flights:
    """All conversations of this process that are being worked on; safe to share."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may release within anything that allocates
        self._held: list[Flight] = []

    def claim(
        self, namespace: str, links: Sequence[bytes], loop: AbstractEventLoop | None = None
    ) -> tuple[Flight, bool]:
        """Return a new flight and True, or that of whoever came first and False."""
        with self._lock:
            for flight in [*self._held]:
                if flight.lost:
                    self.release(flight)
                elif flight.concerns(namespace, links):
                    return flight, False
            mine = Flight(namespace, links, loop)
            self._held.append(mine)
            return mine, True

    def release(self, flight: Flight) -> None:
        """Let those go on who wait for a flight; once is enough."""
        with self._lock:
            if flight not in self._held:
                return
            self._held.remove(flight)
        flight.landed.set_result(None)


class Hold:
    """What one run of a flow has claimed: one conversation at most.

    Args:
        flights: What anybody has claimed.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        self._mine: Flight | None = None

    def take(self, namespace: str, links: Sequence[bytes], patience: float) -> bool:
        """Claim a conversation, in a thread, and return whether that succeeded.

        Whoever has it is waited for, `patience` seconds at most, unless that is this very thread.
        """
        end = time.monotonic() + patience
        while (other := self._claim(namespace, links, None)) is not None:
            left = end - time.monotonic()
            if left <= 0 or other.thread is threading.current_thread():
                return False
            with suppress(TimeoutError):
                other.landed.result(min(left, GLANCE))
        return True

    async def atake(self, namespace: str, links: Sequence[bytes], patience: float) -> bool:
        """Claim a conversation, in a task, and return whether that succeeded; see `take`."""
        end = time.monotonic() + patience
        loop = running_loop()
        while (other := self._claim(namespace, links, loop)) is not None:
            left = end - time.monotonic()
            # Event loops of other libraries cannot wait for threads and tasks.
            if left <= 0 or loop is None or other.task is asyncio.current_task():
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, GLANCE)):
                    await asyncio.wrap_future(other.landed)
        return True

    def release(self) -> None:
        """Give up what was claimed, if anything was."""
        flight, self._mine = self._mine, None
        if flight is not None:
            self._flights.release(flight)

    def hand_over(self) -> Hold:
        """Return what was claimed as something that outlasts the run of this flow."""
        other = Hold(self._flights)
        other._mine, self._mine = self._mine, None
        return other

    def _claim(
        self, namespace: str, links: Sequence[bytes], loop: AbstractEventLoop | None
    ) -> Flight | None:
        """Claim a conversation; return the flight of whoever has it, or None when it is ours."""
        flight, mine = self._flights.claim(namespace, links, loop)
        if not mine:
            return flight
        self._mine = flight
        return None
