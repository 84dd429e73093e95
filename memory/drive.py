"""The two drivers: they pump a flow and perform what it asks for."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

__all__ = ("arun", "run", "running_loop")

E = TypeVar("E")
T = TypeVar("T")


def run(flow: Generator[E, Any, T], perform: Callable[[E], Any]) -> T:
    """Run a flow, or another generator that is sent replies, to its end; return what it returns.

    An exception of `perform` is thrown into the flow, which may handle it. On anything beyond
    `Exception`, such as `KeyboardInterrupt`, the flow is closed.
    """
    with closing(flow):
        try:
            effect = next(flow)
            while True:
                try:
                    reply = perform(effect)
                except Exception as error:  # noqa: BLE001  # the flow decides
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result


async def arun(flow: Generator[E, Any, T], perform: Callable[[E], Awaitable[Any]]) -> T:
    """Run a flow to its end with an async `perform`; as `run` in all else."""
    with closing(flow):
        try:
            effect = next(flow)
            while True:
                try:
                    reply = await perform(effect)
                except Exception as error:  # noqa: BLE001  # the flow decides
                    effect = flow.throw(error)
                else:
                    effect = flow.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs here, or None where that is of another library, or none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
