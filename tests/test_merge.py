"""Keeping segments within their share: which two are merged, from what, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import log2
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import (
    MODEL,
    OFFLINE,
    SUMMARY,
    Wire,
    assistant,
    chat,
    context,
    notes,
    play,
    prompt,
    system,
    told,
    user,
    words,
)

from memory import events
from memory.drive import run
from memory.errors import SummaryError
from memory.flow import Context, Effect, Extract, Now, Prompt, Summarize
from memory.flow.merge import merged, pair
from memory.flow.state import State
from memory.notes import ELIDED
from memory.policy import SEGMENT_FRAME, SMALLEST_SEGMENT, Plan
from memory.records import Compaction, Segment
from memory.summary import PROMPT_ID, Draft, SummaryRequest
from memory.view import View

GIVEN: list[Wire] = chat(50, head=10)
REST = GIVEN[1:]
SMALL = "moonshot-v1-8k"
DOWN = SummaryError("the summariser answered 500")


def segment(first: int, last: int, *, level: int = 0, **others: Any) -> Segment:
    """Return a segment of 100 tokens; what is not given does not matter."""
    given = {"text": words(100, f"s{first}-"), "tokens": 100, "author": MODEL, **others}
    return Segment(first=first, last=last, level=level, **given)


def row(levels: Sequence[int], **others: Any) -> list[Segment]:
    """Return neighbours of these levels, each of ten messages."""
    return [
        segment(10 * place + 1, 10 * place + 10, level=level, **others)
        for place, level in enumerate(levels)
    ]


def todo(share: int, *, cap: int = 60, cut: int = 0) -> Plan:
    """Return a plan that gives all segments so many tokens together."""
    return Plan(
        action="compact",
        reason="over the trigger",
        tokens=0,
        projected=0,
        limit=10_000,
        cut=cut,
        cap=cap,
        share=share,
    )


def state_of(given: Prompt, ctx: Context, record: Compaction | None = None) -> State:
    """Return the state of a prompt under a record."""
    return State.of(given, ctx, View(given.thread(), record))


def merge(
    segments: Sequence[Segment],
    share: int,
    *,
    draft: Any = SUMMARY,
    messages: Sequence[Wire] = GIVEN,
    record: Compaction | None = None,
    ctx: Context | None = None,
    model: str = MODEL,
    cut: int = 0,
) -> tuple[tuple[Segment, ...], list[Effect[Any]]]:
    """Merge segments; return those there are then, and what was asked for."""
    given, ctx = prompt(messages, model=model), ctx or context(10_000)
    table = {Summarize: [draft], Extract: [OFFLINE], Now: [0.0]}
    flow = merged(given, ctx, state_of(given, ctx, record), todo(share, cut=cut), segments)
    return play(flow, table)


def requests(asked: Sequence[Effect[Any]]) -> list[SummaryRequest]:
    """Return what the summariser was asked."""
    return [effect.request for effect in asked if isinstance(effect, Summarize)]


@pytest.mark.parametrize(
    ("levels", "place"),
    [
        ([0, 0], 0),
        ([1, 0], 0),
        ([1, 0, 0], 1),
        ([0, 0, 0], 0),
        ([2, 1, 1, 0, 0], 1),
        ([2, 2, 0, 0], 0),
        ([3, 2, 1, 0], 2),
        ([0, 1, 0], 1),
        ([1, 0, 1, 1], 2),
    ],
)
def test_the_two_oldest_alike_are_merged_first(levels: list[int], place: int) -> None:
    """Neighbours of one level; where no two are, the two newest."""
    assert place == pair(row(levels))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9))
def test_there_is_always_a_pair(levels: list[int]) -> None:
    """And no neighbours before it are alike."""
    place, alike = pair(row(levels)), [one == other for one, other in pairwise(levels)]

    assert place == (alike.index(True) if any(alike) else len(levels) - 2)


@pytest.mark.parametrize("share", [3 * (100 + SEGMENT_FRAME), 10_000])
def test_segments_within_their_share_stay_as_they_are(share: int) -> None:
    """Nothing is asked for."""
    segments = row([1, 0, 0])

    assert (tuple(segments), []) == merge(segments, share)


def test_two_segments_become_one_of_the_next_level() -> None:
    """It covers what both did, with their dates, and says who wrote it and by which wording."""
    older, newer = segment(1, 10, dates=("1 May", "2 May")), segment(11, 20, dates=("3 May", ""))
    ((one,), asked) = merge([older, newer], 200)

    assert (
        Segment(
            text=SUMMARY.text,
            first=1,
            last=20,
            tokens=4,
            author=MODEL,
            level=1,
            depth=1,
            prompt=PROMPT_ID,
            dates=("1 May", "2 May"),
        )
        == one
    )
    assert ["merge"] == [event.purpose for event in told(asked, events.Summarizing)]
    assert [20] == [event.messages for event in told(asked, events.Summarizing)]


def test_others_are_left_as_they_are() -> None:
    """As many are merged as have to be, and no more."""
    segments = row([1, 0, 0, 0])
    left, asked = merge(segments, 350)

    assert [segments[0], segments[3]] == [left[0], left[2]]
    assert (11, 30, 1) == (left[1].first, left[1].last, left[1].level)
    assert 1 == len(requests(asked))


def test_the_originals_are_read_again() -> None:
    """In a message of their own, with their numbers, and not what was made of them."""
    _, asked = merge(row([1, 1]), 200)
    (request,) = requests(asked)

    assert ("rendered", MODEL, ()) == (request.form, request.model, request.previous)
    assert REST[:20] == list(request.slice)
    assert tuple(range(1, 21)) == request.numbers
    assert sum(context().meter.count(REST[:20])) == request.source_tokens


def test_what_is_still_sent_is_not_read() -> None:
    """A message that a record keeps verbatim is in no segment."""
    given = prompt(GIVEN)
    links = given.thread().links
    record = Compaction(covered=20, coverage=links[20], adopted=20, adoption=links[20], kept=(4, 5))
    _, asked = merge(row([0, 0]), 200, record=record)
    (request,) = requests(asked)

    assert [*REST[:4], *REST[6:20]] == list(request.slice)
    assert (*range(1, 5), *range(7, 21)) == request.numbers


def test_what_is_dropped_only_now_is_read_as_well() -> None:
    """A message that was kept so far is in the new segment, and so in what is merged."""
    given = prompt(GIVEN)
    links = given.thread().links
    record = Compaction(covered=20, coverage=links[20], adopted=20, adoption=links[20], kept=(0,))
    _, asked = merge(row([0, 0]), 200, record=record, cut=1)
    (request,) = requests(asked)

    assert REST[:20] == list(request.slice)


def from_a_view(covered: int) -> tuple[list[Wire], Compaction]:
    """Return an input that begins with our own notes, and the record that it has."""
    messages = [GIVEN[0], user("notes"), *REST[20:]]
    links = prompt(messages).thread().links
    record = Compaction(
        covered=covered,
        coverage=links[covered],
        adopted=1,
        adoption=links[1],
        segments=tuple(row([0, 0])),
        synthetic=user("notes"),
    )
    return messages, record


def test_where_the_originals_are_not_at_hand_the_texts_are_merged() -> None:
    """They are told oldest first, and the depth says that one more reading lies between."""
    messages, record = from_a_view(covered=1)
    segments = [segment(1, 10, depth=2), segment(11, 20)]
    ((one,), asked) = merge(segments, 200, messages=messages, record=record)
    (request,) = requests(asked)

    assert (tuple(segments), (), 200) == (request.previous, request.slice, request.source_tokens)
    assert (3, 1, 20) == (one.depth, one.first, one.last)


def test_beyond_our_own_notes_the_originals_are_read() -> None:
    """What was said after them is at hand."""
    messages, record = from_a_view(covered=21)
    record = replace(record, segments=(segment(1, 20), segment(21, 40)))
    segments = [segment(1, 20, level=5), segment(21, 30), segment(31, 40)]
    left, asked = merge(segments, 300, messages=messages, record=record)
    (request,) = requests(asked)

    assert [*REST[20:40]] == list(request.slice)
    assert tuple(range(21, 41)) == request.numbers
    assert 1 == left[1].depth


@pytest.mark.parametrize(
    ("limit", "summarizer", "depth"), [(20_000, MODEL, 1), (20_000, SMALL, 2), (8_000, MODEL, 2)]
)
def test_what_is_too_much_to_read_again_is_merged_from_texts(
    limit: int, summarizer: str, depth: int
) -> None:
    """For the window of the summariser, or beyond what a prompt of the conversation may cost."""
    large = [GIVEN[0], *(user(words(400, f"m{number}-")) for number in range(20)), user("So?")]
    ctx = replace(context(limit), summarizer_model=summarizer)
    ((one,), asked) = merge(row([0, 0]), 200, messages=large, ctx=ctx)
    (request,) = requests(asked)

    assert (depth, summarizer) == (one.depth, request.model)
    assert (2 * (depth - 1), 20 * (2 - depth)) == (len(request.previous), len(request.slice))


@pytest.mark.parametrize("at_hand", [True, False])
def test_without_a_summariser_the_offline_one_merges(*, at_hand: bool) -> None:
    """From the originals where they are at hand: then no text is made of a text."""
    messages, record = (GIVEN, None) if at_hand else from_a_view(covered=1)
    ((one,), asked) = merge(row([0, 0]), 200, draft=DOWN, messages=messages, record=record)
    (extract,) = (effect for effect in asked if isinstance(effect, Extract))

    assert (OFFLINE.text, "extractive", "") == (one.text, one.author, one.prompt)
    assert (20 if at_hand else 0) == len(extract.request.slice)
    assert (1 if at_hand else 2) == one.depth
    assert 1 == len(told(asked, events.FellBack))


def test_where_nothing_stands_in_a_merge_fails() -> None:
    """A caller who asks for no other author hears of it."""
    with pytest.raises(SummaryError, match="500"):
        merge(row([0, 0]), 200, draft=DOWN, ctx=replace(context(10_000), stands_in=False))


def test_one_segment_over_its_share_is_cut_from_the_end() -> None:
    """Whole lines go, and a line says so: what matters most stands first."""
    lines = [words(10, f"line{number}-") for number in range(10)]
    ((one,), asked) = merge([segment(1, 10, text="\n".join(lines))], 100)

    assert [] == asked
    assert one.text.splitlines()[:-1] == lines[: len(one.text.splitlines()) - 1]
    assert "cut off" in one.text.splitlines()[-1]
    assert 3 <= len(one.text.splitlines()) <= 8
    assert len(one.text.split()) == one.tokens <= 100 - SEGMENT_FRAME


def test_of_a_segment_without_a_line_that_fits_a_marker_is_left() -> None:
    """It says how many messages there were."""
    ((one,), _) = merge([segment(1, 10)], 60)

    assert ELIDED.format(count=10) == one.text


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(10, 400)), min_size=1, max_size=8),
    st.integers(SMALLEST_SEGMENT + SEGMENT_FRAME, 2_000),
    st.integers(SMALLEST_SEGMENT, 400),
)
@settings(max_examples=60, deadline=None)
def test_merging_brings_segments_within_their_share(
    sizes: list[tuple[int, int]], share: int, cap: int
) -> None:
    """Whatever they are, and nothing is lost; a text may have no more than the two had."""
    segments = [
        replace(each, level=level, tokens=size)
        for each, (level, size) in zip(row([0] * len(sizes)), sizes, strict=True)
    ]
    given, ctx = prompt(GIVEN), context(10_000)
    held, wanted = {each.first: each.tokens for each in segments}, list[int]()

    def answer(effect: Effect[Any]) -> Any:
        if not isinstance(effect, Summarize):
            return 0.0 if isinstance(effect, Now) else None
        request = effect.request
        two = [size for first, size in held.items() if first in request.numbers]
        assert request.cap <= max(SMALLEST_SEGMENT, sum(two))
        wanted.append(request.cap)
        size = min(request.cap, request.source_tokens - 1)
        draft = replace(notes(request), text=words(size, "n"))
        for first in [first for first in held if first in request.numbers]:
            del held[first]
        held[request.numbers[0]] = size
        return draft

    flow = merged(given, ctx, state_of(given, ctx), todo(share, cap=cap), segments)
    left = run(flow, answer)

    assert sum(each.tokens + SEGMENT_FRAME for each in left) <= share
    assert [1, 10 * len(sizes)] == [left[0].first, left[-1].last]
    assert all(one.last + 1 == other.first for one, other in pairwise(left))
    assert len(segments) - len(left) == len(wanted)


def grown(compactions: int, *, at_hand: bool) -> tuple[list[Segment], Counter[int]]:
    """Return the segments after so many compactions of two messages, and how often each was read.

    There is room for six new ones.
    """
    head = [system("Be kind.")]
    messages = [*head, *([user(words(300)), assistant(words(300))] * compactions), user("So?")]
    given, ctx = prompt(messages), context(250_000)
    state, reads, left = state_of(given, ctx), Counter[int](), list[Segment]()
    if not at_hand:
        state = state_of(given, ctx, replace(from_a_view(covered=1)[1], segments=()))

    def answer(effect: Effect[Any]) -> Any:
        if not isinstance(effect, Summarize):
            return 0.0 if isinstance(effect, Now) else None
        request = effect.request
        reads.update(request.numbers)
        for each in request.previous:
            reads.update(range(each.first, each.last + 1))
        return Draft(text=words(request.cap * 3 // 4, "n"), author=MODEL)

    for number in range(compactions):
        new = segment(2 * number + 1, 2 * number + 2, text=words(360, "n"), tokens=360)
        reads.update((new.first, new.last))
        held = [*left, new]
        if not at_hand:  # the input began with our own notes on all of it
            record = state.view.record
            assert record is not None
            last = (segment(1, 2 * compactions + 2),)
            state = replace(state, view=View(state.view.thread, replace(record, segments=last)))
        left = [*run(merged(given, ctx, state, todo(2_400, cap=480), held), answer)]
    return left, reads


@pytest.mark.parametrize("at_hand", [True, False], ids=["from originals", "from texts"])
@pytest.mark.parametrize("compactions", [10, 50, 200])
def test_each_message_is_read_a_few_times(compactions: int, *, at_hand: bool) -> None:
    """O(log n) times in n compactions, however it is read."""
    _, reads = grown(compactions, at_hand=at_hand)

    assert set(range(1, 2 * compactions + 1)) == set(reads)
    assert max(reads.values()) <= 2 + log2(compactions)


@pytest.mark.parametrize("compactions", [10, 50, 200])
def test_no_message_is_summarised_deeply(compactions: int) -> None:
    """2 + log2(n) summaries at most lie between it and what is sent; one from the originals."""
    from_originals, _ = grown(compactions, at_hand=True)
    from_texts, _ = grown(compactions, at_hand=False)

    assert {1} == {each.depth for each in from_originals}
    assert 1 < max(each.depth for each in from_texts) <= 2 + log2(compactions)
    assert max(each.level for each in from_texts) <= 1 + log2(compactions)
