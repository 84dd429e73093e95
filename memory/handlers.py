"""Who performs the effects of a flow, with its summariser and its retries."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from memory.drive import arun, run, running_loop
from memory.errors import SummaryError
from memory.flights import Hold
from memory.flow import (
    Await,
    Claim,
    Enter,
    Extract,
    Opened,
    Release,
    Send,
    Spawn,
    Summarize,
)
from memory.leases import TURN, Lease, Sleep, summary_purpose
from memory.outside import Outside
from memory.summary import Draft

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tenacity import RetryCallState

    from memory.flow import Answer, Effect, Flow
    from memory.summarizers.contract import AsyncSummarizer, Summarizer
    from memory.summary import SummaryRequest

__all__ = ("AsyncHandler", "Handler")

T = TypeVar("T")

ATTEMPTS = 2
SHORTEST_ATTEMPT = 0.1
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
WHOLE = (b"",)
"""The chain hashes that stand for a conversation as a whole: all of its turns share them."""
_NEVER = "the summariser was not asked"


class _Holding:
    """What one run of a flow may hold on to."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._claim = Hold(outside.flights)
        self.turn = Hold(outside.turns)

    def _wanted(self, effect: Claim | Enter) -> tuple[Hold, Sequence[bytes], str]:
        """Return what an effect asks to hold, the chain hashes it stands for, and its lease."""
        if isinstance(effect, Enter):
            return self.turn, WHOLE, TURN
        return self._claim, effect.links, summary_purpose(effect.key, effect.links)

    def _leased(self, hold: Hold, lease: Lease) -> None:
        """Have the lease given up with the hold."""
        leases = self._outside.leases

        def give_up() -> None:
            leases.give_up(lease)

        def later() -> None:
            if running_loop() is None:
                self._outside.aside(give_up)
            elif leases.asynchronous:
                self._outside.background.task(leases.agive_up(lease), lost=give_up)
            else:
                self._outside.background.thread(give_up)

        hold.release_with(later)

    def _among_processes(self, effect: Await | Opened) -> Flow[Any]:
        leases = self._outside.leases
        if isinstance(effect, Opened):
            return leases.open(effect.key, is_open=effect.open)
        self.turn.release()
        return leases.await_answer(effect.key, effect.version, effect.patience)

    def _let_go(self) -> None:
        self._claim.release()
        self.turn.release()


class Handler(_Holding):
    """Performs effects synchronously, for one run of a flow.

    Args:
        outside: Everything but the summariser.
        summarizer: Who writes summaries, `writer` from then on; None for the offline one.
        send: Sends a request; None where flows send nothing.
    """

    def __init__(
        self,
        outside: Outside,
        summarizer: Summarizer | None,
        send: Callable[[Send], Answer] | None = None,
    ) -> None:
        self.writer = summarizer
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
            case Summarize(request=request) if self.writer is not None:
                return self._summarize(request, self.writer)
            case Send() if self._send is not None:
                return self._send(effect)
            case Claim() | Enter() | Await() | Opened() | Sleep():
                return self._wait(effect)
            case Release():
                return self._claim.release()
            case Spawn(flow=flow):
                beside = Handler(self._outside, self.writer)
                return self._outside.background.thread(lambda: beside.run(flow))
        return self._outside.perform(_offline(effect))

    def _wait(self, effect: Claim | Enter | Await | Opened | Sleep) -> Any:
        match effect:
            case Sleep(seconds=seconds):
                return time.sleep(seconds)
            case Await() | Opened():
                return run(self._among_processes(effect), self.perform)
        return self._take(effect)

    def _take(self, effect: Claim | Enter) -> bool:
        end = time.monotonic() + effect.patience
        hold, links, purpose = self._wanted(effect)
        if not hold.take(effect.key.scope, links, effect.patience):
            return False
        leases, left = self._outside.leases, max(0.0, end - time.monotonic())
        if not leases.supported:
            return True
        lease = run(leases.take(effect.key, purpose, left), self.perform)
        if lease is not None:
            self._leased(hold, lease)
        return lease is not None

    def _summarize(self, request: SummaryRequest, summarizer: Summarizer) -> Draft:
        from tenacity import Retrying  # noqa: PLC0415  # 26 ms that most calls never need

        try:
            for attempt in Retrying(**_retries(request)):
                with attempt:
                    return _checked(summarizer.summarize(_in_time(request, attempt.retry_state)))
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
        self.writer = summarizer
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
            case Summarize(request=request) if self.writer is not None:
                return await self._summarize(request, self.writer)
            case Send() if self._send is not None:
                return await self._send(effect)
            case Claim() | Enter() | Await() | Opened() | Sleep():
                return await self._wait(effect)
            case Release():
                return self._claim.release()
            case Spawn(flow=flow):
                beside = AsyncHandler(self._outside, self.writer)
                return self._outside.background.task(beside.run(flow))
        return await self._outside.aperform(_offline(effect))

    async def _wait(self, effect: Claim | Enter | Await | Opened | Sleep) -> Any:
        match effect:
            case Sleep(seconds=seconds):
                return await _slept(seconds)
            case Await() | Opened():
                return await arun(self._among_processes(effect), self.perform)
        return await self._take(effect)

    async def _take(self, effect: Claim | Enter) -> bool:
        end = time.monotonic() + effect.patience
        hold, links, purpose = self._wanted(effect)
        if not await hold.atake(effect.key.scope, links, effect.patience):
            return False
        leases, left = self._outside.leases, max(0.0, end - time.monotonic())
        if not leases.supported:
            return True
        lease = await arun(leases.take(effect.key, purpose, left), self.perform)
        if lease is not None:
            self._leased(hold, lease)
        return lease is not None

    async def _summarize(self, request: SummaryRequest, summarizer: AsyncSummarizer) -> Draft:
        from tenacity import AsyncRetrying  # noqa: PLC0415  # 26 ms that most calls never need

        try:
            async for attempt in AsyncRetrying(**_retries(request)):
                with attempt:
                    timed = _in_time(request, attempt.retry_state)
                    return _checked(await summarizer.summarize(timed))
        except SummaryError:
            raise
        except Exception as error:
            raise SummaryError(_failure(error)) from error
        raise SummaryError(_NEVER)


def _checked(draft: object) -> Draft:
    """Return what a summariser returned, if that is a draft.

    Raises:
        SummaryError: It is something else.
    """
    if isinstance(draft, Draft):
        return draft
    msg = f"a summariser has to return a memory.summary.Draft, and returned {type(draft).__name__}"
    raise SummaryError(msg)


async def _slept(seconds: float) -> None:
    import anyio  # noqa: PLC0415  # comes with openai

    await anyio.sleep(seconds)


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
