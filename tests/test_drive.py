"""The two drivers: what they send into a flow, what they throw, and when they close it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from workbench import Wire, Workbench, prompt

from memory.drive import arun, run
from memory.flow import Effect, Emit, Flow, Known, fit
from memory.handlers import AsyncHandler
from memory.testing import strategies

T = TypeVar("T")
Perform = Callable[[Effect[Any]], Any]

ASK = Known(namespace="tests")


def drive(flow: Flow[T], perform: Perform) -> T:
    """Run a flow with the synchronous driver."""
    return run(flow, perform)


def adrive(flow: Flow[T], perform: Perform) -> T:
    """Run a flow with the asynchronous driver."""

    async def asynchronous(effect: Effect[Any]) -> Any:
        await asyncio.sleep(0)
        return perform(effect)

    return asyncio.run(arun(flow, asynchronous))


both = pytest.mark.parametrize("driver", [drive, adrive], ids=["run", "arun"])


class _Interrupted(BaseException):
    """Something that is no `Exception`."""


def asking(times: int, *, closed: list[bool] | None = None) -> Flow[list[Any]]:
    """Ask so many times and return the answers; note when the flow ends."""
    answers: list[Any] = []
    try:
        for _ in range(times):
            try:
                answers.append((yield from ASK.perform()))
            except ValueError as error:
                answers.append(error)
    finally:
        if closed is not None:
            closed.append(True)
    return answers


@both
def test_answers_are_sent_into_the_flow(driver: Callable[..., Any]) -> None:
    """Each effect is performed once, in order, and its reply comes back."""
    numbers = iter(range(3))

    assert [0, 1, 2] == driver(asking(3), lambda _effect: next(numbers))


@both
def test_a_flow_that_asks_nothing_returns(driver: Callable[..., Any]) -> None:
    """Nothing is performed for it."""
    assert [] == driver(asking(0), pytest.fail)


@both
def test_exceptions_are_thrown_into_the_flow(driver: Callable[..., Any]) -> None:
    """What the flow catches it goes on after."""
    error = ValueError("no")
    script = iter([error, 1, error])

    def perform(_effect: Effect[Any]) -> Any:
        answer = next(script)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert [error, 1, error] == driver(asking(3), perform)


@both
def test_exceptions_that_the_flow_does_not_catch_are_raised(driver: Callable[..., Any]) -> None:
    """As they are, and the flow is over."""
    closed: list[bool] = []

    def perform(_effect: Effect[Any]) -> Any:
        raise KeyError("lost")  # noqa: EM101

    with pytest.raises(KeyError, match="lost"):
        driver(asking(1, closed=closed), perform)

    assert [True] == closed


@both
def test_the_last_exception_may_end_the_flow(driver: Callable[..., Any]) -> None:
    """A flow that returns where it catches has returned."""

    def flow() -> Flow[str]:
        try:
            yield from ASK.perform()
        except ValueError:
            return "caught"
        return "not reached"

    def perform(_effect: Effect[Any]) -> Any:
        raise ValueError

    assert "caught" == driver(flow(), perform)


@both
def test_an_interrupt_closes_the_flow(driver: Callable[..., Any]) -> None:
    """It is not thrown into it: the flow sees no more than its end."""
    closed: list[bool] = []

    def perform(_effect: Effect[Any]) -> Any:
        raise _Interrupted

    with pytest.raises(_Interrupted):
        driver(asking(2, closed=closed), perform)

    assert [True] == closed


def test_cancelling_closes_the_flow() -> None:
    """A cancelled task leaves no flow half way."""
    closed: list[bool] = []

    async def perform(_effect: Effect[Any]) -> Any:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(arun(asking(1, closed=closed), perform))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert [True] == closed


@both
def test_a_stop_iteration_of_a_handler_ends_no_flow(driver: Callable[..., Any]) -> None:
    """It is an error like any other, not a result."""

    def perform(_effect: Effect[Any]) -> Any:
        raise StopIteration(7)

    with pytest.raises(RuntimeError):
        driver(asking(1), perform)


class _Later:
    """Answers with a summariser, a moment later."""

    def __init__(self, bench: Workbench) -> None:
        self._scribe = bench.scribe

    async def summarize(self, request: Any, /) -> Any:
        await asyncio.sleep(0)
        return self._scribe.summarize(request)


@settings(max_examples=20, deadline=None)
@given(strategies.conversations(most=6))
def test_both_drivers_fit_alike(messages: list[Wire]) -> None:
    """The asynchronous twin sends the same messages and tells the same events."""
    here, there = Workbench(2_000, oversize="send"), Workbench(2_000, oversize="send")
    handler = AsyncHandler(there.handler._outside, _Later(there))  # noqa: SLF001
    later: Awaitable[Any] = arun(fit(prompt(messages), there.context), handler.perform)

    assert here.fit(messages) == asyncio.run(_awaited(later))
    assert here.events == there.events
    assert here.log(messages) == there.log(messages)


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def test_effects_have_the_type_of_their_reply() -> None:
    """`perform` yields the effect itself."""
    flow = Emit(event=Any).perform()  # type: ignore[arg-type]

    assert isinstance(next(flow), Emit)
