"""Lookups of SQLite and PostgreSQL: both answer as the contract says, whatever was said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from depth import examples
from hypothesis import given
from hypothesis import strategies as st
from lookups import IN_SQL, Course, courses
from searches import typed
from store_factories import FACTORIES
from stored import key, turn

from memory import narrowing
from memory.drive import run
from memory.identity import chain, see
from memory.messages import WireMessage, role_of
from memory.recall import Found, Passages, Question
from memory.records import LogKey, Turn
from memory.retrievers import LexicalRetriever, lexical
from memory.said import searched_text
from memory.stores import RedisStore, SealedStore, SqliteStore, VolatileStore, lookups
from memory.stores.contract import Recalling
from memory.stores.programs import query
from memory.stores.search import Term
from memory.testing.conformance import recall_oracle
from memory.testing.conformance.recall_oracle import expected_ranking

_numbers = count()
SPOIL = """
UPDATE memory_records SET body = '{'
WHERE conversation_id = (SELECT id FROM memory_conversations WHERE name = 'unread')
"""
QUESTIONS = st.builds(Question, text=typed(), context=st.one_of(st.just(""), typed()))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return a store of each kind that can look up."""
    with ExitStack() as stack:
        places = {kind: FACTORIES[kind](tmp_path_factory.mktemp(kind)) for kind in IN_SQL}
        opened = {kind: stack.enter_context(place)() for kind, place in places.items()}
        yield {kind: stack.enter_context(store) for kind, store in opened.items()}  # type: ignore[arg-type]


def carried_out(store: Any, course: Course) -> LogKey:
    """Have a conversation take a course, and return where it is."""
    where = key(f"course {next(_numbers)}")
    for version, (record, index) in enumerate(course):
        store.append(where, [record], expected=version)
        if index:
            store.index(where)
    return where


def in_memory(records: Sequence[Turn], question: Question) -> tuple[Found, ...]:
    """Return what is found in what the messages say in the end."""
    messages: list[WireMessage] = []
    for record in records:
        messages[record.start :] = record.messages
    passages = Passages(
        messages,
        digests=[each.digest for each in see(messages)],
        links=chain(messages),
        text=searched_text,
        role=role_of,
    )
    return tuple(LexicalRetriever().retrieve(question, passages, limit=5))


def answers(stores: dict[str, Any], course: Course, question: Question) -> set[tuple[Found, ...]]:
    """Return what the stores and one who reads in memory answer, and what the contract says."""
    records = [record for record, _ in course]
    found = {expected_ranking(records, question, limit=5), in_memory(records, question)}
    for store in stores.values():
        where = carried_out(store, course)
        found.add(tuple(store.lookup(where, question, limit=5)))
        store.forget(where)
    return found


@examples(60)
@given(course=courses(), question=QUESTIONS)
def test_both_answer_as_the_contract_says(
    stores: dict[str, Any], course: Course, question: Question
) -> None:
    """After any course, for any question with any context."""
    assert 1 == len(answers(stores, course, question))


@examples(60)
@given(course=courses(longest=20), question=QUESTIONS, few=st.integers(1, 6))
def test_both_leave_out_the_same(
    stores: dict[str, Any], course: Course, question: Question, few: int
) -> None:
    """Where more is held than is read, and more is read than is ranked."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (narrowing, lexical, lookups, recall_oracle):
            patch.setattr(module, "POSTINGS", few * 2)
        patch.setattr(narrowing, "CANDIDATES", few)
        patch.setattr(lookups, "PAGE", 1)
        assert 1 == len(answers(stores, course, question))


@pytest.mark.parametrize("kind", IN_SQL)
def test_a_long_conversation_is_answered_from_what_is_indexed(
    stores: dict[str, Any], kind: str
) -> None:
    """A turn does not wait for thousands of messages; the little that is said then it waits for."""
    store, where = stores[kind], key("long")
    store.append(where, [turn(place, f"fox {place}") for place in range(700)], expected=0)
    asked = Question(text="fox")
    before = store.lookup(where, asked, limit=1_000)
    counted = store.index(where)
    store.append(where, [turn(700, "one more fox")], expected=700)

    assert ((), 700) == (before, counted)
    assert 701 == len(store.lookup(where, asked, limit=1_000))


@pytest.mark.parametrize("kind", IN_SQL)
def test_what_was_replaced_is_not_found_before_that_is_indexed(
    stores: dict[str, Any], kind: str
) -> None:
    """However much of it there is, and however much followed."""
    store, where = stores[kind], key("replaced")
    store.append(where, [turn(place, f"fox {place}") for place in range(50)], expected=0)
    store.index(where)
    later = [turn(place, "a bear") for place in range(20, 620)]
    store.append(where, later, expected=50)
    found = store.lookup(where, Question(text="fox"), limit=1_000)

    assert {*range(20)} == {each.place for each in found}


@pytest.mark.parametrize("kind", IN_SQL)
def test_a_lookup_reads_no_record(stores: dict[str, Any], kind: str) -> None:
    """What was said need not be there to be found, once it is indexed."""
    store, where = stores[kind], key("unread")
    store.append(where, [turn(0, "a fox"), turn(1, "a bear")], expected=0)
    store.index(where)
    run(query(SPOIL, write=True).perform(), store._perform)  # noqa: SLF001  # there is no verb

    assert [0] == [each.place for each in store.lookup(where, Question(text="fox"), limit=5)]


def test_rare_terms_tell_more_than_a_context() -> None:
    """Terms are read by how much they count, then by how rare they are, as far as there is room."""
    common, rare, beside = Term("a"), Term("b"), Term("c", weight=0.5)
    frequencies = {common: 10_000, rare: 9_000, beside: 1_000}

    assert (rare, common, beside) == narrowing.chosen((beside, common, rare), frequencies)
    assert (rare, beside) == narrowing.chosen(
        (beside, common, rare), frequencies | {common: 12_000}
    )
    assert (rare,) == narrowing.chosen(
        (common, rare), dict.fromkeys((common, rare), 99_999) | {rare: 60_000}
    )
    assert () == narrowing.chosen((common, rare), {common: 0})


def test_documents_that_hold_more_are_ranked() -> None:
    """Those with a rare term before those with a common one, and of equal ones the newest."""
    read = [(1.5, range(2_000)), (8.2, [7, 8, 9])]

    assert {7, 8, 9, *range(1_003, 2_000)} == {*narrowing.best(read)}
    assert [7, 8, 9] == narrowing.best([(8.2, [9, 7]), (0.3, [8])])


def test_others_do_not_offer_it(tmp_path: Path) -> None:
    """A store that is read as a whole, one that cannot read, and one without an index."""
    sealed = SealedStore(SqliteStore(tmp_path / "s.db"), keys=[SealedStore.new_key()])

    assert isinstance(SqliteStore(), Recalling)
    assert not isinstance(sealed, Recalling)
    assert not isinstance(VolatileStore(), Recalling)
    assert not issubclass(RedisStore, Recalling)
    for verb in ("lookup", "index"):
        assert not hasattr(sealed, verb)
