"""What tests of lookups share: places for stores, courses of conversations, and what is indexed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from searches import typed

from memory.analysis.folding import UNSPACED
from memory.drive import run
from memory.records import LogKey, Turn
from memory.stores.keys import key_digest
from memory.stores.postings import BLOCK, places_in
from memory.stores.programs import query
from memory.testing.conformance.samples import said

__all__ = ("IN_SQL", "Course", "courses", "indexed", "rows", "told", "touched")

IN_SQL = ("sqlite", "postgres")
"""The kinds of stores that can look up."""
_TABLES = ("memory_documents", "memory_postings")
_ROWS = """
SELECT term, block, earlier, documents, places FROM memory_postings WHERE conversation_id = ?
"""
_DOCUMENTS = """
SELECT place, length, words FROM memory_documents
WHERE conversation_id = (SELECT id FROM memory_conversations WHERE key = ?)
"""
_UNSPACED = re.compile(f"[{UNSPACED}]")

Course = Sequence[tuple[Turn, bool]]
"""Turns, each with whether the conversation is indexed after it."""


@st.composite
def courses(draw: st.DrawFn, *, longest: int = 8) -> Course:
    """Return turns that follow each other, some of which go back."""
    length, course = 0, []
    for texts in draw(st.lists(st.lists(typed(), max_size=longest), min_size=1, max_size=6)):
        start = draw(st.one_of(st.just(length), st.integers(0, length)))
        messages = tuple(said(text) for text in texts)
        course.append((Turn(start=start, messages=messages), draw(st.booleans())))
        length = start + len(messages)
    return course


def rows(store: Any, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query, in the words of either database."""
    found: list[tuple[Any, ...]] = run(query(sql, parameters).perform(), store._perform)  # noqa: SLF001  # its tables are public
    return found


def touched(store: Any) -> list[int]:
    """Return how many rows there are in each table of the index."""
    return [rows(store, f"SELECT count(*) FROM {table}")[0][0] for table in _TABLES]  # noqa: S608


def indexed(store: Any, key: LogKey) -> dict[str, Any]:
    """Return what is counted of a conversation, and where its terms are, as its tables have it."""
    counts = "SELECT id, documents, length FROM memory_conversations WHERE key = ?"
    ((number, documents, length),) = rows(store, counts, key_digest(key))
    places: defaultdict[str, list[int]] = defaultdict(list)
    for term, block, earlier, held, digits in sorted(rows(store, _ROWS, number)):
        assert earlier == len(places[term])
        found = places_in(block, digits)
        assert held == len(found) > 0
        assert {block} == {place // BLOCK for place in found}
        places[term] += found
    return {"documents": documents, "length": length, "places": dict(places)}


def told(store: Any, key: LogKey) -> dict[str, Any]:
    """Return the same, as the documents say it."""
    found = rows(store, _DOCUMENTS, key_digest(key))
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, _, words in sorted(found):
        terms = set(words.split())
        for term in terms | {f"{term[0]}*" for term in terms if _UNSPACED.match(term)}:
            if not term.startswith("¬"):
                places[term].append(place)
    return {
        "documents": len(found),
        "length": sum(length for _, length, _ in found),
        "places": dict(places),
    }
