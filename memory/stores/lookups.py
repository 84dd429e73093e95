"""Recall in the SQL stores: what answers a question in one conversation, however long that is.

**What is read.** How many documents hold a term of the question is known. Of the places of its
terms, those that `memory.narrowing` names are read, and of the documents there, the terms of those
that it names; these are ranked by all terms of the question as `memory.stores.ranking` says. Then
all this is done once more with words of the first answers, as `memory.recall.feedback` says.
So no more is read of a million messages than of a few thousand, but for the depth of an index.

**What is indexed first.** One batch at most, where that is all that is missing, so that a turn
waits for little. Where more is missing, the answer is of what is indexed, without what was replaced
since. `index` does the rest, in the background.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from memory.analysis import Query, Term
from memory.bm25 import ideal, telling
from memory.narrowing import POSTINGS, asked, best, chosen
from memory.recall import Found
from memory.recall.feedback import BEST, expanded, matched, mentioned
from memory.stores.indexing import IndexPrograms
from memory.stores.keys import key_digest, owner_digest
from memory.stores.postings import key_of, places_in
from memory.stores.programs import query
from memory.stores.ranking import Candidate, Corpus, rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.flow import Flow
    from memory.recall import Question, Ranking
    from memory.records import LogKey

__all__ = ("LookupPrograms",)

PAGE = 100
"""Rows of a very common term that are read at first; then twice as many, and so on."""
_STATE = """
SELECT c.id, c.indexed, c.documents, c.length,
  (SELECT max(r.seq) FROM memory_records r WHERE r.conversation_id = c.id)
FROM memory_conversations c WHERE c.key = ?
"""
# The newest row of a term counts those of all rows.
_FREQUENCIES = """
SELECT m.value, (
  SELECT p.earlier + p.documents FROM memory_postings p
  WHERE p.conversation_id = ? AND p.term = m.value
  ORDER BY p.block DESC LIMIT 1
)
FROM ({members}) AS m
"""
_NEWEST = """
SELECT p.block, p.places FROM memory_postings p
WHERE p.conversation_id = ? AND p.term = ? AND p.block < ?
ORDER BY p.block DESC LIMIT ?
"""
_REPLACED = """
SELECT min(r.total - r.messages) FROM memory_records r
WHERE r.conversation_id = ? AND r.seq > ? AND r.kind = 'turn'
"""
_WORDS = """
SELECT d.place, d.words FROM memory_documents d
WHERE d.conversation_id = ? AND d.place IN ({numbers})
"""
_ENDLESS = 2**62


class _State(NamedTuple):
    """How a conversation is indexed."""

    number: int
    indexed: int
    documents: int
    length: int
    last: int | None
    """Its last record."""

    @property
    def behind(self) -> bool:
        """Whether there is anything to index."""
        return self.last is not None and self.indexed < self.last


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What was read of a conversation to answer one question.

    Attributes:
        state: How it is indexed.
        before: From which place on what is indexed was replaced since.
        frequencies: In how many documents terms are.
        places: The newest places of terms.
        words: The terms of documents by their places.
    """

    state: _State
    before: int
    frequencies: dict[Term, int]
    places: dict[Term, list[int]] = field(default_factory=dict)
    words: dict[int, str] = field(default_factory=dict)

    @property
    def corpus(self) -> Corpus:
        """What the conversation holds."""
        state = self.state
        return Corpus(documents=state.documents, length=state.length, frequencies=self.frequencies)

    def rank(self, wanted: Query, places: Sequence[int]) -> list[Found]:
        """Return the documents at some places, best first; one that is gone is left out."""
        candidates = [
            Candidate(user="", name="", place=place, words=self.words[place])
            for place in places
            if place in self.words
        ]
        ranked = rank(wanted, candidates, self.corpus, limit=len(candidates))
        return [Found(candidate.place, score) for score, candidate in ranked]

    def ideal(self, wanted: Query) -> float:
        """Return the score of a document that holds all of what is wanted."""
        return ideal(
            (term.weight, telling(self.state.documents, self.frequencies.get(term, 0)))
            for term in wanted.terms
        )


class LookupPrograms(IndexPrograms):
    """`Programs` that can look up and index."""

    def lookup(self, key: LogKey, question: Question, limit: int) -> Flow[Ranking]:
        """Return the messages that answer a question best, best first."""
        wanted = asked(Query.of_question(question.text, question.context))
        state = yield from self._state(key)
        if not wanted or limit < 1 or state is None:
            return ()
        if state.behind:
            yield from self._follow_a_little(key, state)
            state = yield from self._state(key)
        if state is None or not state.documents:
            return ()
        return (yield from self._ranked(wanted, state, limit))

    def index(self, key: LogKey) -> Flow[int]:
        """Index what is new in a conversation; return how many messages were indexed."""
        state = yield from self._state(key)
        if state is None or state.last is None:
            return 0
        owner = owner_digest(key.namespace, key.user)
        return (yield from self.catch_up(owner, state.number, state.indexed, state.last))

    def frequencies(self, number: int, terms: Sequence[Term]) -> Flow[dict[Term, int]]:
        """Return in how many documents of a conversation terms are."""
        if not terms:
            return {}
        keys = {key_of(term): term for term in terms}
        rows = yield from query(_FREQUENCIES, (number, json.dumps([*keys]))).perform()
        return {keys[key]: held or 0 for key, held in rows}

    def _state(self, key: LogKey) -> Flow[_State | None]:
        """Return how a conversation is indexed; None where it has no name or is not there."""
        if not key.name:
            return None
        rows = yield from query(_STATE, (key_digest(key),)).perform()
        return _State(*rows[0]) if rows else None

    def _follow_a_little(self, key: LogKey, state: _State) -> Flow[None]:
        """Index what is missing, if that is one batch."""
        last = state.last or 0
        batch = yield from self.batch(state.number, state.indexed, last)
        if batch.stop == last:
            owner = owner_digest(key.namespace, key.user)
            yield from self.written(owner, state.number, state.indexed, batch)

    def _ranked(self, wanted: Query, state: _State, limit: int) -> Flow[Ranking]:
        """Ask a second time with words of the first answers."""
        frequencies = yield from self.frequencies(state.number, wanted.terms)
        before = (yield from self._replaced(state)) if state.behind else _ENDLESS
        reading = _Reading(state=state, before=before, frequencies=frequencies)
        first = yield from self._found(wanted, reading)
        most = reading.ideal(wanted)
        more = yield from self._expanded(wanted, first[:BEST], reading)
        second = first if more == wanted else (yield from self._found(more, reading))
        return matched(first, second, most, limit=limit)

    def _expanded(self, wanted: Query, first: Ranking, reading: _Reading) -> Flow[Query]:
        """Return what is wanted with words of the first answers."""
        words = mentioned(wanted, [(each.score, reading.words[each.place]) for each in first])
        held = yield from self.frequencies(reading.state.number, [Term(word) for word in words])
        reading.frequencies = {**held, **reading.frequencies}
        by_word = {term.text: number for term, number in held.items()}
        return expanded(wanted, words, by_word, reading.state.documents)

    def _found(self, wanted: Query, reading: _Reading) -> Flow[list[Found]]:
        """Return all documents that are ranked, best first; read what was not read yet."""
        number, corpus, held = reading.state.number, reading.corpus, []
        for term in chosen(wanted.terms, corpus.frequencies):
            if term not in reading.places:
                newest = yield from self._newest(number, key_of(term), corpus.frequencies[term])
                reading.places[term] = [place for place in newest if place < reading.before]
            held.append((corpus.weight(term), reading.places[term]))
        places = best(held)
        if missing := [place for place in places if place not in reading.words]:
            rows = yield from query(_WORDS, (number, json.dumps(missing))).perform()
            reading.words.update(rows)
        return reading.rank(wanted, places)

    def _newest(self, number: int, key: str, held: int) -> Flow[list[int]]:
        """Return the newest places of a term that so many documents hold."""
        found: list[int] = []
        # Each row has a place at least, and those of a common term have many.
        before, page = _ENDLESS, held if held <= POSTINGS else PAGE
        while len(found) < POSTINGS:
            rows = yield from query(_NEWEST, (number, key, before, page)).perform()
            for block, places in rows:
                found += reversed(places_in(block, places))
            if len(rows) < page or len(found) >= held:
                break
            before, page = rows[-1][0], page * 2
        return found[:POSTINGS]

    def _replaced(self, state: _State) -> Flow[int]:
        """Return from which place on what is indexed was replaced since."""
        rows = yield from query(_REPLACED, (state.number, state.indexed)).perform()
        least: int | None = rows[0][0]
        return _ENDLESS if least is None else least
