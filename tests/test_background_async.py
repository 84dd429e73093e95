"""Summaries in the background of an event loop: as tasks, which end with their loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from background_desk import (
    DUE,
    EARLY,
    HERE,
    OVER,
    PATIENCE,
    THERE,
    AsyncDesk,
    is_free,
    options,
    server,
)
from fake_kimi_requests import OFF, user
from kimi_clients import (
    BUDGET,
    MODEL,
    STREAM_ERRORS,
    ask,
    ask_async,
    connect,
    connect_async,
    is_compacted,
    sent,
    summaries,
    talk,
)

from memory import AsyncMemoryManager, MemoryManager
from memory.errors import SummaryError
from memory.events import Compacted, FellBack, Rejected
from memory.testing import FakeKimi, Fault


def scenario(play: Callable[[AsyncDesk], Awaitable[None]], **more: Any) -> None:
    """Play a scenario on a desk in an event loop of its own."""

    async def main() -> None:
        desk = AsyncDesk(**more)
        await play(desk)
        desk.gate.set()
        await desk.rest()

    asyncio.run(main())


def test_no_turn_waits_under_the_limit() -> None:
    """With a moment between the turns all summaries are written in the background."""

    async def play(desk: AsyncDesk) -> None:
        for turns in range(1, 80):
            await desk.turn(turns)
            await desk.rest()

        assert {THERE} == set(desk.where)
        assert 2 <= len(desk.where) <= 6
        assert max(desk.prompts) <= BUDGET

    scenario(play)


def test_nothing_happens_before_the_mark() -> None:
    """Up to four fifths of the limit nothing is begun."""

    async def play(desk: AsyncDesk) -> None:
        await desk.turn(EARLY)

        assert [] == desk.manager.outside.background.pending()

    scenario(play)


def test_the_next_call_adopts_the_record() -> None:
    """The prompt that passed the mark goes out whole, the next one is a view."""

    async def play(desk: AsyncDesk) -> None:
        desk.gate.clear()
        await desk.turn(DUE)
        await desk.turn(DUE + 1)
        desk.gate.set()
        await desk.rest()
        await desk.turn(DUE + 2)

        assert [talk(DUE), talk(DUE + 1)] == sent(desk.fake)[:2]
        assert is_compacted(sent(desk.fake)[2], talk(DUE + 2))
        assert [THERE] == desk.where

    scenario(play)


def test_a_turn_at_the_limit_waits_for_the_summary_in_flight() -> None:
    """It pays for nothing more, and the loop goes on meanwhile."""

    async def play(desk: AsyncDesk) -> None:
        desk.gate.clear()
        await desk.turn(DUE)
        await asyncio.wait_for(desk.arrived.wait(), timeout=PATIENCE)
        over = asyncio.create_task(desk.turn(DUE + 8))
        for _ in range(20):
            await asyncio.sleep(0)

        assert [talk(DUE)] == sent(desk.fake)
        desk.gate.set()
        await asyncio.wait_for(over, timeout=PATIENCE)
        assert [THERE] == desk.where
        assert is_compacted(sent(desk.fake)[1], talk(DUE + 8))

    scenario(play)


def test_a_summary_that_fails_changes_nothing() -> None:
    """The limit is then handled inline, where the offline summary takes its place."""

    class Broken:
        asked = 0

        async def summarize(self, _request: object, /) -> Any:
            self.asked += 1
            message = "no"
            raise SummaryError(message)

    broken = Broken()

    async def play(desk: AsyncDesk) -> None:
        await desk.turn(DUE)
        await desk.rest()
        told = desk.hook.drain()
        assert 1 == len([event for event in told if isinstance(event, Rejected)])
        assert [] == [event for event in told if isinstance(event, (FellBack, Compacted))]
        assert [] == desk.compactions(DUE)

        await desk.turn(OVER)
        assert is_compacted(sent(desk.fake)[1], talk(OVER))
        assert (2, 1) == (broken.asked, len(desk.told(FellBack)))

    scenario(play, summarizer=broken)


def test_a_stream_asks_when_it_is_whole() -> None:
    """After `[DONE]`, and not while there is still something to come."""

    async def play(desk: AsyncDesk) -> None:
        stream = await desk.turn(DUE, stream=True)
        pending = [bool(desk.manager.outside.background.pending()) async for _ in stream]
        await desk.rest()

        assert len(pending) > 3
        assert not any(pending)
        assert [THERE] == desk.where

    scenario(play)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT, Fault.NO_DONE])
def test_a_stream_that_breaks_asks_for_nothing(fault: Fault) -> None:
    """Nor does one that ends without `[DONE]`."""

    async def play(desk: AsyncDesk) -> None:
        desk.fake.fail_next(fault, only="chat")
        try:
            async for _ in await desk.turn(DUE, stream=True):
                pass
        except STREAM_ERRORS:
            assert Fault.RESET is fault

        assert [] == desk.manager.outside.background.pending()

    scenario(play)


def test_a_stream_that_is_left_asks_for_nothing() -> None:
    """Whoever stops reading has no reply that the conversation could go on from."""

    async def play(desk: AsyncDesk) -> None:
        async with await desk.turn(DUE, stream=True) as stream:
            async for _ in stream:
                break

        assert [] == desk.manager.outside.background.pending()

    scenario(play)


@pytest.mark.parametrize("option", [{"record": False}, {"off": True}])
def test_side_calls_ask_for_nothing(option: dict[str, Any]) -> None:
    """What leaves no trace leaves no summary either."""

    async def play(desk: AsyncDesk) -> None:
        with desk.manager.override(**option):
            await desk.turn(DUE)

        assert [] == desk.manager.outside.background.pending()

    scenario(play)


def test_it_is_off_by_default() -> None:
    """Summaries are asked for by the turn that needs them."""

    async def play(desk: AsyncDesk) -> None:
        await desk.turn(DUE)
        assert [] == desk.manager.outside.background.pending()

        await desk.turn(OVER)
        assert [HERE] == desk.where

    scenario(play, compaction="inline")


def test_a_caller_who_gives_up_does_not_end_it() -> None:
    """The summary is a task of the loop, not of the call that began it."""

    async def play(desk: AsyncDesk) -> None:
        desk.gate.clear()

        async def call() -> None:
            await desk.turn(DUE)
            await asyncio.sleep(PATIENCE)

        caller = asyncio.create_task(call())
        await asyncio.wait_for(desk.arrived.wait(), timeout=PATIENCE)
        caller.cancel()
        await asyncio.wait([caller])
        desk.gate.set()
        await desk.rest()

        assert caller.cancelled()
        assert 1 == len(desk.compactions(DUE))

    scenario(play)


def test_conversations_are_summarised_in_the_background() -> None:
    """Turns that are committed while the summary is written do not undo it."""

    async def play(desk: AsyncDesk) -> None:
        said = [message for message in talk(DUE + 1) if message["role"] != "system"]
        conversation = desk.manager.conversation("warehouse")
        await conversation.add(said[:-1])
        desk.gate.clear()
        async with conversation:
            await ask_async(desk.client, [said[-1]])
            await asyncio.wait_for(desk.arrived.wait(), timeout=PATIENCE)
            await ask_async(desk.client, [user("And where?")])
            desk.gate.set()
            await desk.rest()
            await ask_async(desk.client, [user("Which was the last?")])

        assert [THERE] == desk.where
        assert 1 == len(await conversation.compactions())
        assert desk.prompts[-1] < 0.7 * BUDGET
        assert len(said) + 5 == len(await conversation.history())

    scenario(play)


async def begun(manager: AsyncMemoryManager, fake: FakeKimi) -> None:
    """Make a call that has a summary begun, and return while it is written."""
    await ask_async(manager.wrap(connect_async(fake)), talk(DUE))
    for _ in range(1_000):
        if summaries(fake):
            return
        await asyncio.sleep(0.001)
    pytest.fail("no summary was begun")


def ends(call: Coroutine[Any, Any, None]) -> None:
    """Run a call in a loop that cancels what is left, as `asyncio.run` does."""
    asyncio.run(call)


def closes(call: Coroutine[Any, Any, None]) -> None:
    """Run a call in a loop that is closed without looking at what is left."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # it says that a task was pending
    loop.run_until_complete(call)
    loop.close()


@pytest.mark.parametrize("run", [ends, closes])
def test_a_loop_that_ends_leaves_nothing_behind(run: Callable[..., None]) -> None:
    """No record, no claim and no job: the next loop goes on as if nothing had been begun."""
    fake = server(delay=lambda kind: PATIENCE if kind == "summary" else 0.0)
    manager = AsyncMemoryManager(hooks=(), **options())
    run(begun(manager, fake))

    assert asyncio.run(manager.flush(timeout=PATIENCE))
    assert is_free(manager, talk(DUE))
    assert () == manager.log(talk(DUE))


@pytest.mark.parametrize("run", [ends, closes])
def test_after_a_loop_that_ended_the_next_call_pays(run: Callable[..., None]) -> None:
    """It does not wait for what will never come."""
    waits = iter([PATIENCE * 2, 0.0])
    fake = server(delay=lambda kind: next(waits) if kind == "summary" else 0.0)
    manager = AsyncMemoryManager(hooks=(), **options())
    run(begun(manager, fake))

    async def again() -> None:
        call = ask_async(manager.wrap(connect_async(fake)), talk(OVER))
        await asyncio.wait_for(call, timeout=PATIENCE)

    asyncio.run(again())

    assert 2 == len(summaries(fake))
    assert is_compacted(sent(fake)[1], talk(OVER))


def test_one_manager_serves_both_colours() -> None:
    """What a thread has summarised a task adopts, and the other way round."""
    fake = server()
    manager = MemoryManager(hooks=(), **options())
    ask(manager.wrap(connect(fake)), talk(DUE))
    assert manager.flush(timeout=PATIENCE)

    async def goes_on() -> None:
        client = manager.wrap(connect_async(fake))
        for turns in range(DUE + 1, OVER + DUE):
            await ask_async(client, talk(turns))
            for job in manager.outside.background.pending():
                await asyncio.wrap_future(job)

    asyncio.run(goes_on())
    before = len(summaries(fake))
    ask(manager.wrap(connect(fake)), talk(OVER + DUE))

    assert is_compacted(sent(fake)[1], talk(DUE + 1))
    assert is_compacted(sent(fake)[-1], talk(OVER + DUE))
    assert before == len(summaries(fake))


def test_the_sdk_knows_nothing_of_it() -> None:
    """The task asks with the caller's own client and model."""
    fake = server()

    async def main() -> None:
        manager = AsyncMemoryManager(hooks=(), **options())
        client = manager.wrap(connect_async(fake, api_key="sk-own"))
        await client.chat.completions.create(model=MODEL, messages=talk(DUE), extra_body=OFF)  # type: ignore[arg-type]
        assert await manager.flush(timeout=PATIENCE)

    asyncio.run(main())
    (request,) = [served for served in fake.requests if served.kind == "summary"]

    assert ("Bearer sk-own", MODEL) == (request.headers["authorization"], request.body["model"])
