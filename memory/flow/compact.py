"""From a view to a smaller one: the part that costs a summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from memory import events
from memory.errors import ConflictError
from memory.flow.effects import Claim, Emit, Flow, Load, Log, Release
from memory.flow.log import append, compacted, failed, key_of
from memory.flow.resume import resume
from memory.flow.segment import readable, write_segment
from memory.flow.state import Context, Prompt, State, measured
from memory.identity import digest
from memory.messages import role_of
from memory.policy import Plan
from memory.records import Compaction
from memory.summary import quoted, render
from memory.view import View, later_system

__all__ = ("alone", "compact")

PIECES = 6
"""Into how many requests for summaries one compaction is split at most."""
STANDING_SHARE = 0.1
"""Share of the limit that quoted system messages may have."""


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


def compact(prompt: Prompt, context: Context, state: State, todo: Plan) -> Flow[State]:
    """Carry out a plan: have the summary written, put it on record and return the new view.

    The summary is asked for between reading the log and writing to it at the version read. If
    somebody else wrote first, their view is used when it fits and ours is added when not.
    """
    todo = _within_window(prompt, context, state, todo)
    dropped = state.dropped(todo)
    planned = events.Planned(
        namespace=prompt.namespace,
        tokens=todo.tokens,
        projected=todo.projected,
        dropped=len(dropped),
    )
    yield from Emit(event=planned).perform()
    thread = state.view.thread
    log = Log()
    if prompt.record:
        log = yield from Load(key=key_of(prompt, thread)).perform()
    record = yield from _write(prompt, context, state, todo, dropped)
    smaller = State.of(prompt, context, View(thread, record))
    record = replace(record, tokens_before=state.counts.total, tokens_after=smaller.counts.total)
    record = measured(prompt, context, thread, record)
    theirs = yield from _put_on_record(prompt, context, state, record, log)
    return theirs or replace(smaller, view=View(thread, record))


def _within_window(prompt: Prompt, context: Context, state: State, todo: Plan) -> Plan:
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
    less = state.plan_cut(context.policy, place=place)
    return todo if less.action == "send" else less


def _put_on_record(
    prompt: Prompt, context: Context, state: State, record: Compaction, log: Log
) -> Flow[State | None]:
    """Append a record; return the view of whoever was first, where that is small enough.

    A store that cannot write costs the next call a summary, and this one nothing: the view does
    not need it. What was forgotten meanwhile is not written again.
    """
    if not prompt.record:
        return None
    thread = state.view.thread
    originals = [i for i in range(record.covered) if i not in record.kept]
    try:
        try:
            yield from append(prompt, thread, record, originals=originals, onto=log)
        except ConflictError as conflict:
            if conflict.actual < conflict.expected:
                return None
            theirs = yield from resume(prompt, context, thread)
            if theirs.counts.total <= state.budget.trigger:
                return theirs
            yield from append(prompt, thread, record, originals=originals)
    except Exception as error:  # noqa: BLE001  # whatever the store raises
        yield from failed(prompt, error).perform()
    else:
        yield from compacted(prompt, record, paid=True).perform()
    return None


def _write(
    prompt: Prompt, context: Context, state: State, todo: Plan, dropped: Sequence[int]
) -> Flow[Compaction]:
    """Have the new segment written and return the record that puts it in place."""
    base = state.view.record
    segment = yield from write_segment(prompt, context, state, todo, dropped)
    segments = (segment,) if todo.fold or base is None else (*base.segments, segment)
    covered, kept = _covered(state, todo, dropped)
    standing = yield from _standing(prompt, context, state, todo, dropped)
    synthetic = render(
        segments,
        standing=standing,
        role=context.role,
        in_progress=_in_progress(state, kept),
        kept=len(kept),
    )
    frame = context.meter.count([synthetic])[0] - context.meter.text(segment.text)
    thread = state.view.thread
    short = base.shortened if base else ()
    return Compaction(
        covered=covered,
        coverage=thread.links[covered],
        adopted=thread.settled,
        adoption=thread.links[thread.settled],
        kept=kept,
        segments=segments,
        standing=standing,
        shortened=tuple(s for s in short if s.index >= covered or s.index in kept),
        synthetic=synthetic,
        mark=digest(synthetic),
        cost=frame + segment.tokens,
    )


def _covered(state: State, todo: Plan, dropped: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """Return how many messages the new record covers, and which of them stay verbatim."""
    view = state.view
    before = [index for indexes, _ in view.parts()[: todo.cut] for index in indexes]
    covered = max(view.record.covered if view.record else 0, max(before, default=-1) + 1)
    gone = set(dropped)
    return covered, tuple(i for i in view.loose if i < covered and i not in gone)


def _in_progress(state: State, kept: Sequence[int]) -> bool:
    rest = state.view.thread.rest
    return any(role_of(rest[index]) == "user" for index in kept)


def _standing(
    prompt: Prompt, context: Context, state: State, todo: Plan, dropped: Sequence[int]
) -> Flow[tuple[str, ...]]:
    """Return the later system messages that are covered now: each once, the newest that fit."""
    base = state.view.record.standing if state.view.record else ()
    said = [*base, *later_system(state.view.thread, dropped)]
    texts = dict.fromkeys(reversed(said))
    costs = {text: context.meter.text(quoted(text)) + 1 for text in texts}
    counted = 0 if todo.fold else sum(costs[text] for text in base)
    room = min(
        state.budget.limit * STANDING_SHARE,
        counted + max(0, state.budget.trigger - todo.projected),
    )
    chosen: list[str] = []
    for text in texts:
        room -= costs[text]
        if room < 0:
            break
        chosen.append(text)
    if lost := len(texts) - len(chosen):
        event = events.StandingCapped(namespace=prompt.namespace, dropped=lost)
        yield from Emit(event=event).perform()
    return tuple(reversed(chosen))
