"""Search in memory: what conversations have now, of whom, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searches import MATCHES
from workbench import SPACE, assistant, user

from memory.flow.past import Past
from memory.records import Compaction, Hit, Logged, LogKey, Match, Record, Turn
from memory.stores import VolatileStore
from memory.stores.contract import Searching
from memory.stores.ranking import CANDIDATES, Candidate, Corpus, rank
from memory.stores.search import Query, terms_of, text_of_message

WORDS = ("窗", "靠窗", "座位", "token", "tom", "the", "a", "!")


def key(name: str = "trip", *, whose: str = "", namespace: str = SPACE) -> LogKey:
    """Return the key of a conversation with a name."""
    return LogKey(namespace=namespace, user=whose, name=name)


def tell(store: VolatileStore, where: LogKey, *records: Record) -> None:
    """Append records to what there is."""
    store.append(where, records, expected=store.load(where).version)


def turn(*texts: str, start: int = 0) -> Turn:
    """Return a turn of a user who says these."""
    return Turn(start=start, messages=tuple(map(user, texts)))


def places(hits: tuple[Hit, ...]) -> list[tuple[str, int]]:
    """Return where hits are."""
    return [(hit.name, hit.place) for hit in hits]


def test_it_can_search() -> None:
    """The protocol is what callers ask for."""
    assert isinstance(VolatileStore(), Searching)


def test_a_message_is_found() -> None:
    """A hit says where it is, who said it and what."""
    store = VolatileStore()
    messages = (user("我想要靠窗的座位"), assistant("Booked."))
    tell(store, key(whose="ann"), Turn(start=0, messages=messages))

    (hit,) = store.search(SPACE, "靠窗 座位", user="ann")

    assert ("ann", "trip", 0, "user", "我想要靠窗的座位") == (
        hit.user,
        hit.name,
        hit.place,
        hit.role,
        hit.text,
    )
    assert hit.score > 0


@pytest.mark.parametrize("query", ["", "  ", '"', "* & |", "\ud800", "nothing", "窗 nothing"])
def test_nothing_is_found(query: str) -> None:
    """By a query without terms, and by one that no message matches."""
    store = VolatileStore()
    tell(store, key(), turn("窗", "a b c"))

    assert () == store.search(SPACE, query)


def test_any_term_is_enough_if_wanted() -> None:
    """Otherwise all have to be there."""
    store = VolatileStore()
    tell(store, key(), turn("red fox", "red hen", "blue hen"))

    assert [("trip", 1)] == places(store.search(SPACE, "red hen"))
    assert [("trip", 1), ("trip", 2), ("trip", 0)] == places(
        store.search(SPACE, "red hen", match="any")
    )


def test_what_was_replaced_is_not_found() -> None:
    """A turn replaces everything from its start on."""
    store = VolatileStore()
    tell(store, key(), turn("red", "blue", "green"), turn("black", start=1))

    assert () == store.search(SPACE, "blue green", match="any")
    assert [("trip", 1)] == places(store.search(SPACE, "black"))
    assert [("trip", 0)] == places(store.search(SPACE, "red"))


def test_what_was_undone_is_not_found() -> None:
    """Going back is a turn without messages."""
    store = VolatileStore()
    tell(store, key(), turn("red", "blue"), Turn(start=1))

    assert () == store.search(SPACE, "blue")


def test_what_is_new_is_found_at_once() -> None:
    """Also in a log that was searched before."""
    store = VolatileStore()
    tell(store, key(), turn("red"))
    store.search(SPACE, "red")
    tell(store, key(), turn("red again", start=1))

    assert 2 == len(store.search(SPACE, "red"))


def test_what_was_forgotten_is_not_found() -> None:
    """Though it was found before."""
    store = VolatileStore()
    tell(store, key(), turn("red"))
    store.search(SPACE, "red")
    store.forget(key())

    assert () == store.search(SPACE, "red")


def test_nobody_finds_what_others_said() -> None:
    """Neither another user, nor nobody in particular, nor another namespace."""
    store = VolatileStore()
    tell(store, key(whose="ann"), turn("red"))

    assert [] == [
        hit
        for namespace, whose in [(SPACE, "bob"), (SPACE, ""), ("other", "ann"), (SPACE, "an")]
        for hit in store.search(namespace, "red", user=whose)
    ]


def test_others_do_not_change_a_score() -> None:
    """What somebody else says tells nobody anything."""
    store = VolatileStore()
    tell(store, key(whose="ann"), turn("red", "blue"))
    before = store.search(SPACE, "red", user="ann")
    tell(store, key(whose="bob"), turn(*["red"] * 50))

    assert before == store.search(SPACE, "red", user="ann")


def test_one_conversation_or_all() -> None:
    """With a name only that conversation is searched."""
    store = VolatileStore()
    for name in ("trip", "home"):
        tell(store, key(name), turn("red"))

    assert [("home", 0), ("trip", 0)] == places(store.search(SPACE, "red"))
    assert [("home", 0)] == places(store.search(SPACE, "red", name="home"))
    assert () == store.search(SPACE, "red", name="else")
    assert () == store.search(SPACE, "red", name="")


def test_logs_without_a_name_are_not_searched() -> None:
    """Nor are heads, summaries and originals."""
    store = VolatileStore()
    unnamed = LogKey(namespace=SPACE, root="ab")
    tell(store, unnamed, turn("red"), Logged(index=0, link=b"1", message=user("red")))
    head = Turn(start=0, head=({"role": "system", "content": "red"},))
    summary = Compaction(
        covered=1, coverage=b"1", adopted=1, adoption=b"2", synthetic=user("red"), mark=b"3"
    )
    tell(store, key(), head, summary)

    assert () == store.search(SPACE, "red")


def test_a_limit() -> None:
    """The best are returned, and none if none is wanted."""
    store = VolatileStore()
    tell(store, key(), turn(*["red"] * 12))

    assert list(range(11, 1, -1)) == [hit.place for hit in store.search(SPACE, "red")]
    assert [11] == [hit.place for hit in store.search(SPACE, "red", limit=1)]
    assert () == store.search(SPACE, "red", limit=0)


def test_calls_are_found() -> None:
    """By the name of the function and by what it was given."""
    store = VolatileStore()
    function = {"name": "find_seat", "arguments": '{"where": "\\u9760\\u7a97"}'}
    calls: list[Any] = [{"id": "1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    tell(store, key(), Turn(start=0, messages=(message,)))

    assert 1 == len(store.search(SPACE, "seat 靠窗"))


def test_a_rare_term_is_found_among_many() -> None:
    """A term that is everywhere does not crowd it out, and the rest follows."""
    store = VolatileStore()
    tell(store, key(), turn("zebra", *["the cat"] * (2 * CANDIDATES)))

    first, second = store.search(SPACE, "the zebra", match="any", limit=2)

    assert (0, 2 * CANDIDATES) == (first.place, second.place)


def test_searching_is_no_use() -> None:
    """Whoever is used least recently makes room, whatever was looked for."""
    store = VolatileStore(conversations=2)
    for name in ("a", "b"):
        tell(store, key(name), turn("red"))
    store.search(SPACE, "red", name="a")
    tell(store, key("c"), turn("red"))

    assert [("b", 0), ("c", 0)] == places(store.search(SPACE, "red"))


def sayings() -> st.SearchStrategy[str]:
    """Return texts of few words."""
    return st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)


@st.composite
def histories(draw: st.DrawFn) -> dict[str, list[Turn]]:
    """Return the turns of some conversations, some of which go back."""
    told: dict[str, list[Turn]] = {}
    for name in draw(st.lists(st.sampled_from("abc"), max_size=6)):
        turns = told.setdefault(name, [])
        had = turns[-1].start + len(turns[-1].messages) if turns else 0
        texts = draw(st.lists(sayings(), max_size=4))
        turns.append(turn(*texts, start=draw(st.integers(0, had))))
    return told


@given(histories(), sayings(), st.sampled_from(MATCHES))
def test_search_is_what_it_says(told: dict[str, list[Turn]], text: str, match: Match) -> None:
    """All messages that match, ranked by the counts of all messages there are."""
    store, query = VolatileStore(), Query.parse(text)
    said: dict[tuple[str, int], str] = {}
    for name, turns in told.items():
        tell(store, key(name), *turns)
        now = Past.of(store.load(key(name))).messages
        said |= {(name, place): text_of_message(message) for place, message in enumerate(now)}
    words = {where: terms for where, one in said.items() if (terms := terms_of(one))}
    counts = {term: sum(map(term.held, words.values())) for term in query.terms}
    corpus = Corpus(documents=len(words), length=sum(map(len, words.values())), frequencies=counts)
    found = [
        Candidate(user="", name=name, place=place, words=" ".join(terms))
        for (name, place), terms in words.items()
        if query.matches(terms, match)
    ]

    expected = [
        (one.name, one.place, said[one.name, one.place], score)
        for score, one in rank(query, found, corpus, limit=100)
    ]
    hits = store.search(SPACE, text, match=match, limit=100)

    assert expected == [(hit.name, hit.place, hit.text, hit.score) for hit in hits]
