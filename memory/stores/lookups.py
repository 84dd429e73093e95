"""Recall in the SQL stores: what answers a question in one conversation, however long that is.

**What is read.** How many documents hold a term of the question is known. Of the places of its
terms, those that `memory.stores.narrowing` names are read, and of the documents there, the terms of
those that it names; these are ranked by all terms of the question as `memory.stores.ranking` says.
So no more is read of a million messages than of a few thousand, but for the depth of an index.

**What is indexed first.** One batch at most, where that is all that is missing, so that a turn
waits for little. Where more is missing, the answer is of what is indexed, without what was replaced
since. `index` does the rest, in the background.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from memory.recall import Found
from memory.stores.indexing import IndexPrograms
from memory.stores.keys import key_digest, owner_digest
from memory.stores.narrowing import POSTINGS, best, chosen
from memory.stores.postings import asked, key_of, places_in
from memory.stores.programs import query
from memory.stores.ranking import Candidate, Corpus, rank
from memory.stores.search import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.flow import Flow
    from memory.recall import Question, Ranking
    from memory.records import LogKey
    from memory.stores.search import Term

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
        frequencies = yield from self.frequencies(state.number, wanted.terms)
        corpus = Corpus(documents=state.documents, length=state.length, frequencies=frequencies)
        before = (yield from self._replaced(state)) if state.behind else _ENDLESS
        found = []
        for term in chosen(wanted.terms, frequencies):
            held = yield from self._newest(state.number, key_of(term), frequencies[term])
            found.append((corpus.weight(term), [place for place in held if place < before]))
        places = json.dumps(best(found))
        rows = yield from query(_WORDS, (state.number, places)).perform()
        candidates = [
            Candidate(user="", name="", place=place, words=words) for place, words in rows
        ]
        ranked = rank(wanted, candidates, corpus, limit=limit)
        return tuple(Found(candidate.place, score) for score, candidate in ranked)

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
