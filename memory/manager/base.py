"""What all managers share: settings, store, hooks, counter, and the options of a call."""

from __future__ import annotations

import copy
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from memory import models
from memory.config import Options
from memory.counts import Counts
from memory.errors import ConfigError
from memory.events import Counted, CounterChosen, Event, Evicted, Hook, Skipped
from memory.flow import Context, ListConversations, Load, LogKey, Prompt, Search, log_key
from memory.manager.given import (
    checked_hooks,
    checked_name,
    checked_redact,
    checked_retrievers,
    context_of,
    hint,
    opened_store,
    resolved,
)
from memory.manager.scope import (
    Address,
    CallOptions,
    address,
    check_match,
    checked,
    current,
    entered,
)
from memory.messages import WireMessage, wire
from memory.meter import Meter, Tools
from memory.outside import Outside
from memory.records import SEPARATOR, Compaction, Entry, Logged, Match, Usage
from memory.redaction import Redact
from memory.stores import VolatileStore
from memory.vocabulary import Tokenizer, resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    from openai import AsyncOpenAI, OpenAI

    from memory.retrievers import AsyncRetriever, Retriever
    from memory.stores import Store

    Retrievers = Sequence[Retriever | AsyncRetriever]
    C = TypeVar("C", bound=OpenAI | AsyncOpenAI)

__all__ = ("Manager", "ManagerOptions")


NAMESPACE = "default"
"""The namespace in stores that outlive the process."""


class ManagerOptions(Options, total=False):
    """Everything a manager takes, as keyword arguments; see `Manager`."""

    store: Store | str | None
    hooks: Sequence[Hook] | None
    tokenizer: Tokenizer | None
    namespace: str | None
    settings_file: str | os.PathLike[str] | None
    redact: Redact | None
    retrievers: Retrievers | None


class Manager:
    """What `MemoryManager` and `AsyncMemoryManager` share; not made directly.

    One manager is safe across threads and event loops, and may serve sync and async clients at
    the same time.

    Args:
        store: Where originals and summaries are kept: a store, or the URL of one such as
            `"sqlite"` or `"postgresql://…"` (see `memory.stores.open_store`); None for memory
            only, and nothing on disk.
        hooks: Who is told of events; None for `memory.hooks.LogHook`, `()` for nobody.
        tokenizer: A callable from text to tokens, a `tiktoken.Encoding` or the path of a
            `tiktoken.model`; None for the `[exact]` extra, else an estimator.
        namespace: Conversations and summaries are shared between managers on one store that have
            the same name; None for `"default"` with a store that outlives the process, else for a
            random one.
        settings_file: A TOML file with settings.
        redact: Returns a text without what must not be kept, the same for the same text. It is
            applied to every text before that is stored or sent to a summariser, but for names,
            ids and URLs; requests of the caller's own go out as they are. Where it raises,
            nothing is stored.
        retrievers: Who searches the originals for `recall`; several are fused. None for
            `memory.retrievers.LexicalRetriever`, which needs no model; where the store can, that
            leaves conversations with a name to it.
        **options: The settings; see `memory.config.Settings`.

    Raises:
        ConfigError: A setting is unknown or wrong.
    """

    def __init__(
        self,
        *,
        store: Store | str | None = None,
        hooks: Sequence[Hook] | None = None,
        tokenizer: Tokenizer | None = None,
        namespace: str | None = None,
        settings_file: str | os.PathLike[str] | None = None,
        redact: Redact | None = None,
        retrievers: Retrievers | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.settings = resolved(options, settings_file)
        opened = None if store is None else opened_store(store)
        durable = getattr(opened, "durable", False)
        self.namespace = checked_name(namespace) or (NAMESPACE if durable else secrets.token_hex(8))
        self._owned = opened if isinstance(store, str) else None
        self.counter = resolve(tokenizer)
        self.meter = Meter(self.counter, media_tokens=self.settings.media_tokens)
        self.outside = Outside(
            store=VolatileStore(on_evict=self._evicted) if opened is None else opened,
            hooks=(self._announce_counter, *checked_hooks(hooks)),
            count=self.meter.text,
            redact=checked_redact(redact),
            retrievers=checked_retrievers(retrievers),
        )
        by_store = all(hasattr(self.outside.store, verb) for verb in ("lookup", "index"))
        self.lent: dict[bool, Any] = {}
        self.options: Mapping[str, Any] = {}
        self._told = set[str]()
        self._context = context_of(self.settings, self.meter, by_store=by_store)

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
        model: str = models.DEFAULT_MODEL,
        thinking: bool = True,
    ) -> None:
        """Learn from what the server reported for `messages` exactly as they were sent.

        Wrapped clients do this by themselves.

        Args:
            messages: What was sent.
            usage: What the server reported for it.
            tools: The tool declarations that were sent.
            reply: The assistant message that came back, if it was complete.
            model: The model; it decides whether the thoughts of earlier turns count.
            thinking: Whether the reply opened with a thought.

        Raises:
            HistoryError: One of `messages` is not a mapping.
        """
        messages = wire(messages)
        self.meter.observe(
            messages,
            usage=usage,
            tools=tools,
            reply=reply,
            thinking=thinking,
            keep_reasoning=models.keeps_reasoning(model),
        )

    def log(self, messages: Sequence[WireMessage]) -> tuple[Compaction | Logged, ...]:
        """Return what is on record for a conversation: originals and compactions, oldest first.

        Args:
            messages: The conversation. Others that begin alike share its log; what is theirs
                is left out.

        Raises:
            HistoryError: One of `messages` is not a mapping.
            StoreError: The store cannot be read.
        """
        messages = wire(messages)
        thread = Prompt(messages=messages, model="", redact=self.outside.redact).thread()
        links = set(thread.links)
        user = self.effective().get("user", "")
        records = self.outside.perform(Load(key=log_key(self.namespace, thread, user=user))).records
        originals = (r for r in records if isinstance(r, Compaction | Logged))
        return tuple(r for r in originals if _link(r) in links)

    def wrap(self, client: C, *, inplace: bool = False) -> C:
        """Return a client of the same type whose chat completions go through this manager.

        Args:
            client: An `OpenAI` or `AsyncOpenAI`; see `memory.wrap`.
            inplace: Whether to give `client` itself a memory.

        Raises:
            ConfigError: `client` is not an `OpenAI` or `AsyncOpenAI`.
        """
        from memory.client import wrap  # noqa: PLC0415  # a floor above; imports openai

        return wrap(client, manager=self, inplace=inplace)

    def with_options(self, **options: Unpack[CallOptions]) -> Self:
        """Return a manager with other options for its calls; all else is shared with this one.

        `manager.with_options(record=False).wrap(client)` is a client for side calls.

        Args:
            **options: See `memory.manager.CallOptions`.

        Raises:
            ConfigError: An option is unknown or wrong.
        """
        other = copy.copy(self)
        other.options = {**self.options, **checked(options)}
        return other

    def override(self, **options: Unpack[CallOptions]) -> AbstractContextManager[None]:
        """Return a context manager inside which options hold for the calls of this manager.

        They hold for clients it wrapped before, too, in this thread or task and those started
        with a copy of its context, and decide when a request is made, not when its reply is read.

        Args:
            **options: See `memory.manager.CallOptions`.

        Raises:
            ConfigError: An option is unknown or wrong.
        """
        return entered(self.outside, checked(options))

    def effective(self) -> Mapping[str, Any]:
        """Return the options in force here and now: those of `override` over the manager's.

        A manager that is to have no conversation has none, wherever it is used.
        """
        here = current(self.outside)
        if not here:
            return self.options
        none = self.options.get("conversation", SEPARATOR) is None
        return {**self.options, **here, **({"conversation": None} if none else {})}

    def check_alone(self) -> None:
        """Refuse calls in two conversations: one of the client, another that is entered here.

        Raises:
            ConfigError: There are two.
        """
        own, here = (o.get("conversation") for o in (self.options, current(self.outside)))
        if own is None or here is None:
            return
        mine, entered_here = self.log_of(own).label, self.log_of(here).label
        if mine != entered_here:
            msg = (
                f"this client belongs to conversation {mine!r}, and {entered_here!r} is entered "
                "here: enter conversations with a client that was made without one"
            )
            raise ConfigError(msg)

    def context(self, options: Mapping[str, Any] | None = None) -> Context:
        """Return how prompts are judged under options; None for those in force here."""
        chosen = self.effective() if options is None else options
        if "budget" not in chosen:
            return self._context
        policy = replace(self._context.policy, budget=chosen["budget"])
        return replace(self._context, policy=policy)

    def placement(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what options say about a prompt, as arguments of `Prompt`."""
        where = options.get("conversation")
        if where is None:
            user = options.get("user", "")
            scope = LogKey(namespace=self.namespace, user=user).scope
            place: dict[str, Any] = {"namespace": scope, "user": user}
        else:
            key = self.log_of(where, options.get("user"))
            place = {"namespace": key.scope, "user": key.user, "log": key}
            place["conversation"] = key.label
        place["redact"] = self.outside.redact
        return place | {key: options[key] for key in ("record", "pinned") if key in options}

    def log_of(self, conversation: Address | str, user: str | None = None) -> LogKey:
        """Return the log of a conversation; `user` is the one in force, None for that of here."""
        whose = self.effective().get("user") if user is None else user
        user, name = address(conversation, whose)
        return LogKey(namespace=self.namespace, user=user, name=name)

    def once(self, reason: str) -> None:
        """Tell the hooks, the first time, why requests of some kind are left alone."""
        if reason not in self._told:
            self._told.add(reason)
            self.emit(Skipped(namespace=self.namespace, reason=reason))

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
            **self.placement({**self.effective(), "conversation": None}),
        )

    def _listed(self, user: str | None, after: Entry | None, limit: int) -> ListConversations:
        place = None if after is None else (after.user, after.name)
        return ListConversations(namespace=self.namespace, user=user, after=place, limit=limit)

    def _searched(self, query: str, user: str, match: Match, limit: int) -> Search:
        check_match(match)
        return Search(
            namespace=self.namespace, query=query, user=user, name=None, match=match, limit=limit
        )

    def _close(self) -> None:
        close = getattr(self._owned, "close", None)
        if close is not None:
            close()

    def _announce_counter(self, event: Event) -> None:
        """Before the first event that tells a count, tell how it was counted."""
        if isinstance(event, Counted):
            self._announce()

    def _announce(self) -> None:
        if "counter" not in self._told:
            self._told.add("counter")
            chosen = CounterChosen(
                namespace=self.namespace,
                name=self.counter.name,
                exact=self.counter.exact,
                reason=getattr(self.counter, "failure", None) or hint(exact=self.counter.exact),
            )
            self.emit(chosen)

    def _evicted(self, messages: int, compactions: int) -> None:
        self.emit(Evicted(namespace=self.namespace, messages=messages, compactions=compactions))


def _link(record: Compaction | Logged) -> bytes:
    return record.link if isinstance(record, Logged) else record.adoption
