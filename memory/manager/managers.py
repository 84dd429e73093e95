"""The two managers: one for synchronous callers, one for asynchronous ones."""

from __future__ import annotations

import asyncio
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, Unpack

from memory import models
from memory.closing import AsyncClosing, Closing
from memory.drive import running_loop
from memory.flow import CheckHealth, Outlook, fit, outlook
from memory.flow.control import forget_user
from memory.flow.searching import found_for
from memory.handlers import AsyncHandler, Handler
from memory.manager.async_conversation import AsyncConversation
from memory.manager.base import Manager, ManagerOptions
from memory.manager.conversation import Conversation
from memory.manager.given import from_file
from memory.manager.scope import check_user
from memory.messages import WireMessage
from memory.meter import Tools
from memory.records import Entry, Forgotten, Health, Hit, Match

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Self

    from memory.summarizers.contract import AsyncSummarizer, Summarizer

__all__ = ("AsyncMemoryManager", "MemoryManager")


class MemoryManager(Closing, Manager):
    """Memory for synchronous callers: counts, plans, fits and wraps clients.

    Takes what `Manager` takes, and:

    Args:
        summarizer: Who writes summaries for `fit`; None for the offline summariser. A wrapped
            client asks with its own client instead unless this is given.
        **others: See `Manager`.
    """

    def __init__(
        self, *, summarizer: Summarizer | None = None, **others: Unpack[ManagerOptions]
    ) -> None:
        super().__init__(**others)
        self.summarizer = summarizer

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        summarizer: Summarizer | None = None,
        **others: Unpack[ManagerOptions],
    ) -> Self:
        """Return a manager with the settings of a TOML file, such as `kimi-memory tune` writes.

        Arguments win over the environment, which wins over the file.

        Args:
            path: The file; settings at its top level, by their names in `memory.Settings`.
            summarizer: See `MemoryManager`.
            **others: See `Manager`; without `settings_file`.

        Raises:
            ConfigError: The file cannot be read, or a setting is unknown or wrong; the message
                names the file where it is at fault.
        """
        return cls(summarizer=summarizer, **from_file(path, others))

    def fit(
        self,
        messages: Sequence[WireMessage],
        *,
        model: str = models.DEFAULT_MODEL,
        tools: Tools | None = None,
        max_completion_tokens: int | None = None,
    ) -> Sequence[WireMessage]:
        """Return messages to send in place of `messages`, within the budget.

        They are `messages` itself, the same object, when it fits. What is returned may be
        passed in again, also with more messages appended.

        Args:
            messages: The whole conversation so far; never changed.
            model: The model it will be sent to.
            tools: The tool declarations it will be sent with.
            max_completion_tokens: The room the reply needs, or None.

        Raises:
            BudgetError: What may not be dropped is larger than the limit.
            HistoryError: One of `messages` is not a mapping.
            InvariantError: A promise is broken, under `check="raise"`.
            StoreError: The store cannot be read. Wrapped clients do without it.
        """
        prompt = self._prompt(
            messages, model=model, tools=tools, max_completion_tokens=max_completion_tokens
        )
        if self.effective().get("off"):
            return messages
        return self.handler().run(fit(prompt, self.context())).messages

    def plan(
        self,
        messages: Sequence[WireMessage],
        *,
        model: str = models.DEFAULT_MODEL,
        tools: Tools | None = None,
        max_completion_tokens: int | None = None,
    ) -> Outlook:
        """Return what `fit` would do, without asking for a summary and without writing anything.

        Takes what `fit` takes.

        Raises:
            HistoryError: One of `messages` is not a mapping.
        """
        prompt = self._prompt(
            messages, model=model, tools=tools, max_completion_tokens=max_completion_tokens
        )
        return self.handler().run(outlook(prompt, self.context()))

    def search_memory(
        self,
        arguments: str | Mapping[str, Any],
        *,
        messages: Sequence[WireMessage],
        model: str = models.DEFAULT_MODEL,
    ) -> str:
        """Return the content of the tool message that answers a call of `search_memory`.

        Args:
            arguments: Those of the call, as the model wrote them; where they make no sense, the
                answer says so.
            messages: The whole conversation as you have it, with or without the call.
            model: The model it is sent to.

        Raises:
            HistoryError: One of `messages` is not a mapping.
        """
        prompt = self._prompt(messages, model=model, tools=None, max_completion_tokens=None)
        return self.handler().run(found_for(prompt, self.context(), arguments))

    def conversation(self, name: str, *, user: str | None = None) -> Conversation:
        """Return the conversation of that name, to look at, to change, or to enter.

        Inside `with manager.conversation("user-42/trip"):` the calls of clients that this manager
        wrapped go on from it.

        Args:
            name: Any printable name. Without `user`, what stands before its first slash is the
                user: `"user-42/trip"` is the conversation `"trip"` of `"user-42"`.
            user: Whose it is, any text; None for what the name says.

        Raises:
            ConfigError: The name is empty or not printable.
        """
        return Conversation(self, name, user)

    def conversations(
        self,
        *,
        user: str | None = None,
        after: Entry | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Return a page of the conversations in the store, by user and name.

        Args:
            user: Whose; None for those of all users.
            after: The last one of the page before; None for the first page.
            limit: How many at most.

        Raises:
            UnsupportedError: The store cannot list them.
            StoreError: The store cannot be read.
        """
        return [*self.handler().run(self._listed(user, after, limit).perform())]

    def search(
        self, query: str, *, user: str = "", match: Match = "all", limit: int = 10
    ) -> list[Hit]:
        """Return the messages of all conversations of a user that match, best first.

        Args:
            query: See `Conversation.search`.
            user: Whose; empty for conversations of nobody in particular.
            match: `"all"` of the terms have to be in a message, or `"any"` of them.
            limit: How many at most.

        Raises:
            UnsupportedError: The store has no search.
            StoreError: The store cannot be read.
        """
        return [*self.handler().run(self._searched(query, user, match, limit).perform())]

    def forget_user(self, user: str) -> Forgotten:
        """Remove everything of a user, with or without a name; return how much that was.

        Raises:
            ConfigError: `user` is empty: conversations of nobody are forgotten one by one.
            StoreError: The store cannot be written.
        """
        flow = forget_user(self.context(), self.namespace, check_user(user))
        return self.handler().run(flow)

    def health(self) -> Health:
        """Return how the store is, and where.

        Raises:
            UnsupportedError: The store does not tell.
            StoreError: The store cannot be reached.
        """
        return self.handler().run(CheckHealth().perform())

    def flush(self, timeout: float | None = None) -> bool:
        """Wait for summaries that are written in the background.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.

        Returns:
            Whether all are done. Those that run in an event loop of this very thread are not
            waited for, and so are not.
        """
        background, loop = self.outside.background, running_loop()
        waited = wait(background.pending(beside=loop), timeout)
        return not waited.not_done and (loop is None or not background.pending())

    def close(self) -> None:
        """Wait for what runs in the background, and close the store if it was given as a URL."""
        self.flush()
        self._close()

    def handler(self, *, lent: bool = False) -> Handler:
        """Return who performs the effects of one flow.

        Args:
            lent: Whether the client that was wrapped last is asked where there is no summariser.
        """
        own = self.summarizer or (self.lent.get(False) if lent else None)
        return Handler(self.outside, own)


class AsyncMemoryManager(AsyncClosing, Manager):
    """Memory for asynchronous callers; as `MemoryManager` with `await`.

    Args:
        summarizer: Who writes summaries for `fit`; None for the offline summariser.
        **others: See `Manager`.
    """

    def __init__(
        self, *, summarizer: AsyncSummarizer | None = None, **others: Unpack[ManagerOptions]
    ) -> None:
        super().__init__(**others)
        self.summarizer = summarizer

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        summarizer: AsyncSummarizer | None = None,
        **others: Unpack[ManagerOptions],
    ) -> Self:
        """Return a manager with the settings of a TOML file; see `MemoryManager.from_file`.

        Raises:
            ConfigError: The file cannot be read, or a setting is unknown or wrong.
        """
        return cls(summarizer=summarizer, **from_file(path, others))

    async def fit(
        self,
        messages: Sequence[WireMessage],
        *,
        model: str = models.DEFAULT_MODEL,
        tools: Tools | None = None,
        max_completion_tokens: int | None = None,
    ) -> Sequence[WireMessage]:
        """Return messages to send in place of `messages`; see `MemoryManager.fit`.

        Raises:
            BudgetError: What may not be dropped is larger than the limit.
            HistoryError: One of `messages` is not a mapping.
            InvariantError: A promise is broken, under `check="raise"`.
            StoreError: The store cannot be read. Wrapped clients do without it.
        """
        prompt = self._prompt(
            messages, model=model, tools=tools, max_completion_tokens=max_completion_tokens
        )
        if self.effective().get("off"):
            return messages
        return (await self.handler().run(fit(prompt, self.context()))).messages

    async def plan(
        self,
        messages: Sequence[WireMessage],
        *,
        model: str = models.DEFAULT_MODEL,
        tools: Tools | None = None,
        max_completion_tokens: int | None = None,
    ) -> Outlook:
        """Return what `fit` would do, for free; see `MemoryManager.plan`.

        Raises:
            HistoryError: One of `messages` is not a mapping.
        """
        prompt = self._prompt(
            messages, model=model, tools=tools, max_completion_tokens=max_completion_tokens
        )
        return await self.handler().run(outlook(prompt, self.context()))

    async def search_memory(
        self,
        arguments: str | Mapping[str, Any],
        *,
        messages: Sequence[WireMessage],
        model: str = models.DEFAULT_MODEL,
    ) -> str:
        """Return what answers a call of `search_memory`; see `MemoryManager.search_memory`."""
        prompt = self._prompt(messages, model=model, tools=None, max_completion_tokens=None)
        return await self.handler().run(found_for(prompt, self.context(), arguments))

    def conversation(self, name: str, *, user: str | None = None) -> AsyncConversation:
        """Return the conversation of that name; see `MemoryManager.conversation`.

        Raises:
            ConfigError: The name is empty or not printable.
        """
        return AsyncConversation(self, name, user)

    async def conversations(
        self,
        *,
        user: str | None = None,
        after: Entry | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Return a page of conversations; see `MemoryManager.conversations`.

        Raises:
            UnsupportedError: The store cannot list them.
            StoreError: The store cannot be read.
        """
        return [*(await self.handler().run(self._listed(user, after, limit).perform()))]

    async def search(
        self, query: str, *, user: str = "", match: Match = "all", limit: int = 10
    ) -> list[Hit]:
        """Return the messages of a user that match; see `MemoryManager.search`.

        Raises:
            UnsupportedError: The store has no search.
            StoreError: The store cannot be read.
        """
        return [*(await self.handler().run(self._searched(query, user, match, limit).perform()))]

    async def forget_user(self, user: str) -> Forgotten:
        """Remove everything of a user; see `MemoryManager.forget_user`.

        Raises:
            ConfigError: `user` is empty: conversations of nobody are forgotten one by one.
            StoreError: The store cannot be written.
        """
        flow = forget_user(self.context(), self.namespace, check_user(user))
        return await self.handler().run(flow)

    async def health(self) -> Health:
        """Return how the store is, and where; see `MemoryManager.health`.

        Raises:
            UnsupportedError: The store does not tell.
            StoreError: The store cannot be reached.
        """
        return await self.handler().run(CheckHealth().perform())

    async def flush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # as in threads
        """Wait for summaries that are written in the background; see `MemoryManager.flush`."""
        waited = [asyncio.wrap_future(job) for job in self.outside.background.pending()]
        return not waited or not (await asyncio.wait(waited, timeout=timeout))[1]

    async def aclose(self) -> None:
        """Wait for what runs in the background, and close the store; see `MemoryManager.close`."""
        await self.flush()
        close = getattr(self._owned, "aclose", None)
        if close is None:
            self._close()
        else:
            await close()

    def handler(self, *, lent: bool = False) -> AsyncHandler:
        """Return who performs the effects of one flow; see `MemoryManager.handler`."""
        own = self.summarizer or (self.lent.get(True) if lent else None)
        return AsyncHandler(self.outside, own)
