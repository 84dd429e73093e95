"""What a search has to find, by reading everything: slow, and as the contract has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from memory.records import Hit, LogKey, Match, Record, Turn
from memory.stores.ranking import CANDIDATES, Candidate, Corpus, probes, rank
from memory.stores.search import Document, Query, Term, documents_of, text_of_message

__all__ = ("documents_in", "expected_hits")


class _Held(NamedTuple):
    """A document and the message that it was made of."""

    document: Document
    text: str


def expected_hits(
    logs: Mapping[LogKey, Sequence[Record]],
    query: str,
    *,
    user: str = "",
    name: str | None = None,
    match: Match = "all",
    limit: int = 10,
) -> tuple[Hit, ...]:
    """Return what `search` has to return, if these are all logs of the namespace."""
    asked, scope = Query.parse(query), _candidates(logs, user, name)
    if not asked:
        return ()
    counts = {term: _held_by(scope, term) for term in asked.terms}
    length = sum(each.row.document.length for each in scope)
    corpus = Corpus(documents=len(scope), length=length, frequencies=counts)
    found: dict[int, Candidate] = {}
    for probe in probes(asked, match, counts):
        matching = [each for each in scope if probe.matches(each.words.split(), match)]
        found |= {id(each): each for each in matching[:CANDIDATES]}
    return tuple(
        Hit(
            user=each.user,
            name=each.name,
            place=each.place,
            role=each.row.document.role,
            text=each.row.text,
            score=score,
        )
        for score, each in rank(asked, found.values(), corpus, limit=limit)
    )


def documents_in(records: Sequence[Record]) -> int:
    """Return how many messages of a conversation can be searched."""
    return len(_documents(records))


def _documents(records: Sequence[Record]) -> list[_Held]:
    held: list[_Held] = []
    for record in records:
        if isinstance(record, Turn):
            held = [each for each in held if each.document.place < record.start]
            held += [
                _Held(document, text_of_message(record.messages[document.item]))
                for document in documents_of(record)
            ]
    return held


def _candidates(
    logs: Mapping[LogKey, Sequence[Record]], user: str, name: str | None
) -> list[Candidate]:
    """Return all that is searched, in the order in which it is read."""
    found = [
        Candidate(
            user=key.user,
            name=key.name,
            place=held.document.place,
            words=held.document.words,
            row=held,
        )
        for key, records in logs.items()
        if key.name and key.user == user and name in (None, key.name)
        for held in _documents(records)
    ]
    return sorted(found, key=lambda each: (-each.place, each.user, each.name))


def _held_by(scope: Sequence[Candidate], term: Term) -> int:
    return sum(term.count(each.words.split()) > 0 for each in scope)
