"""Who is summarising which conversation now, so that nobody pays for the same summary twice."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Sequence

__all__ = ("Flight", "Flights")


class Flight:
    """One conversation being summarised.

    Attributes:
        namespace: Where its records are kept.
        links: The chain hashes of the input.
        loop: The event loop it runs in; None in a thread.
        thread: The thread that claimed it.
        landed: Done when it is over; waited for by threads and by tasks of any event loop.
    """

    __slots__ = ("landed", "links", "loop", "namespace", "thread")

    def __init__(
        self, namespace: str, links: Sequence[bytes], loop: AbstractEventLoop | None = None
    ) -> None:
        self.namespace = namespace
        self.links = links
        self.loop = loop
        self.thread = threading.get_ident()
        self.landed: Future[None] = Future()
        self.landed.set_running_or_notify_cancel()  # whoever waits cannot cancel it

    def concerns(self, namespace: str, links: Sequence[bytes]) -> bool:
        """Return whether another input may be served by the same summary.

        It may if the older half of the shorter one is the same: that is what is summarised.
        """
        half = min(len(self.links), len(links)) // 2
        return self.namespace == namespace and self.links[half] == links[half]


class Flights:
    """All conversations of this process that are being summarised; safe to share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[Flight] = []

    def claim(
        self, namespace: str, links: Sequence[bytes], loop: AbstractEventLoop | None = None
    ) -> tuple[Flight, bool]:
        """Return a new flight and True, or that of whoever came first and False."""
        with self._lock:
            lost = [one for one in self._held if one.loop is not None and one.loop.is_closed()]
        for flight in lost:  # nobody will ever end it
            self.release(flight)
        with self._lock:
            for flight in self._held:
                if flight.concerns(namespace, links):
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
