"""Who performs the effects of a flow: the store, the hooks, the summarisers, the retries."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from memory.background import Background
from memory.drive import arun, run
from memory.errors import SummaryError
from memory.flights import Flights, Hold
from memory.flow import (
    Append,
    Claim,
    Emit,
    Enter,
    Extract,
    Find,
    Forget,
    Known,
    Load,
    Release,
    Send,
    Spawn,
    Summarize,
)
from memory.records import SEPARATOR
from memory.summary import Draft

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tenacity import RetryCallState

    from memory.events import Event, Hook
    from memory.flow import Answer, Effect, Flow
    from memory.stores.contract import Store
    from memory.summarizers.contract import AsyncSummarizer, Summarizer
    from memory.summary import SummaryRequest

__all__ = ("AsyncHandler", "Handler", "Outside")

T = TypeVar("T")

ATTEMPTS = 2
SHORTEST_ATTEMPT = 0.1
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
WHOLE = (b"",)
"""The chain hashes that stand for a conversation as a whole: all of its turns share them."""
_NEVER = "the summariser was not asked"


class _Here(threading.local):
    """What this thread is in the middle of."""

    depth = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outside:
    """What both handlers share: everything that is not the summariser.

    Attributes:
        store: Where logs are kept.
        hooks: Who is told of events.
        count: Text -> tokens, for the offline summariser.
        flights: Who is summarising what.
        turns: Who has a turn in which conversation.
        background: Where flows run that nobody waits for.
    """

    store: Store
    hooks: Sequence[Hook]
    count: Callable[[str], float]
    flights: Flights = field(default_factory=Flights)
    turns: Flights = field(default_factory=Flights)
    background: Background = field(default_factory=Background)
    _here: _Here = field(default_factory=_Here)

    def perform(self, effect: Effect[Any]) -> Any:
        """Perform an effect that needs no summariser and return the reply."""
        self._here.depth += 1
        try:
            return self._perform(effect)
        finally:
            self._here.depth -= 1

    def aside(self, work: Callable[[], object]) -> None:
        """Do something now, or in a thread of its own where this one is amid an effect.

        The garbage collector may close a stream there, where a store or a hook holds its locks.
        """
        if self._here.depth:
            self.background.thread(work)
        else:
            work()

    def _perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Known(namespace=namespace):
                return self.store.known(namespace)
            case Find(namespace=namespace, hashes=hashes):
                return self.store.find(namespace, hashes)
            case Load(key=key) | Forget(key=key):
                read = isinstance(effect, Load)
                return self.store.load(key) if read else self.store.forget(key)
            case Append(key=key, records=records, expected=expected):
                return self.store.append(key, records, expected=expected)
            case Emit(event=event):
                return self.emit(event)
            case Extract(request=request):
                return self.extract(request)
        msg = f"no handler for {type(effect).__name__}"
        raise TypeError(msg)

    def emit(self, event: Event) -> None:
        """Tell every hook; one that raises is logged and does not stop the others."""
        namespace, named, conversation = event.namespace.partition(SEPARATOR)
        if named:
            event = replace(event, namespace=namespace, conversation=conversation)
        for hook in self.hooks:
            try:
                hook(event)
            except Exception:
                logging.getLogger("memory").exception("a hook failed")

    def extract(self, request: SummaryRequest) -> Draft:
        """Summarise offline."""
        from memory.summarizers.extractive import extract  # noqa: PLC0415  # only when needed

        earlier = "\n".join(segment.text for segment in request.previous if request.fold)
        text = extract(request.slice, budget=request.cap, count=self.count, previous=earlier)
        return Draft(text=text, author="extractive")


class _Holding:
    """What one run of a flow may hold on to."""

    def __init__(self, outside: Outside) -> None:
        self._claim = Hold(outside.flights)
        self.turn = Hold(outside.turns)

    def _wanted(self, effect: Claim | Enter) -> tuple[Hold, Sequence[bytes]]:
        """Return what an effect asks to hold, and the chain hashes it stands for."""
        return (self._claim, effect.links) if isinstance(effect, Claim) else (self.turn, WHOLE)

    def _let_go(self) -> None:
        self._claim.release()
        self.turn.release()


class Handler(_Holding):
    """Performs effects synchronously, for one run of a flow.

    Args:
        outside: Everything but the summariser.
        summarizer: Who writes summaries; None for the offline one.
        send: Sends a request; None where flows send nothing.
    """

    def __init__(
        self,
        outside: Outside,
        summarizer: Summarizer | None,
        send: Callable[[Send], Answer] | None = None,
    ) -> None:
        self._outside = outside
        self._summarizer = summarizer
        self._send = send
        super().__init__(outside)

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end; what it had claimed is given up, however it ends."""
        try:
            return run(flow, self.perform)
        finally:
            self._let_go()

    def perform(self, effect: Effect[Any]) -> Any:
        """Perform an effect and return the reply."""
        match effect:
            case Summarize(request=request) if self._summarizer is not None:
                return self._summarize(request, self._summarizer)
            case Send() if self._send is not None:
                return self._send(effect)
            case Claim() | Enter():
                hold, links = self._wanted(effect)
                return hold.take(effect.namespace, links, effect.patience)
            case Release():
                return self._claim.release()
            case Spawn(flow=flow):
                beside = Handler(self._outside, self._summarizer)
                return self._outside.background.thread(lambda: beside.run(flow))
        return self._outside.perform(_offline(effect))

    def _summarize(self, request: SummaryRequest, summarizer: Summarizer) -> Draft:
        from tenacity import Retrying  # noqa: PLC0415  # 26 ms that most calls never need

        try:
            for attempt in Retrying(**_retries(request)):
                with attempt:
                    return summarizer.summarize(_in_time(request, attempt.retry_state))
        except SummaryError:
            raise
        except Exception as error:
            raise SummaryError(_failure(error)) from error
        raise SummaryError(_NEVER)


class AsyncHandler(_Holding):
    """Performs effects asynchronously; as `Handler` in all else."""

    def __init__(
        self,
        outside: Outside,
        summarizer: AsyncSummarizer | None,
        send: Callable[[Send], Awaitable[Answer]] | None = None,
    ) -> None:
        self._outside = outside
        self._summarizer = summarizer
        self._send = send
        super().__init__(outside)

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end; what it had claimed is given up, however it ends."""
        try:
            return await arun(flow, self.perform)
        finally:
            self._let_go()

    async def perform(self, effect: Effect[Any]) -> Any:
        """Perform an effect and return the reply."""
        match effect:
            case Summarize(request=request) if self._summarizer is not None:
                return await self._summarize(request, self._summarizer)
            case Send() if self._send is not None:
                return await self._send(effect)
            case Claim() | Enter():
                hold, links = self._wanted(effect)
                return await hold.atake(effect.namespace, links, effect.patience)
            case Release():
                return self._claim.release()
            case Spawn(flow=flow):
                beside = AsyncHandler(self._outside, self._summarizer)
                return self._outside.background.task(beside.run(flow))
        return self._outside.perform(_offline(effect))

    async def _summarize(self, request: SummaryRequest, summarizer: AsyncSummarizer) -> Draft:
        from tenacity import AsyncRetrying  # noqa: PLC0415  # 26 ms that most calls never need

        try:
            async for attempt in AsyncRetrying(**_retries(request)):
                with attempt:
                    return await summarizer.summarize(_in_time(request, attempt.retry_state))
        except SummaryError:
            raise
        except Exception as error:
            raise SummaryError(_failure(error)) from error
        raise SummaryError(_NEVER)


def _offline(effect: Effect[Any]) -> Effect[Any]:
    return Extract(request=effect.request) if isinstance(effect, Summarize) else effect


def _in_time(request: SummaryRequest, state: RetryCallState) -> SummaryRequest:
    """Return the request with the time that earlier attempts have left of its deadline."""
    if state.attempt_number == 1:
        return request
    spent = time.monotonic() - state.start_time
    return replace(request, deadline=max(SHORTEST_ATTEMPT, request.deadline - spent))


def _failure(error: Exception) -> str:
    return f"the summariser failed: {type(error).__name__}"


def _retries(request: SummaryRequest) -> dict[str, Any]:
    """Return how to retry: one more attempt, within the deadline, as late as the server asks."""
    import tenacity  # noqa: PLC0415  # see above

    backoff = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, SummaryError) else None
        # Whoever asks for a negative time or for ever is not taken at their word.
        return backoff(state) if asked is None or not 0 <= asked < math.inf else asked

    return {
        "stop": tenacity.stop_after_attempt(ATTEMPTS)
        | tenacity.stop_before_delay(request.deadline),
        "wait": wait,
        "retry": tenacity.retry_if_exception(
            lambda error: isinstance(error, SummaryError) and error.retryable
        ),
        "reraise": True,
    }
