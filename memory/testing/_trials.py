"""One operation with one fault in it, performed in a thread or in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from memory.errors import ConflictError, StoreError, SummaryError
from memory.flow import (
    Append,
    Await,
    Claim,
    Effect,
    Emit,
    Enter,
    Flow,
    Send,
    Spawn,
    Stored,
    Summarize,
)
from memory.handlers import AsyncHandler, Handler
from memory.summary import Draft, SummaryRequest
from memory.testing._stage import Act, Stage

__all__ = ("FAULTS", "Case", "Crashed", "Fault", "ServerError", "Trial", "faults_of", "performed")

Fault = Literal[
    "error",
    "conflict",
    "foreign",
    "lost",
    "cancelled before",
    "cancelled after",
    "crashed before",
    "crashed after",
]
"""What goes wrong; see the docstring of the module."""
FAULTS: Final[Sequence[Fault]] = get_args(Fault)


class ServerError(Exception):
    """What the client raises here."""


class Crashed(BaseException):
    """The process ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault at one effect.

    Attributes:
        place: Which effect of the flow, counted from 0.
        effect: Its name, of an event by its own.
        fault: What goes wrong there.
    """

    place: int
    effect: str
    fault: Fault


class Trial:
    """Performs the effects of one act, and lets one of them fail.

    Args:
        stage: Where.
        act: The act.
        case: Which fails and how; None for none.

    Attributes:
        flow: The flow of the act, for a driver that does not close it.
        asked: The effects that were asked for.
        waited: What somebody else had, so that it would have been waited for.
    """

    def __init__(self, stage: Stage, act: Act, case: Case | None = None) -> None:
        self.stage = stage
        self.act = act
        self.case = case
        self.flow = act.flow()
        self.asked: list[Effect[Any]] = []
        self.waited: list[str] = []

    def before(self, effect: Effect[Any]) -> Effect[Any]:
        """Return an effect as it is to be performed, unless it is to fail before that."""
        self.asked.append(effect)
        self._fail(effect, "before")
        if isinstance(effect, Await | Claim | Enter):
            return replace(effect, patience=0.0)
        return effect

    def after(self, effect: Effect[Any], reply: Any) -> Any:
        """Return the reply of an effect, unless it is lost."""
        self.stage.took(effect)
        if isinstance(effect, Claim | Enter) and not reply:
            self.waited.append(type(effect).__name__)
        self._fail(effect, "after")
        return reply

    @property
    def hooks_fail(self) -> bool:
        """Whether a hook fails now: an event fails in no other way."""
        due = self._is_due and self.case is not None and self.case.fault == "foreign"
        return due and isinstance(self.asked[-1], Emit)

    @property
    def _is_due(self) -> bool:
        return self.case is not None and len(self.asked) - 1 == self.case.place

    def _fail(self, effect: Effect[Any], when: str) -> None:
        if self.case is None or not self._is_due:
            return
        fault = self.case.fault
        if fault == f"cancelled {when}":
            raise KeyboardInterrupt
        if fault == f"crashed {when}":
            raise Crashed
        raises = fault in {"error", "conflict", "foreign"} and not isinstance(effect, Emit)
        if (raises and when == "before") or (fault == "lost" and when == "after"):
            raise _error(effect, fault)


def faults_of(effect: Effect[Any], *, asynchronous: bool = False) -> list[Fault]:
    """Return what can go wrong at an effect.

    Only what leaves this process can be lost or raise errors of its own.
    """
    far = isinstance(effect, Stored | Summarize | Send)
    left = {"conflict": isinstance(effect, Append), "error": far, "lost": far}
    return [
        fault
        for fault in FAULTS
        if left.get(fault, True) and not (asynchronous and fault.startswith("crashed"))
    ]


def performed(trial: Trial, *, asynchronous: bool = False) -> Any:
    """Return what the act of a trial returns, or raise what it raises.

    Raises:
        Crashed: The process ended; the flow is left where it was.
        KeyboardInterrupt: It was interrupted, in a thread.
        CancelledError: It was, in an event loop.
    """
    if asynchronous:
        return asyncio.run(_AsyncHandler(trial).run(trial.flow))
    handler = _Handler(trial)
    if trial.case is None or not trial.case.fault.startswith("crashed"):
        return handler.run(trial.flow)
    try:
        return _pumped(trial.flow, handler.perform)
    finally:
        handler.end()


def _pumped(flow: Flow[Any], perform: Callable[[Effect[Any]], Any]) -> Any:
    """Run a flow as the drivers do, but leave it as it is where the process ends."""
    step: Callable[[], Effect[Any]] = lambda: next(flow)  # noqa: E731
    while True:
        try:
            effect = step()
        except StopIteration as stop:
            return stop.value
        try:
            reply = perform(effect)
        except Exception as error:  # noqa: BLE001  # the flow decides
            step = _thrower(flow, error)
        else:
            step = _sender(flow, reply)


def _thrower(flow: Flow[Any], error: Exception) -> Callable[[], Effect[Any]]:
    return lambda: flow.throw(error)


def _sender(flow: Flow[Any], reply: Any) -> Callable[[], Effect[Any]]:
    return lambda: flow.send(reply)


class _Handler(Handler):
    """Performs effects for a trial, in a thread."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        stage, act = trial.stage, trial.act
        super().__init__(
            stage.outside, stage.manager.summarizer, lambda sent: stage.answered(act, sent)
        )

    def perform(self, effect: Effect[Any]) -> Any:
        """Perform an effect and return the reply."""
        effect = self._trial.before(effect)
        if isinstance(effect, Spawn):
            effect.flow.close()
            return self._trial.after(effect, None)
        if self._trial.hooks_fail:
            return _with_bad_hook(self._trial.stage).perform(effect)
        return self._trial.after(effect, super().perform(effect))

    def end(self) -> None:
        """Give up what the process held that has ended, as leases that run out do."""
        self._let_go()


class _Later:
    """The summariser of a stage, for coroutines."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.asker = "later"

    async def summarize(self, request: SummaryRequest, /) -> Draft:
        """Answer as the other one does."""
        summarizer = self._stage.manager.summarizer
        assert summarizer is not None
        return summarizer.summarize(request)


class _AsyncHandler(AsyncHandler):
    """Performs effects for a trial, in an event loop."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

        async def answer(sent: Send) -> Any:
            return trial.stage.answered(trial.act, sent)

        super().__init__(trial.stage.outside, _Later(trial.stage), answer)

    async def perform(self, effect: Effect[Any]) -> Any:
        """Perform an effect and return the reply."""
        try:
            effect = self._trial.before(effect)
        except KeyboardInterrupt:
            await _cancelled()
        if isinstance(effect, Spawn):
            effect.flow.close()
            reply: Any = None
        elif self._trial.hooks_fail:
            return _with_bad_hook(self._trial.stage).perform(effect)
        else:
            reply = await super().perform(effect)
        try:
            return self._trial.after(effect, reply)
        except KeyboardInterrupt:
            return await _cancelled()


async def _cancelled() -> None:
    """Be cancelled here, as a task is at an `await`."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


def _with_bad_hook(stage: Stage) -> Any:
    def bad(_event: object) -> None:
        msg = "a hook of the user's"
        raise RuntimeError(msg)

    return replace(stage.outside, hooks=(bad, *stage.outside.hooks))


def _error(effect: Effect[Any], fault: Fault) -> Exception:
    if fault == "conflict":
        expected = effect.expected if isinstance(effect, Append) else 0
        return ConflictError(expected=expected, actual=expected + 1)
    if fault == "foreign":
        return RuntimeError("something else")
    if isinstance(effect, Stored):
        return StoreError("the disk is full")
    return SummaryError("no answer") if isinstance(effect, Summarize) else ServerError("no answer")
