"""A conversation that memory keeps, for asynchronous callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from memory import models
from memory.flow import Outlook
from memory.flow.control import compact, covering_segment, expand, forget, pin
from memory.flow.conversation import add, fork, in_use, past, rewind, standing, undo
from memory.flow.exporting import exported, restore
from memory.manager.named import Named, copied, outlook_of, page, searched_for
from memory.messages import WireMessage, wire
from memory.records import Compaction, Forgotten, Hit, Match, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from memory.flow import Context, Flow
    from memory.manager.managers import AsyncMemoryManager

__all__ = ("AsyncConversation",)

T = TypeVar("T")


class AsyncConversation(Named):
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
        return copied(await self._run(standing(self._prompt(model), self._context)))

    async def history(
        self, *, limit: int | None = None, before: int | None = None
    ) -> list[WireMessage]:
        """Return what was said; see `Conversation.history`.

        Raises:
            StoreError: The store cannot be read.
        """
        return page((await self._run(past(self._key))).messages, limit, before)

    async def search(self, query: str, *, match: Match = "all", limit: int = 10) -> list[Hit]:
        """Return the messages that match, best first; see `Conversation.search`.

        Raises:
            UnsupportedError: The store has no search.
            StoreError: The store cannot be read.
        """
        return [*(await self._run(self._searched(query, match, limit).perform()))]

    async def search_memory(
        self, arguments: str | Mapping[str, Any], *, model: str = models.DEFAULT_MODEL
    ) -> str:
        """Return what answers a call of `search_memory`; see `Conversation.search_memory`.

        Raises:
            StoreError: The store cannot be read.
        """
        return await self._run(searched_for(self._prompt(model), self._context, arguments))

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
        return await self._run(outlook_of(self._prompt(model), self._context))

    async def compact(
        self,
        *,
        upto: int | None = None,
        summary: str | None = None,
        model: str = models.DEFAULT_MODEL,
    ) -> Compaction | None:
        """Compact now, whether or not the budget asks for it; see `Conversation.compact`.

        Raises:
            BudgetError: Your summary does not fit into the limit.
            ConfigError: Your summary is blank.
            HistoryError: There are fewer messages.
            StoreError: The store cannot be read.
        """
        prompt = self._asked(model, self._manager.handler(lent=True))
        flow = compact(prompt, self._context, upto=upto, summary=summary)
        return await self._manager.handler(lent=True).run(flow)

    async def expand(self, segment: Segment | str) -> list[WireMessage]:
        """Return the messages that a segment stands for; see `Conversation.expand`.

        Raises:
            HistoryError: There are no such messages.
            StoreError: The store cannot be read.
        """
        return copied(await self._run(expand(self._key, segment)))

    async def segment_of(self, place: int, *, model: str = models.DEFAULT_MODEL) -> Segment | None:
        """Return the segment that stands for a message; see `Conversation.segment_of`.

        Raises:
            HistoryError: There are fewer messages.
            StoreError: The store cannot be read.
        """
        return await self._run(covering_segment(self._prompt(model), self._context, place))

    async def pin(self, what: int | str) -> None:
        """Keep a message, or a sentence, in everything that is sent; see `Conversation.pin`.

        Raises:
            ConfigError: The sentence is blank.
            HistoryError: There is no such message.
            StoreError: The store cannot be written.
        """
        await self._run(pin(self._prompt(models.DEFAULT_MODEL), self._key, what, held=True))

    async def unpin(self, what: int | str) -> None:
        """Take back a `pin`; see `Conversation.unpin`.

        Raises:
            ConfigError: The sentence is blank.
            HistoryError: There is no such message.
            StoreError: The store cannot be written.
        """
        await self._run(pin(self._prompt(models.DEFAULT_MODEL), self._key, what, held=False))

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
        return await self._run(restore(self._key, given, self._redact))

    async def forget(self) -> Forgotten:
        """Remove the conversation and all that is known of it; return how much that was.

        Raises:
            StoreError: The store cannot be written.
        """
        return await self._run(forget(self._context, self._key))

    @property
    def _context(self) -> Context:
        return self._manager.context()

    async def _run(self, flow: Flow[T]) -> T:
        return await self._manager.handler().run(flow)
