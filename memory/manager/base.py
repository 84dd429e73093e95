"""The managers: settings, store, hooks and counter in one place, and the verbs on them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, TypeVar, Unpack

from memory import models
from memory.config import Options, Settings
from memory.counts import Counts
from memory.drive import arun, run
from memory.errors import ConfigError
from memory.events import Counted, CounterChosen, Event, Evicted, Hook
from memory.flow import Context, Outlook, Prompt, fit, log_key, outlook
from memory.handlers import AsyncHandler, Handler, Outside
from memory.hooks import LogHook
from memory.messages import WireMessage, wire
from memory.meter import Meter, Tools
from memory.records import Logged, Record, Usage
from memory.stores import VolatileStore
from memory.view import Thread
from memory.vocabulary import Tokenizer, resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from openai import AsyncOpenAI, OpenAI

    from memory.stores import Store
    from memory.summarizers.contract import AsyncSummarizer, Summarizer

    C = TypeVar("C", bound=OpenAI | AsyncOpenAI)

__all__ = ("AsyncMemoryManager", "Manager", "ManagerOptions", "MemoryManager")


class ManagerOptions(Options, total=False):
    """Everything a manager takes, as keyword arguments; see `Manager`."""

    store: Store | None
    hooks: Sequence[Hook] | None
    tokenizer: Tokenizer | None
    namespace: str | None
    settings_file: str | os.PathLike[str] | None


class Manager:
    """What `MemoryManager` and `AsyncMemoryManager` share; not made directly.

    One manager is safe across threads and event loops, and may serve sync and async clients at
    the same time.

    Args:
        store: Where originals and summaries are kept; None for memory only.
        hooks: Who is told of events; None for `memory.hooks.LogHook`, `()` for nobody.
        tokenizer: A callable from text to tokens, a `tiktoken.Encoding` or the path of a
            `tiktoken.model`; None for the `[exact]` extra, else an estimator.
        namespace: Summaries are shared between managers on one store that have the same name;
            None for a random one.
        settings_file: A TOML file with settings.
        **options: The settings; see `memory.config.Settings`.

    Raises:
        ConfigError: A setting is unknown or wrong.
    """

    def __init__(
        self,
        *,
        store: Store | None = None,
        hooks: Sequence[Hook] | None = None,
        tokenizer: Tokenizer | None = None,
        namespace: str | None = None,
        settings_file: str | os.PathLike[str] | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.settings = Settings.resolve(options, file=settings_file)
        self.namespace = namespace or secrets.token_hex(8)
        self.counter = resolve(tokenizer)
        self.meter = Meter(self.counter, media_tokens=self.settings.media_tokens)
        self.outside = Outside(
            store=VolatileStore(on_evict=self._evicted) if store is None else store,
            hooks=(self._announce_counter, *_checked(hooks)),
            count=self.meter.text,
        )
        self._announced = False
        self.context = Context(
            meter=self.meter,
            policy=self.settings.policy(),
            role=self.settings.notes_role,
            summarizer_model=self.settings.summarizer_model,
            deadline=self.settings.summary_deadline,
        )

    @property
    def store(self) -> Store:
        """Where originals and summaries are kept."""
        return self.outside.store

    def count(
        self,
        messages: Sequence[WireMessage],
        *,
        tools: Tools | None = None,
        model: str = models.DEFAULT_MODEL,
        thinking: bool = True,
    ) -> Counts:
        """Return the tokens of each message, as the server will count them.

        Args:
            messages: Wire messages.
            tools: The tool declarations sent with them.
            model: The model; it decides whether the thoughts of earlier turns count.
            thinking: Whether the reply opens with a thought: False with `thinking: disabled`.

        Returns:
            A list with one `int` a message, in order. Its attributes `total`, `tools` and
            `reply` give the tokens of the whole prompt, of the tool declarations and of the
            opening of the reply; `total` is what the server reports as `prompt_tokens`.

        Raises:
            HistoryError: One of `messages` is not a mapping.
        """
        messages = wire(messages)
        keep = models.keeps_reasoning(model)
        counts = self.meter.count(messages, tools=tools, thinking=thinking, keep_reasoning=keep)
        self._announce()
        return counts

    def observe(
        self,
        messages: Sequence[WireMessage],
        *,
        usage: Usage,
        tools: Tools | None = None,
        reply: WireMessage | None = None,
        thinking: bool = True,
    ) -> None:
        """Learn from what the server reported for `messages` exactly as they were sent.

        Wrapped clients do this by themselves.

        Args:
            messages: What was sent.
            usage: What the server reported for it.
            tools: The tool declarations that were sent.
            reply: The assistant message that came back, if it was complete.
            thinking: Whether the reply opened with a thought.

        Raises:
            HistoryError: One of `messages` is not a mapping.
        """
        messages = wire(messages)
        self.meter.observe(messages, usage=usage, tools=tools, reply=reply, thinking=thinking)

    def log(self, messages: Sequence[WireMessage]) -> tuple[Record, ...]:
        """Return what is on record for a conversation: originals and compactions, oldest first.

        Args:
            messages: The conversation. Others that begin alike share its log; what is theirs
                is left out.

        Raises:
            HistoryError: One of `messages` is not a mapping.
            StoreError: The store cannot be read.
        """
        messages = wire(messages)
        thread = Thread.of(messages)
        links = set(thread.links)
        records = self.store.load(log_key(self.namespace, thread)).records
        return tuple(r for r in records if _link(r) in links)

    def wrap(self, client: C) -> C:
        """Return a client of the same type whose chat completions go through this manager.

        Raises:
            ConfigError: `client` is not an `OpenAI` or `AsyncOpenAI`.
        """
        from memory.client import wrap  # noqa: PLC0415  # a floor above; imports openai

        return wrap(client, manager=self)

    def emit(self, event: Event) -> None:
        """Tell the hooks of an event."""
        self.outside.emit(event)

    def _prompt(
        self,
        messages: Sequence[WireMessage],
        *,
        model: str,
        tools: Tools | None,
        max_completion_tokens: int | None,
    ) -> Prompt:
        messages = wire(messages)
        return Prompt(
            messages=messages,
            tools=tuple(tools or ()),
            model=model,
            completion=max_completion_tokens,
            keep_reasoning=models.keeps_reasoning(model),
            namespace=self.namespace,
        )

    def _announce_counter(self, event: Event) -> None:
        """Before the first event that tells a count, tell how it was counted."""
        if isinstance(event, Counted):
            self._announce()

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            chosen = CounterChosen(
                namespace=self.namespace,
                name=self.counter.name,
                exact=self.counter.exact,
                reason=getattr(self.counter, "failure", None) or _hint(exact=self.counter.exact),
            )
            self.emit(chosen)

    def _evicted(self, messages: int, compactions: int) -> None:
        self.emit(Evicted(namespace=self.namespace, messages=messages, compactions=compactions))


def _link(record: Record) -> bytes:
    return record.link if isinstance(record, Logged) else record.adoption


def _hint(*, exact: bool) -> str | None:
    return None if exact else "tokens are estimated; kimi-memory[exact] counts them"


def _checked(hooks: Sequence[Hook] | None) -> tuple[Hook, ...]:
    if hooks is None:
        return (LogHook(),)
    if not isinstance(hooks, (list, tuple)) or not all(callable(hook) for hook in hooks):
        msg = f"hooks={hooks!r} must be a list or tuple of functions that take an event"
        raise ConfigError(msg)
    return tuple(hooks)


class MemoryManager(Manager):
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
        """
        prompt = self._prompt(
            messages, model=model, tools=tools, max_completion_tokens=max_completion_tokens
        )
        handler = Handler(self.outside, self.summarizer)
        return run(fit(prompt, self.context), handler.perform).messages

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
        return run(outlook(prompt, self.context), Handler(self.outside, None).perform)


class AsyncMemoryManager(Manager):
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
        """
        prompt = self._prompt(
            messages, model=model, tools=tools, max_completion_tokens=max_completion_tokens
        )
        handler = AsyncHandler(self.outside, self.summarizer)
        return (await arun(fit(prompt, self.context), handler.perform)).messages

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
        return await arun(outlook(prompt, self.context), AsyncHandler(self.outside, None).perform)
