"""One recorded conversation, sent through managers on one store and judged request by request."""

from __future__ import annotations

import copy
import secrets
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from memory.errors import BudgetError
from memory.events import Compacted, Event, InvariantBroken
from memory.invariants import RUN_CHECKS, Run, Sending, describe, violations
from memory.invariants.recalled import parted, whole
from memory.manager import MemoryManager
from memory.messages import HEAD_ROLES, WireMessage, head_length, role_of, split
from memory.policy import Budget
from memory.stores import VolatileStore
from memory.testing.transcript_files import Transcript
from memory.testing.transcript_report import TranscriptReport, Violation
from memory.testing.unreliable import Unreliable
from memory.witness import witness

if TYPE_CHECKING:
    from memory.summarizers.contract import Summarizer

__all__ = ("Replay", "stops")

_REOPENED = 4
"""One request of so many is made by a manager that was opened anew."""


class Replay:
    """Makes requests of one conversation, and remembers what is wrong.

    Args:
        transcript: The conversation.
        budget: Prompt tokens allowed.
        seed: Told with what is wrong.
        make: Makes the managers; None for `MemoryManager`.
        contents: Whether descriptions show how texts begin.

    Attributes:
        requests: How many were made so far.
    """

    def __init__(
        self,
        transcript: Transcript,
        *,
        budget: int,
        seed: int,
        make: Callable[..., MemoryManager] | None,
        contents: bool,
    ) -> None:
        self._transcript = transcript
        self._budget = budget
        self._seed = seed
        self._make = make or MemoryManager
        self._contents = contents
        self.requests = 0
        self._too_large = 0
        self._compactions = 0
        self._violations: list[Violation] = []

    def play(
        self,
        lengths: Sequence[int],
        random: Random,
        *,
        summarizer: Summarizer | None = None,
        edits: int = 0,
    ) -> None:
        """Make requests of so many messages each, and then some after an edit.

        Args:
            lengths: How many messages each request has, in order.
            random: Decides where the edit is and when a manager is opened anew.
            summarizer: Who writes summaries; None for the offline one.
            edits: How many requests are made after the edit.
        """
        messages = self._transcript.messages
        act = _Act(self, summarizer)
        try:
            for length in lengths:
                act.request(messages[:length], reopen=not random.randrange(_REOPENED))
            act.judge_calls()
            act.run_again()
            for request in _edited(messages, edits, random):
                act.request(request, reopen=not random.randrange(_REOPENED))
            act.judge_all()
        finally:
            act.close()
        self._compactions += act.compactions

    def report(self) -> TranscriptReport:
        """Return what came of it so far."""
        return TranscriptReport(
            conversations=1,
            requests=self.requests,
            compactions=self._compactions,
            too_large=self._too_large,
            violations=tuple(self._violations),
        )

    def manager(self, **options: Any) -> MemoryManager:
        """Return a new manager on a store."""
        return self._make(budget=self._budget, **options)

    def arguments(self) -> dict[str, Any]:
        """Return what every request has beside its messages."""
        return {"model": self._transcript.model, "tools": self._transcript.tools}

    def count(self, *, too_large: bool = False) -> None:
        """Count a request."""
        self.requests += 1
        self._too_large += too_large

    def complain(
        self, check: str, message: str, sending: Sending | None = None, *, number: int = 0
    ) -> None:
        """Remember what is wrong with a request, or with all of them."""
        violation = Violation(
            conversation=self._transcript.id,
            request=number,
            budget=self._budget,
            seed=self._seed,
            check=check,
            message=message,
            described="" if sending is None else describe(sending, contents=self._contents),
        )
        self._violations.append(violation)


class _Act:
    """The requests of one caller, on one store."""

    def __init__(self, replay: Replay, summarizer: Summarizer | None) -> None:
        self._replay = replay
        self._summarizer = summarizer
        self._events: list[Event] = []
        self._store = VolatileStore()
        self._namespace = f"check-{secrets.token_hex(8)}"
        self._sendings: list[Sending] = []
        self._numbers: list[int] = []
        self._number = 0
        self._last: Sending | None = None
        self._managers: list[MemoryManager] = []
        self._open()

    @property
    def compactions(self) -> int:
        """How many compactions were made, those left out that adopted a known summary."""
        return sum(event.paid for event in self._compacted())

    def request(self, given: Sequence[WireMessage], *, reopen: bool) -> None:
        """Make a request, make it again, and judge what came back."""
        self._number = self._replay.requests + 1
        given = [*given]
        before = copy.deepcopy(given)
        try:
            sending = self._witnessed(given, self._fit(given), before=before)
        except BudgetError as error:
            self._refused(error, given)
            return
        except Exception as error:  # noqa: BLE001  # told as what it is: a turn that failed
            self._failed(error, given)
            return
        for name, message in violations(sending).items():
            self._complain(name, message, sending)
        self._judge_pair(sending)
        self._judge_repeats(sending, reopen=reopen)
        self._sendings.append(sending)
        self._numbers.append(self._number)
        self._last = sending
        self._replay.count()

    def judge_calls(self) -> None:
        """Judge how many summaries the requests so far have cost, where that can be said."""
        if not self._sendings:
            return
        longest = max((each.given for each in self._sendings), key=len)
        thresholds = self._thresholds(longest)
        if thresholds is None:
            return
        new = self._manager.count(longest, **self._replay.arguments()).total
        self._judge(
            Run(events=self._events, new=new, thresholds=thresholds), ("summaries_are_few",)
        )

    def run_again(self) -> None:
        """Make all requests so far again, in order, as a second run on the same store does."""
        asked = len(self._summaries())
        for number, sending in zip(self._numbers, self._sendings, strict=True):
            self._number = number
            self._repeat(sending, sending.given)
        if len(self._summaries()) > asked:
            self._replay.complain("repeats_are_identical", "a second run paid for more")

    def judge_all(self) -> None:
        """Judge what holds for all requests together."""
        unusable: Sequence[str] = ()
        if isinstance(self._summarizer, Unreliable):
            unusable = self._summarizer.unusable
        run = Run(sendings=self._sendings, events=self._events, unusable=unusable)
        self._judge(run, ("failed_summaries_are_not_used", "merges_are_few"))
        self._judge(run, ("corrections_are_few", "depth_is_bounded"))
        for event in self._events:  # told where the manager judges its requests itself
            if isinstance(event, InvariantBroken):
                self._replay.complain(event.check, event.reason)

    def close(self) -> None:
        """Close all managers."""
        for manager in self._managers:
            manager.close()

    @property
    def _manager(self) -> MemoryManager:
        return self._managers[-1]

    def _open(self) -> None:
        options: dict[str, Any] = {"store": self._store, "namespace": self._namespace}
        if isinstance(self._summarizer, Unreliable):
            options["summary_pause"] = 0.0  # else three failures leave it alone until the end
        manager = self._replay.manager(
            **options, hooks=(self._events.append,), summarizer=self._summarizer
        )
        self._managers.append(manager)

    def _fit(self, given: Sequence[WireMessage]) -> Sequence[WireMessage]:
        return self._manager.fit(given, **self._replay.arguments())

    def _witnessed(
        self,
        given: Sequence[WireMessage],
        sent: Sequence[WireMessage],
        *,
        before: Sequence[WireMessage] | None = None,
    ) -> Sending:
        arguments = self._replay.arguments()
        tokens = self._manager.count(sent, **arguments).total
        limit = self._manager.context().policy.limit(model=arguments["model"])
        return witness(self._manager, given, sent, tokens=tokens, limit=limit, before=before)

    def _refused(self, error: BudgetError, given: Sequence[WireMessage]) -> None:
        if error.tokens <= error.limit:
            failed = Sending(given=given, sent=())
            self._complain("turns_do_not_fail", f"it fits and was refused: {error}", failed)
        self._last = None
        self._replay.count(too_large=True)

    def _failed(self, error: Exception, given: Sequence[WireMessage]) -> None:
        self._complain(
            "turns_do_not_fail", f"it failed with {_told(error)}", Sending(given=given, sent=())
        )
        self._last = None
        self._replay.count()

    def _complain(self, check: str, message: str, sending: Sending) -> None:
        self._replay.complain(check, message, sending, number=self._number)

    def _judge_pair(self, sending: Sending) -> None:
        """Judge whether a view goes on from the one before it."""
        if self._last is not None:
            self._judge(Run(sendings=(self._last, sending)), ("views_only_grow",), sending)

    def _judge_repeats(self, sending: Sending, *, reopen: bool) -> None:
        """Pass in again what was given, and what was sent; perhaps to a manager opened anew."""
        asked = len(self._summaries())
        for given in (whole(sending), sending.given):
            self._repeat(sending, given)
        if reopen:
            self._open()
            self._repeat(sending, sending.given)
        if len(self._summaries()) > asked:
            self._complain("repeats_are_identical", "it was paid for again", sending)

    def _repeat(self, sending: Sending, given: Sequence[WireMessage]) -> None:
        try:
            sent, recalled = parted(sending.given, self._fit(given))
            again = Sending(given=given, sent=sent, recalled=recalled)
        except Exception as error:  # noqa: BLE001  # told as what it is
            what = f"made again, it failed with {_told(error)}"
            self._complain("repeats_are_identical", what, sending)
            return
        self._judge(Run(repeats=[(sending, again)]), ("repeats_are_identical",), sending)

    def _judge(self, run: Run, names: Sequence[str], sending: Sending | None = None) -> None:
        for name in names:
            message = RUN_CHECKS[name](run)
            if message is not None:
                number = 0 if sending is None else self._number
                self._replay.complain(name, message, sending, number=number)

    def _summaries(self) -> list[Compacted]:
        return [event for event in self._compacted() if event.paid]

    def _compacted(self) -> list[Compacted]:
        return [event for event in self._events if isinstance(event, Compacted)]

    def _thresholds(self, messages: Sequence[WireMessage]) -> Budget | None:
        """Return limit, trigger, and the target, or what the compactions reached of it.

        None where that leaves no way between trigger and target.
        """
        arguments = self._replay.arguments()
        counts = self._manager.count(messages, **arguments)
        policy = self._manager.context().policy
        found = policy.thresholds(
            limit=policy.limit(model=arguments["model"]),
            measured=counts.measured,
            exact=counts.exact,
            cold_tools=counts.cold_tools,
        )
        reached = max((event.tokens_after for event in self._summaries()), default=0)
        found = replace(found, target=max(found.target, reached))
        return found if found.target < found.trigger else None


def stops(messages: Sequence[WireMessage]) -> list[int]:
    """Return how many messages each request has that a caller may have made on the way.

    A request ends with what somebody else than the model said, its tool results all there, or
    with the whole.
    """
    start, size = head_length(messages) + 1, len(messages)
    inner = (stop for stop in range(start, size) if _is_request(messages, stop))
    return [*inner, *([size] if size else [])]


def _edited(
    messages: Sequence[WireMessage], number: int, random: Random
) -> list[Sequence[WireMessage]]:
    """Return requests of a caller who went back, took a part out and went on."""
    parts = split(messages, start=head_length(messages))
    if number < 1 or len(parts) < 3:  # noqa: PLR2004  # before, what is taken out, after
        return []
    part = parts[random.randrange(1, len(parts) - 1)]
    shorter = [*messages[: part.start], *messages[part.stop :]]
    later = [stop for stop in stops(shorter) if stop > part.start]
    chosen = sorted(random.sample(later, min(number, len(later))))
    return [shorter[:stop] for stop in chosen]


def _is_request(messages: Sequence[WireMessage], stop: int) -> bool:
    before, behind = messages[stop - 1], messages[stop]
    if role_of(before) == "assistant" or role_of(behind) == "tool":
        return False
    return role_of(before) not in HEAD_ROLES or role_of(behind) == "assistant"


def _told(error: Exception) -> str:
    """Return what an error is and where it comes from; its text could quote a message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
