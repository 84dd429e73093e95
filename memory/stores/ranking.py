"""Which of the messages that match come first: one ranking for all stores.

A store counts, within the scope of the search (a user, or one conversation), the documents, their
terms, and for each term of the query the documents that hold it. Then it fetches what matches each
of the `probes`, the `CANDIDATES` with the highest places first, and passes all of it to `rank`. No
more than that is read, however much was said; what is left out in a scope where more matches, and
the order of what is found, depend on nothing but the messages.

The score is BM25 (`memory.bm25`) with the counts of the scope, rounded to 6 digits, so that no
other user's messages change it. Of equal scores the higher place comes first, then user and name in
code point order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memory.bm25 import CANDIDATES, damping, rarest, score, telling
from memory.stores.search import Query, Term, length_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memory.records import Match

__all__ = ("CANDIDATES", "Candidate", "Corpus", "probes", "rank")


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
        """Return how much it counts and tells that a document holds a term."""
        return term.weight * telling(self.documents, self.frequencies.get(term, 0))


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
    rare = rarest(held, frequencies)
    return (Query(held),) if len(rare) == len(held) else (Query(rare), Query(held))


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
    scored = ((_score(each.words, weights, corpus.average), each) for each in candidates)
    return sorted(scored, key=_order)[: max(limit, 0)]


def _score(text: str, weights: Iterable[tuple[Term, float]], average: float) -> float:
    words = text.split(" ")
    held = [
        (weight, times)
        for term, weight in weights
        if (times := term.count(words) if term.prefix else words.count(term.text))
    ]
    return score(held, damping(length_of(text), average))


def _order(scored: tuple[float, Candidate]) -> tuple[float, int, str, str]:
    worth, found = scored
    return (-worth, -found.place, found.user, found.name)
