"""Which trials none beats, and which of them is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuning import trial

from memory.tuning.choice import chosen, knee, pareto
from memory.tuning.study import Prefer, Trial

FIGURE = st.integers(0, 6).map(float)
TRIALS = st.lists(st.builds(trial, FIGURE, FIGURE, FIGURE), min_size=1, max_size=12)


def beats(one: Trial, other: Trial) -> bool:
    """Return whether one is nowhere worse than another, and somewhere better."""
    pairs = [(one.usd, other.usd), (-one.recall, -other.recall), (one.wait_p95, other.wait_p95)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(TRIALS)
def test_none_beats_those_of_pareto(trials: list[Trial]) -> None:
    """Whichever other one is looked at."""
    assert not any(beats(other, trials[place]) for place in pareto(trials) for other in trials)


@given(TRIALS)
def test_each_that_is_left_out_is_beaten_or_the_same(trials: list[Trial]) -> None:
    """By one of those that are in."""
    inside = [trials[place] for place in pareto(trials)]

    assert all(any(beats(each, t) or each == t for each in inside) for t in trials)


@given(TRIALS)
def test_pareto_goes_from_cheap_to_dear(trials: list[Trial]) -> None:
    """So that a table of them reads as a curve."""
    dollars = [trials[place].usd for place in pareto(trials)]

    assert sorted(dollars) == dollars


def test_the_knee_is_where_more_dollars_buy_little() -> None:
    """It is the point farthest above the line from the cheapest to the best."""
    trials = [trial(1, 0.5), trial(1.2, 0.8), trial(3, 0.85), trial(2, 0.7)]

    assert 1 == knee(trials)


@given(TRIALS)
def test_the_knee_is_none_that_another_beats(trials: list[Trial]) -> None:
    """So it stands in the table."""
    assert knee(trials) in pareto(trials)


def test_the_knee_of_one_is_that_one() -> None:
    """There is nothing to weigh."""
    assert 0 == knee([trial()])


@pytest.mark.parametrize(
    ("prefer", "place"), [("cost", 1), ("recall", 2), ("latency", 3), ("balanced", 1)]
)
def test_what_is_preferred_is_taken(prefer: Prefer, place: int) -> None:
    """The cheapest that knows enough, the best, the quickest, the knee."""
    trials = [trial(0.5, 0.1, 9), trial(1, 0.6, 3), trial(4, 0.9, 4), trial(2, 0.5, 1)]

    assert place == chosen(trials, prefer, floors={1_000: 0.4})


def test_of_equals_in_recall_the_cheapest_is_taken() -> None:
    """Half a point of recall is nothing to pay twice for."""
    trials = [trial(1, 0.898, 5), trial(2, 0.9, 4)]

    assert 0 == chosen(trials, "recall")


def test_one_that_left_turns_out_is_not_taken() -> None:
    """However cheap that was."""
    trials = [trial(0.1, 0.9, 0.1, too_large=2), trial(1, 0.5)]

    assert [1] == pareto(trials)
    assert 1 == chosen(trials, "cost")


def test_where_all_left_turns_out_one_is_taken_all_the_same() -> None:
    """Of those that left out fewest."""
    trials = [trial(1, 0.5, too_large=2), trial(0.5, 0.5, too_large=3)]

    assert 0 == chosen(trials, "balanced")
