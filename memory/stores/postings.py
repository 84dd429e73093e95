"""Where each term of a conversation is: lists of places that only the newest end of changes.

A row is one term in one block of 1,024 places. It says which documents of the block hold the term,
and how many of the blocks before do. So the newest row of a term tells in how many documents of
the conversation the term is, and a reader who wants the newest places reads rows from the newest
on: neither takes longer where the conversation is longer. Going back takes away from the newest
rows, and nothing else has to be counted anew.

A character of a script without spaces has rows as well, under the character and a `*`, for the
documents with a term that begins with it: that is what a query of one character asks for.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from memory.analysis.stems import SURFACE
from memory.narrowing import begins
from memory.stores.sql import CHUNK, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from memory.stores.search import Term

__all__ = ("added", "key_of", "places_in", "removed")

BLOCK = 1_024
"""Places of one row."""
DIGITS = "0123456789abcdefghijklmnopqrstuv"
_PLACES = {a + b: 32 * m + n for m, a in enumerate(DIGITS) for n, b in enumerate(DIGITS)}
_ADD = """
INSERT INTO memory_postings (conversation_id, term, block, earlier, documents, places)
SELECT ?, v.column1, ?, COALESCE((
  SELECT p.earlier + p.documents FROM memory_postings p
  WHERE p.conversation_id = ? AND p.term = v.column1 AND p.block < ?
  ORDER BY p.block DESC LIMIT 1
), 0), v.column2, v.column3
FROM (VALUES {rows}) AS v WHERE 1 = 1
ON CONFLICT (conversation_id, term, block) DO UPDATE
SET documents = memory_postings.documents + excluded.documents,
  places = memory_postings.places || excluded.places
"""
_SHORTEN = """
UPDATE memory_postings
SET documents = documents - v.column2, places = substr(places, 1, length(places) - 2 * v.column2)
FROM (VALUES {rows}) AS v
WHERE conversation_id = ? AND block = ? AND term = v.column1
"""
_EMPTY = """
DELETE FROM memory_postings
WHERE conversation_id = ? AND block = ? AND documents = 0 AND term IN ({terms})
"""

Written: TypeAlias = "Iterable[tuple[int, str]]"
"""Places of documents with their terms, which have one space between two."""


def key_of(term: Term) -> str:
    """Return under what the documents are that hold a term of a lookup."""
    return f"{term.text}*" if term.prefix else term.text


def places_in(block: int, places: str) -> list[int]:
    """Return the places that a row tells, in order."""
    first = block * BLOCK
    return [first + _PLACES[places[at : at + 2]] for at in range(0, len(places), 2)]


def added(number: int, documents: Written) -> Iterator[Statement]:
    """Yield what puts documents after all others of a conversation, in their order."""
    for block, held in sorted(_by_block(documents).items()):
        rows = [(term, len(places), "".join(map(_digits, places))) for term, places in held.items()]
        for chunk in _chunks(rows):
            sql = _ADD.replace("{rows}", ", ".join(["(?, ?, ?)"] * len(chunk)))
            values = [value for row in chunk for value in row]
            yield Statement(sql, (number, block, number, block, *values))


def removed(number: int, documents: Written) -> Iterator[Statement]:
    """Yield what takes the last documents of a conversation away."""
    for block, held in _by_block(documents).items():
        rows = [(term, len(places)) for term, places in held.items()]
        for chunk in _chunks(rows):
            sql = _SHORTEN.replace("{rows}", ", ".join(["(?, ?)"] * len(chunk)))
            yield Statement(sql, (*(value for row in chunk for value in row), number, block))
            terms = [term for term, _ in chunk]
            empty = _EMPTY.replace("{terms}", ", ".join("?" * len(chunk)))
            yield Statement(empty, (number, block, *terms))


def _by_block(documents: Written) -> dict[int, dict[str, list[int]]]:
    """Return, for each block and key, which documents hold it."""
    found: defaultdict[int, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, words in documents:
        block = found[place // BLOCK]
        for key in _keys(words):
            block[key].append(place)
    return {block: dict(held) for block, held in found.items()}


def _keys(words: str) -> set[str]:
    """Return under what a document with these terms is to be found."""
    # What only a star finds, a word beside its stem, is not looked up.
    terms = {term for term in words.split(" ") if term[0] != SURFACE}
    if words.isascii():
        return terms
    return terms | {f"{term[0]}*" for term in terms if begins(term)}


def _digits(place: int) -> str:
    high, low = divmod(place % BLOCK, len(DIGITS))
    return DIGITS[high] + DIGITS[low]


def _chunks(rows: Sequence[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    return (rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK))
