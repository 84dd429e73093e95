"""Who is at work on which conversation now: summarising it, or having a turn in it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import ref

from memory.drive import running_loop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence

__all__ = ("Flight", "Flights", "Hold")


_holding: ContextVar[tuple[ref[Flight], ...]] = ContextVar("kimi_memory_holding", default=())
GLANCE = 0.5
"""Seconds after which whoever waits looks whether anybody is still at work."""


class Flight:
    """Work on one conversation.

    Attributes:
        namespace: Where its records are kept.
        links: The chain hashes of the input.
        thread: The thread that claimed it.
        loop: The event loop it runs in, weakly; None in a thread.
        task: The task that claimed it, weakly; None in a thread.
        cut: Whether that task was cancelled.
        settle: Brings it to its end on behalf of whoever waits; None where only its owner can.
        also: Gives up what was taken with it, such as a lease; None for nothing.
        landed: Done when it is over; waited for by threads and by tasks of any event loop.
    """

    __slots__ = (
        "__weakref__",
        "also",
        "cut",
        "landed",
        "links",
        "loop",
        "namespace",
        "settle",
        "task",
        "thread",
    )

    def __init__(
        self, namespace: str, links: Sequence[bytes], loop: AbstractEventLoop | None = None
    ) -> None:
        self.namespace = namespace
        self.links = links
        self.thread = threading.current_thread()
        # Weakly: what a task leaves behind may be what ends this, once it is collected.
        task = None if loop is None else asyncio.current_task(loop)
        self.task = None if task is None else ref(task)
        self.loop = None if loop is None else ref(loop)
        self.cut = False
        if task is not None:
            task.add_done_callback(self._over)
        self.settle: Callable[[], object] | None = None
        self.also: Callable[[], object] | None = None
        self.landed: Future[None] = Future()
        self.landed.set_running_or_notify_cancel()  # whoever waits cannot cancel it

    @property
    def lost(self) -> bool:
        """Whether the task that claimed it was cut off, so that nobody else may ever end it.

        One that came to its end, like a thread, may have left a stream for others to read.
        """
        loop = None if self.loop is None else self.loop()
        closed = self.loop is not None and (loop is None or loop.is_closed())
        return self.cut or closed

    def land(self) -> None:
        """Let those go on who wait; the task is not looked at any more."""
        self.landed.set_result(None)
        task = None if self.task is None else self.task()
        if task is not None and task.get_loop() is running_loop():  # else it would be a race
            task.remove_done_callback(self._over)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self.cut = task.cancelled()

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
        if flight.also is not None:
            flight.also()
        flight.land()


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
            if _settled(other):
                continue
            left = end - time.monotonic()
            if left <= 0 or other.thread is threading.current_thread() or _is_ours(other):
                return False
            with suppress(TimeoutError):
                other.landed.result(min(left, GLANCE))
        return True

    async def atake(self, namespace: str, links: Sequence[bytes], patience: float) -> bool:
        """Claim a conversation, in a task, and return whether that succeeded; see `take`."""
        end = time.monotonic() + patience
        loop = running_loop()
        while (other := self._claim(namespace, links, loop)) is not None:
            if _settled(other):
                continue
            left = end - time.monotonic()
            # Event loops of other libraries cannot wait for threads and tasks.
            if left <= 0 or loop is None or _is_ours(other):
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, GLANCE)):
                    await asyncio.wrap_future(other.landed)
        return True

    def release(self) -> None:
        """Give up what was claimed, if anything was."""
        if self._mine is not None:
            self._flights.release(self._mine)
        self._mine = None

    def settle_with(self, settle: Callable[[], object]) -> None:
        """Let whoever waits bring what was claimed to its end."""
        if self._mine is not None:
            self._mine.settle = settle

    def release_with(self, also: Callable[[], object]) -> None:
        """Have something given up together with what was claimed."""
        if self._mine is not None:
            self._mine.also = also

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
        _holding.set((*(held for held in _holding.get() if held() is not None), ref(flight)))
        return None


def _settled(flight: Flight) -> bool:
    """Bring a flight to its end where that is left to whoever waits; return whether it was."""
    settle, flight.settle = flight.settle, None
    if settle is None:
        return False
    settle()
    return True


def _is_ours(flight: Flight) -> bool:
    """Return whether a flight began here, or where this thread or task was started from.

    Whoever began it may be waiting for us.
    """
    return any(held() is flight for held in _holding.get())
