"""Many calls at once that all need the same summary: it is paid for once.

The table in `test_pitfalls` says which test holds what off.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kimi_clients import BUDGET, ask, ask_async, connect, connect_async, is_compacted, sent, talk

from memory import AsyncMemoryManager, MemoryManager, QueueHook, wrap
from memory.events import Compacted, Event
from memory.testing import FakeKimi, Fault, SummaryJob

CALLERS = 20


def slow_fake(seconds: float = 0.2) -> FakeKimi:
    """Return a server that takes its time for summaries."""
    return FakeKimi(delay=lambda kind: seconds if kind == "summary" else 0.0)


def in_threads(call: Callable[[int], Any], number: int = CALLERS) -> list[Any]:
    """Make calls at once, each in a thread of its own."""
    barrier = threading.Barrier(number)

    def started(index: int) -> Any:
        barrier.wait(timeout=10)
        return call(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(started, range(number)))


def compactions(hook: QueueHook) -> list[Event]:
    """Return the events that tell of a compaction that was paid for."""
    return [each for each in hook.drain() if isinstance(each, Compacted) and each.paid]


def test_threads_share_one_summary() -> None:
    """Twenty identical calls from as many threads pay for one summary and send one view."""
    fake, hook = slow_fake(), QueueHook()
    wrapped = wrap(connect(fake), budget=BUDGET, hooks=(hook,))
    in_threads(lambda _: ask(wrapped, talk(60)))

    assert (1, CALLERS) == (len(sent(fake, "summary")), len(sent(fake)))
    assert [sent(fake)[0]] * CALLERS == sent(fake)
    assert 1 == len(compactions(hook))


def test_tasks_share_one_summary() -> None:
    """The same goes for twenty tasks of one event loop."""

    async def scenario() -> None:
        fake, hook = slow_fake(), QueueHook()
        wrapped = wrap(connect_async(fake), budget=BUDGET, hooks=(hook,))
        await asyncio.gather(*(ask_async(wrapped, talk(60)) for _ in range(CALLERS)))

        assert (1, CALLERS) == (len(sent(fake, "summary")), len(sent(fake)))
        assert [sent(fake)[0]] * CALLERS == sent(fake)
        assert 1 == len(compactions(hook))

    asyncio.run(scenario())


def test_loops_in_threads_share_one_summary() -> None:
    """One asynchronous manager that serves several event loops pays once for all of them."""
    fake = slow_fake()
    manager = AsyncMemoryManager(budget=BUDGET, hooks=())

    async def scenario() -> None:
        wrapped = manager.wrap(connect_async(fake))
        await asyncio.gather(*(ask_async(wrapped, talk(60)) for _ in range(5)))

    in_threads(lambda _: asyncio.run(scenario()), 4)

    assert (1, 20) == (len(sent(fake, "summary")), len(sent(fake)))


def test_both_colours_share_one_summary() -> None:
    """A synchronous and an asynchronous client of one manager wait for each other."""
    fake = slow_fake()
    manager = MemoryManager(budget=BUDGET, hooks=())

    def call(index: int) -> None:
        if index % 2:
            ask(manager.wrap(connect(fake)), talk(60))
        else:
            asyncio.run(ask_async(manager.wrap(connect_async(fake)), talk(60)))

    in_threads(call, 6)

    assert (1, 6) == (len(sent(fake, "summary")), len(sent(fake)))


def test_derived_clients_share_one_summary() -> None:
    """Options for each call are no reason to pay for each call."""
    fake = slow_fake()
    wrapped = wrap(connect(fake), budget=BUDGET)
    in_threads(lambda index: ask(wrapped.with_options(timeout=60.0 + index), talk(60)))

    assert 1 == len(sent(fake, "summary"))


def test_other_conversations_do_not_wait() -> None:
    """Eight conversations that are summarised at once take hardly longer than one."""
    fake = slow_fake(0.5)
    wrapped = wrap(connect(fake), budget=BUDGET)
    ask(wrapped, talk(1))
    begun = time.monotonic()
    in_threads(lambda index: ask(wrapped, talk(60, start=100 * index)), 8)

    assert 8 == len(sent(fake, "summary"))
    assert time.monotonic() - begun < 4 * 0.5


def test_those_who_wait_hear_of_a_failure() -> None:
    """A summary that fails is not asked for again by each of those who waited for it."""
    fake = slow_fake(0.1)
    fake.fail_always(Fault.CONTENT_FILTER, only="summary")
    wrapped = wrap(connect(fake), budget=BUDGET)
    in_threads(lambda _: ask(wrapped, talk(60)))

    assert 1 == len(sent(fake, "summary"))
    assert [True] * CALLERS == [is_compacted(each, talk(60)) for each in sent(fake)]


def test_those_who_wait_outlive_a_cancelled_one() -> None:
    """When the task that pays is cancelled, one of those who wait pays instead."""

    async def scenario() -> None:
        asked = asyncio.Event()

        def summarize(_job: SummaryJob) -> str:
            asked.set()
            return "Sixty crates came in."

        fake = FakeKimi(slow_seconds=30.0, summarize=summarize)
        fake.fail_next(Fault.SLOW, only="summary")
        wrapped = wrap(connect_async(fake), budget=BUDGET)
        first, *others = [asyncio.ensure_future(ask_async(wrapped, talk(60))) for _ in range(5)]
        await asyncio.wait_for(asked.wait(), timeout=10)
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.wait_for(asyncio.gather(*others), timeout=10)

        assert first.cancelled()
        assert 2 == len(sent(fake, "summary"))
        assert [True] * 4 == [is_compacted(each, talk(60)) for each in sent(fake)]

    asyncio.run(scenario())
