"""Doing things at the same time, from threads, and waiting for what takes its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ("PATIENCE", "soon", "together")

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which a store that has not answered is taken to hang."""
STEP = 0.02
"""Seconds between two looks at something that is to happen soon."""


def together(works: Sequence[Callable[[], T]]) -> list[T]:
    """Do all of these at the same time, each in a thread, and return their results in order.

    Raises:
        AssertionError: One is not done in time.
        Exception: What the first one raised that failed.
    """
    start = threading.Barrier(len(works))
    done: dict[int, T] = {}
    failed: list[Exception] = []

    def do(place: int) -> None:
        try:
            start.wait(PATIENCE)
            done[place] = works[place]()
        except Exception as error:  # noqa: BLE001  # raised below
            failed.append(error)

    threads = [threading.Thread(target=do, args=(n,), daemon=True) for n in range(len(works))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if failed:
        raise failed[0]
    if len(done) < len(works):
        msg = f"{len(works) - len(done)} of {len(works)} threads hang"
        raise AssertionError(msg)
    return [done[place] for place in range(len(works))]


def soon(happened: Callable[[], bool], *, seconds: float) -> bool:
    """Return whether something happens within some seconds, as soon as it does."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(STEP)
    return True
