"""Which passages are shown again, and from which relevance on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memory.recall import Found
from memory.recall.choice import candidates, chosen, relevance


def test_relevance_compares_what_is_hidden_with_what_is_shown() -> None:
    """Twice as good as what is shown, and all of the question: twice 1."""
    found = [Found(0, 1.0), Found(1, 0.5)]
    assert relevance([found], hidden=lambda place: place == 0) == 2.0


def test_relevance_of_a_part_of_the_question_is_less() -> None:
    """A quarter of the question counts half as much as all of it."""
    whole, part = [Found(0, 1.0), Found(1, 1.0)], [Found(0, 0.25), Found(1, 0.25)]
    asked = [relevance([each], hidden=lambda place: place == 0) for each in (whole, part)]
    assert asked == [1.0, 0.5]


def test_relevance_has_a_bound() -> None:
    """Where nothing that is shown has any word, the rest is not endlessly relevant."""
    assert relevance([[Found(0, 1.0)]], hidden=lambda _: True) == 4.0


def test_relevance_of_nothing_is_nothing() -> None:
    """No retriever, or none that found what is hidden, makes nothing relevant."""
    shown = [Found(0, 1.0)]
    assert [relevance([], hidden=bool), relevance([shown], hidden=lambda _: False)] == [0.0, 0.0]


def test_what_asks_nothing_is_less_relevant() -> None:
    """A message that only tells something seldom wants anything back."""
    found = [Found(0, 1.0), Found(1, 1.0)]
    assert relevance([found], hidden=lambda place: place == 0, asks=False) == 0.2


def test_the_match_counts_and_not_the_score_where_both_are_known() -> None:
    """The score may speak for words that the question has not."""
    found = [Found(0, 3.0, 0.25), Found(1, 1.0, 0.25)]
    assert relevance([found], hidden=lambda place: place == 0) == 0.5


def test_neighbours_come_after_what_was_found() -> None:
    """What stands beside a message that was found is a candidate for less."""
    found = candidates([Found(5, 1.0)], hidden=lambda _: True, size=10)
    assert [each.place for each in found] == [5, 6, 4]


def test_what_is_shown_is_no_candidate() -> None:
    """Neither as what was found nor as a neighbour."""
    found = candidates([Found(5, 1.0), Found(2, 0.5)], hidden=lambda place: place < 5, size=10)
    assert [each.place for each in found] == [2, 4, 3, 1]


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(0, 120))
def test_what_is_chosen_fits(costs: list[int], room: int) -> None:
    """Together the passages cost no more than there is room for."""
    found = [Found(place, 1.0) for place in range(len(costs))]
    made = chosen(found, room=room, text=str, cost=lambda place, _: costs[place])
    assert sum(each.tokens for each in made) <= room


def test_nothing_is_shown_twice() -> None:
    """Two messages that say the same are one passage, and what is in the view is none."""
    texts = ["a", "b", "a", "c"]
    found = [Found(place, 1.0) for place in range(4)]
    made = chosen(found, room=9, text=lambda p: texts[p], cost=lambda *_: 1, known={"c"})
    assert [each.place for each in made] == [0, 1]
