"""A conversation that memory keeps: the caller sends what is new and we know the rest."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, TypeVar

from memory import models
from memory.flow import Forget, Outlook, Prompt, Search, outlook
from memory.flow.conversation import add, fork, in_use, past, rewind, standing, undo, whole
from memory.flow.exporting import exported, restore
from memory.manager.scope import address, check_match, enter, leave
from memory.messages import WireMessage, clone, wire
from memory.records import Compaction, Forgotten, Hit, Match

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from memory.flow import Context, Flow, LogKey
    from memory.manager.base import Manager
    from memory.manager.managers import AsyncMemoryManager, MemoryManager

__all__ = ("AsyncConversation", "Conversation")

T = TypeVar("T")


class _Named:
    """What both kinds of conversation share: a name, and being entered.

    Attributes:
        name: Its name as it was given.
        user: Whose it is; empty for nobody in particular.
    """

    def __init__(self, manager: Manager, name: str, user: str | None) -> None:
        given = manager.effective().get("user") if user is None else user
        where = address(name, given)
        self._options: dict[str, Any] = {"conversation": where}
        self._base = manager
        self._given = given
        self.name = name
        self.user = where.user

    def __enter__(self) -> Self:
        """Have calls of the manager's clients go on from this conversation, here and now."""
        enter(self._base.outside, self._options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End that; replies that are still being read are recorded all the same."""
        leave(self._options)

    def __repr__(self) -> str:
        """Return user and name."""
        return f"{type(self).__name__}({self._key.label!r})"

    @property
    def _key(self) -> LogKey:
        return self._base.log_of(self._options["conversation"])

    def _prompt(self, model: str) -> Prompt:
        options = {**self._base.effective(), **self._options}
        keep, place = models.keeps_reasoning(model), self._base.placement(options)
        return Prompt(messages=(), model=model, keep_reasoning=keep, **place)

    def _other(self, name: str | None) -> str:
        return f"{self.name}~{secrets.token_hex(4)}" if name is None else name

    def _searched(self, query: str, match: Match, limit: int) -> Search:
        check_match(match)
        key = self._key
        return Search(
            namespace=key.namespace,
            query=query,
            user=key.user,
            name=key.name,
            match=match,
            limit=limit,
        )


class Conversation(_Named):
    """One conversation of a `MemoryManager`; made by its `conversation()`.

    Everything said is kept, in order; what is sent of it is a view. `with conversation:` has the
    calls of wrapped clients go on from it.
    """

    def __init__(self, manager: MemoryManager, name: str, user: str | None = None) -> None:
        super().__init__(manager, name, user)
        self._manager = manager

    def messages(self, *, model: str = models.DEFAULT_MODEL) -> list[WireMessage]:
        """Return what would be sent now, before anything new: head, notes, and what is verbatim.

        Args:
            model: The model it would be sent to.

        Raises:
            StoreError: The store cannot be read.
        """
        return _copied(self._run(standing(self._prompt(model), self._context)))

    def history(self, *, limit: int | None = None, before: int | None = None) -> list[WireMessage]:
        """Return what was said, in order, without the head.

        Args:
            limit: How many messages at most, the latest ones; None for all.
            before: Only messages before this place, counted from 0, such as the place of the first
                one of the page that is known; None for those up to the end.

        Raises:
            StoreError: The store cannot be read.
        """
        return _page(self._run(past(self._key)).messages, limit, before)

    def search(self, query: str, *, match: Match = "all", limit: int = 10) -> list[Hit]:
        """Return the messages of this conversation that match, best first.

        Args:
            query: Words; runs of Chinese, Japanese or Korean are found wherever they stand.
            match: `"all"` of the terms have to be in a message, or `"any"` of them.
            limit: How many at most.

        Raises:
            UnsupportedError: The store has no search.
            StoreError: The store cannot be read.
        """
        return [*self._run(self._searched(query, match, limit).perform())]

    def add(self, messages: Sequence[WireMessage]) -> int:
        """Add messages at the end without asking for a reply; return how many there are then.

        Leading system messages become the head.

        Raises:
            ConversationBusy: It waits for tool results, and these are not.
            HistoryError: One of `messages` is not a mapping, or the first is a tool result and no
                call waits for one.
            StoreError: The store cannot be written.
        """
        return self._run(add(self._key, wire(messages)))

    def compactions(self) -> list[Compaction]:
        """Return the compactions in use, oldest first.

        Raises:
            StoreError: The store cannot be read.
        """
        return in_use(self._run(past(self._key)))

    def plan(self, *, model: str = models.DEFAULT_MODEL) -> Outlook:
        """Return what the next call would do about the budget, for free; see `MemoryManager.plan`.

        Args:
            model: The model it would be sent to.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._run(_outlook(self._prompt(model), self._context))

    def undo(self) -> Compaction | None:
        """Take the latest compaction out of use and return it; None where there is none.

        What it covered is sent verbatim again, until a prompt needs another compaction.

        Raises:
            StoreError: The store cannot be written.
        """
        return self._run(undo(self._key))

    def rewind(self, to: int) -> int:
        """Go back to where there were `to` messages; return how many are not part of it any more.

        Raises:
            HistoryError: There are fewer.
            StoreError: The store cannot be written.
        """
        return self._run(rewind(self._key, to))

    def fork(self, at: int | None = None, *, name: str | None = None) -> Conversation:
        """Return a new conversation that begins with the first `at` messages of this one.

        Args:
            at: How many messages; None for all.
            name: Its name, of the same user where that was given; None for this one's name and
                something random.

        Raises:
            ConfigError: The name is empty or not printable.
            HistoryError: There are fewer messages, or the other conversation has some already.
            StoreError: The store cannot be written.
        """
        other = Conversation(self._manager, self._other(name), self._given)
        self._run(fork(self._key, other._key, at))
        return other

    def export(self) -> dict[str, Any]:
        """Return everything as a JSON object: name, head, messages and compactions.

        Raises:
            StoreError: The store cannot be read.
        """
        return exported(self._key, self._run(past(self._key)))

    def import_(self, given: Mapping[str, Any] | Sequence[WireMessage]) -> int:
        """Begin this conversation with what `export` returned; return how many messages it has.

        Its summaries come with it, so nothing is paid for again.

        Args:
            given: An export, or a plain list of messages.

        Raises:
            HistoryError: It is neither, or this conversation has messages already.
            StoreError: The store cannot be written.
        """
        return self._run(restore(self._key, given))

    def forget(self) -> Forgotten:
        """Remove the conversation and all that is known of it; return how much that was.

        Raises:
            StoreError: The store cannot be written.
        """
        return self._run(Forget(key=self._key).perform())

    @property
    def _context(self) -> Context:
        return self._manager.context()

    def _run(self, flow: Flow[T]) -> T:
        return self._manager.handler().run(flow)


class AsyncConversation(_Named):
    """One conversation of an `AsyncMemoryManager`; as `Conversation` with `await`."""

    def __init__(self, manager: AsyncMemoryManager, name: str, user: str | None = None) -> None:
        super().__init__(manager, name, user)
        self._manager = manager

    async def __aenter__(self) -> Self:
        """Have calls of the manager's clients go on from this conversation, here and now."""
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End that; replies that are still being read are recorded all the same."""
        self.__exit__(kind, error, trace)

    async def messages(self, *, model: str = models.DEFAULT_MODEL) -> list[WireMessage]:
        """Return what would be sent now; see `Conversation.messages`.

        Raises:
            StoreError: The store cannot be read.
        """
        return _copied(await self._run(standing(self._prompt(model), self._context)))

    async def history(
        self, *, limit: int | None = None, before: int | None = None
    ) -> list[WireMessage]:
        """Return what was said; see `Conversation.history`.

        Raises:
            StoreError: The store cannot be read.
        """
        return _page((await self._run(past(self._key))).messages, limit, before)

    async def search(self, query: str, *, match: Match = "all", limit: int = 10) -> list[Hit]:
        """Return the messages that match, best first; see `Conversation.search`.

        Raises:
            UnsupportedError: The store has no search.
            StoreError: The store cannot be read.
        """
        return [*(await self._run(self._searched(query, match, limit).perform()))]

    async def add(self, messages: Sequence[WireMessage]) -> int:
        """Add messages without asking for a reply; see `Conversation.add`.

        Raises:
            ConversationBusy: It waits for tool results, and these are not.
            HistoryError: One of `messages` is not a mapping, or the first is a tool result and no
                call waits for one.
            StoreError: The store cannot be written.
        """
        return await self._run(add(self._key, wire(messages)))

    async def compactions(self) -> list[Compaction]:
        """Return the compactions in use, oldest first.

        Raises:
            StoreError: The store cannot be read.
        """
        return in_use(await self._run(past(self._key)))

    async def plan(self, *, model: str = models.DEFAULT_MODEL) -> Outlook:
        """Return what the next call would do about the budget; see `Conversation.plan`.

        Raises:
            StoreError: The store cannot be read.
        """
        return await self._run(_outlook(self._prompt(model), self._context))

    async def undo(self) -> Compaction | None:
        """Take the latest compaction out of use; see `Conversation.undo`.

        Raises:
            StoreError: The store cannot be written.
        """
        return await self._run(undo(self._key))

    async def rewind(self, to: int) -> int:
        """Go back to where there were `to` messages; see `Conversation.rewind`.

        Raises:
            HistoryError: There are fewer.
            StoreError: The store cannot be written.
        """
        return await self._run(rewind(self._key, to))

    async def fork(self, at: int | None = None, *, name: str | None = None) -> AsyncConversation:
        """Return a new conversation that begins like this one; see `Conversation.fork`.

        Raises:
            ConfigError: The name is empty or not printable.
            HistoryError: There are fewer messages, or the other conversation has some already.
            StoreError: The store cannot be written.
        """
        other = AsyncConversation(self._manager, self._other(name), self._given)
        await self._run(fork(self._key, other._key, at))
        return other

    async def export(self) -> dict[str, Any]:
        """Return everything as a JSON object; see `Conversation.export`.

        Raises:
            StoreError: The store cannot be read.
        """
        return exported(self._key, await self._run(past(self._key)))

    async def import_(self, given: Mapping[str, Any] | Sequence[WireMessage]) -> int:
        """Begin this conversation with what `export` returned; see `Conversation.import_`.

        Raises:
            HistoryError: It is neither, or this conversation has messages already.
            StoreError: The store cannot be written.
        """
        return await self._run(restore(self._key, given))

    async def forget(self) -> Forgotten:
        """Remove the conversation and all that is known of it; return how much that was.

        Raises:
            StoreError: The store cannot be written.
        """
        return await self._run(Forget(key=self._key).perform())

    @property
    def _context(self) -> Context:
        return self._manager.context()

    async def _run(self, flow: Flow[T]) -> T:
        return await self._manager.handler().run(flow)


def _outlook(prompt: Prompt, context: Context) -> Flow[Outlook]:
    return (yield from outlook((yield from whole(prompt)), context))


def _copied(messages: Sequence[WireMessage]) -> list[WireMessage]:
    return [clone(message) for message in messages]


def _page(
    messages: Sequence[WireMessage], limit: int | None, before: int | None
) -> list[WireMessage]:
    stop = len(messages) if before is None else max(0, min(before, len(messages)))
    start = 0 if limit is None else max(0, stop - max(0, limit))
    return _copied(messages[start:stop])
