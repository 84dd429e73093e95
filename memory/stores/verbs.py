"""The verbs of a store that has programs: once for functions, once for coroutines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from memory.drive import arun, run
from memory.flow import Search

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from memory.flow import Effect, Flow
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
    "AsyncRecallVerbs",
    "AsyncSearchVerbs",
    "AsyncVerbs",
    "Programmed",
    "RecallProgrammed",
    "RecallVerbs",
    "SearchProgrammed",
    "SearchVerbs",
    "Verbs",
)


class Programmed(Protocol):
    """The verbs as programs; see the protocols in `memory.stores.contract`."""

    def load(self, key: LogKey) -> Flow[Log]: ...  # noqa: D102
    def append(self, key: LogKey, records: Sequence[Record], expected: int) -> Flow[int]: ...  # noqa: D102
    def known(self, namespace: str, user: str) -> Flow[int | None]: ...  # noqa: D102
    def find(  # noqa: D102
        self, namespace: str, hashes: frozenset[bytes], user: str
    ) -> Flow[tuple[Compaction, ...]]: ...
    def forget(self, key: LogKey) -> Flow[Forgotten]: ...  # noqa: D102
    def forget_user(self, namespace: str, user: str) -> Flow[Forgotten]: ...  # noqa: D102
    def conversations(  # noqa: D102
        self, namespace: str, user: str | None, after: tuple[str, str] | None, limit: int
    ) -> Flow[tuple[Entry, ...]]: ...
    def acquire(self, key: LogKey, purpose: str, owner: str, seconds: float) -> Flow[bool]: ...  # noqa: D102
    def holder(self, key: LogKey, purpose: str) -> Flow[str | None]: ...  # noqa: D102
    def release(self, key: LogKey, purpose: str, owner: str) -> Flow[None]: ...  # noqa: D102
    def health(self) -> Flow[Health]: ...  # noqa: D102


class SearchProgrammed(Programmed, Protocol):
    """Programs of a store that can search."""

    def search(self, wanted: Search) -> Flow[tuple[Hit, ...]]: ...  # noqa: D102


class RecallProgrammed(SearchProgrammed, Protocol):
    """Programs of a store that can look up as well."""

    def lookup(self, key: LogKey, question: Question, limit: int) -> Flow[Ranking]: ...  # noqa: D102
    def index(self, key: LogKey) -> Flow[int]: ...  # noqa: D102


class Verbs:
    """What `Store`, `Listing`, `Leasing` and `Checking` ask for, by programs.

    Args:
        programs: What to do.
        perform: Performs what programs ask for.
    """

    def __init__(self, programs: Programmed, perform: Callable[[Effect[Any]], Any]) -> None:
        self._programs = programs
        self._perform = perform

    def load(self, key: LogKey) -> Log:
        """Return all records under `key` and the version."""
        return run(self._programs.load(key), self._perform)

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records if the log is still at version `expected`, and return the new one."""
        return run(self._programs.append(key, records, expected), self._perform)

    def known(self, namespace: str, *, user: str = "") -> int | None:
        """Return the smallest number of messages a record that `find` searches was made for."""
        return run(self._programs.known(namespace, user), self._perform)

    def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return the compactions with a hash among `hashes`, oldest first."""
        return run(self._programs.find(namespace, hashes, user), self._perform)

    def forget(self, key: LogKey) -> Forgotten:
        """Remove everything under `key` and return how much that was."""
        return run(self._programs.forget(key), self._perform)

    def forget_user(self, namespace: str, user: str) -> Forgotten:
        """Remove every log of a user and return how much that was."""
        return run(self._programs.forget_user(namespace, user), self._perform)

    def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return a page of the conversations with a name, by user and name."""
        return run(self._programs.conversations(namespace, user, after, limit), self._perform)

    def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
        """Take or renew a lease; return whether `owner` has it now."""
        return run(self._programs.acquire(key, purpose, owner, seconds), self._perform)

    def holder(self, key: LogKey, purpose: str) -> str | None:
        """Return who has a lease that has not run out, or None."""
        return run(self._programs.holder(key, purpose), self._perform)

    def release(self, key: LogKey, purpose: str, *, owner: str) -> None:
        """Give up a lease."""
        return run(self._programs.release(key, purpose, owner), self._perform)

    def health(self) -> Health:
        """Ask the store for its version and return it."""
        return run(self._programs.health(), self._perform)


class SearchVerbs(Verbs):
    """`Verbs` and what `Searching` asks for."""

    def __init__(self, programs: SearchProgrammed, perform: Callable[[Effect[Any]], Any]) -> None:
        super().__init__(programs, perform)
        self._searches = programs

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
        """Return the messages that match, best first."""
        wanted = Search(
            namespace=namespace, query=query, user=user, name=name, match=match, limit=limit
        )
        return run(self._searches.search(wanted), self._perform)


class RecallVerbs(SearchVerbs):
    """`SearchVerbs` and what `Recalling` asks for."""

    def __init__(self, programs: RecallProgrammed, perform: Callable[[Effect[Any]], Any]) -> None:
        super().__init__(programs, perform)
        self._lookups = programs

    def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Return the messages of a conversation that answer a question, best first."""
        return run(self._lookups.lookup(key, question, limit), self._perform)

    def index(self, key: LogKey) -> int:
        """Index all of a conversation that is not; return how many messages were."""
        return run(self._lookups.index(key), self._perform)


class AsyncVerbs:
    """As `Verbs`, with `await`.

    Args:
        programs: What to do.
        perform: Performs what programs ask for.
    """

    def __init__(
        self, programs: Programmed, perform: Callable[[Effect[Any]], Awaitable[Any]]
    ) -> None:
        self._programs = programs
        self._perform = perform

    async def load(self, key: LogKey) -> Log:
        """Return all records under `key` and the version."""
        return await arun(self._programs.load(key), self._perform)

    async def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records if the log is still at version `expected`, and return the new one."""
        return await arun(self._programs.append(key, records, expected), self._perform)

    async def known(self, namespace: str, *, user: str = "") -> int | None:
        """Return the smallest number of messages a record that `find` searches was made for."""
        return await arun(self._programs.known(namespace, user), self._perform)

    async def find(
        self, namespace: str, hashes: frozenset[bytes], *, user: str = ""
    ) -> tuple[Compaction, ...]:
        """Return the compactions with a hash among `hashes`, oldest first."""
        return await arun(self._programs.find(namespace, hashes, user), self._perform)

    async def forget(self, key: LogKey) -> Forgotten:
        """Remove everything under `key` and return how much that was."""
        return await arun(self._programs.forget(key), self._perform)

    async def forget_user(self, namespace: str, user: str) -> Forgotten:
        """Remove every log of a user and return how much that was."""
        return await arun(self._programs.forget_user(namespace, user), self._perform)

    async def conversations(
        self,
        namespace: str,
        *,
        user: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> tuple[Entry, ...]:
        """Return a page of the conversations with a name, by user and name."""
        program = self._programs.conversations(namespace, user, after, limit)
        return await arun(program, self._perform)

    async def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
        """Take or renew a lease; return whether `owner` has it now."""
        return await arun(self._programs.acquire(key, purpose, owner, seconds), self._perform)

    async def holder(self, key: LogKey, purpose: str) -> str | None:
        """Return who has a lease that has not run out, or None."""
        return await arun(self._programs.holder(key, purpose), self._perform)

    async def release(self, key: LogKey, purpose: str, *, owner: str) -> None:
        """Give up a lease."""
        return await arun(self._programs.release(key, purpose, owner), self._perform)

    async def health(self) -> Health:
        """Ask the store for its version and return it."""
        return await arun(self._programs.health(), self._perform)


class AsyncSearchVerbs(AsyncVerbs):
    """`AsyncVerbs` and what `Searching` asks for."""

    def __init__(
        self, programs: SearchProgrammed, perform: Callable[[Effect[Any]], Awaitable[Any]]
    ) -> None:
        super().__init__(programs, perform)
        self._searches = programs

    async def search(
        self,
        namespace: str,
        query: str,
        *,
        user: str = "",
        name: str | None = None,
        match: Match = "all",
        limit: int = 10,
    ) -> tuple[Hit, ...]:
        """Return the messages that match, best first."""
        wanted = Search(
            namespace=namespace, query=query, user=user, name=name, match=match, limit=limit
        )
        return await arun(self._searches.search(wanted), self._perform)


class AsyncRecallVerbs(AsyncSearchVerbs):
    """`AsyncSearchVerbs` and what `Recalling` asks for."""

    def __init__(
        self, programs: RecallProgrammed, perform: Callable[[Effect[Any]], Awaitable[Any]]
    ) -> None:
        super().__init__(programs, perform)
        self._lookups = programs

    async def lookup(self, key: LogKey, question: Question, *, limit: int) -> Ranking:
        """Return the messages of a conversation that answer a question, best first."""
        return await arun(self._lookups.lookup(key, question, limit), self._perform)

    async def index(self, key: LogKey) -> int:
        """Index all of a conversation that is not; return how many messages were."""
        return await arun(self._lookups.index(key), self._perform)
