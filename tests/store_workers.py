"""The processes that tests of stores kill and crowd together, and the places they converse in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from services import postgres_url, redis_url

from benchmarks._endurance_nursery import Nursery
from benchmarks._endurance_office import Office
from benchmarks._endurance_places import PLACES, Place
from memory.testing import serve

__all__ = ("Workers", "place_of", "workers")

Made: TypeAlias = Callable[[], AbstractContextManager[Place]]
"""Makes a place of its own, and removes it at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Where processes come from, and whom they talk to.

    Attributes:
        nursery: Forks them.
        office: Answers them.
        address: Its base URL.
    """

    nursery: Nursery
    office: Office
    address: str


@contextmanager
def workers() -> Iterator[Workers]:
    """Have processes; in the end none of them has complained of anything, such as open files."""
    office, nursery = Office(summary=0.005), Nursery()
    with serve(office.fake) as address, nursery:
        yield Workers(nursery=nursery, office=office, address=address)

    assert "" == nursery.complaints


def place_of(kind: str) -> Made:
    """Return what makes places for a kind of store; skip the test where its server is missing."""
    urls = {"postgres": postgres_url, "redis": redis_url}
    return partial(PLACES[kind], urls[kind]() if kind in urls else "")
