"""Several rankings made one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.recall import Found, Ranking
from memory.recall.fusion import fuse

RANKINGS = st.lists(
    st.lists(st.integers(0, 9), unique=True).map(
        lambda places: tuple(Found(place, -rank) for rank, place in enumerate(places))
    ),
    max_size=4,
)


def ranking(*places: int) -> Ranking:
    """Return a ranking of these places."""
    return tuple(Found(place, 1.0) for place in places)


def places(found: Ranking) -> list[int]:
    """Return the places of a ranking."""
    return [one.place for one in found]


def test_the_score_is_the_sum_of_reciprocal_ranks() -> None:
    """Counted from 1, and 60 more."""
    assert (Found(7, 1 / 61 + 1 / 62), Found(8, 1 / 61)) == fuse([ranking(7), ranking(8, 7)])


def test_what_two_found_is_before_what_one_found_first() -> None:
    """That is what the large constant is for."""
    assert 2 == places(fuse([ranking(1, 2), ranking(3, 2)]))[0]


def test_of_equals_the_better_best_rank_is_first() -> None:
    """Without a constant, two second ranks are worth one first rank."""
    rankings = [ranking(1), ranking(8, 2), ranking(9, 2)]

    assert [9, 8, 1, 2] == places(fuse(rankings, k=0))


def test_of_equals_at_one_rank_the_newest_is_first() -> None:
    """The higher place is the newer message."""
    assert [9, 4, 1] == places(fuse([ranking(4), ranking(1), ranking(9)]))


def test_a_constant_without_a_meaning_is_refused() -> None:
    """The first rank would be divided by nothing."""
    with pytest.raises(ValueError, match="over -1"):
        fuse([ranking(1)], k=-1)


@given(st.lists(st.integers(), unique=True))
def test_one_ranking_keeps_its_order(given_places: list[int]) -> None:
    """Whatever its scores."""
    assert given_places == places(fuse([ranking(*given_places)]))


@given(RANKINGS)
def test_everything_that_was_found_is_there_once(rankings: list[Ranking]) -> None:
    """Nothing is lost or doubled."""
    found = {one.place for each in rankings for one in each}

    assert sorted(found) == sorted(places(fuse(rankings)))


@given(RANKINGS)
def test_the_order_of_the_rankings_is_of_no_account(rankings: list[Ranking]) -> None:
    """Scores are the same to the last bit."""
    assert fuse(rankings) == fuse(rankings[::-1])


@given(RANKINGS)
def test_scores_fall(rankings: list[Ranking]) -> None:
    """Best first."""
    scores = [one.score for one in fuse(rankings)]

    assert sorted(scores, reverse=True) == scores
