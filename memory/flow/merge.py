"""Keeping the segments within their share: merging, and writing anew what was only extracted.

Segments are kept as a log-structured merge tree keeps its runs (O'Neil and others, 1996): the two
oldest of one level become one of the next, so that a message is summarised O(log n) times. They
are written from the messages themselves where the summariser can read those again, and where that
costs no more than a prompt of the conversation may: level n would read 2^n slices at full price.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from memory.flow.draft import OFFLINE, drafted
from memory.flow.effects import Flow
from memory.flow.segment import made_of, obstacle, originals, readable
from memory.flow.state import Context, Prompt, State
from memory.messages import WireMessage
from memory.notes import ELIDED
from memory.policy import SEGMENT_FRAME, SMALLEST_SEGMENT, Plan
from memory.records import Segment
from memory.summary import Draft, SummaryRequest

__all__ = ("merged", "pair", "written_anew")

CALLER = "caller"
"""The author of what the caller wrote."""
CUT = "(The rest of these notes was cut off; the messages are in the log.)"


def merged(
    prompt: Prompt, context: Context, state: State, todo: Plan, segments: Sequence[Segment]
) -> Flow[tuple[Segment, ...]]:
    """Return the segments, merged until they are within their share.

    Raises:
        SummaryError: A text could not be had, and the offline summariser does not stand in.
    """
    left, dropped = tuple(segments), state.dropped(todo)
    while len(left) > 1 and _size(left) > todo.share:
        place = pair(left)
        cap = _cap(left, place, todo)
        two = (left[place], left[place + 1])
        one = yield from _merged(prompt, context, state, two, cap=cap, dropped=dropped)
        left = (*left[:place], one, *left[place + 2 :])
    if left and _size(left) > todo.share:
        return (_clipped(context, left[0], todo.share - SEGMENT_FRAME),)
    return left


def written_anew(
    prompt: Prompt,
    context: Context,
    state: State,
    segments: Sequence[Segment],
    dropped: Collection[int],
) -> Flow[tuple[Segment, ...]]:
    """Return the segments, the oldest that was only extracted written by the summariser now.

    One at a time, and only when the summariser has just answered.
    """
    place = next((i for i, each in enumerate(segments) if _is_extract(each)), None)
    if place is None or segments[-1].author in (OFFLINE, CALLER):
        return tuple(segments)
    old = segments[place]
    messages = originals(prompt, state, dropped, old.numbers)
    if not messages:
        return tuple(segments)
    cap = max(SMALLEST_SEGMENT, old.tokens)
    request = _request(context, prompt, messages, (), cap)
    if request.source_tokens + cap > readable(prompt, context, state):
        return tuple(segments)
    draft, tokens = yield from drafted(
        prompt, context, request, purpose="again", messages=len(messages)
    )
    if draft.author == OFFLINE:
        return tuple(segments)
    new = made_of(draft, tokens, context, numbers=old.numbers, dates=old.dates, level=old.level)
    return (*segments[:place], new, *segments[place + 1 :])


def _is_extract(segment: Segment) -> bool:
    return segment.author == OFFLINE and not segment.refused and not segment.own


def pair(segments: Sequence[Segment]) -> int:
    """Return the place of the first of the two neighbours to be merged next.

    The two oldest of one level; where no two are, the two newest. The two oldest in their place
    would be read again and again: 251 times of 1,000 compactions, with room for three segments.
    """
    levels = pairwise(segment.level for segment in segments)
    equal = (place for place, (one, other) in enumerate(levels) if one == other)
    return next(equal, len(segments) - 2)


def _cap(segments: Sequence[Segment], place: int, todo: Plan) -> int:
    """Return the tokens that two segments may have as one.

    As many as there is room for, up to what they have; four fifths of it are asked for.
    """
    both = segments[place].tokens + segments[place + 1].tokens
    others = _size(segments) - both - 2 * SEGMENT_FRAME
    room = todo.share - others - SEGMENT_FRAME
    return max(SMALLEST_SEGMENT, min(room, both))


def _size(segments: Sequence[Segment]) -> int:
    return sum(segment.tokens + SEGMENT_FRAME for segment in segments)


def _merged(
    prompt: Prompt,
    context: Context,
    state: State,
    two: tuple[Segment, Segment],
    *,
    cap: int,
    dropped: Collection[int],
) -> Flow[Segment]:
    older, newer = two
    numbers = sorted({*older.numbers, *newer.numbers})
    messages = originals(prompt, state, dropped, numbers)
    if older.own or newer.own:
        messages = {}
    request = whole = _request(context, prompt, messages, (), cap)
    room = readable(prompt, context, state)
    most = min(room, state.budget.limit) - cap
    if not messages or request.source_tokens > most:
        if older.tokens + newer.tokens <= cap:
            return _joined(context, older, newer)
        request = _request(context, prompt, {}, two, cap)
    draft, tokens = yield from drafted(
        prompt,
        context,
        request,
        purpose="merge",
        messages=len(numbers),
        offline=whole if messages else None,  # reading costs it nothing
        obstacle=obstacle(prompt, context, fits=request.source_tokens + cap <= room),
    )
    anew = messages and (not request.previous or draft.author == OFFLINE)
    depth = 1 if anew else 1 + max(older.depth, newer.depth)
    made = made_of(
        draft,
        tokens,
        context,
        numbers=numbers,
        dates=(older.dates[0] or newer.dates[0], newer.dates[1] or older.dates[1]),
        level=1 + max(older.level, newer.level),
        depth=depth,
    )
    return replace(made, own=older.own or newer.own)


def _joined(context: Context, older: Segment, newer: Segment) -> Segment:
    """Return two segments as one, word for word: there is room for both, but for one frame."""
    text = f"{older.text}\n{newer.text}"
    author = newer.author if older.author == newer.author else f"{older.author} and {newer.author}"
    made = made_of(
        Draft(text=text, author=author),
        context.meter.text(text),
        context,
        numbers=sorted({*older.numbers, *newer.numbers}),
        dates=(older.dates[0] or newer.dates[0], newer.dates[1] or older.dates[1]),
        level=1 + max(older.level, newer.level),
        depth=max(older.depth, newer.depth),
    )
    return replace(made, prompt=newer.prompt, own=older.own or newer.own)


def _request(
    context: Context,
    prompt: Prompt,
    messages: Mapping[int, WireMessage],
    previous: tuple[Segment, ...],
    cap: int,
) -> SummaryRequest:
    """Return a request that quotes messages by number, or earlier segments, in one message."""
    quoted = tuple(messages.values())
    read = sum(context.meter.count(quoted)) if quoted else 0
    return SummaryRequest(
        form="rendered",
        model=context.summarizer_model or prompt.model,
        slice=quoted,
        numbers=tuple(messages),
        previous=previous,
        cap=cap,
        source_tokens=read + sum(segment.tokens for segment in previous),
        task=context.task,
        deadline=context.deadline,
    )


def _clipped(context: Context, segment: Segment, room: int) -> Segment:
    """Return a segment of which only the beginning is left: what matters most stands first."""
    lines = segment.text.splitlines()
    while lines and context.meter.text("\n".join([*lines, CUT])) > room:
        lines.pop()
    count = len(segment.numbers)
    text = "\n".join([*lines, CUT]) if lines else ELIDED.format(count=count)
    return replace(segment, text=text, tokens=round(context.meter.text(text)))
