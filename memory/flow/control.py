"""What a user does to a conversation's view: compact it, look behind it, pin something in it."""

from __future__ import annotations

from dataclasses import replace

from memory.errors import BudgetError, ConfigError, HistoryError
from memory.flow.compact import alone, summarized
from memory.flow.compact import compact as compact_by_plan
from memory.flow.conversation import check_place, past, whole
from memory.flow.effects import Flow, Log
from memory.flow.log import write
from memory.flow.merge import CALLER
from memory.flow.past import Past
from memory.flow.resume import best, find, resume
from memory.flow.segment import made_of, numbering
from memory.flow.state import Context, Prompt, State
from memory.identity import digest
from memory.messages import WireMessage
from memory.policy import SEGMENT_FRAME, Plan
from memory.records import Compaction, LogKey, Pinned, Segment
from memory.redaction import redacted
from memory.summary import Draft

__all__ = ("compact", "covering_segment", "expand", "pin")


def compact(
    prompt: Prompt, context: Context, *, upto: int | None, summary: str | None
) -> Flow[Compaction | None]:
    """Compact a conversation now; return the record of it, None where there is nothing to drop.

    Args:
        prompt: The conversation.
        context: How it is judged.
        upto: Messages before this place are dropped, counted from 0; None for as many as a
            compaction would drop by itself.
        summary: The text that is to stand for them; None to have one written.

    Raises:
        BudgetError: The caller's summary does not fit into the limit.
        ConfigError: The caller's summary is blank.
        HistoryError: There are fewer messages.
    """
    if summary is not None and not summary.strip():
        msg = "summary is blank: say what is to stand for the messages, or leave it to be written"
        raise ConfigError(msg)
    prompt = yield from whole(prompt)
    thread = prompt.thread()
    if upto is not None:
        check_place(upto, len(thread.rest))
    state = yield from resume(prompt, context, thread)

    def smaller(now: State) -> Flow[State]:
        todo = _plan(context, now, upto)
        if todo.action == "send":
            return now
        if upto is None and summary is None:
            return (yield from compact_by_plan(prompt, context, now, todo))
        if summary is None:
            return (yield from _in_steps(prompt, context, now, upto or 0))
        segment = _written(prompt, context, now, todo, summary)
        held = now.notes.segments + segment.tokens + SEGMENT_FRAME
        todo = replace(todo, share=max(todo.share, held))
        return (yield from summarized(prompt, context, now, todo, written=segment))

    after = yield from alone(prompt, context, state, smaller, done=lambda _: False)
    return None if after.view.record == state.view.record else after.view.record


def _in_steps(prompt: Prompt, context: Context, state: State, upto: int) -> Flow[State]:
    """Return a view in which all before `upto` is summarised, as much at once as can be read."""
    while (todo := _plan(context, state, upto)).action == "compact":
        after = yield from summarized(prompt, context, state, todo)
        if len(after.view.loose) >= len(state.view.loose):
            return state
        state = after
    return state


def _plan(context: Context, state: State, upto: int | None) -> Plan:
    if upto is None:
        return state.plan(context.policy, due=True)
    place = sum(indexes[-1] < upto for indexes, _ in state.view.parts())
    return state.plan_cut(context.policy, place=place)


def _written(prompt: Prompt, context: Context, state: State, todo: Plan, summary: str) -> Segment:
    """Return the segment that the caller's words make."""
    words = prompt.redact(summary) if prompt.redact else summary
    tokens = context.meter.text(words.strip())
    total = todo.projected - todo.cap + tokens
    if total > todo.limit:
        raise BudgetError(
            tokens=round(total),
            limit=todo.limit,
            culprits={"your summary": round(tokens), "everything else": todo.projected - todo.cap},
        )
    dropped, place = state.dropped(todo), 1 + numbering(state)
    draft = Draft(text=words, author=CALLER)
    first, last = dropped[0] + place, dropped[-1] + place
    made = made_of(draft, tokens, context, first=first, last=last, dates=("", ""))
    return replace(made, prompt="")


def expand(key: LogKey, segment: Segment | str) -> Flow[tuple[WireMessage, ...]]:
    """Return the messages that a segment stands for, as they were said.

    Raises:
        HistoryError: The conversation has no such messages, or `segment` is no range of them.
    """
    known = yield from past(key)
    first, last = _range(segment)
    if not 1 <= first <= last <= len(known.messages):
        msg = f"{first}-{last} is no run of messages of a conversation of {len(known.messages)}"
        raise HistoryError(msg, index=max(0, first - 1))
    return known.messages[first - 1 : last]


def _range(segment: Segment | str) -> tuple[int, int]:
    if isinstance(segment, Segment):
        return segment.first, segment.last
    first, _, last = str(segment).partition("-")
    if not (first.strip().isdecimal() and last.strip().isdecimal()):
        msg = f'{segment!r} is no segment: give one of compactions(), or its range such as "3-17"'
        raise HistoryError(msg, index=0)
    return int(first), int(last)


def covering_segment(prompt: Prompt, context: Context, place: int) -> Flow[Segment | None]:
    """Return the segment that stands for a message in the view; None where it is sent itself.

    Raises:
        HistoryError: There are fewer messages.
    """
    prompt = yield from whole(prompt)
    thread, records = yield from find(prompt, context, prompt.thread())
    check_place(place, len(thread.rest) - 1)
    state = best(prompt, context, thread, records)
    record = state.view.record
    if record is None or place in state.view.loose:
        return None
    return next((s for s in record.segments if s.first <= place + 1 <= s.last), None)


def pin(prompt: Prompt, key: LogKey, what: int | str, *, held: bool) -> Flow[None]:
    """Have a message or a sentence stay in the view, or not any more.

    Args:
        prompt: Whose conversation it is.
        key: Its log.
        what: The place of a message, counted from 0, or a sentence.
        held: Whether it stays.

    Raises:
        ConfigError: The sentence is blank.
        HistoryError: There is no such message.
        ConflictError: Others kept writing.
    """
    if isinstance(what, str) and not what.strip():
        msg = "the sentence to pin is blank: say what is to be quoted"
        raise ConfigError(msg)

    def records(log: Log) -> list[Pinned]:
        known = Past.of(log)
        if isinstance(what, str):
            text = prompt.redact(what.strip()) if prompt.redact else what.strip()
            return [Pinned(text=text, held=held)] if held != (text in known.quoted) else []
        check_place(what, len(known.messages) - 1)
        mark = digest(redacted(known.messages[what], prompt.redact))
        return [Pinned(digest=mark, held=held)] if held != (mark in known.pinned) else []

    yield from write(key, records)
