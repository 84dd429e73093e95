"""The search of the SQL stores: what was said is indexed when somebody searches, not before."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from memory.messages import role_of
from memory.records import Hit, Turn
from memory.stores.codec import decode
from memory.stores.keys import owner_digest, readable, unreadable
from memory.stores.programs import Programs, query
from memory.stores.ranking import CANDIDATES, Candidate, Corpus, probes, rank
from memory.stores.search import Query, documents_of, text_of_message
from memory.stores.sql import Statement, Transaction, insert

if TYPE_CHECKING:
    from memory.flow import Flow, Search
    from memory.stores.search import Term
    from memory.stores.sql import Row, Steps

__all__ = ("SearchPrograms",)

BATCH = 1_000
"""Records that are indexed in one transaction, so that writers need not wait for long."""
_STALE = """
SELECT c.id, c.indexed, max(r.seq)
FROM memory_conversations c JOIN memory_records r
  ON r.conversation_id = c.id AND r.seq > c.indexed
WHERE c.owner = ? AND c.name <> '' AND (? = '' OR c.name = ?)
GROUP BY c.id, c.indexed
"""
_INDEXED = "SELECT indexed FROM memory_conversations WHERE id = ?"
# Who indexes moves the mark first, so that of two one goes without.
_MARK = """
UPDATE memory_conversations
SET indexed = (
  SELECT max(r.seq) FROM memory_records r WHERE r.conversation_id = ? AND r.seq <= ?
)
WHERE id = ? AND indexed = ?
"""
_TURNS = """
SELECT r.seq, r.kind, r.body
FROM memory_records r
WHERE r.conversation_id = ? AND r.seq > ? AND r.seq <= ? AND r.kind = 'turn'
ORDER BY r.seq
"""
_CLEAR = "DELETE FROM memory_documents WHERE conversation_id = ? AND place >= ?"
_COUNT = """
SELECT count(*), COALESCE(sum(d.length), 0)
FROM memory_documents d JOIN memory_conversations c ON c.id = d.conversation_id
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


class SearchPrograms(Programs):
    """`Programs` that can search."""

    def search(self, search: Search) -> Flow[tuple[Hit, ...]]:
        """Return the messages that match, best first; what is new is indexed before."""
        wanted, match = Query.parse(search.query), search.match
        if not wanted or search.limit < 1 or search.name == "":
            return ()
        owner, own = owner_digest(search.namespace, search.user), readable(search.name or "")
        yield from self._catch_up(owner, own)
        scope = yield from _scope(owner, own)
        corpus = yield from self._corpus(wanted, scope, (owner, own, own))
        found: dict[int, Candidate] = {}
        for probe in probes(wanted, match, corpus.frequencies):
            terms = (self.dialect.scoped(scope, probe, match), CANDIDATES)
            rows = yield from query(_CANDIDATES, terms).perform()
            found |= {row[0]: _candidate(row) for row in rows}
        hits: list[Hit] = []
        for score, candidate in rank(wanted, found.values(), corpus, limit=search.limit):
            hits += yield from self._hits(candidate, score)
        return tuple(hits)

    def _catch_up(self, owner: bytes, name: str) -> Flow[None]:
        """Index what is new in a scope now; what comes meanwhile is left to the next search."""
        stale = yield from query(_STALE, (owner, name, name)).perform()
        for number, indexed, last in stale:
            mark = indexed
            while mark < last:
                steps = partial(self._index, owner, number, mark)
                mark = yield from Transaction(steps=steps, write=True).perform()

    def _index(self, owner: bytes, number: int, mark: int) -> Steps[int]:
        """Index the next records of a conversation; return up to which it is indexed."""
        stop = mark + BATCH
        ((moved,),) = yield Statement(_MARK, (number, stop, number, mark))
        if not moved:  # somebody else indexes it, or it is gone
            known = yield Statement(_INDEXED, (number,))
            return known[0][0] if known else sys.maxsize
        scope = f"{_of_owner(owner)} {_of_conversation(number)}"
        rows: list[Row] = []
        least: int | None = None
        for seq, kind, body in (yield Statement(_TURNS, (number, mark, stop))):
            turn = decode(kind, body, where=self.where(number, seq))
            assert isinstance(turn, Turn)  # noqa: S101  # its kind says so
            least = turn.start if least is None else min(least, turn.start)
            if rows and rows[-1][1] >= turn.start:
                rows = [row for row in rows if row[1] < turn.start]
            rows += [
                (number, each.place, seq, each.item, each.length, scope, each.words)
                for each in documents_of(turn)
            ]
        if least is not None:
            yield Statement(_CLEAR, (number, least))
        columns = "conversation_id, place, seq, item, length, scope, words"
        yield from insert("memory_documents", columns, rows)
        return stop

    def _corpus(self, wanted: Query, scope: str, where: Row) -> Flow[Corpus]:
        ((documents, length),) = yield from query(_COUNT, where).perform()
        frequencies: dict[Term, int] = {}
        for term in wanted.terms:
            terms = (self.dialect.scoped(scope, Query((term,)), "any"),)
            ((frequencies[term],),) = yield from query(_FREQUENCY, terms).perform()
        return Corpus(documents=documents, length=int(length), frequencies=frequencies)

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


def _scope(owner: bytes, name: str) -> Flow[str]:
    """Return the term that the documents of a user have, or those of one conversation."""
    if not name:
        return _of_owner(owner)
    rows = yield from query(_NUMBER, (owner, name)).perform()
    return _of_conversation(rows[0][0] if rows else 0)


def _of_owner(owner: bytes) -> str:
    return f"§o{owner.hex()}"


def _of_conversation(number: int) -> str:
    return f"§c{number}"


def _candidate(row: Row) -> Candidate:
    _, user, name, place, words, *where = row
    return Candidate(
        user=unreadable(user), name=unreadable(name), place=place, words=words, row=where
    )
