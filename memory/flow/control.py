"""What a user does to a conversation's view: compact it, look behind it, pin something in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from memory.errors import BudgetError, ConfigError, HistoryError
from memory.flow.compact import alone, in_time, summarized
from memory.flow.compact import compact as compact_by_plan
from memory.flow.conversation import check_place, past, whole
from memory.flow.effects import Flow
from memory.flow.log import write
from memory.flow.merge import CALLER
from memory.flow.past import Past
from memory.flow.resume import best, find, resume
from memory.flow.segment import made_of, numbering
from memory.flow.state import Context, Prompt, State
from memory.flow.store_effects import Forget, ForgetUser, Log
from memory.identity import digest
from memory.messages import WireMessage
from memory.policy import SEGMENT_FRAME, Plan
from memory.records import Compaction, Forgotten, LogKey, Pinned, Segment
from memory.summary import Draft

__all__ = ("compact", "covering_segment", "expand", "forget", "forget_user", "pin")

_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")
_LONGEST = 1_000_000
"""Messages that a range may have."""


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
        timed = yield from in_time(context)
        if summary is not None:
            return (yield from _in_words(prompt, timed, now, upto, summary))
        todo = _plan(timed, now, upto)
        if todo.action == "send":
            return now
        if upto is None:
            return (yield from compact_by_plan(prompt, timed, now, todo))
        return (yield from _in_steps(prompt, timed, now, upto))

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


def _in_words(
    prompt: Prompt, context: Context, state: State, upto: int | None, summary: str
) -> Flow[State]:
    """Return a view in which the caller's words stand for all before `upto`, summaries included."""
    todo, record = _plan(context, state, upto), state.view.record
    held = record.segments if record else ()
    old = [s for s in held if upto is not None and s.last <= upto + numbering(state)]
    dropped = state.dropped(todo)
    if not old and not dropped:
        return state
    freed = sum(s.tokens + SEGMENT_FRAME for s in old)
    words = (prompt.redact(summary) if prompt.redact else summary).strip()
    tokens = context.meter.text(words)
    rest = (todo.projected - todo.cap if dropped else state.counts.total) - freed
    if rest + tokens > todo.limit:
        culprits = {"your summary": round(tokens), "everything else": rest}
        raise BudgetError(tokens=round(rest + tokens), limit=todo.limit, culprits=culprits)
    own = {n for s in old for n in s.numbers} | {i + 1 + numbering(state) for i in dropped}
    draft = Draft(text=words, author=CALLER)
    made = made_of(draft, tokens, context, numbers=sorted(own), dates=("", ""))
    share = state.notes.segments + made.tokens + SEGMENT_FRAME
    todo = replace(todo, action="compact", share=max(todo.share, share))
    return (
        yield from summarized(
            prompt, context, state, todo, written=replace(made, prompt="", own=True)
        )
    )


def _plan(context: Context, state: State, upto: int | None) -> Plan:
    if upto is None:
        return state.plan(context.policy, due=True)
    place = sum(indexes[-1] < upto for indexes, _ in state.view.parts())
    return state.plan_cut(context.policy, place=place)


def expand(key: LogKey, segment: Segment | str) -> Flow[tuple[WireMessage, ...]]:
    """Return the messages that a segment stands for, as they were said.

    Raises:
        HistoryError: The conversation has no such messages, or `segment` is no range of them.
    """
    known = yield from past(key)
    numbers, held = _numbers(segment), len(known.messages)
    if not numbers or not 1 <= numbers[0] <= numbers[-1] <= held:
        named = segment if isinstance(segment, str) else f"{segment.first}-{segment.last}"
        msg = f"{named} is no run of messages of a conversation of {held}"
        raise HistoryError(msg, index=max(0, numbers[0] - 1) if numbers else 0)
    return tuple(known.messages[number - 1] for number in numbers)


def _numbers(segment: Segment | str) -> Sequence[int]:
    """Return the numbers of the messages that are meant; ranges are as the notes show them."""
    if isinstance(segment, Segment):
        return segment.numbers
    found = [_RANGE.fullmatch(part) for part in str(segment).split(",")]
    ranges = [(int(part[1]), int(part[2] or part[1])) for part in found if part]
    if len(ranges) < len(found) or any(last - first > _LONGEST for first, last in ranges):
        msg = f'{segment!r} is no segment: give one of compactions(), or its range such as "3-17"'
        raise HistoryError(msg, index=0)
    return sorted({number for first, last in ranges for number in range(first, last + 1)})


def covering_segment(prompt: Prompt, context: Context, place: int) -> Flow[Segment | None]:
    """Return the segment that stands for a message in the view; None where it is sent itself.

    Raises:
        HistoryError: There are fewer messages.
    """
    prompt = yield from whole(prompt)
    thread, records = yield from find(prompt, context, prompt.thread())
    check_place(place, len(thread.rest), message=True)
    state = best(prompt, context, thread, records)
    record = state.view.record
    if record is None or place in state.view.loose:
        return None
    return next((s for s in record.segments if place + 1 in s.numbers), None)


def forget(context: Context, key: LogKey) -> Flow[Forgotten]:
    """Remove a conversation and all that is known of it; return how much that was."""
    context.unsaved.forget(lambda other: other == key)
    return (yield from Forget(key=key).perform())


def forget_user(context: Context, namespace: str, user: str) -> Flow[Forgotten]:
    """Remove everything of a user; return how much that was."""
    context.unsaved.forget(lambda key: (key.namespace, key.user) == (namespace, user))
    return (yield from ForgetUser(namespace=namespace, user=user).perform())


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
        check_place(what, len(known.messages), message=True)
        mark = digest(known.messages[what])
        return [Pinned(digest=mark, held=held)] if held != (mark in known.pinned) else []

    yield from write(key, records)
