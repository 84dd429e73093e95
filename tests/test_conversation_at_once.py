"""Conversations from many threads at once: everybody in their own, or all in one."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import openai
import pytest
from chats import NAME, calling, contents, echo, kept, last_sent, result
from fake_kimi_requests import assistant, user
from kimi_clients import (
    BUDGET,
    HEAD,
    TOOLS,
    ask,
    ask_async,
    connect,
    connect_async,
    sent,
    summaries,
    talk,
)
from talks import is_paired

from memory import ConversationBusy, MemoryManager, QueueHook
from memory.events import Event, Failed
from memory.testing import FakeKimi

CALLERS = 8


def in_threads(call: Callable[[int], Any], number: int = CALLERS) -> list[Any]:
    """Make calls at once, each in a thread of its own."""
    barrier = threading.Barrier(number)

    def started(index: int) -> Any:
        barrier.wait(timeout=10)
        return call(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(started, range(number)))


def failures(hook: QueueHook) -> list[Event]:
    """Return the events that tell of a failure."""
    return [each for each in hook.drain() if isinstance(each, Failed)]


def answers(history: Any) -> dict[str, str]:
    """Return for each question what stands behind it."""
    return {
        one["content"]: other["content"]
        for one, other in pairwise(history)
        if one["role"] == "user"
    }


def persistently(client: Any, messages: Any) -> None:
    """Ask until the conversation does not wait for the results of somebody else."""
    while True:
        try:
            ask(client, messages)
        except ConversationBusy:
            time.sleep(0.001)
        else:
            return


def weigher(body: Any) -> Any:
    """Reply to whoever weighs with a call, and to everybody else with a text."""
    said = body["messages"][-1]["content"]
    if not said.endswith("weighs"):
        return f"Reply to {said}"
    return calling(f"weigh:{said.split()[0]}")


class TestContexts:
    """Which conversation a thread is in."""

    def test_a_copied_context_is_in_the_conversation(self) -> None:
        """A thread that is started with it goes on from what was entered outside."""
        manager = MemoryManager(hooks=())
        client = manager.wrap(connect(FakeKimi(reply=echo)))
        with manager.conversation(NAME) as conversation:
            context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(ask, client, [user("One")]))
        thread.start()
        thread.join()

        assert ["One", "Reply to One"] == contents(conversation.history())

    def test_entering_in_one_thread_says_nothing_to_others(self) -> None:
        """Each is in the conversation that it entered itself, at the same time."""
        manager = MemoryManager(hooks=())
        client = manager.wrap(connect(FakeKimi(reply=echo)))

        def converse(number: int) -> None:
            with manager.conversation(f"user-{number}"):
                for turn in range(5):
                    ask(client, [user(f"{number}: {turn}")])

        in_threads(converse)
        for number in range(CALLERS):
            expected = [
                each
                for turn in range(5)
                for each in (f"{number}: {turn}", f"Reply to {number}: {turn}")
            ]
            assert expected == contents(manager.conversation(f"user-{number}").history())

    def test_a_stream_is_recorded_from_any_thread(self) -> None:
        """It belongs to where it was asked for, also where the reader is in another one."""
        manager = MemoryManager(hooks=())
        client = manager.wrap(connect(FakeKimi(reply=echo)))
        with manager.conversation("first") as first:
            stream = ask(client, [user("One")], stream=True)

        def read(_: int) -> None:
            with manager.conversation("second"):
                list(stream)

        in_threads(read, 1)
        assert ["One", "Reply to One"] == contents(first.history())
        assert [] == manager.conversation("second").history()


class TestOneConversation:
    """Several threads in the same one."""

    @pytest.mark.parametrize("begun", [0, 2_000])
    def test_all_turns_are_recorded(self, begun: int) -> None:
        """Each question stands before its answer, however long the conversation is already."""
        hook = QueueHook()
        client, conversation = kept(FakeKimi(reply=echo), hooks=(hook,))
        conversation.add([each for n in range(begun) for each in (user(f"{n}"), assistant("ok"))])

        def work(number: int) -> None:
            for turn in range(4):
                ask(client, [user(f"{number}: {turn}")])

        in_threads(work)
        expected = {f"{n}: {turn}" for n in range(CALLERS) for turn in range(4)}
        said = answers(conversation.history()[2 * begun :])

        assert {question: f"Reply to {question}" for question in expected} == said
        assert [] == failures(hook)

    def test_turns_in_a_line_see_each_other(self) -> None:
        """A turn waits for the one before, so that its prompt has the reply of that."""
        fake = FakeKimi(reply=echo, delay=lambda _: 0.01)
        client, _ = kept(fake)
        in_threads(lambda number: ask(client, [user(f"{number}")]))

        assert [1, 3, 5, 7, 9, 11, 13, 15] == [len(each.body["messages"]) for each in fake.requests]

    def test_exchanges_stay_in_one_piece(self) -> None:
        """While some call tools and bring results, others wait and lose nothing."""
        fake, hook = FakeKimi(reply=weigher), QueueHook()
        client, conversation = kept(fake, hooks=(hook,))

        def work(number: int) -> None:
            if number % 2:
                persistently(client, [user(f"{number} asks")])
                return
            persistently(client, [user(f"{number} weighs")])
            ask(client, [result(f"weigh:{number}", f"{number} kg")], tools=TOOLS)

        in_threads(work)
        history = conversation.history()

        assert is_paired(history)
        assert 4 * 2 + 4 * 4 == len(history)
        assert {200} == {each.status for each in fake.requests}
        assert [] == failures(hook)

    def test_a_long_conversation_is_compacted_once(self) -> None:
        """Many turns that would all need a summary pay for one, and no prompt is too large."""
        fake, hook = FakeKimi(), QueueHook()
        client, conversation = kept(fake, budget=BUDGET, hooks=(hook,))
        conversation.add(talk(60)[:-1])
        in_threads(lambda number: ask(client, [HEAD, user(f"Where is crate {number}?")]))

        assert max(each.prompt_tokens for each in fake.requests if each.kind == "chat") <= BUDGET
        assert 1 == len(summaries(fake))
        assert 118 + 2 * CALLERS == len(conversation.history())
        assert [] == failures(hook)

    def test_changes_at_once_are_all_made(self) -> None:
        """Messages that several threads add are all there, those of each in their order."""
        _, conversation = kept(FakeKimi())

        def work(number: int) -> None:
            for turn in range(10):
                conversation.add([user(f"{number}: {turn}")])

        in_threads(work)
        said = contents(conversation.history())

        assert 10 * CALLERS == len(said)
        for number in range(CALLERS):
            mine = [each for each in said if each.startswith(f"{number}:")]
            assert [f"{number}: {turn}" for turn in range(10)] == mine


def opened(client: Any) -> Any:
    """Return a stream that another thread has opened, which has ended since."""
    (stream,) = in_threads(lambda _: ask(client, [user("One")], stream=True), 1)
    return stream


class TestWaiting:
    """For the turn before."""

    def test_a_turn_waits_for_the_stream_before(self) -> None:
        """It is made once that has been read, and knows what it said."""
        fake = FakeKimi(reply=echo)
        client, _ = kept(fake)
        stream = opened(client)
        later = threading.Thread(target=ask, args=(client, [user("Two")]))
        later.start()
        time.sleep(0.05)
        assert 1 == len(fake.requests)

        list(stream)
        later.join()
        assert ["One", "Reply to One", "Two"] == last_sent(fake)

    @pytest.mark.parametrize("end", ["close", "drop"])
    def test_a_stream_that_is_given_up_keeps_nobody(self, end: str) -> None:
        """Closed or forgotten, it is over."""
        client, conversation = kept(FakeKimi(reply=echo), turn_wait=30.0)
        stream = opened(client)
        if end == "close":
            stream.close()
        del stream
        gc.collect()  # the SDK's streams refer to themselves
        start = time.monotonic()
        ask(client, [user("Two")])

        assert time.monotonic() - start < 10
        assert "Reply to Two" == contents(conversation.history())[-1]

    def test_patience_ends(self) -> None:
        """A stream that nobody reads is waited for as long as the setting says."""
        client, conversation = kept(FakeKimi(reply=echo), turn_wait=0.05)
        stream = opened(client)
        ask(client, [user("Two")])
        list(stream)

        expected = ["Two", "Reply to Two", "One", "Reply to One"]
        assert expected == contents(conversation.history())

    def test_looking_and_side_calls_do_not_wait(self) -> None:
        """Only turns wait for turns."""
        manager = MemoryManager(hooks=())
        client = manager.with_options(conversation=NAME).wrap(connect(FakeKimi(reply=echo)))
        stream = opened(client)
        start = time.monotonic()
        with manager.override(record=False):
            ask(client, [user("A title?")])
        assert [] == manager.conversation(NAME).history()
        assert time.monotonic() - start < 10

        list(stream)
        assert 2 == len(manager.conversation(NAME).history())

    def test_a_call_that_fails_keeps_nobody(self) -> None:
        """The next turn need not wait for one that ended in an error."""
        client, conversation = kept(FakeKimi(reply=echo), turn_wait=30.0)

        def fail(_: int) -> None:
            with pytest.raises(openai.NotFoundError):
                ask(client, [user("One")], model="none")

        in_threads(fail, 1)
        start = time.monotonic()
        ask(client, [user("Two")])

        assert time.monotonic() - start < 10
        assert ["Two", "Reply to Two"] == contents(conversation.history())


def test_clients_of_both_kinds_share_a_conversation() -> None:
    """A manager serves threads and tasks at once, and their turns follow one another."""

    async def scenario() -> None:
        fake, manager = FakeKimi(reply=echo), MemoryManager(hooks=())
        one, other = manager.wrap(connect(fake)), manager.wrap(connect_async(fake))
        with manager.conversation(NAME) as conversation:
            threads = [asyncio.to_thread(ask, one, [user(f"thread {n}")]) for n in range(4)]
            tasks = [ask_async(other, [user(f"task {n}")]) for n in range(4)]
            await asyncio.gather(*threads, *tasks)
        said = answers(conversation.history())

        assert 8 == len(said)
        assert {question: f"Reply to {question}" for question in said} == said
        assert [1, 3, 5, 7, 9, 11, 13, 15] == [len(each) for each in sent(fake)]

    asyncio.run(scenario())
