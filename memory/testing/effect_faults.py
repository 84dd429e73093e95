"""What happens when anything goes wrong anywhere: a fault at every effect of every operation.

Every operation of this library is a flow that asks for effects. For each effect that one asks for,
one after the other, `effect_faults` runs the operation from the start and has that effect fail:

- `error`: it raises what such an effect raises, `StoreError` for the store and so on;
- `conflict`: a write raises `ConflictError`, as if somebody else had been first;
- `foreign`: it raises a `RuntimeError`;
- `lost`: it is performed, and its answer is lost on the way;
- `cancelled before`, `cancelled after`: the caller is interrupted before or after it;
- `crashed before`, `crashed after`: the process ends there, and another one opens the store.

Afterwards each promise is looked at: what the caller got keeps the invariants, nothing that was
acknowledged is lost, what is on record is what was there before or what a whole run leaves,
nothing is held so that the next call would have to wait, and the same call once more, or in the
next process, does what it should::

    from memory.stores import VolatileStore
    from memory.testing.effect_faults import OPERATIONS, effect_faults, usual

    def place():
        store = VolatileStore()  # a fresh one for each case, and the same for all its managers
        return lambda: usual(store)

    for operation in OPERATIONS:
        for outcome in effect_faults(operation, place):
            assert not outcome.wrong, outcome

`place` returns, each time, a function that opens a manager on one and the same fresh store. Hooks
that fail are among the faults, and are logged as such.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from memory.events import Failed, FellBack, Rejected
from memory.flow import Effect, Emit, Fitted
from memory.invariants import Run, run_violations
from memory.manager import MemoryManager
from memory.records import Compaction, Forgotten
from memory.testing._operations import OPERATIONS, Operation, State, state
from memory.testing._stage import Stage, usual
from memory.testing._trials import (
    FAULTS,
    Case,
    Crashed,
    Fault,
    ServerError,
    Trial,
    faults_of,
    performed,
)

__all__ = (
    "FAULTS",
    "OPERATIONS",
    "Case",
    "Fault",
    "Operation",
    "Outcome",
    "Place",
    "ServerError",
    "Whole",
    "effect_faults",
    "usual",
    "whole",
)

Place: TypeAlias = Callable[[], MemoryManager]
"""Opens a manager on one and the same store each time, as another process would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a case.

    Attributes:
        operation: The name of the operation.
        case: What went wrong where.
        result: What the caller saw: `"result"`, the name of an error, or nothing.
        record: What was on record then: `"all"`, `"nothing"`, `"the compaction"` or `"all but the
            compaction"`; empty where the operation writes nothing.
        offline: Whether notes were written without the summariser.
        told: Whether the caller was told by an event that something of memory's own failed.
        wrong: What is wrong, by name.
    """

    operation: str
    case: Case
    result: str
    record: str
    offline: bool
    told: bool
    wrong: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What an operation does without a fault, and when it is done once more."""

    effects: Sequence[Effect[Any]]
    before: State
    results: tuple[object, object]
    after: tuple[State, State]


def effect_faults(
    operation: Operation, places: Callable[[], Place], *, asynchronous: bool = False
) -> Iterator[Outcome]:
    """Run an operation with each fault at each of its effects, and judge what comes of it.

    Args:
        operation: The operation.
        places: Makes a fresh place for each run: a function that opens managers on one store.
        asynchronous: Whether it runs in an event loop, and is cancelled at an `await`; crashes
            are left out then.

    Yields:
        One outcome for each case.
    """
    known = whole(operation, places(), asynchronous=asynchronous)
    for number, effect in enumerate(known.effects):
        named = effect.event if isinstance(effect, Emit) else effect
        for fault in faults_of(effect, asynchronous=asynchronous):
            case = Case(place=number, effect=type(named).__name__, fault=fault)
            yield _Experiment(operation, places(), case, asynchronous=asynchronous).outcome(known)


def whole(operation: Operation, place: Place, *, asynchronous: bool = False) -> Whole:
    """Return what an operation does without a fault, and when it is done once more."""
    stage = Stage(place())
    operation.begun(stage)
    before = state(stage)
    first = Trial(stage, operation.act(stage))
    one = performed(first, asynchronous=asynchronous)
    middle = state(stage)
    other = _once_more(operation, stage, asynchronous=asynchronous)[0]
    return Whole(
        effects=first.asked,
        before=before,
        results=(_comparable(one), _comparable(other)),
        after=(middle, state(stage)),
    )


def _once_more(
    operation: Operation, stage: Stage, *, asynchronous: bool
) -> tuple[object, list[str]]:
    """Do an operation once more; return its result or error, and what had to be waited for."""
    trial = Trial(stage, operation.act(stage))
    try:
        return performed(trial, asynchronous=asynchronous), trial.waited
    except Exception as error:  # noqa: BLE001  # compared with what is expected
        return error, trial.waited


class _Experiment:
    """One case: the fault, a look at what is on record, and the same operation once more."""

    def __init__(
        self, operation: Operation, place: Place, case: Case, *, asynchronous: bool
    ) -> None:
        self.operation = operation
        self.place = place
        self.case = case
        self.asynchronous = asynchronous
        self.stage = Stage(place())
        operation.begun(self.stage)
        del self.stage.events[:]
        self.result: object = None
        self.seen = self._seen()
        self.told = list(self.stage.events)
        self.now = state(Stage(place()))
        self.failed = any(isinstance(event, Failed) for event in self.told)
        self.offline = any(isinstance(event, FellBack) for event in self.told)

    def outcome(self, known: Whole) -> Outcome:
        """Return what came of it."""
        wrong = self._wrong(known)
        if self.seen == "result":
            wrong |= self._wrong_with_result(known)
        return Outcome(
            operation=self.operation.name,
            case=self.case,
            result=self.seen,
            record=_record(known, self.now),
            offline=self.offline,
            told=self.failed,
            wrong=wrong | self._wrong_with_more(known),
        )

    def _seen(self) -> str:
        """Carry it out, and return what the caller saw."""
        trial = Trial(self.stage, self.operation.act(self.stage), self.case)
        try:
            self.result = performed(trial, asynchronous=self.asynchronous)
        except (KeyboardInterrupt, CancelledError, Crashed):
            return ""
        except Exception as error:  # noqa: BLE001  # whatever the caller sees
            return type(error).__name__
        return "result"

    def _wrong(self, known: Whole) -> dict[str, str]:
        """Return what is wrong with what was sent, and with what is on record.

        Where the caller was told that the store failed, nothing is said of what is in it.
        """
        unknown = [replace(each, log=None) for each in self.stage.sendings]
        sendings = unknown if self.failed else self.stage.sendings
        wrong = run_violations(Run(sendings=sendings, events=self.told))
        if self.now.said not in (known.before.said, known.after[0].said):
            wrong["all_or_nothing"] = "a part of it is on record"
        return wrong

    def _wrong_with_result(self, known: Whole) -> dict[str, str]:
        wrong = {}
        unrecorded = any(isinstance(event, Failed) and event.unrecorded for event in self.told)
        if _comparable(self.result) != known.results[0]:
            wrong["result_is_right"] = f"{_comparable(self.result)!r:.80} came back"
        if self.now.said != known.after[0].said and not unrecorded:
            wrong["acknowledged_is_on_record"] = "the caller has a result, and it is not on record"
        left = any(isinstance(event, Rejected) for event in self.told) and not self.offline
        if self.now.compactions != known.after[0].compactions and not (self.failed or left):
            wrong["compaction_is_on_record"] = "nobody was told that it is not"
        return wrong

    def _wrong_with_more(self, known: Whole) -> dict[str, str]:
        """Return what is wrong with the same operation once more.

        Where a part was done, such as the compaction of a turn, either result may be right.
        """
        crashed = self.case.fault.startswith("crashed")
        stage = Stage(self.place()) if crashed else self.stage
        start = len(stage.sendings)
        again, waited = _once_more(self.operation, stage, asynchronous=self.asynchronous)
        wrong = run_violations(Run(sendings=stage.sendings[start:]))
        if waited:
            wrong["nothing_is_held"] = f"the next call has to wait for {waited}"
        results: Sequence[object] = known.results
        if self.now in (known.before, known.after[0]) and not self.failed:
            done = known.before != self.now
            results = known.results[done : done + 1]
        if _comparable(again) not in results:
            wrong["again_is_right"] = f"{_comparable(again)!r:.80}, not {results!r:.160}"
        if state(Stage(self.place())) not in known.after:
            wrong["again_is_on_record"] = "the same operation once more leaves something else"
        return wrong


def _record(known: Whole, now: State) -> str:
    if known.before == known.after[0]:
        return ""
    if now in (known.before, known.after[0]):
        return "nothing" if now == known.before else "all"
    return "the compaction" if now.said == known.before.said else "all but the compaction"


def _comparable(result: object) -> object:
    """Return what is the same of a result whoever wrote the notes in it."""
    match result:
        case Fitted():
            return "a view"  # judged by the invariants
        case Compaction(covered=covered):
            return "a compaction", covered
        case Forgotten(messages=messages):
            return "forgotten", messages > 0
        case Exception():
            return type(result).__name__
        case tuple() | list():
            return list(result)
    return result
