"""What is checked after every request that the machine makes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from memory.events import Compacted, Counted, Event, Summarizing
from memory.invariants import (
    Run,
    RunCheck,
    Sending,
    corrections_are_few,
    depth_is_bounded,
    describe,
    failed_summaries_are_not_used,
    merges_are_few,
    repeats_are_identical,
    views_only_grow,
    violations,
)
from memory.invariants.recalled import parted
from memory.testing.machines.stage import Asked
from memory.testing.machines.words import TOOLS, Wire
from memory.witness import witness

__all__ = ("Judge", "demand")

ATTEMPTS = 2
"""How often a summariser may be asked for one text."""
AT_THE_END: tuple[RunCheck, ...] = (
    corrections_are_few,
    depth_is_bounded,
    failed_summaries_are_not_used,
    merges_are_few,
)
"""What is said of a whole run."""
WITHOUT_NOTES = frozenset(
    {
        "counts_are_as_reported",
        "ending_is_sent",
        "input_is_unchanged",
        "last_user_message_is_sent",
        "pinned_messages_are_sent",
        "prompt_is_within_limit",
        "tool_calls_are_paired",
    }
)
"""The checks of a request that need not know which of its messages are notes."""


def demand(holds: object, message: str, sending: Sending | None = None) -> None:
    """Say what is wrong, unless something holds.

    Raises:
        AssertionError: It does not; the request it is about is shown.
    """
    if not holds:
        shown = "" if sending is None else f"\n{describe(sending, contents=True)}"
        raise AssertionError(message + shown)


@dataclass(slots=True)
class Judge:
    """Looks at requests, one after the other, and at all of them in the end.

    Attributes:
        before: The last request of the conversation that is going on, or None.
        sendings: All requests with a record or without need of one.
    """

    before: Sending | None = None
    sendings: list[Sending] = field(default_factory=list)

    def request(
        self,
        asked: Asked,
        given: Sequence[Wire],
        *,
        model: str,
        limit: int,
        tools: bool,
        conversation: str | None = None,
        quoted: Sequence[str] = (),
        pinned: Collection[bytes] = frozenset(),
        recorded: bool = True,
    ) -> Sending:
        """Check one request that the server answered.

        Args:
            asked: The call.
            given: The whole conversation that it was made for, as it goes over the wire.
            model: The model.
            limit: What the prompt may cost, in tokens.
            tools: Whether tools were declared.
            conversation: The name of the conversation; None for a caller who sends everything.
            quoted: The sentences that are pinned.
            pinned: The digests of messages that are pinned.
            recorded: Whether the call puts what it does on record: all that it does, or no
                message is kept for this call only.

        Raises:
            AssertionError: A promise is broken.
        """
        manager = asked.manager
        exact = manager.counter.exact
        sending = witness(
            manager,
            given,
            asked.sent,
            tokens=asked.tokens if exact else None,
            limit=limit,
            quoted=quoted,
            pinned=pinned,
            conversation=conversation,
        )
        found = violations(sending)
        if found and not recorded:  # there is no record of it: it is judged by itself
            sending = replace(sending, record=None, log=None, notes=_foreign(sending))
            found = violations(sending)
            if manager.settings.notes_role == "system":  # then nobody can tell them from a head
                found = {name: text for name, text in found.items() if name in WITHOUT_NOTES}
        self._demand_none(found, sending)
        _input_is_what_it_was(asked, sending)
        self._counts(asked, sending, model=model, tools=tools)
        _pays_for_what_it_needs(asked, sending)
        if sending.notes is None:
            self._grows(sending)
        return sending

    def again(
        self, one: Sending, other: Sequence[Wire], what: str, *, recalling: bool = True
    ) -> None:
        """Check that the same input made the same view, and recalled the same.

        Args:
            one: The request.
            other: What was sent for it again.
            what: What was done, in words.
            recalling: Whether there was the same room for what is recalled.

        Raises:
            AssertionError: It did not.
        """
        sent, recalled = parted(one.given, other)
        two = replace(one, sent=sent, recalled=recalled if recalling else one.recalled)
        found = repeats_are_identical(Run(repeats=[(one, two)]))
        demand(found is None, f"{what}: {found}", two)

    def run(self, events: Sequence[Event], unusable: Sequence[str]) -> None:
        """Check everything that happened, at the end.

        Raises:
            AssertionError: A promise is broken.
        """
        run = Run(sendings=self.sendings, events=events, unusable=unusable)
        found = {check.__name__: check(run) for check in AT_THE_END}
        told = {name: message for name, message in found.items() if message is not None}
        self._demand_none(told, self.sendings[-1] if self.sendings else None)

    def _grows(self, sending: Sending) -> None:
        if self.before is not None:
            found = views_only_grow(Run(sendings=[self.before, sending]))
            demand(found is None, f"views_only_grow: {found}", sending)
        self.before = sending
        self.sendings.append(sending)

    def _counts(self, asked: Asked, sending: Sending, *, model: str, tools: bool) -> None:
        """Check that the count of what was sent is what the server reported, now that it told."""
        partial = bool(asked.sent[-1].get("partial"))
        if asked.error is not None or not asked.was_counted or partial:
            return
        if asked.chunks and not any(_usage(chunk) for chunk in asked.chunks):
            return
        declared = TOOLS if tools else None
        total = asked.manager.count(asked.sent, tools=declared, model=model).total
        reported = asked.tokens
        close = total == reported or not asked.manager.counter.exact
        demand(close, f"{total} tokens are counted, and the server said {reported}", sending)

    @staticmethod
    def _demand_none(found: dict[str, str], sending: Sending | None) -> None:
        told = "; ".join(f"{name}: {message}" for name, message in found.items())
        demand(not found, told, sending)


def _usage(chunk: Any) -> Any:
    choices = getattr(chunk, "choices", None) or ()
    return chunk.usage or next((getattr(each, "usage", None) for each in choices), None)


def _foreign(sending: Sending) -> list[int]:
    """Return the place of the message after the head that the caller never passed, if any."""
    place = next((i for i, m in enumerate(sending.sent) if m.get("role") != "system"), 0)
    return [i for i in (place,) if sending.sent[i] not in sending.given]


def _input_is_what_it_was(asked: Asked, sending: Sending) -> None:
    demand(asked.before == asked.after, "the caller's messages were changed", sending)


def _pays_for_what_it_needs(asked: Asked, sending: Sending) -> None:
    """Check that summaries are asked for where a prompt was over the trigger, and few then."""
    wanted = [event for event in asked.events if isinstance(event, Summarizing)]
    counted = [event for event in asked.events if isinstance(event, Counted)]
    paid = [event for event in asked.events if isinstance(event, Compacted) and event.paid]
    over = any(event.tokens > event.trigger for event in counted)
    ahead = asked.manager.settings.compaction == "background"  # then they are written before that
    due = over or ahead or not wanted
    demand(due, f"{len(wanted)} summaries of a prompt that fits", sending)
    asked_for = len(asked.requests) - len(asked.turns)
    most = ATTEMPTS * len(wanted)
    demand(asked_for <= most, f"{asked_for} requests for {len(wanted)} summaries", sending)
    demand(len(paid) <= len(wanted) + 1, f"{len(paid)} compactions are paid for", sending)
