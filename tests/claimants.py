"""Those who claim conversations in tests: somebody else in a thread, and whoever asks whether."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from workbench import SPACE, WordCounter

from memory.flights import Flight, Flights
from memory.outside import Outside
from memory.stores import VolatileStore

LINKS = tuple(bytes([number]) for number in range(9))
"""The chain hashes of eight messages."""

_elsewhere = ThreadPoolExecutor(1)
"""A thread that lives as long as the tests."""


def outside() -> Outside:
    """Return the outside of a handler: an empty store and no hooks."""
    return Outside(store=VolatileStore(), hooks=(), count=WordCounter().count)


def begun(flights: Flights, links: tuple[bytes, ...] = LINKS) -> Flight:
    """Return the flight of somebody else, who is at work in another thread."""
    flight, mine = _elsewhere.submit(flights.claim, SPACE, links).result(timeout=10)
    assert mine
    return flight


def is_free(flights: Flights, links: tuple[bytes, ...] = LINKS) -> bool:
    """Tell whether nobody has claimed a conversation."""
    flight, free = flights.claim(SPACE, links)
    if free:
        flights.release(flight)
    return free
