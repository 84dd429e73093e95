"""The contract of a store: append-only logs with a version, and what some stores can do besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.recall import Question, Ranking
    from memory.records import Compaction, Entry, Forgotten, Health, Hit, Log, LogKey, Match, Record

__all__ = ("Checking", "Leasing", "Listing", "Recalling", "Searching", "Store")


@runtime_checkable
class Store(Protocol):
    """Keeps logs of records; safe to use from several threads.

    Nothing is ever changed or removed but by `forget`, and by a volatile store that runs out of
    room. No call reaches from one namespace into another, nor from one user to another.

    Its methods may block: asynchronous callers run them in a thread, unless the store says
    `immediate = True`. A store that has coroutines of the same names offers them as an attribute
    `asynchronous`. One that outlives the process says `durable = True`.
    """

    def load(self, key: LogKey) -> Log:
        """Return all records under `key`, oldest first, and the version; an unknown key is empty.

        Raises:
            StoreError: The store cannot be read.
            CorruptError: One of the records cannot.
        """

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records in one step if the log is still at version `expected`.

        Args:
            key: Which log.
            records: At least one.
            expected: The version that `load` told; 0 for a new log.

        Returns:
            The new version, larger than `expected`.

        Raises:
            ConflictError: It is at another version; nothing was written.
            StoreError: The store cannot be written; nothing was.
        """

    def known(self, namespace: str, *, user: str = "") -> int | None:
        """Return the smallest number of messages a record that `find` searches was made for.

        None when there is no record; 0 when that cannot be told cheaply.
        """

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return the compactions with a hash among `hashes`, oldest first.

        Coverage, adoption and mark are looked at, in the logs without a name of that namespace
        and user.
        """

    def forget(self, key: LogKey) -> Forgotten:
        """Remove everything under `key`, its search index and leases included."""


@runtime_checkable
class Listing(Protocol):
    """A store that can tell which conversations it has."""

    def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return a page of the conversations with a name, by user and name in code point order.

        Args:
            namespace: Of which namespace.
            user: Whose; None for those of all users, `""` for those of nobody in particular.
            after: User and name of the last one of the page before; None for the first page.
            limit: How many at most.
        """

    def forget_user(self, namespace: str, user: str) -> Forgotten:
        """Remove every log of a user, with or without a name, its search index and leases too."""


@runtime_checkable
class Searching(Protocol):
    """A store that can search what was said."""

    def search(
        self,
        namespace: str,
        query: str,
        *,
        user: str = "",
        name: str | None = None,
        match: Match = "all",
        limit: int = 10,
    ) -> tuple[Hit, ...]:
        """Return the messages of conversations with a name that match, best first.

        Terms, ranking and ties are the same in every store: see `memory.stores.search`.

        Args:
            namespace: Of which namespace.
            query: Words; runs of Chinese, Japanese or Korean are looked for wherever they stand.
            user: Whose conversations.
            name: Which conversation; None for all of that user.
            match: `"all"` terms, or `"any"` of them.
            limit: How many at most.
        """


@runtime_checkable
class Recalling(Protocol):
    """A store that can look up what answers a question, however long the conversation is.

    Without it, callers who have the whole log in memory look through that.
    """

    def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Return the messages of one conversation that answer a question best, best first.

        Terms, ranking and ties are those of `Searching` with `match="any"` and that conversation
        alone, but that `memory.narrowing` says what is ranked, and that the question is asked a
        second time with words of its first answers: see `memory.recall.feedback`. Messages are told
        by their places and not read. A log without a name, or one that is not there, has none.

        The answer is of what is indexed: what was said since is indexed first only where that is
        soon done. What was replaced since is never found.

        Args:
            key: Which conversation.
            question: What to look for.
            limit: How many at most.
        """

    def index(self, key: LogKey) -> int:
        """Index all of a conversation that is not; return how many messages were indexed by this.

        It may take long, in steps that let others read and write between them, and any number of
        threads and processes may do it at once. Messages without words are not counted.
        """


@runtime_checkable
class Leasing(Protocol):
    """A store that can tell processes apart: who has a turn, who writes a summary.

    A lease protects nothing but effort: what is written is protected by the version.
    """

    def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
        """Take or renew a lease for some time; return whether `owner` has it now.

        One that has run out is anybody's.
        """

    def holder(self, key: LogKey, purpose: str) -> str | None:
        """Return who has a lease that has not run out, or None."""

    def release(self, key: LogKey, purpose: str, *, owner: str) -> None:
        """Give up a lease; nothing happens where `owner` does not have it."""


@runtime_checkable
class Checking(Protocol):
    """A store that can say how it is."""

    def health(self) -> Health:
        """Ask the store for its version and return it.

        Raises:
            StoreError: It cannot be reached or read.
        """
