"""Performing effects: store, hooks, and asking a summariser again, but not too often."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from workbench import SPACE, WordCounter, user

from memory.errors import ConflictError, SummaryError
from memory.events import Event
from memory.flow import Append, Effect, Emit, Extract, Find, Known, Load, Log, LogKey, Summarize
from memory.handlers import AsyncHandler, Handler
from memory.outside import Outside
from memory.records import Compaction, Segment
from memory.stores import VolatileStore
from memory.summary import Draft, SummaryRequest

KEY = LogKey(namespace=SPACE, root="a")
RECORD = Compaction(covered=1, coverage=b"c", adopted=2, adoption=b"a", mark=b"m")
DRAFT = Draft(text="It is in Bern.", author="kimi-k2.6")
AGAIN = SummaryError("busy", retryable=True, retry_after=0.0)
NEVER = SummaryError("out of money", retryable=False)

Attempts = Iterator[Any]
Perform = Callable[[Effect[Any]], Any]


def request(deadline: float = 10.0) -> SummaryRequest:
    """Return a request for a summary of one sentence."""
    said = user("The station is in Bern and the train leaves at 8.")
    return SummaryRequest(
        form="shared",
        model="kimi-k2.6",
        prefix=(),
        slice=(said,),
        cap=50,
        source_tokens=100,
        deadline=deadline,
    )


class _Scripted:
    """Answers with what is on a list, and remembers what it was asked, and when."""

    def __init__(self, *script: Any) -> None:
        self._script = iter(script)
        self.requests: list[SummaryRequest] = []
        self.times: list[float] = []

    def summarize(self, asked: SummaryRequest, /) -> Draft:
        self.requests.append(asked)
        self.times.append(time.monotonic())
        answer: Any = next(self._script)
        if isinstance(answer, BaseException):
            raise answer
        return DRAFT


class _Later:
    """The same, asynchronously."""

    def __init__(self, scripted: _Scripted) -> None:
        self._scripted = scripted

    async def summarize(self, asked: SummaryRequest, /) -> Draft:
        await asyncio.sleep(0)
        return self._scripted.summarize(asked)


def outside(*hooks: Callable[[Event], None]) -> Outside:
    """Return the outside of a handler: an empty store, and hooks."""
    return Outside(store=VolatileStore(), hooks=hooks, count=WordCounter().count)


def handle(scripted: _Scripted | None, effect: Effect[Any]) -> Any:
    """Perform an effect with the synchronous handler."""
    return Handler(outside(), scripted).perform(effect)


def ahandle(scripted: _Scripted | None, effect: Effect[Any]) -> Any:
    """Perform an effect with the asynchronous handler."""
    later = None if scripted is None else _Later(scripted)
    return asyncio.run(AsyncHandler(outside(), later).perform(effect))


both = pytest.mark.parametrize("handler", [handle, ahandle], ids=["sync", "async"])


def test_the_store_is_asked() -> None:
    """Appending, loading, searching and what is known go to it and its replies come back."""
    perform = Handler(outside(), None).perform

    assert perform(Known(namespace=SPACE)) is None
    assert 1 == perform(Append(key=KEY, records=(RECORD,), expected=0))
    assert Log(records=(RECORD,), version=1) == perform(Load(key=KEY))
    assert (RECORD,) == perform(Find(namespace=SPACE, hashes=frozenset({b"m"})))
    assert 2 == perform(Known(namespace=SPACE))


@both
def test_errors_of_the_store_are_raised(handler: Any) -> None:
    """They are for the flow to handle."""
    with pytest.raises(ConflictError):
        handler(None, Append(key=KEY, records=(RECORD,), expected=3))


@both
def test_an_unknown_effect_is_an_error(handler: Any) -> None:
    """A handler that does nothing for it would send None into the flow."""
    with pytest.raises(TypeError, match="_Unheard"):
        handler(None, _Unheard())


class _Unheard(Effect[None]):
    """An effect that nobody performs."""


def test_every_hook_is_told() -> None:
    """In order, also when one raises; that is logged."""
    told: list[Event] = []

    def broken(_event: Event) -> None:
        message = "I broke"
        raise RuntimeError(message)

    event = Event(namespace=SPACE)
    Handler(outside(told.append, broken, told.append), None).perform(Emit(event=event))

    assert [event, event] == told


def test_a_hook_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback, to the logger `memory`."""

    def broken(_event: Event) -> None:
        message = "I broke"
        raise RuntimeError(message)

    Handler(outside(broken), None).perform(Emit(event=Event()))
    (line,) = caplog.records

    assert ("memory", logging.ERROR) == (line.name, line.levelno)
    assert "I broke" in caplog.text


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_hook_is_not_swallowed(interrupt: type[BaseException]) -> None:
    """It belongs to the application."""

    def stop(_event: Event) -> None:
        raise interrupt

    with pytest.raises(interrupt):
        Handler(outside(stop), None).perform(Emit(event=Event()))


@both
def test_a_summary_is_handed_on(handler: Any) -> None:
    """The request arrives as it was made, the draft as it came."""
    scripted, asked = _Scripted(DRAFT), request()

    assert handler(scripted, Summarize(request=asked)) is DRAFT
    assert [asked] == scripted.requests


@both
def test_without_a_summarizer_the_offline_one_writes(handler: Any) -> None:
    """From the messages of the slice, within the cap."""
    draft = handler(None, Summarize(request=request()))

    assert ("extractive", "stop") == (draft.author, draft.finish_reason)
    assert "The station is in Bern" in draft.text


@both
def test_the_offline_summariser_is_never_asked_online(handler: Any) -> None:
    """`Extract` goes past the one that asks a model."""
    scripted = _Scripted()

    assert "extractive" == handler(scripted, Extract(request=request())).author
    assert [] == scripted.requests


@both
def test_a_failure_that_may_pass_is_tried_once_more(handler: Any) -> None:
    """Two attempts in all."""
    scripted = _Scripted(AGAIN, DRAFT)

    assert handler(scripted, Summarize(request=request())) is DRAFT
    assert 2 == len(scripted.requests)


@both
def test_two_failures_are_enough(handler: Any) -> None:
    """The second one is raised."""
    scripted = _Scripted(AGAIN, SummaryError("still busy", retryable=True), DRAFT)

    with pytest.raises(SummaryError, match="still busy"):
        handler(scripted, Summarize(request=request()))
    assert 2 == len(scripted.requests)


@both
def test_a_failure_that_will_not_pass_is_final(handler: Any) -> None:
    """An empty account is not asked again."""
    scripted = _Scripted(NEVER, DRAFT)

    with pytest.raises(SummaryError, match="out of money"):
        handler(scripted, Summarize(request=request()))
    assert 1 == len(scripted.requests)


@both
def test_the_server_says_when_to_ask_again(handler: Any) -> None:
    """`Retry-After` is waited for."""
    scripted = _Scripted(SummaryError("busy", retryable=True, retry_after=0.08), DRAFT)
    handler(scripted, Summarize(request=request()))
    first, second = scripted.times

    assert 0.08 <= second - first < 5


@both
def test_a_wait_beyond_the_deadline_is_not_begun(handler: Any) -> None:
    """The failure is raised at once."""
    scripted = _Scripted(SummaryError("busy", retryable=True, retry_after=60.0), DRAFT)
    before = time.monotonic()

    with pytest.raises(SummaryError, match="busy"):
        handler(scripted, Summarize(request=request(deadline=1.0)))
    assert 1 == len(scripted.requests)
    assert time.monotonic() - before < 1


@both
def test_a_second_attempt_has_what_the_first_left(handler: Any) -> None:
    """The deadline is for all attempts together."""
    scripted = _Scripted(SummaryError("busy", retryable=True, retry_after=0.05), DRAFT)
    handler(scripted, Summarize(request=request(deadline=10.0)))
    first, second = scripted.requests

    assert 10.0 == first.deadline
    assert 5.0 < second.deadline <= 9.95


@both
@pytest.mark.parametrize("wait", [float("nan"), -1.0, float("inf")])
def test_a_server_that_says_nonsense_is_not_waited_for(handler: Any, wait: float) -> None:
    """Not even a number is a reason for another error than the one there was."""
    scripted = _Scripted(SummaryError("busy", retryable=True, retry_after=wait), DRAFT)
    try:
        assert handler(scripted, Summarize(request=request(deadline=1.0))) is DRAFT
    except SummaryError as error:
        assert "busy" == str(error)  # noqa: PT017


@both
def test_other_errors_become_errors_of_the_summarizer(handler: Any) -> None:
    """By their type: their text may quote the messages."""
    scripted = _Scripted(ValueError("the secret is 42"))

    with pytest.raises(SummaryError) as caught:
        handler(scripted, Summarize(request=request()))
    assert "the summariser failed: ValueError" == str(caught.value)
    assert not caught.value.retryable
    assert 1 == len(scripted.requests)


@both
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_not_tried_again(handler: Any, interrupt: type[BaseException]) -> None:
    """It passes through."""
    scripted = _Scripted(interrupt())

    with pytest.raises(interrupt):
        handler(scripted, Summarize(request=request()))
    assert 1 == len(scripted.requests)


def test_a_cancelled_request_is_cancelled() -> None:
    """It is neither tried again nor turned into a failure."""
    scripted = _Scripted(asyncio.CancelledError())

    async def main() -> None:
        handler = AsyncHandler(outside(), _Later(scripted))
        with pytest.raises(asyncio.CancelledError):
            await handler.perform(Summarize(request=request()))

    asyncio.run(main())

    assert 1 == len(scripted.requests)


def test_waiting_does_not_block_the_loop() -> None:
    """While one summary waits for its second attempt other tasks run."""
    scripted = _Scripted(SummaryError("busy", retryable=True, retry_after=0.1), DRAFT)
    ticks: list[float] = []

    async def tick() -> None:
        while len(scripted.times) < 2:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def main() -> None:
        handler = AsyncHandler(outside(), _Later(scripted))
        await asyncio.gather(handler.perform(Summarize(request=request())), tick())

    asyncio.run(main())

    assert len(ticks) > 3


def test_segments_that_are_merged_are_read_offline_too() -> None:
    """Where there is nothing but their texts, those are what the summary is made of."""
    two = tuple(
        Segment(text=text, first=1, last=2, tokens=6, author="m")
        for text in ("- user: Ann pays 500 EUR.", "- user: Bob drives to Bern.")
    )
    perform = Handler(outside(), None).perform
    merged = perform(Extract(request=replace(request(), slice=(), previous=two)))

    assert "500 EUR" in merged.text
    assert "Bern" in merged.text
    assert "500 EUR" not in perform(Extract(request=request())).text
