"""What a store should hold, in plain Python: a list, which is read from end to end to answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from memory.records import Compaction, Hit, Logged, LogKey, Match, Record, Turn
from memory.testing.conformance.oracle import documents_in, expected_hits

__all__ = ("Listed", "Model")

Listed = tuple[str, str, int, int]
"""User, name, version and number of messages of a conversation."""


class Model:
    """Logs, in the order in which their records came, and leases; nothing is kept twice.

    Versions are the store's own to choose, so they are told to the model.
    """

    def __init__(self) -> None:
        self._written: list[tuple[LogKey, Record]] = []
        self._versions: dict[LogKey, int] = {}
        self._leases: dict[tuple[LogKey, str], str] = {}
        self._past: defaultdict[LogKey, set[int]] = defaultdict(set)

    def records(self, key: LogKey) -> list[Record]:
        """Return the records of a log."""
        return [record for where, record in self._written if where == key]

    def version(self, key: LogKey) -> int:
        """Return the version of a log; 0 for one that is not there."""
        return self._versions.get(key, 0)

    def messages(self, key: LogKey) -> int:
        """Return how many messages there are after the last turn, which may have gone back."""
        turns = [record for record in self.records(key) if isinstance(record, Turn)]
        return turns[-1].start + len(turns[-1].messages) if turns else 0

    def wrong_versions(self, key: LogKey) -> list[int]:
        """Return versions at which a log is not: those it had, before it was forgotten too."""
        now = self.version(key)
        return sorted({0, now + 1, now + 1_000, *self._past[key]} - {now})

    def append(self, key: LogKey, records: Iterable[Record], *, version: int) -> None:
        """Append records to a log, which is at another version then."""
        self._written += [(key, record) for record in records]
        self._versions[key] = version
        self._past[key].add(version)

    def forget(self, keys: Iterable[LogKey]) -> tuple[int, int, int, int]:
        """Remove logs; return how many logs, records, messages and compactions they were."""
        gone = set(keys)
        removed = [record for key, record in self._written if key in gone]
        logs = len(gone & self._versions.keys())
        self._written = [each for each in self._written if each[0] not in gone]
        self._versions = {key: at for key, at in self._versions.items() if key not in gone}
        compactions = sum(isinstance(record, Compaction) for record in removed)
        return logs, len(removed), sum(map(_messages, removed)), compactions

    def release_all(self, keys: Iterable[LogKey]) -> int:
        """Remove the leases of logs and return how many there were."""
        gone = [place for place in self._leases if place[0] in set(keys)]
        for place in gone:
            del self._leases[place]
        return len(gone)

    def documents(self, keys: Iterable[LogKey]) -> int:
        """Return how many messages of logs can be searched."""
        return sum(documents_in(self.records(key)) for key in set(keys) if key.name)

    def keys_of(self, namespace: str, user: str) -> set[LogKey]:
        """Return the logs of a user, and those of which there are only leases."""
        every = {*self._versions, *(key for key, _ in self._leases)}
        return {key for key in every if (key.namespace, key.user) == (namespace, user)}

    def find(self, namespace: str, hashes: frozenset[bytes], *, user: str) -> list[Record]:
        """Return the compactions with one of these hashes, in logs without a name."""
        return [each for each in self._unnamed(namespace, user) if _hashes(each) & hashes]

    def known(self, namespace: str, *, user: str) -> int | None:
        """Return the smallest number of messages that a compaction was made for."""
        return min((each.adopted for each in self._unnamed(namespace, user)), default=None)

    def listed(self, namespace: str, *, user: str | None) -> list[Listed]:
        """Return the conversations with a name, in the order of their code points."""
        return sorted(
            (key.user, key.name, version, self.messages(key))
            for key, version in self._versions.items()
            if key.namespace == namespace and key.name and user in {None, key.user}
        )

    def search(
        self, namespace: str, query: str, *, user: str, name: str | None, match: Match, limit: int
    ) -> tuple[Hit, ...]:
        """Return what a search has to return."""
        logs = {key: self.records(key) for key in self._versions if key.namespace == namespace}
        return expected_hits(logs, query, user=user, name=name, match=match, limit=limit)

    def acquire(self, key: LogKey, purpose: str, *, owner: str) -> bool:
        """Take a lease, unless another has it."""
        return self._leases.setdefault((key, purpose), owner) == owner

    def holder(self, key: LogKey, purpose: str) -> str | None:
        """Return who has a lease."""
        return self._leases.get((key, purpose))

    def release(self, key: LogKey, purpose: str, *, owner: str) -> None:
        """Give up a lease, if the owner has it."""
        if self.holder(key, purpose) == owner:
            del self._leases[key, purpose]

    def _unnamed(self, namespace: str, user: str) -> list[Compaction]:
        return [
            record
            for key, record in self._written
            if isinstance(record, Compaction) and not key.name
            if (key.namespace, key.user) == (namespace, user)
        ]


def _messages(record: Record) -> int:
    return len(record.messages) if isinstance(record, Turn) else int(isinstance(record, Logged))


def _hashes(record: Compaction) -> set[bytes]:
    return {each for each in (record.coverage, record.adoption, record.mark) if each is not None}
