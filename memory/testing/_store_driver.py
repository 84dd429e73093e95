"""Calling the verbs of a store: as functions, or as coroutines of one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from memory.errors import ConflictError
from memory.testing.conformance.bench import shut
from memory.testing.conformance.together import PATIENCE, together

__all__ = ("Call", "Driver")

T = TypeVar("T")


class Call(NamedTuple):
    """A verb of a store and what it is given."""

    store: Any
    verb: str
    args: tuple[Any, ...]
    options: dict[str, Any]

    def made(self) -> Any:
        """Make it, as a function."""
        return getattr(self.store, self.verb)(*self.args, **self.options)

    async def awaited(self) -> Any:
        """Make it as asynchronous callers do: as a coroutine, else in a thread if it may block."""
        twin = getattr(self.store, "asynchronous", None)
        if twin is not None:
            return await getattr(twin, self.verb)(*self.args, **self.options)
        if getattr(self.store, "immediate", False):
            return self.made()
        return await asyncio.to_thread(self.made)


class Driver:
    """Makes calls, one by one or at the same time.

    Args:
        asynchronous: Whether in an event loop, which is kept until `stop`.
    """

    def __init__(self, *, asynchronous: bool) -> None:
        self._runner = asyncio.Runner() if asynchronous else None

    @property
    def asynchronous(self) -> bool:
        """Whether calls are coroutines."""
        return self._runner is not None

    def do(self, call: Call) -> Any:
        """Make a call and return what it returns."""
        return call.made() if self._runner is None else self._run(call.awaited())

    def at_once(self, calls: Iterable[Call]) -> list[Any]:
        """Make calls at the same time; return what each returned, or the conflict that it met."""
        if self._runner is None:
            return together([partial(_made, call) for call in calls])
        return self._run(_gathered([_awaited(call) for call in calls]))

    def cancelled(self, call: Call, *, ticks: int) -> None:
        """Begin a call and cancel it after so many turns of the event loop."""
        self._run(_cancelled(call, ticks))

    def close(self, stores: Iterable[Any]) -> None:
        """Close handles, with what they have open in the event loop."""
        for store in stores:
            aclose = getattr(store, "aclose", None)
            if self._runner is not None and callable(aclose):
                self._run(aclose())
            else:
                shut(store)

    def stop(self) -> None:
        """Close the event loop."""
        if self._runner is not None:
            self._runner.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._runner is not None
        return self._runner.run(asyncio.wait_for(work, PATIENCE))


def _made(call: Call) -> Any:
    try:
        return call.made()
    except ConflictError as conflict:
        return conflict


async def _awaited(call: Call) -> Any:
    try:
        return await call.awaited()
    except ConflictError as conflict:
        return conflict


async def _gathered(works: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    return list(await asyncio.gather(*works))


async def _cancelled(call: Call, ticks: int) -> None:
    task = asyncio.ensure_future(call.awaited())
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
