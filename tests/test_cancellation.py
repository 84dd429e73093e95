"""Calls that are cancelled: nothing is held, nothing is half recorded, and others go on.

A call suspends in a few dozen places. Where they are is not known here, so one test cancels it in
each: after one step of the event loop, after two, and so on until it is done before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from background_desk import NOTES, PATIENCE, REPLY, is_free
from fake_kimi_requests import user
from kimi_clients import (
    BUDGET,
    ask_async,
    connect_async,
    is_compacted,
    sent,
    summaries,
    talk,
)

from memory import AsyncMemoryManager, QueueHook
from memory.events import Compacted, Failed, Recorded
from memory.records import Compaction, Logged
from memory.testing import FakeKimi, Fault, SummaryJob

LONG = talk(60)
NAME = "warehouse"
STEPS = 400
"""More steps of an event loop than a call takes."""


class Counter:
    """A counter desk: a server, a manager and a client, asynchronous.

    Args:
        fake: The server; None for an obliging one.
        **options: What the manager takes beside the budget.
    """

    def __init__(self, fake: FakeKimi | None = None, **options: Any) -> None:
        self.fake = fake or FakeKimi(summarize=lambda _job: NOTES, reply=lambda _body: REPLY)
        self.hook = QueueHook()
        given: dict[str, Any] = {"budget": BUDGET, **options}
        self.manager = AsyncMemoryManager(hooks=(self.hook,), **given)
        self.client = self.manager.wrap(connect_async(self.fake))

    async def create(self) -> None:
        """Ask for a reply to a conversation over the budget."""
        await ask_async(self.client, LONG)

    async def stream(self) -> None:
        """The same, streamed to its end."""
        async with await ask_async(self.client, LONG, stream=True) as stream:
            async for _ in stream:
                pass

    async def helper(self) -> None:
        """The same, by the SDK's helper for streams."""
        made: Any = self.client.chat.completions
        async with made.stream(model="kimi-k2.6", messages=LONG) as stream:
            await stream.get_final_completion()

    def whole(self) -> bool:
        """Tell whether what is on record is nothing, or a whole compaction with its originals."""
        records = self.manager.log(LONG)
        originals = {record.index for record in records if isinstance(record, Logged)}
        made = [record for record in records if isinstance(record, Compaction)]
        return (not records and not made) or (
            len(made) == 1 and originals == set(range(made[0].covered)) - set(made[0].kept)
        )


async def cancelled_after(steps: int, call: Callable[[], Awaitable[None]]) -> bool:
    """Cancel a call after so many steps of the loop; return whether it was under way still."""
    task = asyncio.ensure_future(call())
    for _ in range(steps):
        await asyncio.sleep(0)
    asked = task.cancel()
    await asyncio.wait([task])
    assert asked is task.cancelled()
    return asked


@pytest.mark.parametrize("way", ["create", "stream", "helper"])
def test_a_call_can_be_cancelled_anywhere(way: str) -> None:
    """Wherever it stands: no claim is held, no record is half, and the next call is a view."""

    async def stop(steps: int) -> bool:
        desk = Counter()
        asked = await cancelled_after(steps, getattr(desk, way))

        assert is_free(desk.manager, LONG)
        assert desk.whole()
        before = len(summaries(desk.fake))
        await asyncio.wait_for(desk.create(), timeout=PATIENCE)
        assert is_compacted(sent(desk.fake)[-1], LONG)
        assert len(summaries(desk.fake)) - before <= 1
        assert [True] == [event.paid for event in desk.hook.drain() if isinstance(event, Compacted)]
        return asked

    async def main() -> int:
        for steps in range(STEPS):
            if not await stop(steps):
                return steps
        return STEPS

    assert 5 < asyncio.run(main()) < STEPS


def test_a_turn_of_a_conversation_can_be_cancelled_anywhere() -> None:
    """It is on record with its reply, or not at all, and the conversation goes on."""

    async def stop(steps: int) -> bool:
        desk = Counter()
        conversation = desk.manager.conversation(NAME)
        past = [message for message in LONG[1:-1] if message["role"] != "system"]
        await conversation.add(past)

        async def call() -> None:
            await ask_async(desk.client, [user("How many are there?")])

        async with conversation:
            asked = await cancelled_after(steps, call)
            history = await conversation.history()
            assert len(history) - len(past) in (0, 2)
            assert len(await conversation.compactions()) <= 1
            await asyncio.wait_for(ask_async(desk.client, [user("And where?")]), timeout=PATIENCE)
            new = (await conversation.history())[len(past) :]
            assert ["And where?", REPLY] == [message["content"] for message in new[-2:]]
            assert 1 == len(await conversation.compactions())
        assert [] == [event for event in desk.hook.drain() if isinstance(event, Failed)]
        return asked

    async def main() -> int:
        for steps in range(STEPS):
            if not await stop(steps):
                return steps
        return STEPS

    assert 5 < asyncio.run(main()) < STEPS


class Stop:
    """A server that stops at one kind of request and says so.

    Args:
        kind: Of which the first one is not answered in time.
    """

    def __init__(self, kind: Any) -> None:
        self.asked = asyncio.Event()
        self.kind = kind
        self.fake = FakeKimi(
            summarize=self._summarize, reply=self._reply, slow_seconds=PATIENCE * 2
        )
        self.fake.fail_next(Fault.SLOW, only=kind)

    def _summarize(self, _job: SummaryJob) -> str:
        if self.kind == "summary":
            self.asked.set()
        return NOTES

    def _reply(self, _body: object) -> str:
        if self.kind == "chat":
            self.asked.set()
        return REPLY


@pytest.mark.parametrize(("kind", "paid"), [("summary", 2), ("chat", 1)])
def test_a_cancelled_request_is_not_waited_for(kind: str, paid: int) -> None:
    """Cancelled while the server writes the summary nothing is kept; while it replies, the summary.

    Those who wait for the summary do not wait for the request that was cancelled.
    """

    async def main() -> None:
        server = Stop(kind)
        desk = Counter(server.fake)
        call = asyncio.create_task(desk.create())
        await asyncio.wait_for(server.asked.wait(), timeout=PATIENCE)
        await asyncio.sleep(0)
        others = [asyncio.create_task(desk.create()) for _ in range(3)]
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait_for(asyncio.gather(*others), timeout=PATIENCE)

        assert call.cancelled()
        assert paid == len(summaries(desk.fake))
        assert desk.whole()
        assert is_free(desk.manager, LONG)

    asyncio.run(main())


async def within(seconds: float, call: Awaitable[None]) -> None:
    """Await a call for so long at most."""
    async with asyncio.timeout(seconds):
        await call


async def waited(seconds: float, call: Awaitable[None]) -> None:
    """The same with the older function."""
    await asyncio.wait_for(call, timeout=seconds)


@pytest.mark.parametrize("limited", [within, waited])
def test_a_time_limit_ends_a_call(limited: Callable[..., Awaitable[None]]) -> None:
    """Those of `asyncio` work as they do without a memory."""

    async def main() -> None:
        server = Stop("summary")
        desk = Counter(server.fake)
        with pytest.raises(TimeoutError):
            await limited(0.1, desk.create())
        desk.fake.recover()  # the limit may have been over before the server was asked

        assert is_free(desk.manager, LONG)
        await desk.create()
        assert is_compacted(sent(desk.fake)[-1], LONG)

    asyncio.run(main())


def test_one_who_waits_can_be_cancelled() -> None:
    """The others still wait, and whoever pays is not disturbed."""

    async def main() -> None:
        asked = asyncio.Event()

        def summarize(_job: SummaryJob) -> str:
            asked.set()
            return NOTES

        fake = FakeKimi(delay=lambda kind: 0.1 if kind == "summary" else 0.0, summarize=summarize)
        desk = Counter(fake)
        first = asyncio.create_task(desk.create())
        await asyncio.wait_for(asked.wait(), timeout=PATIENCE)
        waiting = [asyncio.create_task(desk.create()) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.wait([first, *waiting])

        assert [False, True, False] == [each.cancelled() for each in waiting]
        assert (1, 3) == (len(summaries(fake)), len(sent(fake)))
        assert is_free(desk.manager, LONG)

    asyncio.run(main())


def test_a_task_group_that_fails_leaves_nothing_behind() -> None:
    """All calls of a group are cancelled when one of its tasks raises."""

    async def main() -> None:
        server = Stop("summary")
        desk = Counter(server.fake)

        async def fail() -> None:
            await server.asked.wait()
            message = "no"
            raise ValueError(message)

        async def group() -> None:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(5):
                    tasks.create_task(desk.create())
                tasks.create_task(fail())

        with pytest.raises(ExceptionGroup):
            await group()
        assert is_free(desk.manager, LONG)
        assert () == desk.manager.log(LONG)
        await asyncio.wait_for(desk.create(), timeout=PATIENCE)
        assert 2 == len(summaries(desk.fake))

    asyncio.run(main())


async def closing(stream: Any, read: asyncio.Event) -> None:
    """Read the first chunk of a stream, and close it when cancelled."""
    async with stream:
        async for _ in stream:
            read.set()
            await asyncio.sleep(PATIENCE)


async def leaving(stream: Any, read: asyncio.Event) -> None:
    """Read the first chunk of a stream, and leave it as it is when cancelled."""
    async for _ in stream:
        read.set()
        await asyncio.sleep(PATIENCE)


@pytest.mark.parametrize("reader", [closing, leaving])
def test_a_stream_can_be_cancelled_in_the_middle(reader: Callable[..., Any]) -> None:
    """The conversation goes on from the question, and nobody waits for the rest of the reply."""

    async def main() -> None:
        desk = Counter(turn_wait=PATIENCE)
        conversation = desk.manager.conversation(NAME)
        question, read = [user("How many are there?")], asyncio.Event()

        async def call() -> None:
            await reader(await ask_async(desk.client, question, stream=True), read)

        async with conversation:
            task = asyncio.create_task(call())
            await asyncio.wait_for(read.wait(), timeout=PATIENCE)
            task.cancel()
            await asyncio.wait([task])
            await asyncio.wait_for(ask_async(desk.client, question), timeout=PATIENCE / 6)

            history = [message["content"] for message in await conversation.history()]
            assert [question[0]["content"], REPLY] == history
        recorded = [event for event in desk.hook.drain() if isinstance(event, Recorded)]
        assert recorded[-1].complete

    asyncio.run(main())
