"""What a lookup has to find, by reading everything: slow, and as the contract has it."""

from __future__ import annotations

from collections.abc import Sequence

from memory.analysis import Query
from memory.recall import Found, Question
from memory.records import Record, Turn
from memory.stores.narrowing import POSTINGS, best, chosen
from memory.stores.postings import asked
from memory.stores.ranking import Candidate, Corpus, rank
from memory.stores.search import Document, documents_of

__all__ = ("documents_now", "expected_ranking")


def expected_ranking(
    records: Sequence[Record], question: Question, *, limit: int
) -> tuple[Found, ...]:
    """Return what `lookup` has to return for a conversation of which all is indexed."""
    wanted = asked(Query.of_question(question.text, question.context))
    documents = documents_now(records)
    places = {
        term: [each.place for each in documents if term.held(each.words.split())]
        for term in wanted.terms
    }
    corpus = Corpus(
        documents=len(documents),
        length=sum(each.length for each in documents),
        frequencies={term: len(held) for term, held in places.items()},
    )
    read = chosen(wanted.terms, corpus.frequencies)
    ranked = {*best((corpus.weight(term), places[term][-POSTINGS:]) for term in read)}
    candidates = [
        Candidate(user="", name="", place=each.place, words=each.words)
        for each in documents
        if each.place in ranked
    ]
    found = rank(wanted, candidates, corpus, limit=limit)
    return tuple(Found(candidate.place, score) for score, candidate in found)


def documents_now(records: Sequence[Record]) -> list[Document]:
    """Return what can be found of a conversation, in order."""
    held: list[Document] = []
    for record in records:
        if isinstance(record, Turn):
            held = [each for each in held if each.place < record.start]
            held += documents_of(record)
    return held
