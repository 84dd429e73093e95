"""The search of a volatile store: logs are read when they are searched, and there is no index."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from memory.cache import GenerationCache
from memory.records import Hit, LogKey, Match, Record, Turn
from memory.stores.ranking import CANDIDATES, Candidate, Corpus, probes, rank
from memory.stores.search import Document, Query, Term, documents_of, text_of_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ("search_logs",)

_read: GenerationCache[tuple[Turn, tuple[Document, ...]]] = GenerationCache(
    entries=10_000, weight=4_000_000
)
"""Documents of the turns that were searched last, by the identity of the turn; in characters."""


class _Found(NamedTuple):
    key: LogKey
    turn: Turn
    document: Document

    @property
    def candidate(self) -> Candidate:
        place, words = self.document.place, self.document.words
        return Candidate(user=self.key.user, name=self.key.name, place=place, words=words, row=self)

    def hit(self, score: float) -> Hit:
        return Hit(
            user=self.key.user,
            name=self.key.name,
            place=self.document.place,
            role=self.document.role,
            text=text_of_message(self.turn.messages[self.document.item]),
            score=score,
        )


class _Scope:
    """What is searched, read once: its size, and the documents that hold any term of the query."""

    def __init__(self, query: Query, documents: Iterable[_Found]) -> None:
        self.documents = self.length = 0
        self.frequencies: Counter[Term] = Counter()
        self._held: list[tuple[_Found, frozenset[Term]]] = []
        for each in documents:
            words = frozenset(each.document.words.split(" "))
            held = frozenset(term for term in query.terms if term.held(words))
            self.documents += 1
            self.length += each.document.length
            self.frequencies.update(held)
            if held:
                self._held.append((each, held))
        self._held.sort(key=lambda one: (-one[0].document.place, one[0].key.user, one[0].key.name))

    @property
    def corpus(self) -> Corpus:
        return Corpus(documents=self.documents, length=self.length, frequencies=self.frequencies)

    def probe(self, query: Query, match: Match) -> list[_Found]:
        """Return what a database would for one probe."""
        asked = frozenset(query.terms)
        found = [
            each for each, held in self._held if (asked <= held if match == "all" else asked & held)
        ]
        return found[:CANDIDATES]


def search_logs(
    logs: Mapping[LogKey, Sequence[Record]], query: Query, match: Match, *, limit: int
) -> tuple[Hit, ...]:
    """Return the messages of some logs that match, best first.

    Args:
        logs: The records of each log that is in the scope.
        query: What to look for.
        match: Whether all of its terms have to be there, or one.
        limit: How many are wanted at most.
    """
    if not query or limit < 1:
        return ()
    scope = _Scope(
        query, (one for key, records in logs.items() for one in _documents(key, records))
    )
    found = {
        (each.key, each.document.place): each.candidate
        for probe in probes(query, match, scope.frequencies)
        for each in scope.probe(probe, match)
    }
    ranked = rank(query, found.values(), scope.corpus, limit=limit)
    return tuple(candidate.row.hit(score) for score, candidate in ranked)


def _documents(key: LogKey, records: Iterable[Record]) -> Iterator[_Found]:
    """Yield the documents that a conversation has now."""
    now: list[_Found] = []
    for record in records:
        if isinstance(record, Turn):
            while now and now[-1].document.place >= record.start:
                now.pop()
            now += [_Found(key, record, document) for document in _known(record)]
    return iter(now)


def _known(turn: Turn) -> tuple[Document, ...]:
    known = _read.get(id(turn))
    if known is not None and known[0] is turn:
        return known[1]
    documents = documents_of(turn)
    weight = sum(len(document.words) for document in documents)
    return _read.put(id(turn), (turn, documents), weight=weight)[1]
