"""From a view to a smaller one: the part that costs a summary."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from memory import events
from memory.errors import ConflictError
from memory.flow.clearing import intended
from memory.flow.compose import Change, composed
from memory.flow.effects import Claim, Emit, Flow, Now, Release
from memory.flow.log import append, compacted, failed, gone, key_of
from memory.flow.merge import merged, written_anew
from memory.flow.past import Past
from memory.flow.resume import resume
from memory.flow.segment import readable, write_segment
from memory.flow.state import Context, Prompt, State, measured
from memory.flow.store_effects import Load, Log
from memory.policy import SMALLEST_SEGMENT, Plan
from memory.records import Compaction, Segment, Shortened
from memory.view import Thread, View

__all__ = ("alone", "compact", "in_time", "summarized")

PIECES = 6
"""Into how many requests for summaries one compaction is split at most."""


def _fits(state: State) -> bool:
    return state.fits


def alone(
    prompt: Prompt,
    context: Context,
    state: State,
    smaller: Callable[[State], Flow[State]],
    *,
    done: Callable[[State], bool] = _fits,
) -> Flow[State]:
    """Return a view that is `done`, by `smaller` if need be, while nobody else does the same.

    Twenty identical calls at once pay for one summary: the others wait for it and find it.
    """
    if prompt.blind:
        return (yield from smaller(state))
    thread = state.view.thread
    claim = Claim(key=key_of(prompt, thread), links=thread.links, patience=context.deadline)
    yield from claim.perform()
    try:
        found = yield from resume(prompt, context, state.view.thread)
        result = found if done(found) else (yield from smaller(found))
    except Exception:
        yield from Release().perform()
        raise
    yield from Release().perform()
    return result


def in_time(context: Context) -> Flow[Context]:
    """Return a context in which all summaries from now on share one deadline."""
    if context.until != math.inf:
        return context
    return replace(context, until=(yield from Now().perform()) + context.deadline)


def compact(prompt: Prompt, context: Context, state: State, todo: Plan) -> Flow[State]:
    """Carry out a plan: clear old tool results, have a summary written if that is not enough.

    The summary is asked for between reading the log and writing to it at the version read. If
    somebody else wrote first, their view is used when it fits and ours is added when not.
    """
    todo, bare = intended(prompt, context, state, todo)
    if bare is None:
        return (yield from summarized(prompt, context, state, todo))
    event = events.ResultsCleared(
        namespace=prompt.namespace,
        messages=len(_cleared(state, bare)),
        tokens=state.counts.total - bare.counts.total,
    )
    yield from Emit(event=event).perform()
    if not todo.cut:
        return (yield from _changed(prompt, context, state, None, bare=bare))
    return (yield from summarized(prompt, context, state, todo, bare=bare))


def summarized(
    prompt: Prompt,
    context: Context,
    state: State,
    todo: Plan,
    *,
    bare: State | None = None,
    written: Segment | None = None,
) -> Flow[State]:
    """Return the view after what a plan drops was summarised.

    Args:
        prompt: Whose conversation it is.
        context: How it is judged.
        state: The view before.
        todo: The plan.
        bare: The same view without old tool results, where they are cleared too.
        written: The segment, where the caller wrote it.
    """
    if written is None:
        todo = _within_window(prompt, context, state, todo, bare or state)
    planned = events.Planned(
        namespace=prompt.namespace,
        tokens=todo.tokens,
        projected=todo.projected,
        dropped=len(state.dropped(todo)),
    )
    yield from Emit(event=planned).perform()
    return (yield from _changed(prompt, context, state, todo, bare=bare, written=written))


def _changed(
    prompt: Prompt,
    context: Context,
    state: State,
    todo: Plan | None,
    *,
    bare: State | None = None,
    written: Segment | None = None,
) -> Flow[State]:
    """Have a change written, put it on record and return the view that it makes."""
    thread = state.view.thread
    log = Log()
    if prompt.record:
        log = yield from Load(key=key_of(prompt, thread)).perform()
    base = state.view.record
    segments, dropped = base.segments if base else (), list[int]()
    if todo is not None:
        dropped = state.dropped(todo)
        segments = yield from _segments(prompt, context, state, todo, written)
    change = Change(
        segments=segments,
        dropped=dropped,
        before=todo.cut if todo else 0,
        cleared=_cleared(state, bare) if bare else (),
    )
    record = yield from composed(prompt, context, state, change)
    smaller = State.of(prompt, context, View(thread, record))
    if record.identifiers and (over := smaller.counts.total - smaller.budget.trigger) > 0:
        record = yield from composed(prompt, context, state, replace(change, less=2 * over))
        smaller = State.of(prompt, context, View(thread, record))
    record = replace(record, tokens_before=state.counts.total, tokens_after=smaller.counts.total)
    record = measured(prompt, context, thread, record)
    paid = todo is not None
    theirs = yield from _put_on_record(prompt, context, state, record, log, paid=paid)
    return theirs or replace(smaller, view=View(thread, record))


def _cleared(state: State, bare: State) -> tuple[Shortened, ...]:
    """Return the results that a bare view leaves out in addition."""
    before = state.view.record.shortened if state.view.record else ()
    return bare.view.record.shortened[len(before) :] if bare.view.record else ()


def _segments(
    prompt: Prompt, context: Context, state: State, todo: Plan, written: Segment | None
) -> Flow[tuple[Segment, ...]]:
    """Return the segments with the new one, within their share."""
    base = state.view.record
    segments = base.segments if base else ()
    dropped = state.dropped(todo)
    if written is not None:
        own = set(written.numbers)
        others = (s for s in segments if not own.issuperset(s.numbers))
        segments = tuple(sorted((*others, written), key=lambda s: s.first))
    elif dropped:
        new = yield from write_segment(prompt, context, state, todo, dropped)
        segments = (*segments, new)
    segments = yield from merged(prompt, context, state, todo, segments)
    return (yield from written_anew(prompt, context, state, segments, dropped))


def _within_window(
    prompt: Prompt, context: Context, state: State, todo: Plan, planned_on: State
) -> Plan:
    """Return a plan for as much as the summariser can read; what is left is for another one.

    Where that would be too little to get anywhere, it is not asked, and who stands in reads all.
    """
    room = readable(prompt, context, state) - todo.cap
    parts, place = state.sized[: todo.cut], 0
    if room * PIECES < sum(tokens for tokens, _ in parts):
        return todo
    for tokens, _ in parts:
        room -= tokens
        if room < 0:
            break
        place += 1
    if not 0 < place < todo.cut:
        return todo
    less = planned_on.plan_cut(context.policy, place=place)
    if less.action == "send":
        return todo
    # What the last step will leave decides on the room, not what this one leaves for the others.
    taken = sum(tokens for tokens, _ in parts[:place])
    cap = max(SMALLEST_SEGMENT, min(todo.cap, taken * 3 // 5))
    return replace(less, cap=cap, spare=todo.spare // 2, share=todo.share)


def _is_forgotten(prompt: Prompt, record: Compaction) -> Flow[bool]:
    """Return whether a conversation that was on record has lost what a record stands for."""
    begun = prompt.joined.start if prompt.joined else record.covered
    if prompt.log is None or begun < record.covered:
        return False
    known = Past.of((yield from Load(key=prompt.log).perform()))
    links = Thread.of(known.messages, start=0).links
    return links[record.covered : record.covered + 1] != [record.coverage]


def _put_on_record(
    prompt: Prompt, context: Context, state: State, record: Compaction, log: Log, *, paid: bool
) -> Flow[State | None]:
    """Append a record; return the view of whoever was first, where that is small enough.

    A store that cannot write costs nothing: the record holds in this process until it can. What
    was forgotten meanwhile is not written again.
    """
    if not prompt.record:
        return None
    thread = state.view.thread
    originals = gone(record)
    try:
        if (yield from _is_forgotten(prompt, record)):
            return None
        try:
            yield from append(prompt, thread, record, originals=originals, onto=log)
        except ConflictError as conflict:
            if conflict.actual < conflict.expected:
                return None
            theirs = yield from resume(prompt, context, thread)
            changed = theirs.view.record not in (None, state.view.record)
            if changed and theirs.counts.total <= state.budget.trigger:
                return theirs
            yield from append(prompt, thread, record, originals=originals)
    except Exception as error:  # noqa: BLE001  # whatever the store raises
        context.unsaved.keep(key_of(prompt, thread), record)
        yield from failed(prompt, error).perform()
    else:
        yield from compacted(prompt, record, paid=paid).perform()
    return None
