"""Many calls at once pay for one summary, and nobody waits for what is not theirs.

Summaries are written by the server or by a summariser of the test that stops at a gate, so that
what overlaps is decided by the test and not by the clock.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
from background_desk import NOTES, PATIENCE, is_free
from fake_kimi_requests import assistant, user
from kimi_clients import (
    BUDGET,
    ask,
    ask_async,
    connect,
    connect_async,
    is_compacted,
    sent,
    summaries,
    talk,
)

from memory import AsyncMemoryManager, BudgetError, MemoryManager, QueueHook
from memory.events import Compacted, FellBack
from memory.summary import Draft, SummaryRequest
from memory.testing import FakeKimi, SummaryJob

CALLERS = 20


def slow() -> FakeKimi:
    """Return a server that takes its time for summaries."""
    return FakeKimi(delay=lambda kind: 0.2 if kind == "summary" else 0.0)


def same(_index: int) -> list[dict[str, Any]]:
    """Return a conversation over the budget, the same for all."""
    return talk(60)


def branches(index: int) -> list[dict[str, Any]]:
    """Return the same history with a question of one's own."""
    return [*talk(60)[:-1], user(f"And what about crate {index}?")]


def in_threads(fake: FakeKimi, conversation: Callable[[int], Any]) -> None:
    """Make all calls at once, each in a thread of its own."""
    wrapped = MemoryManager(budget=BUDGET, hooks=()).wrap(connect(fake))
    at_once(lambda index: ask(wrapped, conversation(index)))


def in_tasks(fake: FakeKimi, conversation: Callable[[int], Any]) -> None:
    """Make all calls at once, each in a task of one event loop."""

    async def scenario() -> None:
        wrapped = AsyncMemoryManager(budget=BUDGET, hooks=()).wrap(connect_async(fake))
        await asyncio.gather(*(ask_async(wrapped, conversation(i)) for i in range(CALLERS)))

    asyncio.run(scenario())


def mixed(fake: FakeKimi, conversation: Callable[[int], Any]) -> None:
    """Make every other call in a thread, and the others in the tasks of two event loops."""
    manager = MemoryManager(budget=BUDGET, hooks=())
    client = manager.wrap(connect(fake))

    async def scenario(first: int) -> None:
        other = manager.wrap(connect_async(fake))
        calls = range(first, CALLERS, 4)
        await asyncio.gather(*(ask_async(other, conversation(index)) for index in calls))

    def call(index: int) -> None:
        if index in (1, 3):
            asyncio.run(scenario(index))
        elif index % 2 == 0:
            ask(client, conversation(index))

    at_once(call)


def at_once(call: Callable[[int], Any], number: int = CALLERS) -> list[Any]:
    """Make calls that begin together, and return their results."""
    barrier = threading.Barrier(number)

    def begun(index: int) -> Any:
        barrier.wait(timeout=PATIENCE)
        return call(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begun, range(number)))


everywhere = pytest.mark.parametrize("make", [in_threads, in_tasks, mixed])


@everywhere
def test_identical_calls_pay_for_one_summary(make: Callable[..., None]) -> None:
    """And each sends the same view."""
    fake = slow()
    make(fake, same)

    assert 1 == len(summaries(fake))
    assert [sent(fake)[0]] * CALLERS == sent(fake)
    assert is_compacted(sent(fake)[0], talk(60))


@everywhere
def test_calls_with_the_same_history_pay_for_one_summary(make: Callable[..., None]) -> None:
    """Each ends with its own question."""
    fake = slow()
    make(fake, branches)
    asked = sorted(messages[-1]["content"] for messages in sent(fake))

    assert 1 == len(summaries(fake))
    assert sorted(branches(index)[-1]["content"] for index in range(CALLERS)) == asked
    assert 1 == len({str(messages[:2]) for messages in sent(fake)})


class Gate:
    """A summariser at whose gate each request stops until it is let through.

    Args:
        rule: Called with the number of the request, from 0, once it may go on; may raise.
    """

    def __init__(self, rule: Callable[[int], None] = lambda _number: None) -> None:
        self._rule = rule
        self._arrived = threading.Semaphore(0)
        self._open = threading.Event()
        self._lock = threading.Lock()
        self.asked = 0

    def summarize(self, _request: SummaryRequest, /) -> Draft:
        """Stop, and answer."""
        with self._lock:
            number, self.asked = self.asked, self.asked + 1
        self._arrived.release()
        assert self._open.wait(timeout=PATIENCE)
        self._rule(number)
        return Draft(text=NOTES, author="gate")

    def wait_for(self, number: int = 1) -> None:
        """Wait until so many requests more have come to the gate."""
        for _ in range(number):
            assert self._arrived.acquire(timeout=PATIENCE)

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()


def test_other_conversations_are_summarised_at_the_same_time() -> None:
    """Five requests for summaries are on their way before any has an answer."""
    gate = Gate()
    wrapped = MemoryManager(budget=BUDGET, hooks=(), summarizer=gate).wrap(connect(FakeKimi()))
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(ask, wrapped, talk(60, start=100 * place)) for place in range(5)]
        gate.wait_for(5)
        gate.open()
        wait(calls)

    assert 5 == gate.asked


def test_tasks_summarise_other_conversations_at_the_same_time() -> None:
    """A barrier in the summariser lets nobody through before all have come."""

    async def scenario() -> None:
        barrier = asyncio.Barrier(5)

        class Meeting:
            async def summarize(self, _request: SummaryRequest, /) -> Draft:
                await asyncio.wait_for(barrier.wait(), timeout=PATIENCE)
                return Draft(text=NOTES, author="meeting")

        manager = AsyncMemoryManager(budget=BUDGET, hooks=(), summarizer=Meeting())
        wrapped = manager.wrap(connect_async(FakeKimi()))
        places = range(0, 500, 100)
        await asyncio.gather(*(ask_async(wrapped, talk(60, start=place)) for place in places))

    asyncio.run(scenario())


def test_what_fits_does_not_wait() -> None:
    """While a conversation is summarised, short calls of the same beginning are answered."""
    gate, fake = Gate(), FakeKimi()
    wrapped = MemoryManager(budget=BUDGET, hooks=(), summarizer=gate).wrap(connect(fake))
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(ask, wrapped, talk(60))
        gate.wait_for()
        ask(wrapped, talk(10))

        assert not long.done()
        assert [talk(10)] == sent(fake)
        gate.open()
        assert long.result(timeout=PATIENCE)


def test_a_known_summary_does_not_wait() -> None:
    """Nor does a call for which a summary was written before."""
    fake, gate = FakeKimi(), Gate()
    manager = MemoryManager(budget=BUDGET, hooks=())
    wrapped = manager.wrap(connect(fake))
    ask(wrapped, talk(60))
    manager.summarizer = gate
    with ThreadPoolExecutor(1) as pool:
        grown = pool.submit(ask, wrapped, talk(100))
        gate.wait_for()
        ask(wrapped, talk(61))

        assert 1 == len(summaries(fake))
        assert is_compacted(sent(fake)[-1], talk(61))
        assert not grown.done()
        gate.open()
        assert grown.result(timeout=PATIENCE)


def first_of(
    fails: Callable[[int], None], *, callers: int = 4
) -> tuple[Gate, FakeKimi, MemoryManager, list[Future[Any]]]:
    """Make identical calls of which the first one stands at the gate before the others begin."""
    gate, fake = Gate(fails), FakeKimi()
    manager = MemoryManager(budget=BUDGET, hooks=(), summarizer=gate)
    wrapped = manager.wrap(connect(fake))
    calls: list[Future[Any]] = []
    with ThreadPoolExecutor(callers) as pool:
        calls.append(pool.submit(ask, wrapped, talk(60)))
        gate.wait_for()
        calls += [pool.submit(ask, wrapped, talk(60)) for _ in range(callers - 1)]
        gate.open()
    return gate, fake, manager, calls


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_a_thread_that_dies_lets_another_go_on(interrupt: type[BaseException]) -> None:
    """One of those who wait pays in its place, and nobody waits for the dead."""

    def dies(number: int) -> None:
        if number == 0:
            raise interrupt

    gate, fake, manager, (first, *others) = first_of(dies)

    assert isinstance(first.exception(), interrupt)
    assert [None] * 3 == [each.exception() for each in others]
    assert (2, 3) == (gate.asked, len(sent(fake)))
    assert is_free(manager, talk(60))


def test_a_summary_that_fails_stands_for_all() -> None:
    """The offline one that takes its place is on record: the others do not ask again."""

    def fails(_number: int) -> None:
        message = "no"
        raise ValueError(message)

    gate, fake, _, calls = first_of(fails)

    assert [None] * 4 == [each.exception() for each in calls]
    assert 1 == gate.asked
    assert [sent(fake)[0]] * 4 == sent(fake)


def test_who_cannot_be_helped_does_not_hold_the_others() -> None:
    """`BudgetError` for each of those who ask for the impossible, one after the other."""
    manager = MemoryManager(budget=200, hooks=())
    wrapped = manager.wrap(connect(FakeKimi()))
    long = [*talk(60), assistant("Yes."), user("word " * 500)]

    def call(_index: int) -> BaseException | None:
        try:
            ask(wrapped, long)
        except BudgetError as error:
            return error
        return None

    assert [BudgetError] * 4 == [type(error) for error in at_once(call, 4)]
    assert is_free(manager, long)


def test_who_has_no_patience_left_pays() -> None:
    """`summary_deadline` is also how long one waits for the summary of another."""
    gate, hook = Gate(), QueueHook()
    manager = MemoryManager(budget=BUDGET, hooks=(hook,), summarizer=gate, summary_deadline=0.1)
    wrapped = manager.wrap(connect(FakeKimi()))
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(ask, wrapped, talk(60)) for _ in range(2)]
        gate.wait_for(2)
        gate.open()
        wait(calls)
    told = hook.drain()

    assert [None, None] == [each.exception() for each in calls]
    assert [] == [event for event in told if isinstance(event, FellBack)]
    assert [True] == [event.paid for event in told if isinstance(event, Compacted)]


def test_a_task_without_patience_pays() -> None:
    """The same holds for tasks."""

    async def scenario() -> int:
        asked, arrived = 0, asyncio.Event()

        class Slow:
            async def summarize(self, _request: SummaryRequest, /) -> Draft:
                nonlocal asked
                asked += 1
                if asked == 2:
                    arrived.set()
                await asyncio.wait_for(arrived.wait(), timeout=PATIENCE)
                return Draft(text=NOTES, author="slow")

        manager = AsyncMemoryManager(
            budget=BUDGET, hooks=(), summarizer=Slow(), summary_deadline=0.1
        )
        wrapped = manager.wrap(connect_async(FakeKimi()))
        await asyncio.gather(*(ask_async(wrapped, talk(60)) for _ in range(2)))
        return asked

    assert 2 == asyncio.run(scenario())


def test_a_thread_does_not_wait_for_itself() -> None:
    """A synchronous call on the thread of a loop pays rather than wait for a task of that loop."""

    async def scenario() -> None:
        asked = asyncio.Event()

        def summarize(_job: SummaryJob) -> str:
            asked.set()
            return NOTES

        fake = FakeKimi(summarize=summarize, delay=lambda kind: 0.1 if kind == "summary" else 0.0)
        manager = MemoryManager(budget=BUDGET, hooks=(), summary_deadline=PATIENCE)
        first = asyncio.create_task(ask_async(manager.wrap(connect_async(fake)), talk(60)))
        await asyncio.wait_for(asked.wait(), timeout=PATIENCE)
        ask(manager.wrap(connect(fake)), talk(60))

        assert 2 == len(summaries(fake))
        assert not first.done()
        await first

    begun = ThreadPoolExecutor(1).submit(asyncio.run, scenario())
    begun.result(timeout=PATIENCE / 2)
