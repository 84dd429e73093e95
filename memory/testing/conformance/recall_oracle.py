"""What a lookup has to find, by reading everything: slow, and as the contract has it."""

from __future__ import annotations

from collections.abc import Sequence

from memory.analysis import Query, Term
from memory.bm25 import ideal, telling
from memory.narrowing import POSTINGS, asked, best, chosen
from memory.recall import Found, Question
from memory.recall.feedback import BEST, expanded, matched, mentioned
from memory.records import Record, Turn
from memory.stores.ranking import Candidate, Corpus, rank
from memory.stores.search import Document, documents_of

__all__ = ("documents_now", "expected_ranking")


def expected_ranking(
    records: Sequence[Record], question: Question, *, limit: int
) -> tuple[Found, ...]:
    """Return what `lookup` has to return for a conversation of which all is indexed."""
    wanted = asked(Query.of_question(question.text, question.context))
    documents = documents_now(records)
    first = _ranked(documents, wanted)
    words = {each.place: each.words for each in documents}
    said = mentioned(wanted, [(each.score, words[each.place]) for each in first[:BEST]])
    held = {word: len(_places(documents, Term(word))) for word in said}
    second = _ranked(documents, expanded(wanted, said, held, len(documents)))
    most = ideal(
        (term.weight, telling(len(documents), len(_places(documents, term))))
        for term in wanted.terms
    )
    return tuple(matched(first, second, most, limit=max(limit, 0)))


def _places(documents: Sequence[Document], term: Term) -> list[int]:
    return [each.place for each in documents if term.held(each.words.split())]


def _ranked(documents: Sequence[Document], wanted: Query) -> list[Found]:
    """Return all documents that are ranked, best first."""
    places = {term: _places(documents, term) for term in wanted.terms}
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
    found = rank(wanted, candidates, corpus, limit=len(candidates))
    return [Found(candidate.place, score) for score, candidate in found]


def documents_now(records: Sequence[Record]) -> list[Document]:
    """Return what can be found of a conversation, in order."""
    held: list[Document] = []
    for record in records:
        if isinstance(record, Turn):
            held = [each for each in held if each.place < record.start]
            held += documents_of(record)
    return held
