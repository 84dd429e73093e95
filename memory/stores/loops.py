"""One of something for each event loop: connections cannot be shared between loops."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncGenerator, Awaitable, Callable

__all__ = ("PerLoop",)

C = TypeVar("C")


class PerLoop(Generic[C]):
    """What each running event loop has one of, closed when the loop shuts down.

    Args:
        make: Makes one, in its loop.
        close: Closes one, in its loop.
        drop: Lets one go whose loop was closed without being shut down.
    """

    def __init__(
        self,
        make: Callable[[], Awaitable[C]],
        close: Callable[[C], Awaitable[object]],
        drop: Callable[[C], object],
    ) -> None:
        self._make = make
        self._close = close
        self._drop = drop
        self._held: dict[AbstractEventLoop, tuple[C, AsyncGenerator[None]]] = {}

    async def get(self) -> C:
        """Return that of the running loop."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            self.sweep()
            one = await self._make()
            if loop in self._held:  # another task of this loop was quicker
                await self._close(one)
                return self._held[loop][0]
            held = self._held[loop] = one, _keep(weakref.ref(self), loop, one, self._close)
            await anext(held[1])
        return held[0]

    async def aclose(self) -> None:
        """Close that of the running loop."""
        held = self._held.get(asyncio.get_running_loop())
        if held is not None:
            await held[1].aclose()

    def leave(self, loop: AbstractEventLoop) -> None:
        """Know nothing of a loop any more."""
        self._held.pop(loop, None)

    def sweep(self) -> None:
        """Let go those of loops that were closed without being shut down."""
        for loop in [loop for loop in list(self._held) if loop.is_closed()]:
            held = self._held.pop(loop, None)
            if held is not None:
                self._drop(held[0])

    def abandon(self) -> list[object]:
        """Know nothing any more, and return what was held: in a process that was forked."""
        held = [*self._held.values()]
        self._held.clear()
        return [*held]


async def _keep(
    family: weakref.ref[PerLoop[C]],
    loop: AbstractEventLoop,
    one: C,
    close: Callable[[C], Awaitable[object]],
) -> AsyncGenerator[None]:
    """Close one when its loop shuts down: a loop closes the generators that began in it."""
    try:
        yield
    finally:
        here = family()
        if here is not None:
            here.leave(loop)
        with suppress(
            Exception, asyncio.CancelledError
        ):  # the loop is at its end, nobody could do anything about it
            await close(one)
