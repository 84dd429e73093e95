"""Stores in memory that are each wrong in one way: in loading, appending, finding or forgetting."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from memory.errors import ConflictError, StoreError
from memory.records import (
    Compaction,
    Forgotten,
    Log,
    LogKey,
    Record,
    Turn,
)
from memory.stores import VolatileStore
from memory.stores.codec import decode, encode


class IgnoresVersions(VolatileStore):
    """Appends whatever version is expected."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append at the version there is."""
        del expected
        with self._lock:
            return super().append(key, records, expected=self.load(key).version)


class ForgetsOnConflict(VolatileStore):
    """Drops the log when two meet."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append, or lose everything."""
        try:
            return super().append(key, records, expected=expected)
        except ConflictError:
            self.forget(key)
            raise


class WritesByHalves(VolatileStore):
    """Encodes records while it writes them, one by one."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append what comes before the first record that cannot be encoded."""
        for record in records:
            encode(record)
            expected = super().append(key, [record], expected=expected)
        return expected


class Racy(VolatileStore):
    """Looks at the version, and writes a little later."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append without a lock."""
        actual = self.load(key).version
        if actual != expected:
            raise ConflictError(expected=expected, actual=actual)
        time.sleep(0.001)
        return super().append(key, records, expected=self.load(key).version)


class Reorders(VolatileStore):
    """Writes the records of one append last first."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append them in the wrong order."""
        return super().append(key, list(reversed(records)), expected=expected)


class SortsKeys(VolatileStore):
    """Keeps messages as a database with a JSON type of its own would."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records with their keys sorted."""
        return super().append(key, [self._sorted(r) for r in records], expected=expected)

    def _sorted(self, record: Record) -> Record:
        if not isinstance(record, Turn):
            return record
        return replace(record, messages=tuple(dict(sorted(m.items())) for m in record.messages))


class LosesSurrogates(VolatileStore):
    """Replaces what cannot be written as UTF-8."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records as their texts can be written."""
        return super().append(key, [self._written(r) for r in records], expected=expected)

    def _written(self, record: Record) -> Record:
        try:
            kind, body = encode(record)
        except StoreError:
            return record
        return decode(kind, body.replace("\\ud800", "?"), where="here")


class StaleHandle(VolatileStore):
    """One of several handles on the same logs, which never looks twice."""

    def __init__(self, inner: VolatileStore) -> None:
        super().__init__()
        self._inner = inner
        self._seen: dict[LogKey, Log] = {}
        for verb in ("find", "known", "forget", "forget_user", "conversations", "search"):
            setattr(self, verb, getattr(inner, verb))

    def load(self, key: LogKey) -> Log:
        """Return what was seen first."""
        return self._seen.setdefault(key, self._inner.load(key))

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append and look again at the next load."""
        self._seen.pop(key, None)
        return self._inner.append(key, records, expected=expected)


class FindsNewestFirst(VolatileStore):
    """Returns compactions in the wrong order."""

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return the newest first."""
        return super().find(namespace, hashes, user=user)[::-1]


class FindsForEverybody(VolatileStore):
    """Finds what was made for any user."""

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return what any user has, their own first."""
        found = super().find(namespace, hashes, user=user)
        for other in {"", "ann", "bob"} - {user}:
            found += super().find(namespace, hashes, user=other)
        return found


class BoundsHashes(VolatileStore):
    """Has a bound on the parameters of a statement."""

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return what is found, unless too much is asked for."""
        if len(hashes) > 999:
            msg = "too many SQL variables"
            raise StoreError(msg)
        return super().find(namespace, hashes, user=user)


class KnowsNothing(VolatileStore):
    """Says that there is no compaction."""

    def known(self, namespace: str, *, user: str = "") -> None:
        """Return that there is none."""
        super().known(namespace, user=user)


class CountsWrong(VolatileStore):
    """Counts the messages that are left instead of those there were."""

    def forget(self, key: LogKey) -> Forgotten:
        """Return another number of messages."""
        done = super().forget(key)
        return replace(done, messages=done.messages - 1) if done.messages > 1 else done


class LeavesTheIndex(VolatileStore):
    """Forgets logs, and finds their compactions all the same."""

    def __init__(self) -> None:
        super().__init__()
        self._left: list[tuple[LogKey, Compaction]] = []

    def forget(self, key: LogKey) -> Forgotten:
        """Remove the records only."""
        if not key.name:
            records = self.load(key).records
            self._left += [(key, r) for r in records if isinstance(r, Compaction)]
        return super().forget(key)

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return what is there and what was left."""
        left = (r for k, r in self._left if (k.namespace, k.user) == (namespace, user))
        found = super().find(namespace, hashes, user=user)
        return found + tuple(r for r in left if {r.coverage, r.adoption} & hashes)


class FoldsUsers(VolatileStore):
    """Takes users whose names look the same for one."""

    def load(self, key: LogKey) -> Log:
        """Return the log of whoever looks like that."""
        return super().load(self._folded(key))

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append to the log of whoever looks like that."""
        return super().append(self._folded(key), records, expected=expected)

    def forget(self, key: LogKey) -> Forgotten:
        """Forget the log of whoever looks like that."""
        return super().forget(self._folded(key))

    def _folded(self, key: LogKey) -> LogKey:
        return replace(key, user=unicodedata.normalize("NFC", key.user))
