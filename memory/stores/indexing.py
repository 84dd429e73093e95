"""The index of the SQL stores, which follows the log: what was said is read once, in small steps.

Messages are read and their terms are made outside of any transaction. What was made is written in
a short one that first moves the mark of the conversation, up to which record it is indexed: of two
who index the same records, one finds the mark moved and goes on from there. So any number of
processes may index at once, and whoever writes messages waits for little.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from memory.records import Turn
from memory.stores.codec import decode
from memory.stores.postings import added, removed
from memory.stores.programs import Programs, query
from memory.stores.search import documents_of
from memory.stores.sql import Statement, Transaction, insert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.flow import Flow
    from memory.stores.search import Document
    from memory.stores.sql import Row, Steps

__all__ = ("IndexPrograms", "of_conversation", "of_owner")

RECORDS = 200
"""Records of one batch at most."""
MESSAGES = 500
"""Messages after which a batch ends."""
CLEARED = 1_000
"""Documents that are taken out of the index in one transaction."""
_SIZES = """
SELECT r.seq, r.messages FROM memory_records r
WHERE r.conversation_id = ? AND r.seq > ? AND r.seq <= ?
ORDER BY r.seq LIMIT ?
"""
_TURNS = """
SELECT r.seq, r.kind, r.body FROM memory_records r
WHERE r.conversation_id = ? AND r.seq > ? AND r.seq <= ? AND r.kind = 'turn'
ORDER BY r.seq
"""
_INDEXED = "SELECT indexed FROM memory_conversations WHERE id = ?"
_MOVE = "UPDATE memory_conversations SET indexed = ? WHERE id = ? AND indexed = ?"
_SIZE = """
UPDATE memory_conversations SET documents = documents + ?, length = length + ? WHERE id = ?
"""
_CLEAR = """
DELETE FROM memory_documents WHERE id IN (
  SELECT d.id FROM memory_documents d WHERE d.conversation_id = ? AND d.place >= ?
  ORDER BY d.place DESC LIMIT ?
)
RETURNING place, words, length
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of a conversation that are indexed together.

    Attributes:
        stop: The last of them.
        least: From which place on they replace what stood there; None where they replace nothing.
        documents: What can be searched of them, each with the record that holds it.
    """

    stop: int
    least: int | None = None
    documents: Sequence[tuple[int, Document]] = ()

    @property
    def length(self) -> int:
        """How many terms its documents have."""
        return sum(document.length for _, document in self.documents)


class Written(NamedTuple):
    """What came of a batch."""

    mark: int
    """Up to which record the conversation is indexed now."""
    documents: int = 0
    """How many documents were added for it."""


class IndexPrograms(Programs):
    """`Programs` that can index."""

    def catch_up(self, owner: bytes, number: int, mark: int, last: int) -> Flow[int]:
        """Index a conversation up to a record, and return how many documents were added.

        Args:
            owner: The digest of whose it is.
            number: Which conversation.
            mark: Up to which record it is indexed.
            last: Up to which record to index it; what comes meanwhile is left for later.
        """
        documents = 0
        while mark < last:
            batch = yield from self.batch(number, mark, last)
            written = yield from self.written(owner, number, mark, batch)
            mark, documents = written.mark, documents + written.documents
        return documents

    def batch(self, number: int, mark: int, last: int) -> Flow[Batch]:
        """Read the records after a mark, as many as are indexed together."""
        sizes = yield from query(_SIZES, (number, mark, last, RECORDS)).perform()
        stop = _stop(sizes)
        if stop is None:  # forgotten
            return Batch(last)
        least: int | None = None
        documents: list[tuple[int, Document]] = []
        for seq, kind, body in (yield from query(_TURNS, (number, mark, stop)).perform()):
            turn = decode(kind, body, where=self.where(number, seq))
            assert isinstance(turn, Turn)  # noqa: S101  # its kind says so
            least = turn.start if least is None else min(least, turn.start)
            while documents and documents[-1][1].place >= turn.start:
                documents.pop()
            documents += ((seq, document) for document in documents_of(turn))
        return Batch(stop, least, documents)

    def written(self, owner: bytes, number: int, mark: int, batch: Batch) -> Flow[Written]:
        """Write a batch for the records after a mark, unless somebody else did.

        What it replaces is taken out before, in as many transactions as that takes: the mark moves
        with the last one, and what is left is what is to be replaced.
        """
        steps = partial(_written, owner, number, mark, batch)
        while True:
            done = yield from Transaction(steps=steps, write=True).perform()
            if done is not None:
                return done


def of_owner(owner: bytes) -> str:
    """Return the term that the documents of a user have."""
    return f"§o{owner.hex()}"


def of_conversation(number: int) -> str:
    """Return the term that the documents of a conversation have."""
    return f"§c{number}"


def _stop(sizes: Sequence[Row]) -> int | None:
    """Return the record with which a batch ends."""
    messages = 0
    for seq, held in sizes:
        messages += held
        if messages >= MESSAGES:
            found: int = seq
            return found
    return sizes[-1][0] if sizes else None


def _written(owner: bytes, number: int, mark: int, batch: Batch) -> Steps[Written | None]:
    """Return what came of a batch, or None where there is more to take out before."""
    ((moved,),) = yield Statement(_MOVE, (batch.stop, number, mark))
    if not moved:  # somebody else indexes it, or it is gone
        known = yield Statement(_INDEXED, (number,))
        return Written(known[0][0] if known else sys.maxsize)
    if batch.least is not None:
        gone = yield from _cleared(number, batch.least)
        if gone == CLEARED:
            yield Statement(_MOVE, (mark, number, batch.stop))
            return None
    yield from _inserted(owner, number, batch)
    return Written(batch.stop, len(batch.documents))


def _cleared(number: int, least: int) -> Steps[int]:
    """Take the last documents from a place on out of the index, and return how many that were."""
    gone = yield Statement(_CLEAR, (number, least, CLEARED))
    if gone:
        yield from removed(number, [(place, words) for place, words, _ in gone])
        length = sum(length for *_, length in gone)
        yield Statement(_SIZE, (-len(gone), -length, number))
    return len(gone)


def _inserted(owner: bytes, number: int, batch: Batch) -> Steps[None]:
    if not batch.documents:
        return
    scope = f"{of_owner(owner)} {of_conversation(number)}"
    rows = [
        (number, each.place, seq, each.item, each.length, scope, each.words)
        for seq, each in batch.documents
    ]
    columns = "conversation_id, place, seq, item, length, scope, words"
    yield from insert("memory_documents", columns, rows)
    yield from added(number, [(each.place, each.words) for _, each in batch.documents])
    yield Statement(_SIZE, (len(rows), batch.length, number))
