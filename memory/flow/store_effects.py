"""Effects that a store performs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from memory.flow.effects import Stored
from memory.recall import Question, Ranking
from memory.records import (
    Compaction,
    Entry,
    Forgotten,
    Health,
    Hit,
    Log,
    LogKey,
    Match,
    Record,
)

__all__ = (
    "Append",
    "CheckHealth",
    "Find",
    "Forget",
    "ForgetUser",
    "Index",
    "Known",
    "ListConversations",
    "Load",
    "Log",
    "Lookup",
    "Search",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known(Stored["int | None"]):
    """Ask for the smallest number of messages that a record of a namespace was made for.

    None when there is no record: then no input needs hashing. A store that cannot tell cheaply
    answers 0.
    """

    namespace: str
    user: str = ""

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.known(self.namespace, user=self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class Find(Stored[tuple[Compaction, ...]]):
    """Ask for the records whose coverage, adoption or mark is among `hashes`."""

    namespace: str
    hashes: frozenset[bytes]
    user: str = ""

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.find(self.namespace, self.hashes, user=self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Stored[Log]):
    """Ask for a whole log and its version."""

    key: LogKey

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.load(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append(Stored[int]):
    """Append records to a log if it is still at `expected`; the reply is the new version.

    The handler throws `ConflictError` when it is not.
    """

    key: LogKey
    records: tuple[Record, ...]
    expected: int

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.append(self.key, self.records, expected=self.expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(Stored[Forgotten]):
    """Have a whole log removed; the reply is how much that was."""

    key: LogKey

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.forget(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetUser(Stored[Forgotten]):
    """Have all logs of a user removed; the reply is how much that was."""

    verb: ClassVar[str] = "forget_user"
    namespace: str
    user: str

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.forget_user(self.namespace, self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListConversations(Stored[tuple[Entry, ...]]):
    """Ask for a page of conversations; see `memory.stores.Listing`."""

    verb: ClassVar[str] = "conversations"
    namespace: str
    user: str | None
    after: tuple[str, str] | None
    limit: int

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.conversations(
            self.namespace, user=self.user, after=self.after, limit=self.limit
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Stored[tuple[Hit, ...]]):
    """Ask for the messages that match a query; see `memory.stores.Searching`."""

    verb: ClassVar[str] = "search"
    namespace: str
    query: str
    user: str
    name: str | None
    match: Match
    limit: int

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.search(
            self.namespace,
            self.query,
            user=self.user,
            name=self.name,
            match=self.match,
            limit=self.limit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup(Stored[Ranking]):
    """Ask for the messages of one conversation that answer a question, as far as indexed.

    The reply is bounded work however long the conversation is; see `memory.stores.Recalling`.
    """

    verb: ClassVar[str] = "lookup"
    key: LogKey
    question: Question
    limit: int

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.lookup(self.key, self.question, limit=self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Stored[int]):
    """Have what is new in a conversation indexed; the reply is how many messages that were."""

    verb: ClassVar[str] = "index"
    key: LogKey

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.index(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHealth(Stored[Health]):
    """Ask the store how it is."""

    verb: ClassVar[str] = "health"

    def on(self, store: Any) -> Any:
        """Ask `store`."""
        return store.health()
