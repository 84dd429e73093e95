"""Full-text search: which of the messages that match come first, and what is asked for them."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from memory.stores.ranking import CANDIDATES, Candidate, Corpus, probes, rank
from memory.stores.search import Query


def corpus(*texts: str, query: Query) -> Corpus:
    """Return what a scope of these texts holds."""
    split = [each.split() for each in texts]
    return Corpus(
        documents=len(split),
        length=sum(map(len, split)),
        frequencies={one: sum(map(one.held, split)) for one in query.terms},
    )


def order(query: str, *texts: str, names: str = "") -> list[int]:
    """Return the order in which texts are found, each the message at its place."""
    asked = Query.parse(query)
    found = [
        Candidate(user="", name=names[place : place + 1], place=place, words=text)
        for place, text in enumerate(texts)
        if asked.matches(text.split(), "any")
    ]
    return [one.place for _, one in rank(asked, found, corpus(*texts, query=asked), limit=10)]


def test_the_score_is_bm25() -> None:
    """With the usual constants, rounded to 6 digits."""
    texts, query = ("a b a", "a c", "d"), Query.parse("a")
    found = [Candidate(user="u", name="n", place=0, words=texts[0])]
    weight = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    damped = 1.2 * (1 - 0.75 + 0.75 * 3 / (6 / 3))

    ((score, _),) = rank(query, found, corpus(*texts, query=query), limit=1)

    assert round(weight * 2 * 2.2 / (2 + damped), 6) == score


def test_more_of_a_term_is_better() -> None:
    """Of two messages of one length."""
    assert [1, 0] == order("a", "a x y", "a a x", "z z z")


def test_a_shorter_message_is_better() -> None:
    """If the term comes as often."""
    assert [1, 0] == order("a", "a x y z", "a x", "z z z")


def test_a_rare_term_is_better() -> None:
    """It tells more than one that is in most messages."""
    assert 2 == order("the zebra", "the x", "the y", "zebra z", "the w")[0]


def test_beginnings_count_like_terms() -> None:
    """Each term that begins so is one more."""
    assert [1, 0] == order("to*", "token x y", "token tom y", "z z z")


def test_of_equals_the_newest_comes_first() -> None:
    """The higher place is the newer message."""
    assert [2, 1, 0] == order("a", "a b", "a c", "a d")


def test_of_equals_at_one_place_the_name_decides() -> None:
    """User first, then name, so that the order is the same everywhere."""
    query = Query.parse("a")
    found = [
        Candidate(user=user, name=name, place=0, words="a")
        for user, name in [("v", "a"), ("u", "b"), ("u", "a"), ("", "c")]
    ]

    ranked = rank(query, found, corpus(*["a"] * 4, query=query), limit=3)

    assert [("", "c"), ("u", "a"), ("u", "b")] == [(one.user, one.name) for _, one in ranked]


def test_nothing_is_ranked_to_nothing() -> None:
    """Even with counts that were taken at other moments."""
    query = Query.parse("a")
    nothing = Corpus(documents=0, length=0, frequencies={})
    found = [Candidate(user="", name="", place=0, words="a")]

    assert [] == rank(query, [], nothing, limit=10)
    assert 1 == len(rank(query, found, nothing, limit=10))
    assert [] == rank(query, found, nothing, limit=0)


@given(st.permutations([("x", 1), ("y", 0), ("x", 0), ("y", 5)]))
def test_the_order_does_not_depend_on_that_of_candidates(places: list[tuple[str, int]]) -> None:
    """Databases return rows as they like."""
    query = Query.parse("a b")
    found = [
        Candidate(user="", name=name, place=place, words="a b" if place else "a")
        for name, place in places
    ]

    ranked = rank(query, found, corpus("a b", "a", "c", query=query), limit=4)

    assert [("y", 5), ("x", 1), ("x", 0), ("y", 0)] == [(c.name, c.place) for _, c in ranked]


def test_a_query_is_probed_once() -> None:
    """As long as what it matches can be read."""
    query = Query.parse("a b")
    few = dict.fromkeys(query.terms, CANDIDATES // 2)
    many = dict.fromkeys(query.terms, CANDIDATES * 2)

    assert (query,) == probes(query, "all", few)
    assert (query,) == probes(query, "any", few)
    assert (query,) == probes(query, "all", many)


def test_what_no_message_holds_is_not_probed() -> None:
    """With all terms wanted, one that nobody used ends the search."""
    query = Query.parse("a b")
    a, _ = query.terms

    assert () == probes(query, "all", {a: 3})
    assert (Query((a,)),) == probes(query, "any", {a: 3})
    assert () == probes(query, "any", {})
    assert () == probes(Query(), "all", {})


def test_rare_terms_are_probed_first() -> None:
    """So that one that is everywhere does not crowd them out."""
    query = Query.parse("the zebra a")
    the, zebra, a = query.terms

    found = probes(query, "any", {the: CANDIDATES * 9, zebra: 3, a: CANDIDATES})

    assert (Query((zebra,)), query) == found


def test_the_rarest_term_is_probed_however_frequent() -> None:
    """Its newest messages are better than those of the others."""
    query = Query.parse("the a")
    the, a = query.terms

    found = probes(query, "any", {the: CANDIDATES * 9, a: CANDIDATES * 2})

    assert (Query((a,)), query) == found
