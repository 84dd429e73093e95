"""Conversations of asynchronous clients: in tasks, in streams, and as objects."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import openai
import pytest
from chats import (
    ASYNC_STYLES,
    NAME,
    SAID,
    TURN,
    AsyncStyle,
    Fragile,
    calling,
    contents,
    echo,
    kept_async,
    last_sent,
    result,
)
from fake_kimi_requests import assistant, user
from kimi_clients import (
    BUDGET,
    HEAD,
    STREAM_ERRORS,
    TOOLS,
    ask,
    ask_async,
    connect,
    connect_async,
    is_compacted,
    sent,
    summaries,
    talk,
)
from talks import is_paired

from memory import AsyncMemoryManager, ConversationBusy, HistoryError, MemoryManager, QueueHook
from memory.errors import StoreError
from memory.events import Failed, Recorded
from memory.testing import FakeKimi, Fault, Reply

LONG = "Crate 1 stands on shelf 7, and nobody has touched it since the day it came in. " * 3
QUESTION = user("Where does crate 3 stand?")
TASKS = 8


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def text_of(stream: Any, pieces: int = 10**6) -> str:
    """Return the text of the next pieces of a stream."""
    text = ""
    while pieces:
        try:
            chunk = await anext(stream)
        except StopAsyncIteration:
            break
        text += chunk.choices[0].delta.content or ""
        pieces -= 1
    return text


class TestGoingOn:
    """What the server is sent, and what goes on record."""

    @looped
    async def test_the_caller_sends_what_is_new(self) -> None:
        """The server is sent everything that was said, and the newest head."""
        fake = FakeKimi(reply=echo)
        client, conversation = kept_async(fake)
        await ask_async(client, [HEAD, user("One")])
        await ask_async(client, [user("Two")])

        assert [HEAD["content"], "One", "Reply to One", "Two"] == last_sent(fake)
        assert 4 == len(await conversation.history())

    @pytest.mark.parametrize("entering", ["with", "async with"])
    @looped
    async def test_a_conversation_can_be_entered(self, entering: str) -> None:
        """With either statement; outside calls go on from nothing."""
        fake = FakeKimi(reply=echo)
        manager = AsyncMemoryManager(hooks=())
        client, conversation = manager.wrap(connect_async(fake)), manager.conversation(NAME)
        if entering == "with":
            with conversation:
                await ask_async(client, [user("One")])
        else:
            async with conversation:
                await ask_async(client, [user("One")])
        await ask_async(client, [user("Two")])

        assert ["Two"] == last_sent(fake)
        assert ["One", "Reply to One"] == contents(await conversation.history())

    @pytest.mark.parametrize("style", ASYNC_STYLES)
    @looped
    async def test_every_call_style_is_recorded(self, style: AsyncStyle) -> None:
        """However the completion is asked for, the next call knows question and answer."""
        fake, hook = FakeKimi(reply=lambda _: SAID), QueueHook()
        client, conversation = kept_async(fake, hooks=(hook,))
        await style(client, TURN[:1])
        assert TURN == await conversation.history()

        await style(client, [QUESTION])
        assert [*TURN, QUESTION] == sent(fake)[-1]
        told = [each for each in hook.drain() if isinstance(each, (Recorded, Failed))]
        assert [Recorded, Recorded] == [type(each) for each in told]

    @looped
    async def test_a_call_that_fails_records_nothing(self) -> None:
        """It can simply be made again."""
        fake = FakeKimi(reply=echo, faults=[Fault.SERVER_ERROR])
        client, conversation = kept_async(fake)
        with pytest.raises(openai.InternalServerError):
            await ask_async(client, [user("One")])
        assert [] == await conversation.history()

        await ask_async(client, [user("One")])
        assert ["One", "Reply to One"] == contents(await conversation.history())

    @looped
    async def test_open_calls_wait_for_their_results(self) -> None:
        """Anything else is refused before it is sent."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0"))
        client, conversation = kept_async(fake)
        await ask_async(client, [user("Weigh.")], tools=TOOLS)
        with pytest.raises(ConversationBusy):
            await ask_async(client, [user("Quickly.")])
        with pytest.raises(ConversationBusy):
            await conversation.add([user("Quickly.")])
        assert 1 == len(fake.requests)

        await ask_async(client, [result("weigh:0")], tools=TOOLS)
        assert 4 == len(await conversation.history())

    @looped
    async def test_side_calls_leave_no_trace(self) -> None:
        """They see the conversation, and nothing of them is recorded."""
        fake = FakeKimi(reply=echo)
        manager = AsyncMemoryManager(hooks=())
        client = manager.with_options(conversation=NAME).wrap(connect_async(fake))
        await ask_async(client, [user("One")])
        with manager.override(record=False):
            await ask_async(client, [user("A title?")])

        assert ["One", "Reply to One", "A title?"] == last_sent(fake)
        assert 2 == len(await manager.conversation(NAME).history())

    @looped
    async def test_a_store_that_cannot_be_read_is_the_callers_to_know(self) -> None:
        """The error is raised and nothing is sent; one that cannot be written is told."""
        fake, store, hook = FakeKimi(reply=echo), Fragile(), QueueHook()
        client, conversation = kept_async(fake, store=store, hooks=(hook,))
        store.reads = False
        with pytest.raises(StoreError, match="the disk is gone"):
            await ask_async(client, [user("One")])
        store.reads, store.writes = True, False
        reply = await ask_async(client, [user("One")])

        assert "Reply to One" == reply.choices[0].message.content
        assert ["StoreError"] == [e.error for e in hook.drain() if isinstance(e, Failed)]
        assert (1, []) == (len(fake.requests), await conversation.history())


class TestStreams:
    """Streams of asynchronous clients."""

    @looped
    async def test_a_stream_is_recorded_when_done_has_passed(self) -> None:
        """Not when it is opened."""
        client, conversation = kept_async(FakeKimi(reply=lambda _: LONG))
        stream = await ask_async(client, [user("One")], stream=True)
        assert [] == await conversation.history()

        assert LONG == await text_of(stream)
        assert ["One", LONG] == contents(await conversation.history())

    @looped
    async def test_a_stream_belongs_to_where_it_was_asked_for(self) -> None:
        """Read in another conversation and in another task, it is recorded in the first."""
        manager = AsyncMemoryManager(hooks=())
        client = manager.wrap(connect_async(FakeKimi(reply=echo)))
        async with manager.conversation("first") as first:
            stream = await ask_async(client, [user("One")], stream=True)
        async with manager.conversation("second") as second:
            await asyncio.create_task(text_of(stream))

        assert ["One", "Reply to One"] == contents(await first.history())
        assert [] == await second.history()

    @pytest.mark.parametrize("end", ["close", "cancel", "drop"])
    @looped
    async def test_a_stream_that_is_given_up_is_an_incomplete_turn(self, end: str) -> None:
        """Closed, cancelled while it is read, or forgotten; asking again is another try."""
        fake = FakeKimi(reply=lambda _: LONG)
        client, conversation = kept_async(fake)
        stream = await ask_async(client, [user("One")], stream=True)
        text = await text_of(stream, 3)
        if end == "close":
            await stream.close()
        elif end == "cancel":
            await cancelled(stream)
        del stream
        await collected()
        export = await conversation.export()

        assert (["One", text], False) == (contents(export["messages"]), export["complete"])
        await ask_async(client, [user("One")])
        assert ["One"] == last_sent(fake)
        assert ["One", LONG] == contents(await conversation.history())

    @pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT, Fault.NO_DONE])
    @looped
    async def test_a_stream_that_breaks_is_an_incomplete_turn(self, fault: Fault) -> None:
        """Something else goes on after the text there is."""
        fake = FakeKimi(reply=lambda _: LONG, faults=[fault])
        client, conversation = kept_async(fake)
        stream, text = await ask_async(client, [user("One")], stream=True), ""
        try:
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
        except STREAM_ERRORS:
            assert Fault.RESET is fault
        assert not (await conversation.export())["complete"]

        await ask_async(client, [user("Go on.")])
        assert ["One", text, "Go on."] == last_sent(fake)

    @looped
    async def test_half_a_call_is_never_sent(self) -> None:
        """Its arguments are not whole, so only the question is left of the turn."""
        fake = FakeKimi(faults=[Fault.CUT])
        fake.queue_reply(Reply(tool_calls=calling("weigh:0")["tool_calls"]))
        client, _ = kept_async(fake)
        await text_of(await ask_async(client, [user("Weigh.")], stream=True, tools=TOOLS))
        await ask_async(client, [user("Never mind.")])

        assert ["Weigh.", "Never mind."] == last_sent(fake)


class TestTasks:
    """Tasks of an event loop."""

    @looped
    async def test_tasks_are_in_the_conversation_they_were_started_in(self) -> None:
        """Each user in a task of their own, all at once, and no word to anybody else."""
        manager = AsyncMemoryManager(hooks=())
        client = manager.wrap(connect_async(FakeKimi(reply=echo)))

        async def converse(number: int) -> None:
            async with manager.conversation(f"user-{number}"):
                for turn in range(5):
                    await asyncio.create_task(ask_async(client, [user(f"{number}: {turn}")]))

        await asyncio.gather(*map(converse, range(TASKS)))
        for number in range(TASKS):
            history = await manager.conversation(f"user-{number}").history()
            assert [f"{number}: {turn}" for turn in range(5)] == contents(history)[::2]

    @looped
    async def test_synchronous_calls_in_threads_are_in_it_too(self) -> None:
        """`asyncio.to_thread` takes the context along."""
        manager = MemoryManager(hooks=())
        client = manager.wrap(connect(FakeKimi(reply=echo)))
        with manager.conversation(NAME) as conversation:
            await asyncio.to_thread(ask, client, [user("One")])

        assert ["One", "Reply to One"] == contents(conversation.history())

    @looped
    async def test_all_turns_of_one_conversation_are_recorded(self) -> None:
        """One waits for the other, exchanges stay in one piece, and no prompt is too large."""
        fake, hook = FakeKimi(delay=lambda _: 0.002), QueueHook()
        client, conversation = kept_async(fake, budget=BUDGET, hooks=(hook,))
        await conversation.add(talk(60)[:-1])

        async def work(number: int) -> None:
            await ask_async(client, [HEAD, user(f"Where is crate {number}?")])

        await asyncio.gather(*map(work, range(TASKS)))
        history = await conversation.history()

        assert 118 + 2 * TASKS == len(history)
        assert is_paired(history)
        assert {f"Where is crate {n}?" for n in range(TASKS)} <= {*contents(history)}
        assert max(each.prompt_tokens for each in fake.requests if each.kind == "chat") <= BUDGET
        assert 1 == len(summaries(fake))
        assert [] == [each for each in hook.drain() if isinstance(each, Failed)]

    @looped
    async def test_a_cancelled_call_records_nothing_and_keeps_nobody(self) -> None:
        """The next turn need not wait for it."""
        waits = iter([5.0])
        fake = FakeKimi(reply=echo, delay=lambda _: next(waits, 0.0))
        client, conversation = kept_async(fake, turn_wait=30.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask_async(client, [user("One")])
        async with asyncio.timeout(10):
            await ask_async(client, [user("Two")])

        assert ["Two", "Reply to Two"] == contents(await conversation.history())

    @looped
    async def test_a_turn_waits_for_the_stream_before(self) -> None:
        """Without holding the event loop up, in which that stream is being read."""
        fake = FakeKimi(reply=echo)
        client, _ = kept_async(fake)
        stream = await asyncio.create_task(ask_async(client, [user("One")], stream=True))
        later = asyncio.create_task(ask_async(client, [user("Two")]))
        await asyncio.sleep(0.02)
        assert 1 == len(fake.requests)

        await text_of(stream)
        await later
        assert ["One", "Reply to One", "Two"] == last_sent(fake)


class TestMethods:
    """What can be done with a conversation."""

    @looped
    async def test_it_can_be_looked_at(self) -> None:
        """History, view, compactions, plan and export, for nothing."""
        fake = FakeKimi()
        client, conversation = kept_async(fake, budget=BUDGET)
        await conversation.add(talk(60)[:-1])
        assert "compact" == (await conversation.plan()).plan.action
        assert [] == fake.requests

        await ask_async(client, [QUESTION])
        view, history = await conversation.messages(), await conversation.history()
        (record,) = await conversation.compactions()
        export = await conversation.export()
        assert is_compacted(view, [HEAD, *history])
        assert record.covered + len(view) - 2 == len(history)
        assert export == json.loads(json.dumps(export))
        assert (history, 1) == (export["messages"], len(export["compactions"]))
        assert f"AsyncConversation('{NAME}')" == repr(conversation)

    @looped
    async def test_it_can_be_changed(self) -> None:
        """Undone, taken back, forked, added to and forgotten."""
        fake = FakeKimi()
        client, conversation = kept_async(fake, budget=BUDGET)
        await conversation.add(talk(60)[:-1])
        await ask_async(client, [QUESTION])
        undone = await conversation.undo()
        assert undone is not None
        assert ([], None) == (await conversation.compactions(), await conversation.undo())

        assert 118 == await conversation.rewind(2)
        with pytest.raises(HistoryError):
            await conversation.rewind(3)
        other = await conversation.fork(1)
        assert 2 == await other.add([assistant("Noted.")])
        assert "other" == (await conversation.fork(name="other")).name
        assert 0 < (await conversation.forget()).records
        assert (0, 2) == (len(await conversation.history()), len(await other.history()))


async def cancelled(stream: Any) -> None:
    """Cancel a task while it reads a stream."""
    reading = asyncio.Event()

    async def read() -> None:
        async with stream:
            reading.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def collected() -> None:
    """Have what nobody refers to collected, and generators closed by the event loop."""
    gc.collect()
    await asyncio.sleep(0.01)
