"""Composing a compaction: its segments, what it quotes, and the message that carries both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory.flow.effects import Flow
from memory.flow.quotes import (
    capped,
    identifiers,
    pinned,
    pins_of,
    shown_beside,
    standing_instructions,
)
from memory.flow.state import Context, Prompt, State
from memory.identity import digest
from memory.messages import HEAD_ROLES, last_user, role_of
from memory.notes import render
from memory.policy import NOTES_FRAME, SEGMENT_FRAME
from memory.records import Compaction, Identifier, Segment, Shortened, Standing
from memory.view import View

__all__ = ("Change", "composed", "requoted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a compaction does to a view.

    Attributes:
        segments: The segments from now on.
        dropped: The messages that leave the view, by index.
        before: Where the part stands up to which everything is covered.
        cleared: The tool results that are not shown any more.
        less: Tokens that quotes have to do without, since they turned out dearer than they count.
    """

    segments: tuple[Segment, ...]
    dropped: Sequence[int] = ()
    before: int = 0
    cleared: tuple[Shortened, ...] = ()
    less: int = 0


def composed(prompt: Prompt, context: Context, state: State, change: Change) -> Flow[Compaction]:
    """Return the record of a change, with the synthetic message that it puts in place."""
    covered, kept = _covered(state, change)
    short = _shortened(state, change, covered, kept)
    gone = _gone(state, covered, kept, short)
    room = max(0, _room(state, gone, change.segments) - change.less)
    share = context.policy.standing * state.budget.limit
    said = yield from standing_instructions(
        prompt, context, state, change.dropped, room=min(share, max(room, state.held))
    )
    room = max(0, room - sum(context.meter.text(each.text) + 2 for each in said))
    spare = room - (state.budget.trigger - state.budget.target) // 3
    listed = identifiers(
        prompt,
        context,
        state,
        gone,
        shown=shown_beside(state, gone, change.segments, said),
        room=min(context.policy.room_for_identifiers(state.budget.limit), spare),
    )
    thread = state.view.thread
    adopted = _adopted(state, change, covered)
    record = Compaction(
        covered=covered,
        coverage=thread.links[covered],
        adopted=adopted,
        adoption=thread.links[adopted],
        kept=kept,
        segments=change.segments,
        shortened=short,
        pins=pins_of(prompt.quoted or ()),
    )
    return _with_message(context, state, record, said, listed)


def _adopted(state: State, change: Change, covered: int) -> int:
    """Return how many messages an input has to begin with to follow a record.

    All there are, but for what the next input may say otherwise. Where results are cleared and
    nothing is dropped, what decided on that is enough: all up to the reply to the last result.
    """
    thread, base = state.view.thread, state.view.record
    if change.before or not change.cleared:
        return thread.settled
    last = max(i for i, message in enumerate(thread.rest) if role_of(message) == "tool")
    later = enumerate(thread.rest[last + 1 :], start=last + 1)
    reply = next((i for i, message in later if role_of(message) not in HEAD_ROLES), last + 1)
    least = max(covered, min(reply + 1, thread.settled))
    known = base and thread.links[base.adopted : base.adopted + 1] == [base.adoption]
    return max(least, base.adopted) if base and known else least


def requoted(prompt: Prompt, context: Context, state: State) -> State:
    """Return a view whose notes quote what is pinned now; the same where they do."""
    if prompt.quoted is None:
        return state
    base, thread, pins = state.view.base, state.view.thread, pins_of(prompt.quoted)
    if base.pins == pins:
        return state
    share = context.policy.standing * state.budget.limit
    said = capped(context, pinned(prompt, base.standing), share)
    adopted = thread.settled
    base = replace(base, adopted=adopted, adoption=thread.links[adopted], pins=pins)
    made = _with_message(context, state, base, said, base.identifiers)
    return State.of(prompt, context, View(thread, made))


def _with_message(
    context: Context,
    state: State,
    record: Compaction,
    said: tuple[Standing, ...],
    listed: tuple[Identifier, ...],
) -> Compaction:
    """Return a record with what it quotes, and the message that says so; none for nothing."""
    record = replace(record, standing=said, identifiers=listed)
    if not (record.segments or said or listed):
        return replace(record, synthetic=None, mark=None, cost=None)
    rest = state.view.thread.rest
    synthetic = render(
        record.segments,
        standing=said,
        identifiers=listed,
        role=context.role,
        in_progress=last_user(rest) in record.kept,
        kept=len(record.kept),
    )
    reported = sum(each.tokens - context.meter.text(each.text) for each in record.segments)
    cost = context.meter.count([synthetic])[0] + reported
    return replace(record, synthetic=synthetic, mark=digest(synthetic), cost=cost)


def _covered(state: State, change: Change) -> tuple[int, tuple[int, ...]]:
    """Return how many messages the new record covers, and which of them stay verbatim."""
    view = state.view
    before = [index for indexes, _ in view.parts()[: change.before] for index in indexes]
    covered = max(view.record.covered if view.record else 0, max(before, default=-1) + 1)
    dropped = set(change.dropped)
    return covered, tuple(i for i in view.loose if i < covered and i not in dropped)


def _shortened(
    state: State, change: Change, covered: int, kept: Sequence[int]
) -> tuple[Shortened, ...]:
    base = state.view.record.shortened if state.view.record else ()
    return tuple(s for s in (*base, *change.cleared) if s.index >= covered or s.index in kept)


def _gone(state: State, covered: int, kept: Sequence[int], short: Sequence[Shortened]) -> list[int]:
    """Return the messages of which nothing will be shown."""
    held = set(kept)
    hidden = {s.index for s in short if not s.head and not s.tail}
    size = len(state.view.thread.rest)
    return [i for i in range(size) if (i < covered and i not in held) or i in hidden]


def _room(state: State, gone: Sequence[int], segments: Sequence[Segment]) -> float:
    """Return the tokens under the trigger that quotes may have."""
    missing = set(gone)
    sizes = zip(state.view.loose, state.sizes, strict=True)
    verbatim = sum(size for index, size in sizes if index not in missing)
    notes = NOTES_FRAME + sum(each.tokens + SEGMENT_FRAME for each in segments)
    return max(0, state.budget.trigger - state.fixed - verbatim - notes)
