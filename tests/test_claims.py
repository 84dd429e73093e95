"""Claiming a conversation or a turn in it: who waits, for how long, and when it is given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from claimants import LINKS, begun, is_free, outside
from workbench import LONG as LONG_CHAT
from workbench import (
    SPACE,
    Scribe,
    WordCounter,
    answers,
    context,
    kinds_of,
    play,
    prompt,
)

from memory.errors import StoreError
from memory.flow import Claim, Effect, Enter, Flow, Known, Release
from memory.flow.fit import fit_or_pass
from memory.handlers import AsyncHandler, Handler
from memory.outside import Outside
from memory.records import LogKey
from memory.stores import VolatileStore

WHOLE = (b"",)
"""What stands for a conversation as a whole."""
LONG = 30.0
"""Seconds that nobody here has to wait."""


def claim(links: tuple[bytes, ...] = LINKS, *, patience: float = LONG, space: str = SPACE) -> Claim:
    """Return the effect that claims a conversation."""
    return Claim(key=LogKey(namespace=space), links=links, patience=patience)


def perform(out: Outside, effect: Effect[Any]) -> Any:
    """Perform an effect with a synchronous handler of its own."""
    return Handler(out, None).perform(effect)


def aperform(out: Outside, effect: Effect[Any]) -> Any:
    """Perform an effect with an asynchronous handler of its own."""
    return asyncio.run(AsyncHandler(out, None).perform(effect))


def drive(out: Outside, flow: Flow[Any]) -> Any:
    """Run a flow with a synchronous handler of its own."""
    return Handler(out, Scribe()).run(flow)


def adrive(out: Outside, flow: Flow[Any]) -> Any:
    """Run a flow with an asynchronous handler of its own."""
    return asyncio.run(AsyncHandler(out, None).run(flow))


both_perform = pytest.mark.parametrize("handle", [perform, aperform], ids=["sync", "async"])
both_drive = pytest.mark.parametrize("driver", [drive, adrive], ids=["sync", "async"])


def claiming(*, after: BaseException | None = None) -> Flow[bool]:
    """Claim a conversation, and end without giving it up."""
    mine = yield from claim().perform()
    if after is not None:
        raise after
    return mine


def test_whoever_waits_notices_who_broke_off() -> None:
    """A call goes on soon after the task it waits for was cancelled, while it waited."""

    async def scenario() -> None:
        out, claimed = outside(), asyncio.Event()

        async def holds() -> None:
            await AsyncHandler(out, None).perform(claim())
            claimed.set()
            await asyncio.sleep(LONG)

        holder = asyncio.create_task(holds())
        await claimed.wait()
        waiting = asyncio.create_task(AsyncHandler(out, None).perform(claim()))
        await asyncio.sleep(0.01)
        holder.cancel()

        assert await asyncio.wait_for(waiting, timeout=10) is True

    asyncio.run(scenario())


@both_perform
def test_a_claim_is_granted(handle: Callable[..., Any]) -> None:
    """At once, where nobody has it."""
    assert handle(outside(), claim()) is True


@both_perform
def test_without_patience_nobody_waits(handle: Callable[..., Any]) -> None:
    """The reply is that somebody else has it."""
    out = outside()
    begun(out.flights)

    assert handle(out, claim(patience=0.0)) is False


@both_perform
def test_patience_runs_out(handle: Callable[..., Any]) -> None:
    """Whoever has it keeps it."""
    out = outside()
    flight = begun(out.flights)

    assert handle(out, claim(patience=0.05)) is False
    assert not flight.landed.done()


@both_perform
def test_who_waits_is_next(handle: Callable[..., Any]) -> None:
    """Once the flight has landed the claim is granted, in whatever colour one waits."""
    out = outside()
    flight = begun(out.flights)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(handle, out, claim())
        time.sleep(0.02)

        assert not waiting.done()
        out.flights.release(flight)
        assert waiting.result(timeout=10) is True


@both_perform
def test_turns_of_a_conversation_follow_one_another(handle: Callable[..., Any]) -> None:
    """The next one begins when the one before has ended, whatever it says."""
    out = outside()
    with ThreadPoolExecutor(1) as pool:
        flight = begun(out.turns, WHOLE)
        waiting = pool.submit(handle, out, Enter(key=LogKey(namespace=SPACE), patience=LONG))
        time.sleep(0.02)

        assert not waiting.done()
        assert handle(out, Enter(key=LogKey(namespace="another"), patience=LONG)) is True
        assert handle(out, Enter(key=LogKey(namespace=SPACE), patience=0.0)) is False
        out.turns.release(flight)
        assert waiting.result(timeout=10) is True


def test_a_thread_does_not_wait_for_itself() -> None:
    """What this very thread holds will not land while it waits."""
    out = outside()
    first = Handler(out, None)

    assert first.perform(claim()) is True
    assert perform(out, claim(patience=LONG)) is False


def test_a_task_does_not_wait_for_itself() -> None:
    """Nor what this very task holds; for another task of the loop one does wait."""

    async def scenario() -> None:
        out, before = outside(), copy_context()
        first = AsyncHandler(out, None)

        assert await first.perform(claim()) is True
        assert await AsyncHandler(out, None).perform(claim(patience=LONG)) is False
        other = AsyncHandler(out, None).perform(claim(patience=LONG))
        waiting = asyncio.create_task(other, context=before)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        await first.perform(Release())
        assert await asyncio.wait_for(waiting, timeout=10) is True

    asyncio.run(scenario())


def test_what_one_has_started_does_not_wait_for_one() -> None:
    """A holder may be waiting for a task or a thread that it started itself."""

    async def scenario() -> None:
        out = outside()

        assert await AsyncHandler(out, None).perform(claim()) is True
        task = AsyncHandler(out, None).perform(claim(patience=LONG))
        assert await asyncio.create_task(task) is False
        assert await asyncio.to_thread(perform, out, claim(patience=LONG)) is False

    asyncio.run(scenario())


def test_waiting_does_not_block_the_loop() -> None:
    """A task that waits lets the others run."""

    async def scenario() -> None:
        out = outside()
        flight = begun(out.flights)
        waiting = asyncio.create_task(AsyncHandler(out, None).perform(claim()))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        out.flights.release(flight)

        assert await asyncio.wait_for(waiting, timeout=10) is True

    asyncio.run(scenario())


@pytest.mark.parametrize("late", range(6))
def test_a_cancellation_is_not_lost(late: int) -> None:
    """Whoever is cancelled while the flight lands is cancelled, or was done before."""

    async def scenario() -> None:
        out = outside()
        flight = begun(out.flights)
        handler = AsyncHandler(out, None)
        waiting = asyncio.create_task(handler.perform(claim()))
        await asyncio.sleep(0)
        out.flights.release(flight)
        for _ in range(late):
            await asyncio.sleep(0)

        asked = waiting.cancel()
        await asyncio.wait([waiting])

        assert waiting.cancelled() is asked

    asyncio.run(scenario())


@both_drive
@pytest.mark.parametrize("end", [None, ValueError("no"), KeyboardInterrupt(), SystemExit()])
def test_a_flow_gives_up_its_claim(driver: Callable[..., Any], end: BaseException | None) -> None:
    """However it ends, so that nobody waits for what will never come."""
    out = outside()
    try:
        driver(out, claiming(after=end))
    except BaseException as error:  # noqa: BLE001
        assert error is end  # noqa: PT017

    assert is_free(out.flights)


@both_drive
def test_a_turn_ends_with_its_flow(driver: Callable[..., Any]) -> None:
    """Where no stream has taken it over."""

    def flow() -> Flow[bool]:
        return (yield from Enter(key=LogKey(namespace=SPACE), patience=0.0).perform())

    out = outside()

    assert driver(out, flow()) is True
    assert driver(out, flow()) is True


@both_drive
def test_an_interrupted_effect_gives_up_the_claim(driver: Callable[..., Any]) -> None:
    """`KeyboardInterrupt` closes the flow, which is told nothing."""

    def interrupt(_event: object) -> None:
        raise KeyboardInterrupt

    def flow() -> Flow[None]:
        yield from claim().perform()
        yield from Known(namespace=SPACE).perform()

    class _Store(VolatileStore):
        def known(self, namespace: str, *, user: str = "") -> int | None:
            raise KeyboardInterrupt(namespace, user)

    out = Outside(store=_Store(), hooks=(interrupt,), count=WordCounter().count)

    with pytest.raises(KeyboardInterrupt):
        driver(out, flow())
    assert is_free(out.flights)


def test_a_flow_can_give_up_and_claim_again() -> None:
    """After `Release` the same flow may claim once more."""

    def flow() -> Flow[tuple[bool, bool]]:
        first = yield from claim().perform()
        yield from Release().perform()
        second = yield from claim(patience=0.0).perform()
        return first, second

    assert (True, True) == drive(outside(), flow())


def test_a_claim_is_given_up_where_memory_fails() -> None:
    """Before the request goes out without it: nobody is to wait for the reply."""
    table = answers(find=[(), StoreError("gone")])
    _, effects = play(fit_or_pass(prompt(LONG_CHAT), context()), table)
    kinds = kinds_of(effects)

    assert kinds.index("Claim") < kinds.index("Release") < kinds.index("Failed")
