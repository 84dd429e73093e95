"""What a store does, in SQL, once for every database and driver: logs, lists and leases."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from memory.cache import GenerationCache
from memory.errors import ConflictError, CorruptError
from memory.records import Compaction, Entry, Forgotten, Health, Log, LogKey, Record, Turn
from memory.stores.codec import decode, encode, hashes_of, messages_after, messages_in
from memory.stores.keys import key_digest, owner_digest, readable, unreadable
from memory.stores.removing import removal
from memory.stores.sql import Row, Statement, Transaction, insert

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import TypeAlias

    from memory.flow import Flow
    from memory.stores.cache import Held, LogCache
    from memory.stores.sql import Dialect, Steps

    Places: TypeAlias = Generator[Statement, list[Row], None]

__all__ = ("Programs", "query")

# The record that is held last is asked for again, without its body: it may be there no more.
_LOAD = """
SELECT c.id, r.seq, r.kind, CASE WHEN r.seq > ? THEN r.body END
FROM memory_conversations c
LEFT JOIN memory_records r ON r.conversation_id = c.id AND r.seq >= ?
WHERE c.key = ?
ORDER BY r.seq
"""
_BEGIN = """
INSERT INTO memory_conversations (key, owner, namespace, user_id, name, root, created_at)
VALUES (?, ?, ?, ?, ?, ?, {now})
ON CONFLICT (key) DO NOTHING
"""
# The key (conversation, seq) is the check of the version: of two appends one finds its place taken.
_NEXT = """
INSERT INTO memory_records
  (conversation_id, seq, kind, messages, total, append, created_at, body)
SELECT c.id, ?, ?, ?, ?, ?, {now}, ? FROM memory_conversations c WHERE c.id = ? AND {preceded}
{shared}
ON CONFLICT (conversation_id, seq) DO NOTHING
"""
_APPEND = """
INSERT INTO memory_records
  (conversation_id, seq, kind, messages, total, append, created_at, body)
SELECT c.id, ?, ?, ?, COALESCE(?, last.total, 0), ?, {now}, ?
FROM memory_conversations c
LEFT JOIN memory_records last ON last.conversation_id = c.id AND last.seq = ?
WHERE c.key = ? AND (last.seq IS NOT NULL OR ? = 0)
{shared}
ON CONFLICT (conversation_id, seq) DO NOTHING
RETURNING conversation_id
"""
_TOTAL = "SELECT total FROM memory_records WHERE conversation_id = ? AND seq = ?"
_STATE = """
SELECT max(r.seq)
FROM memory_conversations c JOIN memory_records r ON r.conversation_id = c.id
WHERE c.key = ?
"""
_MINE = """
SELECT c.id
FROM memory_conversations c JOIN memory_records r ON r.conversation_id = c.id
WHERE c.key = ? AND r.seq = ? AND r.append = ?
"""
_KNOWN = "SELECT min(adopted) FROM memory_hashes WHERE owner = ?"
_FIND = """
SELECT r.conversation_id, r.seq, r.kind, r.body
FROM memory_records r
WHERE (r.conversation_id, r.seq) IN (
  SELECT h.conversation_id, h.seq FROM memory_hashes h WHERE h.owner = ? AND h.hash IN ({members})
)
ORDER BY r.id
"""
_ENTRIES = """
SELECT c.user_id, c.name, r.seq, r.total, r.created_at
FROM memory_conversations c
JOIN memory_records r ON r.conversation_id = c.id
  AND r.seq = (SELECT max(l.seq) FROM memory_records l WHERE l.conversation_id = c.id)
WHERE c.{whose} = ? AND c.name <> '' AND (c.user_id, c.name) > (?, ?)
ORDER BY c.user_id, c.name
LIMIT ?
"""
_LIST = _ENTRIES.replace("{whose}", "namespace")
_LIST_OWN = _ENTRIES.replace("{whose}", "owner")
_ACQUIRE = """
INSERT INTO memory_leases (key, purpose, owner, holder, until)
VALUES (?, ?, ?, ?, {now} + ?)
ON CONFLICT (key, purpose) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE memory_leases.until <= {now} OR memory_leases.holder = excluded.holder
RETURNING holder
"""
_HOLDER = "SELECT holder FROM memory_leases WHERE key = ? AND purpose = ? AND until > {now}"
_RELEASE = "DELETE FROM memory_leases WHERE key = ? AND purpose = ? AND holder = ?"


class Programs:
    """The verbs of a store as programs.

    Args:
        dialect: Which database.
        cache: What was read already.
        location: Where the database is, for errors; without credentials.
    """

    def __init__(self, dialect: Dialect, cache: LogCache, location: str) -> None:
        self.dialect = dialect
        self.cache = cache
        self.location = location
        # Which conversation a log is and a version it has reached, as far as that was seen here.
        self._seen: GenerationCache[tuple[int, int]] = GenerationCache(entries=100_000)

    def where(self, number: int, seq: int) -> str:
        """Return what errors call a record."""
        return f"record {seq} of conversation {number} in {self.location}"

    def load(self, key: LogKey) -> Flow[Log]:
        """Return a log: what is held of it, and what was appended since."""
        held = self.cache.get(key)
        digest, start = key_digest(key), held.log.version if held else 0
        rows = yield from query(_LOAD, (start, start, digest)).perform()
        if held and rows and (str(rows[0][0]), rows[0][1]) != (held.incarnation, start):
            held = None  # forgotten and begun again, or restored from a backup
            self.cache.drop(key)
            rows = yield from query(_LOAD, (0, 0, digest)).perform()
        if not rows:
            self.cache.drop(key)
            return Log()
        return self._read(key, held, rows)

    def _read(self, key: LogKey, held: Held | None, rows: list[Row]) -> Log:
        number, log = rows[0][0], held.log if held else Log()
        rows = rows[1:] if held else rows
        if not rows or rows[0][1] is None:
            return log
        new, weight = [], held.weight if held else 0
        for seq, (_, place, kind, body) in enumerate(rows, log.version + 1):
            where = self.where(number, seq)
            if place != seq:
                raise CorruptError(where, "it is missing")
            new.append(decode(kind, body, where=where))
            weight += len(body)
        log = Log(records=(*log.records, *new), version=log.version + len(new))
        self.cache.put(key, str(number), log, weight=weight)
        self._seen.put(key, (number, log.version))
        return log

    def append(self, key: LogKey, records: Sequence[Record], expected: int) -> Flow[int]:
        """Append records if the log is still at a version, and return the new one."""
        encoded = [encode(record) for record in records]
        mine = secrets.token_hex(4)  # so that an append whose reply got lost is known again

        def steps() -> Steps[int | None]:
            number = yield from self._first(key, records[0], encoded[0], expected, mine)
            if number is None:  # this very append was done before, and its reply got lost
                return None
            if len(records) > 1:
                yield from _others(number, records, encoded, expected, mine)
            if not key.name:
                yield from _hashed(key, number, records, expected)
            return number

        try:
            number = yield from Transaction(steps=steps, write=True).perform()
        except ConflictError as conflict:
            if conflict.actual < expected:  # what was read is there no more
                self.cache.drop(key)
            raise
        version = expected + len(records)
        if number is not None:
            self._seen.put(key, (number, version))
        return version

    def short(self, key: LogKey, records: Sequence[Record], expected: int) -> Statement | None:
        """Return the one statement that most appends are, or None where it takes more than that.

        What it did not change a row for, `append` has to do, or to refuse.
        """
        number = self._reached(key, records[0], expected)
        if len(records) > 1 or not number:
            return None
        row = _row(records[0], encode(records[0]), expected, secrets.token_hex(4))
        return Statement(_NEXT, (*row, number, expected))

    def _reached(self, key: LogKey, record: Record, expected: int) -> int:
        """Return the conversation that a turn can simply be put into, or 0.

        It has reached that version, as was seen here, and a turn tells how many messages follow.
        """
        number, version = self._seen.get(key) or (0, 0)
        return number if 0 < expected <= version and isinstance(record, Turn) else 0

    def noted(self, key: LogKey, version: int) -> None:
        """Know that a log has reached a version by a short append."""
        number, _ = self._seen.get(key) or (0, 0)
        self._seen.put(key, (number, version))

    def _first(
        self,
        key: LogKey,
        record: Record,
        encoded: tuple[str, str],
        expected: int,
        mine: str,
    ) -> Steps[int | None]:
        """Append a record in its place; return which conversation it is, or None if it is there.

        Raises:
            ConflictError: Somebody else's is.
        """
        row, digest = _row(record, encoded, expected, mine), key_digest(key)
        number = self._reached(key, record, expected)
        if number:
            ((done,),) = yield Statement(_NEXT, (*row, number, expected))
            if done:
                return number
        elif not expected:
            yield Statement(_BEGIN, _names(key))
        found = yield Statement(_APPEND, (*row, expected, digest, expected))
        if not found:
            yield from _refused(digest, expected, mine)
            return None
        first: int = found[0][0]
        return first

    def known(self, namespace: str, user: str) -> Flow[int | None]:
        """Return the smallest number of messages that a compaction was made for."""
        rows = yield from query(_KNOWN, (owner_digest(namespace, user),)).perform()
        least: int | None = rows[0][0]
        return least

    def find(
        self, namespace: str, hashes: frozenset[bytes], user: str
    ) -> Flow[tuple[Compaction, ...]]:
        """Return the compactions with one of these hashes."""
        texts = json.dumps([link.hex() for link in hashes])
        rows = yield from query(_FIND, (owner_digest(namespace, user), texts)).perform()
        found = (
            decode(kind, body, where=self.where(number, seq)) for number, seq, kind, body in rows
        )
        return tuple(record for record in found if isinstance(record, Compaction))

    def conversations(
        self, namespace: str, user: str | None, after: tuple[str, str] | None, limit: int
    ) -> Flow[tuple[Entry, ...]]:
        """Return a page of conversations."""
        place = ("", "") if after is None else (readable(after[0]), readable(after[1]))
        if user is None:
            page = query(_LIST, (readable(namespace), *place, limit))
        else:
            page = query(_LIST_OWN, (owner_digest(namespace, user), *place, limit))
        return tuple(
            Entry(
                user=unreadable(whose),
                name=unreadable(name),
                version=version,
                messages=messages,
                updated=updated,
            )
            for whose, name, version, messages, updated in (yield from page.perform())
        )

    def forget(self, key: LogKey) -> Flow[Forgotten]:
        """Remove a log."""
        self.cache.drop(key)
        return (yield from removal("key", key_digest(key)).perform())

    def forget_user(self, namespace: str, user: str) -> Flow[Forgotten]:
        """Remove all logs of a user."""
        self.cache.drop_user(namespace, user)
        return (yield from removal("owner", owner_digest(namespace, user)).perform())

    def acquire(self, key: LogKey, purpose: str, owner: str, seconds: float) -> Flow[bool]:
        """Take or renew a lease."""
        whose = owner_digest(key.namespace, key.user)
        values = (key_digest(key), purpose, whose, owner, seconds)
        return bool((yield from query(_ACQUIRE, values, write=True).perform()))

    def holder(self, key: LogKey, purpose: str) -> Flow[str | None]:
        """Return who has a lease."""
        rows = yield from query(_HOLDER, (key_digest(key), purpose)).perform()
        return rows[0][0] if rows else None

    def release(self, key: LogKey, purpose: str, owner: str) -> Flow[None]:
        """Give up a lease."""
        yield from query(_RELEASE, (key_digest(key), purpose, owner), write=True).perform()

    def health(self) -> Flow[Health]:
        """Return the version of the schema."""
        rows = yield from query("SELECT max(version) FROM memory_schema").perform()
        return Health(
            kind=self.dialect.name,
            location=self.location,
            schema=rows[0][0] or 0,
            latest=self.dialect.latest,
        )


def query(
    sql: str, parameters: Sequence[Any] = (), *, write: bool = False
) -> Transaction[list[Row]]:
    """Return a transaction of one statement."""

    def steps() -> Steps[list[Row]]:
        return (yield Statement(sql, parameters))

    return Transaction(steps=steps, write=write)


def _row(record: Record, encoded: tuple[str, str], expected: int, mine: str) -> Row:
    """Return what stands in the row of the record after version `expected`, in that order."""
    kind, body = encoded
    total = messages_after(record, -1)
    return (expected + 1, kind, messages_in(record), None if total < 0 else total, mine, body)


def _names(key: LogKey) -> Row:
    names = (readable(key.namespace), readable(key.user), readable(key.name))
    return (key_digest(key), owner_digest(key.namespace, key.user), *names, key.root)


def _others(
    number: int,
    records: Sequence[Record],
    encoded: Sequence[tuple[str, str]],
    expected: int,
    mine: str,
) -> Places:
    """Append the records after the first one."""
    ((total,),) = yield Statement(_TOTAL, (number, expected + 1))
    rows = []
    for place, (record, (kind, body)) in enumerate(zip(records, encoded, strict=True), 1):
        total = messages_after(record, total)
        rows.append((number, expected + place, kind, messages_in(record), total, mine, body))
    columns = "conversation_id, seq, kind, messages, total, append, body, created_at={now}"
    yield from insert("memory_records", columns, rows[1:])


def _hashed(key: LogKey, number: int, records: Sequence[Record], expected: int) -> Places:
    """Let the compactions of a log without a name be found by their hashes."""
    owner = owner_digest(key.namespace, key.user)
    links = [
        (owner, link.hex(), number, expected + place, record.adopted)
        for place, record in enumerate(records, 1)
        if isinstance(record, Compaction)
        for link in hashes_of(record)
    ]
    yield from insert("memory_hashes", "owner, hash, conversation_id, seq, adopted", links)


def _refused(digest: bytes, expected: int, mine: str) -> Steps[None]:
    """Raise for whoever was first, unless that was this very append, tried before."""
    if (yield Statement(_MINE, (digest, expected + 1, mine))):
        return
    rows = yield Statement(_STATE, (digest,))
    raise ConflictError(expected=expected, actual=rows[0][0] or 0)
