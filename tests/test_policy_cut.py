"""Cutting where something else than the budget asks for it."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.policy import (
    LEAST_NOTES,
    NO_NOTES,
    NOTES_FRAME,
    SEGMENT_FRAME,
    SMALLEST_SEGMENT,
    Budget,
    Notes,
    Plan,
    Policy,
    Sized,
    plan,
    plan_cut,
)

LIMIT = 1_000
BUDGET = Budget(limit=LIMIT, trigger=970, target=500)
POLICY = Policy(budget=LIMIT, target=0.5, floor=0.2, notes=0.3)


def cut_before(place: int, *parts: Sized, fixed: int = 100, notes: Notes = NO_NOTES) -> Plan:
    """Return the plan to drop the parts before a place, under a limit of 1,000."""
    return plan_cut(parts, place=place, fixed=fixed, notes=notes, budget=BUDGET, policy=POLICY)


def free(*sizes: int) -> list[Sized]:
    """Return parts that may be dropped."""
    return [Sized(size, protected=False) for size in sizes]


def held(*sizes: int) -> list[Sized]:
    """Return parts that may not be dropped."""
    return [Sized(size, protected=True) for size in sizes]


def test_what_fits_is_cut_all_the_same() -> None:
    """It is asked for, whatever it saves."""
    parts = free(10, 10, 10)
    made = cut_before(2, *parts)

    assert "send" == plan(parts, fixed=100, notes=NO_NOTES, budget=BUDGET, policy=POLICY).action
    assert ("compact", "asked for", 2, 130) == (made.action, made.reason, made.cut, made.tokens)
    assert 0 == made.missing


@pytest.mark.parametrize(("place", "cut"), [(1, 1), (2, 2), (3, 2), (4, 4), (5, 5), (99, 5)])
def test_the_cut_is_the_last_one_before_the_place(place: int, cut: int) -> None:
    """Parts that are held are stepped over, and no cut ends with one."""
    parts = [*free(50, 50), *held(50), *free(50, 50)]

    assert cut == cut_before(place, *parts).cut


@pytest.mark.parametrize(
    ("place", "parts"), [(0, free(50, 50)), (2, held(50, 50)), (1, [*held(50), *free(50)]), (3, [])]
)
def test_without_anything_to_drop_there_is_no_compaction(place: int, parts: list[Sized]) -> None:
    """Nothing stands before the place that may go."""
    made = cut_before(place, *parts)

    assert ("send", "nothing may be dropped", 0, 0) == (
        made.action,
        made.reason,
        made.cut,
        made.missing,
    )
    assert made.projected == made.tokens


def test_what_stays_over_the_limit_is_told() -> None:
    """The caller decides what to do about it."""
    made = cut_before(1, *free(500), *held(1_200))

    assert "compact" == made.action
    assert 100 + 1_200 + LEAST_NOTES - LIMIT == made.missing


def test_earlier_segments_are_kept_where_there_is_room() -> None:
    """A segment is added to them; it is the share of notes that bounds all together."""
    few, many = (
        cut_before(1, *free(300), fixed=100, notes=Notes(NOTES_FRAME + size, size))
        for size in (100, 290)
    )

    assert (300, 300) == (few.share, many.share)
    assert 100 + NOTES_FRAME + 100 + few.cap + SEGMENT_FRAME == few.projected
    assert 100 + NOTES_FRAME + 300 == many.projected


Case: TypeAlias = tuple[list[Sized], int, int, Notes, Plan]
"""Parts, place, fixed tokens, notes, and the plan that was made of them."""


@st.composite
def planned(draw: st.DrawFn) -> Case:
    """Return a plan with all that it was made from."""
    limit = draw(st.one_of(st.integers(500, 5_000), st.integers(1, 10**6)))
    budget = POLICY.thresholds(limit=limit, measured=draw(st.floats(0, 1)), exact=True)
    sizes = st.one_of(st.integers(0, 60), st.integers(0, max(1, limit // 4)), st.just(2 * limit))
    parts = draw(st.lists(st.builds(Sized, sizes, st.booleans()), max_size=12))
    place, fixed = draw(st.integers(-1, 14)), draw(st.integers(0, limit))
    total = draw(st.one_of(st.just(0), st.integers(1, limit)))
    notes = Notes(total, draw(st.integers(0, total)))
    made = plan_cut(parts, place=place, fixed=fixed, notes=notes, budget=budget, policy=POLICY)
    return parts, place, fixed, notes, made


@given(planned())
def test_a_plan_is_always_made(case: Case) -> None:
    """For any sizes and any place there is one whose figures make sense."""
    parts, place, fixed, notes, made = case
    may_go = [not part.protected for part in parts[: max(0, place)]]

    assert made.tokens == fixed + notes.total + sum(part.tokens for part in parts)
    assert made.missing >= 0
    assert any(may_go) == (made.action == "compact")
    if made.action == "compact":
        assert 0 < made.cut <= place
        assert not any(may_go[made.cut :])
        assert not parts[made.cut - 1].protected
        dropped = sum(part.tokens for part in parts[: made.cut] if not part.protected)
        assert (made.cap >= SMALLEST_SEGMENT) if dropped > 1 else made.cap == 0
        assert made.cap <= made.share - SEGMENT_FRAME
    else:
        assert (0, 0, 0, made.tokens) == (made.cut, made.cap, made.share, made.projected)


@given(planned())
def test_what_is_projected_is_what_stays_and_the_notes(case: Case) -> None:
    """Whatever is protected, and whatever stands after the cut, is in it."""
    parts, _, fixed, notes, made = case
    held_before = [part for part in parts[: made.cut] if part.protected]
    rest = fixed + sum(part.tokens for part in [*held_before, *parts[made.cut :]])

    if made.action == "compact":
        quotes = notes.total - notes.segments
        new = made.cap + SEGMENT_FRAME if made.cap else 0
        segments = min(notes.segments + new, made.share)
        assert NOTES_FRAME <= made.projected - rest - segments <= max(NOTES_FRAME, quotes)
