"""Stores in memory whose lookups are wrong in one way."""

from __future__ import annotations

from broken_capabilities import Complete

from memory.recall import Question, Ranking
from memory.records import LogKey, Turn
from memory.testing.conformance.recall_oracle import expected_ranking

__all__ = ("CountsTwice", "LooksAside", "LooksAtUnnamed", "LooksBack", "LooksLate")


class LooksAside(Complete):
    """Looks through all conversations of a user."""

    def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Return what was said in the conversation that was begun first."""
        names = [entry.name for entry in self.conversations(key.namespace, user=key.user)]
        first = LogKey(namespace=key.namespace, user=key.user, name=min(names, default=key.name))
        return super().lookup(first if key.name else key, question, limit=limit)


class LooksBack(Complete):
    """Finds what later turns went back behind."""

    def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Return what was ever said."""
        records: list[Turn] = []
        end = 0
        for record in self.load(key).records if key.name else ():
            if isinstance(record, Turn):
                records.append(Turn(start=max(record.start, end), messages=record.messages))
                end = records[-1].start + len(record.messages)
        return expected_ranking(records, question, limit=max(limit, 0))


class LooksLate(Complete):
    """Finds what was indexed, and indexes nothing by itself."""

    def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Return what is indexed."""
        records = self.load(key).records[: self.indexed.get(key, 0)]
        return expected_ranking(records, question, limit=max(limit, 0))


class LooksAtUnnamed(Complete):
    """Looks through logs without a name as well."""

    def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Return what stands in any log."""
        return expected_ranking(self.load(key).records, question, limit=max(limit, 0))


class CountsTwice(Complete):
    """Says that it indexed what was indexed."""

    def index(self, key: LogKey) -> int:
        """Return how many messages there are."""
        self.indexed.pop(key, None)
        return super().index(key)
