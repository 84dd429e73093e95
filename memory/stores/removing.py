"""Forgetting, in SQL: conversations with all that belongs to them, and how much that was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from memory.records import Forgotten
from memory.stores.sql import Statement, Transaction

if TYPE_CHECKING:
    from memory.stores.sql import Steps

__all__ = ("removal",)

_HELD = """
SELECT count(*), COALESCE(sum(messages), 0),
  COALESCE(sum(CASE WHEN kind = 'compaction' THEN 1 ELSE 0 END), 0),
  (SELECT count(*) FROM memory_documents d WHERE d.conversation_id = ?)
FROM memory_records
WHERE conversation_id = ?
"""
_OF = ("memory_documents", "memory_postings", "memory_hashes", "memory_records")


def removal(column: Literal["key", "owner"], digest: bytes) -> Transaction[Forgotten]:
    """Return a transaction that removes a log, or all of a user, by the digest of either."""
    return Transaction(steps=lambda: _removed(column, digest), write=True)


def _removed(column: str, digest: bytes) -> Steps[Forgotten]:
    gone = f"DELETE FROM memory_conversations WHERE {column} = ? RETURNING id"  # noqa: S608
    numbers = [number for (number,) in (yield Statement(gone, (digest,)))]
    records = messages = compactions = documents = 0
    for number in numbers:
        (held,) = yield Statement(_HELD, (number, number))
        records, messages = records + held[0], messages + held[1]
        compactions, documents = compactions + held[2], documents + held[3]
        for table in _OF:
            yield Statement(f"DELETE FROM {table} WHERE conversation_id = ?", (number,))  # noqa: S608
    leases = f"DELETE FROM memory_leases WHERE {column} = ?"  # noqa: S608  # no text of users
    ((released,),) = yield Statement(leases, (digest,))
    return Forgotten(
        logs=len(numbers),
        records=records,
        messages=int(messages),
        compactions=int(compactions),
        documents=documents,
        leases=released,
    )
