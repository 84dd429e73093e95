"""Work in the background: threads and tasks beside the caller's, and waiting for them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from workbench import SPACE, WordCounter

from memory import AsyncMemoryManager, MemoryManager
from memory.background import Background
from memory.drive import run
from memory.flow import Claim, Flow, Known, LogKey, Release, Spawn
from memory.handlers import AsyncHandler, Handler
from memory.outside import Outside
from memory.stores import VolatileStore

LINKS = (b"a", b"b", b"c")
"""The chain hashes of two messages."""


def outside() -> Outside:
    """Return the outside of a handler: an empty store and no hooks."""
    return Outside(store=VolatileStore(), hooks=(), count=WordCounter().count)


@pytest.fixture
def sealed() -> Iterator[threading.Event]:
    """Return a gate that opens at the end of the test at the latest."""
    gate = threading.Event()
    yield gate
    gate.set()


def noting(notes: list[str], gate: threading.Event | None = None) -> Flow[None]:
    """Ask once, wait for the gate, and note in which thread."""
    yield from Known(namespace=SPACE).perform()
    if gate is not None:
        gate.wait(timeout=10)
    notes.append(threading.current_thread().name)


def test_a_spawned_flow_runs_beside() -> None:
    """In a thread of its own, while the one that spawned it goes on."""
    out, notes, gate = outside(), list[str](), threading.Event()

    def flow() -> Flow[int]:
        yield from Spawn(flow=noting(notes, gate)).perform()
        return len(out.background.pending())

    assert 1 == Handler(out, None).run(flow())
    assert [] == notes
    (job,) = out.background.pending()
    gate.set()
    job.result(timeout=10)
    assert ["kimi-memory"] == notes
    assert [] == out.background.pending()


def test_a_spawned_flow_is_a_task() -> None:
    """Of the loop that runs the one that spawned it."""
    out, notes = outside(), list[str]()

    def flow() -> Flow[None]:
        yield from Spawn(flow=noting(notes)).perform()

    async def scenario() -> None:
        await AsyncHandler(out, None).run(flow())
        assert [] == notes
        (job,) = out.background.pending()
        await asyncio.wait_for(asyncio.wrap_future(job), timeout=10)

    asyncio.run(scenario())

    assert [threading.current_thread().name] == notes
    assert [] == out.background.pending()


def test_a_spawned_flow_has_claims_of_its_own() -> None:
    """What it claims is not given up when the one that spawned it ends."""
    out, gate, claimed = outside(), threading.Event(), threading.Event()

    def beside() -> Flow[None]:
        yield from Claim(key=LogKey(namespace=SPACE), links=LINKS, patience=0.0).perform()
        claimed.set()
        gate.wait(timeout=10)

    def flow() -> Flow[None]:
        yield from Spawn(flow=beside()).perform()

    Handler(out, None).run(flow())
    assert claimed.wait(timeout=10)
    assert not out.flights.claim(SPACE, LINKS)[1]
    (job,) = out.background.pending()
    gate.set()
    job.result(timeout=10)
    assert out.flights.claim(SPACE, LINKS)[1]


def test_a_spawned_task_has_claims_of_its_own() -> None:
    """What the one that spawned it holds is not given up when it ends."""
    out = outside()

    def beside() -> Flow[None]:
        yield from Release().perform()

    def flow() -> Flow[bool]:
        mine = yield from Claim(key=LogKey(namespace=SPACE), links=LINKS, patience=0.0).perform()
        yield from Spawn(flow=beside()).perform()
        return mine

    async def scenario() -> None:
        handler = AsyncHandler(out, None)
        steps = flow()
        await handler.perform(next(steps))
        await handler.perform(steps.send(True))  # noqa: FBT003  # the reply to a claim
        (job,) = out.background.pending()
        await asyncio.wait_for(asyncio.wrap_future(job), timeout=10)

        assert not out.flights.claim(SPACE, LINKS)[1]

    asyncio.run(scenario())


def test_a_job_that_cannot_start_is_not_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no more threads the caller is told, and nobody waits for it."""

    def refuse(_self: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    background = Background()
    monkeypatch.setattr(threading.Thread, "start", refuse)

    with pytest.raises(RuntimeError, match="new thread"):
        background.thread(print)
    assert [] == background.pending()


def test_a_task_needs_a_loop() -> None:
    """Where none runs the caller is told, and nobody waits for it."""
    background = Background()
    work = asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="event loop"):
        background.task(work)
    work.close()
    assert [] == background.pending()


def test_what_a_closed_loop_left_is_not_pending() -> None:
    """It can never go on; one that will not even be closed is forgotten all the same."""
    background, loop = Background(), asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # it says that tasks were pending
    closed = list[str]()

    async def work(name: str, *, stubborn: bool) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(name)
            if stubborn:
                await asyncio.sleep(0)

    async def begin() -> None:
        background.task(work("stubborn", stubborn=True))
        background.task(work("willing", stubborn=False))
        await asyncio.sleep(0)

    loop.run_until_complete(begin())
    jobs = background.pending()
    loop.close()

    assert 2 == len(jobs)
    assert [] == background.pending()
    assert ["stubborn", "willing"] == closed
    assert [True, True] == [job.done() for job in jobs]


def test_flushing_waits(sealed: threading.Event) -> None:
    """As long as it may, and says whether everything is done."""
    manager = MemoryManager(hooks=())
    assert manager.flush()

    manager.outside.background.thread(lambda: sealed.wait(timeout=10))
    assert not manager.flush(timeout=0.02)
    sealed.set()
    assert manager.flush(timeout=10)
    assert [] == manager.outside.background.pending()


def test_flushing_can_be_awaited(sealed: threading.Event) -> None:
    """For jobs in threads as for tasks, without blocking the loop."""

    async def scenario() -> None:
        manager, hurry = AsyncMemoryManager(hooks=()), asyncio.Event()
        assert await manager.flush()

        manager.outside.background.thread(lambda: sealed.wait(timeout=10))
        manager.outside.background.task(hurry.wait())
        assert not await manager.flush(timeout=0.02)
        hurry.set()
        assert not await manager.flush(timeout=0.02)
        sealed.set()
        assert await manager.flush(timeout=10)

    asyncio.run(scenario())


def test_a_job_that_fails_is_done(recwarn: pytest.WarningsRecorder) -> None:
    """Nobody waits for ever, whatever it raised."""
    background = Background()
    caught = list[object]()
    hook, threading.excepthook = threading.excepthook, lambda args: caught.append(args.exc_type)
    try:
        background.thread(lambda: run(noting([]), _refuse))
        for job in background.pending():
            job.result(timeout=10)
        while not caught:
            time.sleep(0.001)
    finally:
        threading.excepthook = hook

    assert [ZeroDivisionError] == caught
    assert [] == list(recwarn)


def _refuse(_effect: object) -> None:
    raise ZeroDivisionError
