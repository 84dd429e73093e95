"""What every handler of effects shares: the store, the hooks, and who is at work on what."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from memory.asking import aprepare, aretrieve, prepare, retrieve
from memory.background import Background
from memory.drive import running_loop
from memory.errors import UnsupportedError
from memory.flights import Flights
from memory.flow import Append, Clock, Emit, Extract, Now, Prepare, Retrieve, Search, Stored
from memory.leases import Leases
from memory.records import SEPARATOR, Logged, Pinned, Turn
from memory.redaction import redacted
from memory.summary import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memory.events import Event, Hook
    from memory.flow import Effect
    from memory.records import Record
    from memory.redaction import Redact
    from memory.retrievers import AsyncRetriever, Retriever
    from memory.stores.contract import Store
    from memory.summary import SummaryRequest

__all__ = ("Outside",)


class _Here(threading.local):
    """What this thread is in the middle of; `with` it, of one thing more."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outside:
    """What both handlers share: everything that is not the summariser.

    Attributes:
        store: Where logs are kept.
        hooks: Who is told of events.
        count: Text -> tokens, for the offline summariser.
        flights: Who is summarising what.
        turns: Who has a turn in which conversation.
        leases: Who has what among the processes that share the store.
        background: Where flows run that nobody waits for.
        redact: What is done to texts before they are stored; None for nothing.
        clock: Tells the seconds, for `Now`; it never goes back.
        wall: Tells the seconds since 1970, for `Clock`.
        retrievers: Who searches the originals, for `Retrieve`; nobody for the lexical one.
    """

    store: Store
    hooks: Sequence[Hook]
    count: Callable[[str], float]
    flights: Flights = field(default_factory=Flights)
    turns: Flights = field(default_factory=Flights)
    background: Background = field(default_factory=Background)
    redact: Redact | None = None
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    retrievers: Sequence[Retriever | AsyncRetriever] = ()
    _lexical: list[Retriever] = field(default_factory=list)
    leases: Leases = field(init=False)
    _here: _Here = field(default_factory=_Here)

    def __post_init__(self) -> None:
        """Share the leases of the store."""
        object.__setattr__(self, "leases", Leases(self.store, self._here))

    def perform(self, effect: Effect[Any]) -> Any:
        """Perform an effect that needs no summariser and return the reply."""
        with self._here:
            return self._perform(effect)

    def aside(self, work: Callable[[], object]) -> None:
        """Do something now, or in a thread of its own where this one is amid an effect.

        The garbage collector may close a stream there, where a store or a hook holds its locks.
        """
        if self._here.depth:
            self.background.thread(work)
        else:
            work()

    def _perform(self, effect: Effect[Any]) -> Any:
        match effect:
            case Stored():
                store = self._able(effect)
                clean = self._clean(effect) if isinstance(effect, Append) else effect
                return clean.on(store)
            case Emit(event=event):
                return self.emit(event)
            case Extract(request=request):
                return self.extract(request)
            case Now():
                return self.clock()
            case Clock():
                return self.wall()
            case Retrieve() | Prepare():
                return self._ask(effect)
        msg = f"no handler for {type(effect).__name__}"
        raise TypeError(msg)

    def _ask(self, effect: Retrieve | Prepare) -> Any:
        if isinstance(effect, Retrieve):
            return retrieve(self._asked(), effect)
        return prepare(self._asked(), effect)

    async def aperform(self, effect: Effect[Any]) -> Any:
        """Perform an effect that needs no summariser, without keeping the event loop waiting."""
        if isinstance(effect, Retrieve):
            return await aretrieve(self._asked(), effect)
        if isinstance(effect, Prepare):
            return await aprepare(self._asked(), effect)
        immediate = getattr(self.store, "immediate", False) and not isinstance(effect, Search)
        if immediate or not isinstance(effect, Stored):
            return self.perform(effect)
        twin = getattr(self.store, "asynchronous", None)
        if twin is not None and running_loop() is not None:
            self._able(effect)
            clean = self._clean(effect) if isinstance(effect, Append) else effect
            return await clean.on(twin)
        from anyio import to_thread  # noqa: PLC0415  # comes with openai

        return await to_thread.run_sync(self.perform, effect)

    def _clean(self, effect: Append) -> Append:
        """Return what is to be stored, redacted: the one place that nothing gets around."""
        if self.redact is None:
            return effect
        return replace(effect, records=tuple(map(self._redacted, effect.records)))

    def _redacted(self, record: Record) -> Record:
        match record:
            case Logged():
                return replace(record, message=redacted(record.message, self.redact))
            case Turn():
                said = tuple(redacted(message, self.redact) for message in record.messages)
                head = record.head and tuple(redacted(m, self.redact) for m in record.head)
                return replace(record, messages=said, head=head)
            case Pinned() if self.redact is not None:
                return replace(record, text=self.redact(record.text))
        return record

    def _able(self, effect: Stored[Any]) -> Store:
        """Return the store, if it can do what is asked.

        Raises:
            UnsupportedError: It cannot.
        """
        if effect.verb and not hasattr(self.store, effect.verb):
            kind = type(self.store).__name__
            msg = f"{kind} cannot do that: it has no {effect.verb}(); see the table of stores"
            raise UnsupportedError(msg, capability=effect.verb)
        return self.store

    def _asked(self) -> Sequence[Retriever | AsyncRetriever]:
        """Return who searches; who that is by default, is made when it is asked for."""
        if self.retrievers:
            return self.retrievers
        if not self._lexical:
            from memory.retrievers import LexicalRetriever  # noqa: PLC0415  # most have no recall

            self._lexical.append(LexicalRetriever())
        return self._lexical[:1]

    def emit(self, event: Event) -> None:
        """Tell every hook; one that raises is logged and does not stop the others."""
        namespace, named, conversation = event.namespace.partition(SEPARATOR)
        if named:
            name = None if conversation.endswith(SEPARATOR) else conversation
            event = replace(event, namespace=namespace, conversation=name)
        for hook in self.hooks:
            try:
                hook(event)
            except Exception:
                logging.getLogger("memory").exception("a hook failed")

    def extract(self, request: SummaryRequest) -> Draft:
        """Summarise offline."""
        from memory.summarizers.extractive import extract  # noqa: PLC0415  # only when needed

        earlier = "\n".join(segment.text for segment in request.previous)
        text = extract(request.slice, budget=request.cap, count=self.count, previous=earlier)
        return Draft(text=text, author="extractive")
