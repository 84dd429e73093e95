"""Which documents of a conversation are ranked for a question: one rule in memory and in databases.

**Asked for** are whole terms: of a word with a star the word. A character of a script without
spaces asks for the documents with a term that begins with it.

**Read** are the postings of whole terms, at most `POSTINGS` places together: terms that count more
come before those that count less, rare ones before common ones, and those asked for first before
others; one that does not fit any more is left out. Where none fits, the newest `POSTINGS` places
of the first one are read.

**Ranked** are the `CANDIDATES` documents that hold most of what was read, by the sum of what its
terms tell, in millionths; of equal ones the newest. Where no more were read, all are.

So nothing takes longer where more was said, and up to `POSTINGS` matches nothing is left out but
documents that hold less of the question than a thousand others.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from heapq import nlargest
from typing import TYPE_CHECKING

from memory.analysis import Query
from memory.analysis.folding import UNSPACED
from memory.bm25 import CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memory.analysis import Term

__all__ = ("POSTINGS", "asked", "begins", "best", "chosen")

POSTINGS = 20_000
"""Places that are read for one question."""
UNIT = 1_000_000
PLACES = 2**50
"""More than a conversation has."""
_BEGINS = re.compile(f"[{UNSPACED}]")


def begins(term: str) -> bool:
    """Return whether a term is found by its first character too."""
    return _BEGINS.match(term) is not None


def asked(query: Query) -> Query:
    """Return what can be looked for: of words with a star the words, without it."""
    whole = (
        replace(term, prefix=False) if term.prefix and not _BEGINS.fullmatch(term.text) else term
        for term in query.terms
    )
    return Query(tuple(dict.fromkeys(whole)))


def chosen(terms: Sequence[Term], frequencies: Mapping[Term, int]) -> tuple[Term, ...]:
    """Return the terms whose postings are read, in the order in which they come first.

    The first one may have more than `POSTINGS`; then it is the only one.
    """
    held = [term for term in terms if frequencies.get(term)]
    held.sort(key=lambda term: (-term.weight, frequencies[term]))
    found: list[Term] = []
    room = POSTINGS
    for term in held:
        if frequencies[term] <= room:
            found.append(term)
            room -= frequencies[term]
    return tuple(found or held[:1])


def best(held: Iterable[tuple[float, Iterable[int]]]) -> list[int]:
    """Return the places of the documents that are ranked.

    Args:
        held: For each term that was read, how much it counts and tells, and which places hold it.
    """
    told: defaultdict[int, int] = defaultdict(int)
    for weight, places in held:
        worth = round(weight * UNIT)
        for place in places:
            told[place] += worth
    if len(told) <= CANDIDATES:
        return sorted(told)
    most = nlargest(CANDIDATES, (worth * PLACES + place for place, worth in told.items()))
    return [each % PLACES for each in most]
