"""When to compact, where to cut and how long the new segment may be."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.policy import (
    FEWEST_SEGMENTS,
    LEAST_NOTES,
    NO_NOTES,
    NOTES_FRAME,
    SEGMENT_FRAME,
    SEGMENTS,
    SMALLEST_SEGMENT,
    USUAL_SEGMENT,
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


def decide(*parts: Sized, fixed: int = 100, notes: Notes = NO_NOTES, due: bool = False) -> Plan:
    """Return the plan for these parts under a limit of 1,000."""
    return plan(parts, fixed=fixed, notes=notes, budget=BUDGET, policy=POLICY, due=due)


def free(*sizes: int) -> list[Sized]:
    """Return parts that may be dropped."""
    return [Sized(size, protected=False) for size in sizes]


def held(*sizes: int) -> list[Sized]:
    """Return parts that may not be dropped."""
    return [Sized(size, protected=True) for size in sizes]


def test_what_fits_is_sent() -> None:
    """Up to the trigger nothing is done."""
    made = decide(*free(400, 400), *held(70))

    assert ("send", "fits", 970, 970, 0) == (
        made.action,
        made.reason,
        made.tokens,
        made.projected,
        made.missing,
    )


def test_over_the_trigger_the_oldest_parts_go() -> None:
    """The cut is the shallowest that brings the view to the target."""
    made = decide(*free(*[50] * 18), *held(50))

    assert ("compact", 1_050) == (made.action, made.tokens)
    assert BUDGET.target - 50 < made.projected <= BUDGET.target


def test_protected_parts_are_stepped_over() -> None:
    """A held part before the cut does not stop it."""
    made = decide(*held(50), *free(*[50] * 18))

    assert BUDGET.target - 50 < made.projected <= BUDGET.target


def test_nothing_to_drop_is_sent() -> None:
    """Without parts that may go there is no plan, and what is missing is told."""
    made = decide(*held(1_000))

    assert ("send", "nothing may be dropped", 100) == (made.action, made.reason, made.missing)


def test_nothing_to_drop_within_the_limit_is_sent() -> None:
    """Between trigger and limit a prompt of held parts is a valid request."""
    made = decide(*held(890))

    assert ("send", 0) == (made.action, made.missing)


def test_a_sliver_is_not_worth_a_summary() -> None:
    """Within the limit, saving less than a tenth of the way to the target is left for later."""
    made = decide(*free(60), *held(820))

    assert ("send", 0) == (made.action, made.missing)


def test_a_large_part_is_kept_rather_than_nothing() -> None:
    """A cut over a large part that would leave next to nothing is taken before that part."""
    made = decide(*free(400, 400), *held(80), fixed=100)

    assert 1 == made.cut
    assert BUDGET.target < made.projected < BUDGET.trigger


def test_what_is_due_is_compacted_although_it_fits() -> None:
    """A background summary, or a caller, asks before the trigger does."""
    parts = (*free(*[50] * 12), *held(50))

    assert "send" == decide(*parts).action
    made = decide(*parts, due=True)
    assert ("compact", 750) == (made.action, made.tokens)
    assert made.projected <= BUDGET.target


def test_a_segment_leaves_room_for_others() -> None:
    """Some of them have their share together, with what stands around each."""
    budget = Budget(limit=100_000, trigger=97_000, target=50_000)
    policy = Policy(target=0.5, floor=0.2, notes=0.3)
    made = plan(free(*[5_000] * 21), fixed=0, notes=NO_NOTES, budget=budget, policy=policy)

    assert 30_000 == made.share
    assert 30_000 // SEGMENTS - SEGMENT_FRAME == made.cap
    assert (made.share - made.cap - SEGMENT_FRAME) // 3 == made.spare


def test_where_the_limit_is_small_a_segment_can_still_say_something() -> None:
    """A part of a small share is next to nothing: then there are fewer segments."""
    made = decide(*free(*[50] * 18), *held(50))

    assert min(USUAL_SEGMENT, 300 // FEWEST_SEGMENTS - SEGMENT_FRAME) == made.cap


def test_a_segment_is_shorter_than_the_little_it_stands_for() -> None:
    """It may have three fifths of what is dropped, if that is less than its share."""
    made = plan_cut(free(95), place=1, fixed=100, notes=NO_NOTES, budget=BUDGET, policy=POLICY)

    assert ("compact", 95 * 3 // 5) == (made.action, made.cap)


def test_where_little_is_left_the_notes_say_more() -> None:
    """Below the floor the room is given to the segments, up to the floor."""
    policy = Policy(target=0.5, floor=0.45, notes=0.4)
    budget = Budget(limit=10_000, trigger=9_700, target=5_000)
    made = plan(free(10_000), fixed=50, notes=NO_NOTES, budget=budget, policy=policy)

    assert 4_500 - 50 - NOTES_FRAME == made.share
    assert made.share // FEWEST_SEGMENTS - SEGMENT_FRAME == made.cap


def test_segments_beyond_their_share_have_that_together() -> None:
    """The share is what all may have: less than what they have and are to have."""
    notes = Notes(NOTES_FRAME + 290, 290)
    made = decide(*free(*[100] * 6), *held(20), fixed=50, notes=notes)

    assert ("compact", 300) == (made.action, made.share)
    assert notes.segments + made.cap + SEGMENT_FRAME > made.share
    assert 70 + 100 * (6 - made.cut) + NOTES_FRAME + made.share == made.projected


@pytest.mark.parametrize("fixed", [300, 350, 600])
def test_what_can_never_be_dropped_leaves_the_segments_less(fixed: int) -> None:
    """Half the way from target to trigger stays free, so that the next one is not due at once."""
    made = decide(*free(*[20] * 20), *held(10), fixed=fixed, notes=Notes(NOTES_FRAME + 250, 250))
    lasting = BUDGET.trigger - (BUDGET.trigger - BUDGET.target) // 2
    least = SMALLEST_SEGMENT + SEGMENT_FRAME

    assert "compact" == made.action
    quotes = NOTES_FRAME + POLICY.room_for_identifiers(LIMIT)
    assert max(least, lasting - fixed - quotes) == made.share


def test_where_the_target_is_out_of_reach_something_stays_verbatim() -> None:
    """Not all that may go is given up for nothing: half the way to the target is gained."""
    made = decide(*free(*[20] * 20), *held(10), fixed=460, notes=Notes(NOTES_FRAME + 50, 50))

    assert BUDGET.target < made.projected <= (BUDGET.trigger + BUDGET.target) // 2
    assert 0 < made.cut < 20


def test_notes_alone_over_the_limit_are_merged() -> None:
    """With nothing to drop no segment is asked for, and those there are get smaller."""
    made = decide(*held(400), notes=Notes(NOTES_FRAME + 500, 500))

    assert ("compact", 0, 0, 0) == (made.action, made.cut, made.cap, made.missing)
    assert made.share < 500
    assert 500 + NOTES_FRAME + made.share == made.projected


def test_quotes_alone_give_way() -> None:
    """Notes without a segment shrink too: what they quote has the room there is."""
    made = decide(*held(600), notes=Notes(350, 0))

    assert ("compact", 0, 0) == (made.action, made.cut, made.cap)
    assert made.projected <= LIMIT


def test_a_held_remainder_over_the_limit_is_told() -> None:
    """When even the smallest notes do not fit beside what is held, `missing` says by how much."""
    made = decide(*free(900), *held(880), fixed=100)

    assert 980 + LEAST_NOTES - LIMIT == made.missing


Case: TypeAlias = tuple[list[Sized], int, Notes, Budget, Policy, Plan]
"""Parts, fixed tokens, notes, budget, policy, and the plan that was made of them."""


@st.composite
def planned(draw: st.DrawFn) -> Case:
    """Return a plan with all that it was made from; most are near the limit."""
    limit = draw(st.one_of(st.integers(500, 5_000), st.integers(1, 10**6)))
    target = draw(st.sampled_from([0.3, 0.5, 0.8]))
    part = draw(st.sampled_from([0.1, 0.4, 0.9]))
    policy = Policy(target=target, floor=target * 0.56, notes=target * part)
    budget = policy.thresholds(limit=limit, measured=draw(st.floats(0, 1)), exact=True)
    total = limit * draw(st.one_of(st.just(0), st.integers(1, 40))) // 100
    notes = Notes(total, total * draw(st.integers(0, 100)) // 100)
    tight = st.integers(-20, 200).map(lambda spare: max(0, limit - total - spare))
    fixed = draw(st.one_of(tight, st.integers(0, limit)))
    sizes = st.one_of(st.integers(0, 60), st.integers(0, max(1, limit // 4)), st.just(2 * limit))
    parts = draw(st.lists(st.builds(Sized, sizes, st.booleans()), max_size=12))
    due = draw(st.sampled_from([False, False, True]))
    made = plan(parts, fixed=fixed, notes=notes, budget=budget, policy=policy, due=due)
    return parts, fixed, notes, budget, policy, made


@given(planned())
def test_a_plan_is_always_made(case: Case) -> None:
    """For any sizes there is a plan whose figures make sense."""
    parts, fixed, notes, budget, _, made = case

    assert made.tokens == fixed + notes.total + sum(part.tokens for part in parts)
    assert budget.limit == made.limit
    assert 0 <= made.cut <= len(parts)
    assert made.missing >= 0
    if made.action == "send":
        assert (0, 0, 0, made.tokens) == (made.cut, made.cap, made.share, made.projected)
    else:
        dropped = sum(part.tokens for part in parts[: made.cut] if not part.protected)
        assert (made.cap >= SMALLEST_SEGMENT) if dropped > 1 else made.cap == 0
        assert made.share >= max(made.cap, SMALLEST_SEGMENT) + SEGMENT_FRAME


@given(planned())
def test_a_compaction_drops_what_may_be_dropped(case: Case) -> None:
    """The cut ends with a part that may go; without one only the segments are merged."""
    parts, _, notes, *_, made = case

    if made.action == "compact" and made.cut:
        assert not parts[made.cut - 1].protected
    elif made.action == "compact":
        assert notes.segments
        assert all(part.protected for part in parts)


@given(planned())
def test_a_compaction_brings_the_view_under_the_limit(case: Case) -> None:
    """Unless the plan says how much is missing, what it projects is within the limit."""
    *_, budget, _, made = case

    if made.action == "compact" and not made.missing:
        assert made.projected <= budget.limit


@given(planned())
def test_a_compaction_makes_the_view_smaller(case: Case) -> None:
    """No summary is asked for that would stand for less than it costs."""
    *_, made = case

    if made.action == "compact" and not made.missing:
        assert made.projected < made.tokens


@given(planned())
def test_what_is_missing_is_what_cannot_be_dropped(case: Case) -> None:
    """Tokens are missing only if the protected parts with the smallest notes exceed the limit."""
    parts, fixed, _, budget, _, made = case

    least = fixed + sum(part.tokens for part in parts if part.protected)
    if made.missing and made.action == "send":
        assert made.tokens - budget.limit == made.missing
    elif made.missing:
        assert least + LEAST_NOTES > budget.limit
    elif made.tokens > budget.limit:
        assert least <= budget.limit


@given(planned())
def test_a_segment_is_shorter_than_what_it_stands_for(case: Case) -> None:
    """Its cap is three fifths of the tokens dropped at most, but for the smallest."""
    parts, *_, made = case
    dropped = sum(part.tokens for part in parts[: made.cut] if not part.protected)

    assert made.cap <= max(SMALLEST_SEGMENT, dropped * 3 // 5)


@given(planned())
def test_a_plan_says_how_much_the_segments_may_have(case: Case) -> None:
    """Never so much that the view would be over the limit, if anything else but quotes is within.

    Those give way.
    """
    parts, fixed, _, budget, _, made = case
    held_before = [part for part in parts[: made.cut] if part.protected]
    rest = fixed + sum(part.tokens for part in [*held_before, *parts[made.cut :]])
    least = SMALLEST_SEGMENT + SEGMENT_FRAME

    if made.action == "compact":
        assert made.share <= max(least, budget.limit - rest - NOTES_FRAME)
