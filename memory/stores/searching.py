"""The search of the SQL stores: what was said is indexed when somebody searches, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.messages import role_of
from memory.records import Hit, Turn
from memory.stores.codec import decode
from memory.stores.indexing import of_conversation, of_owner
from memory.stores.keys import owner_digest, readable, unreadable
from memory.stores.lookups import LookupPrograms
from memory.stores.programs import query
from memory.stores.ranking import CANDIDATES, Candidate, Corpus, probes, rank
from memory.stores.search import Query, text_of_message

if TYPE_CHECKING:
    from memory.flow import Flow, Search
    from memory.stores.search import Term
    from memory.stores.sql import Row

__all__ = ("SearchPrograms",)

_STALE = """
SELECT c.id, c.indexed, max(r.seq)
FROM memory_conversations c JOIN memory_records r
  ON r.conversation_id = c.id AND r.seq > c.indexed
WHERE c.owner = ? AND c.name <> '' AND (? = '' OR c.name = ?)
GROUP BY c.id, c.indexed
"""
_SIZE = """
SELECT COALESCE(sum(c.documents), 0), COALESCE(sum(c.length), 0)
FROM memory_conversations c
WHERE c.owner = ? AND (? = '' OR c.name = ?)
"""
_FREQUENCY = "SELECT count(*) FROM memory_documents d WHERE {matches}"
_CANDIDATES = """
SELECT d.id, c.user_id, c.name, d.place, d.words, d.conversation_id, d.seq, d.item
FROM memory_documents d JOIN memory_conversations c ON c.id = d.conversation_id
WHERE {matches}
ORDER BY d.place DESC, c.user_id, c.name
LIMIT ?
"""
_NUMBER = "SELECT id FROM memory_conversations WHERE owner = ? AND name = ?"
_MESSAGE = "SELECT kind, body FROM memory_records WHERE conversation_id = ? AND seq = ?"


class SearchPrograms(LookupPrograms):
    """`Programs` that can search."""

    def search(self, search: Search) -> Flow[tuple[Hit, ...]]:
        """Return the messages that match, best first; what is new is indexed before."""
        wanted, match = Query.parse(search.query), search.match
        if not wanted or search.limit < 1 or search.name == "":
            return ()
        owner, own = owner_digest(search.namespace, search.user), readable(search.name or "")
        yield from self._follow(owner, own)
        number = yield from _number(owner, own)
        scope = of_owner(owner) if number is None else of_conversation(number)
        corpus = yield from self._corpus(wanted, scope, number, (owner, own, own))
        found: dict[int, Candidate] = {}
        for probe in probes(wanted, match, corpus.frequencies):
            terms = (self.dialect.scoped(scope, probe, match), CANDIDATES)
            rows = yield from query(_CANDIDATES, terms).perform()
            found |= {row[0]: _candidate(row) for row in rows}
        hits: list[Hit] = []
        for score, candidate in rank(wanted, found.values(), corpus, limit=search.limit):
            hits += yield from self._hits(candidate, score)
        return tuple(hits)

    def _follow(self, owner: bytes, name: str) -> Flow[None]:
        """Index what is new in a scope now; what comes meanwhile is left to the next search."""
        stale = yield from query(_STALE, (owner, name, name)).perform()
        for number, indexed, last in stale:
            yield from self.catch_up(owner, number, indexed, last)

    def _corpus(self, wanted: Query, scope: str, number: int | None, where: Row) -> Flow[Corpus]:
        ((documents, length),) = yield from query(_SIZE, where).perform()
        frequencies: dict[Term, int] = {}
        if number is not None:  # those of one conversation are known
            whole = [term for term in wanted.terms if not term.prefix]
            frequencies = yield from self.frequencies(number, whole)
        for term in wanted.terms:
            if term not in frequencies:
                terms = (self.dialect.scoped(scope, Query((term,)), "any"),)
                ((frequencies[term],),) = yield from query(_FREQUENCY, terms).perform()
        return Corpus(documents=int(documents), length=int(length), frequencies=frequencies)

    def _hits(self, candidate: Candidate, score: float) -> Flow[tuple[Hit, ...]]:
        number, seq, item = candidate.row
        rows = yield from query(_MESSAGE, (number, seq)).perform()
        if not rows:  # forgotten meanwhile
            return ()
        turn = decode(*rows[0], where=self.where(number, seq))
        assert isinstance(turn, Turn)  # noqa: S101  # nothing else is indexed
        message = turn.messages[item]
        hit = Hit(
            user=candidate.user,
            name=candidate.name,
            place=candidate.place,
            role=role_of(message),
            text=text_of_message(message),
            score=score,
        )
        return (hit,)


def _number(owner: bytes, name: str) -> Flow[int | None]:
    """Return which conversation is searched, 0 for one that is not there, None for all."""
    if not name:
        return None
    rows = yield from query(_NUMBER, (owner, name)).perform()
    return rows[0][0] if rows else 0


def _candidate(row: Row) -> Candidate:
    _, user, name, place, words, *where = row
    return Candidate(
        user=unreadable(user), name=unreadable(name), place=place, words=words, row=where
    )
