"""Which of the messages that match come first: one ranking for all stores.

A store counts, within the scope of the search (a user, or one conversation), the documents, their
terms, and for each term of the query the documents that hold it. Then it fetches what matches each
of the `probes`, the `CANDIDATES` with the highest places first, and passes all of it to `rank`. No
more than that is read, however much was said; what is left out in a scope where more matches, and
the order of what is found, depend on nothing but the messages.

The score is BM25 (k1 = 1.2, b = 0.75) with the counts of the scope, rounded to 6 digits, so that no
other user's messages change it. Of equal scores the higher place comes first, then user and name in
code point order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memory.stores.search import Query, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memory.records import Match

__all__ = ("CANDIDATES", "Candidate", "Corpus", "probes", "rank")

CANDIDATES = 1_000
"""Documents that are read for one probe, by place (highest first), user and name."""
K1 = 1.2
"""How much it counts that a term comes again."""
B = 0.75
"""How much the length of a message counts."""
DIGITS = 6
"""Digits of a score: sums may differ in the last bit between machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What the scope of a search holds.

    Attributes:
        documents: How many documents.
        length: How many terms all of them have.
        frequencies: For each term of the query, how many documents hold it.
    """

    documents: int
    length: int
    frequencies: Mapping[Term, int]

    @property
    def average(self) -> float:
        """How many terms a document has."""
        return self.length / self.documents if self.documents else 0.0

    def weight(self, term: Term) -> float:
        """Return how much it tells that a document holds a term."""
        held = self.frequencies.get(term, 0)
        # Counts of two moments may not fit.
        return math.log(1 + (max(self.documents, held) - held + 0.5) / (held + 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A document that matches.

    Attributes:
        user: Whose conversation it is in.
        name: The name of that conversation.
        place: Which message of it.
        words: Its terms, with one space between two.
        row: What the store wants to know of it again.
    """

    user: str
    name: str
    place: int
    words: str
    row: Any = None


def probes(query: Query, match: Match, frequencies: Mapping[Term, int]) -> tuple[Query, ...]:
    """Return what to ask a database for; nothing where nothing can match.

    With `"any"`, a term that is everywhere must not crowd out one that is rare: where more match
    than are read, the documents with one of the rarest terms are read first.
    """
    held = tuple(term for term in query.terms if frequencies.get(term))
    if not held or (match == "all" and held != query.terms):
        return ()
    if match == "all":
        return (query,)
    rare = _rarest(held, frequencies)
    return (Query(held),) if len(rare) == len(held) else (Query(rare), Query(held))


def _rarest(terms: Sequence[Term], frequencies: Mapping[Term, int]) -> tuple[Term, ...]:
    """Return as many terms, rarest first, as cannot have more documents than are read."""
    found: list[Term] = []
    room = CANDIDATES
    for term in sorted(terms, key=frequencies.__getitem__):
        room -= frequencies[term]
        if found and room < 0:
            break
        found.append(term)
    return tuple(found)


def rank(
    query: Query, candidates: Iterable[Candidate], corpus: Corpus, *, limit: int
) -> list[tuple[float, Candidate]]:
    """Return the candidates that match best, with their scores.

    Args:
        query: All of what was asked for.
        candidates: What the probes found, each once.
        corpus: The scope of the search.
        limit: How many are wanted.
    """
    weights = [(term, corpus.weight(term)) for term in query.terms]
    average = corpus.average or 1.0
    scored = ((_score(each.words.split(), weights, average), each) for each in candidates)
    return sorted(scored, key=_order)[: max(limit, 0)]


def _score(words: list[str], weights: Iterable[tuple[Term, float]], average: float) -> float:
    damped = K1 * (1 - B + B * len(words) / average)
    score = 0.0
    for term, weight in weights:
        times = term.count(words)
        score += weight * times * (K1 + 1) / (times + damped)
    return round(score, DIGITS)


def _order(scored: tuple[float, Candidate]) -> tuple[float, int, str, str]:
    score, found = scored
    return (-score, -found.place, found.user, found.name)
