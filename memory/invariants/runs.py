"""What has to hold for several requests of a conversation: each promise a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log2

from memory.errors import BudgetError, ConfigError, ConversationBusy, HistoryError, UnsupportedError
from memory.events import Compacted, Event, Rejected, Summarizing
from memory.identity import digest
from memory.invariants.sending import Sending, is_same, unpaired
from memory.messages import WireMessage, is_partial
from memory.policy import Budget
from memory.recall.rendering import cited
from memory.records import Compaction

__all__ = (
    "Run",
    "RunCheck",
    "acknowledged_messages_are_on_record",
    "corrections_are_few",
    "depth_is_bounded",
    "exchanges_are_whole",
    "failed_summaries_are_not_used",
    "merges_are_few",
    "one_summary_is_paid",
    "repeats_are_identical",
    "summaries_are_few",
    "turns_do_not_fail",
    "views_only_grow",
)

_ASKED_FOR = (BudgetError, ConfigError, ConversationBusy, HistoryError, UnsupportedError)
"""Errors that tell the caller of something they did or chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Several requests of one conversation, and what became of them.

    Attributes:
        sendings: The requests, in order.
        repeats: Pairs of requests with the same input and the same stored state: what came first,
            and what came again, also of a manager that was opened on the same store.
        events: What was told, in order.
        errors: What reached callers, but for errors of their server.
        new: The tokens of all messages given, each counted once; None when not known.
        thresholds: Trigger and target, in tokens, where every compaction could reach the target;
            None where that cannot be said.
        said: What each acknowledged turn put on record: its new messages and its reply.
        history: What is on record now, in order and without the head; None when not known.
        alike: Whether the requests were made at once and begin alike: one summary serves all.
        unusable: Texts that a summariser gave and that must not stand for anything.
    """

    sendings: Sequence[Sending] = ()
    repeats: Sequence[tuple[Sending, Sending]] = ()
    events: Sequence[Event] = ()
    errors: Sequence[BaseException] = ()
    new: int | None = None
    thresholds: Budget | None = None
    said: Sequence[Sequence[WireMessage]] = ()
    history: Sequence[WireMessage] | None = None
    alike: bool = False
    unusable: Sequence[str] = ()


RunCheck = Callable[[Run], str | None]
"""Looks at a run; None when all is well, else a sentence that says what is wrong."""


def repeats_are_identical(run: Run) -> str | None:
    """The same input and the same stored state make the same view, byte for byte."""
    for number, (one, other) in enumerate(run.repeats, start=1):
        place = _first_difference(one.sent, other.sent)
        if place is not None or len(one.sent) != len(other.sent):
            where = "the end" if place is None else f"message {place}"
            return f"repeat {number} differs from the first time at {where}"
        if one.recalled != other.recalled:
            told = f"{_shown(other)}, and the first time {_shown(one)}"
            return f"repeat {number} shows other originals again: {told}"
    return None


def views_only_grow(run: Run) -> str | None:
    """While no record lies between, a longer input makes a view that begins with the one before.

    A compaction that neither covers nor clears more, nor quotes for other pins, has no reason to
    change the notes, but for identifiers that it gives up because there is no room for them.
    """
    for number, (one, other) in enumerate(pairwise(run.sendings), start=2):
        if not _begins_with(other.given, _settled(one.given)):
            continue
        same = _did(one.record) == _did(other.record) and not _gave_up(one.record, other.record)
        if same and not _begins_with(other.sent, _settled(one.sent)):
            return f"request {number} does not begin with what was sent before it"
    return None


def turns_do_not_fail(run: Run) -> str | None:
    """No turn fails because of memory, unless the caller asked for that."""
    wrong = [error for error in run.errors if not isinstance(error, _ASKED_FOR)]
    return f"a turn failed with {type(wrong[0]).__name__}: {wrong[0]}" if wrong else None


def failed_summaries_are_not_used(run: Run) -> str | None:
    """What a summariser said and should not have said stands for nothing."""
    texts = {text.strip() for text in run.unusable} - {""}
    for record in _records(run):
        if any(segment.text.strip() in texts for segment in record.segments):
            return "a summary that had to be refused is in use"
    return None


def summaries_are_few(run: Run) -> str | None:
    """First-level summaries are at most ceil(new tokens / (trigger - target)) + 1."""
    if run.thresholds is None or run.new is None:
        return None
    asked = _asked(run, "new")
    room = max(1, run.thresholds.trigger - run.thresholds.target)
    bound = ceil(run.new / room) + 1
    return f"{asked} summaries for {run.new} tokens; at most {bound}" if asked > bound else None


def merges_are_few(run: Run) -> str | None:
    """There are no more merges than summaries of new messages."""
    new, merges = _asked(run, "new"), _asked(run, "merge")
    if not new or merges <= new:
        return None
    return f"{merges} merges and {new} summaries of new messages"


def corrections_are_few(run: Run) -> str | None:
    """Each summary is asked for at most twice: once, and once more with what was wrong."""
    wanted = sum(isinstance(event, Summarizing) for event in run.events)
    refused = sum(isinstance(event, Rejected) for event in run.events)
    if not wanted or refused <= 2 * wanted:
        return None
    return f"{refused} drafts were refused for {wanted} summaries"


def depth_is_bounded(run: Run) -> str | None:
    """No message is summarised more often than 2 + log2(compactions) times."""
    made = len({record.content for record in _records(run)})
    deepest = max((s.depth for r in _records(run) for s in r.segments), default=0)
    bound = 2 + log2(max(1, made))
    return f"depth {deepest} after {made} compactions" if deepest > bound else None


def acknowledged_messages_are_on_record(run: Run) -> str | None:
    """What a turn put on record stands there, its messages next to each other and in order."""
    if run.history is None:
        return None
    held = [digest(message) for message in run.history]
    for number, turn in enumerate(run.said, start=1):
        wanted = [digest(message) for message in turn]
        if not any(held[i : i + len(wanted)] == wanted for i in range(len(held) + 1)):
            return f"turn {number} was acknowledged and is not on record in one piece"
    return None


def exchanges_are_whole(run: Run) -> str | None:
    """No foreign message stands inside an exchange."""
    place = unpaired(run.history or ())
    return None if place is None else f"message {place} on record breaks an exchange"


def one_summary_is_paid(run: Run) -> str | None:
    """Turns at once that begin alike pay for one summary."""
    paid = sum(isinstance(event, Compacted) and event.paid for event in run.events)
    return f"{paid} summaries were paid for" if run.alike and paid > 1 else None


def _shown(sending: Sending) -> str:
    """Return the numbers of the messages that are shown again, and where."""
    if sending.recalled is None:
        return "none"
    message, place = sending.recalled
    return f"{cited(message)} at {place}"


def _asked(run: Run, purpose: str) -> int:
    return sum(isinstance(e, Summarizing) and e.purpose == purpose for e in run.events)


def _records(run: Run) -> list[Compaction]:
    """Return all compactions that the requests followed or that are in their logs."""
    found = [sending.record for sending in run.sendings]
    found += [r for s in run.sendings for r in s.log or () if isinstance(r, Compaction)]
    return [record for record in found if record is not None]


def _did(record: Compaction | None) -> object:
    """Return what a record did to a view, but for the words of its notes."""
    if record is None:
        return None
    segments = [(s.first, s.last, s.text) for s in record.segments]
    pins = [wish.text for wish in record.standing if wish.source == "pinned"]
    return record.covered, record.kept, segments, record.shortened, sorted(pins)


def _gave_up(one: Compaction | None, other: Compaction | None) -> bool:
    """Return whether a record lists fewer identifiers than one before it, and no others."""
    if one is None or other is None:
        return False
    return set(other.identifiers) < set(one.identifiers)


def _settled(messages: Sequence[WireMessage]) -> Sequence[WireMessage]:
    return messages[:-1] if is_partial(messages) else messages


def _begins_with(messages: Sequence[WireMessage], beginning: Sequence[WireMessage]) -> bool:
    size = len(beginning)
    return len(messages) >= size and _first_difference(messages[:size], beginning) is None


def _first_difference(one: Sequence[WireMessage], other: Sequence[WireMessage]) -> int | None:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (left, right) in pairs if not is_same(left, right)), None)
