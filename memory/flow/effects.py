"""Effects: what a flow may ask for, as values.

`Effect[R].perform()` is a one-line generator, so that `log = yield from Load(key=key).perform()`
has the exact type of the reply for every checker.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from memory.events import Event
from memory.flow.state import Fitted, Prompt
from memory.recall import Passages, Question, Ranking
from memory.records import LogKey
from memory.replies import Reply
from memory.summary import Draft, SummaryRequest

__all__ = (
    "Answer",
    "Await",
    "Claim",
    "Clock",
    "Effect",
    "Emit",
    "Enter",
    "Extract",
    "Flow",
    "Now",
    "Opened",
    "Prepare",
    "Release",
    "Retrieve",
    "Send",
    "Spawn",
    "Stored",
    "Summarize",
)

R = TypeVar("R")
T = TypeVar("T")


class Effect(Generic[R]):
    """Something a flow needs from outside; `R` is the type of the reply."""

    __slots__ = ()

    def perform(self) -> Generator[Effect[Any], Any, R]:
        """Yield this effect and return the reply, exactly typed."""
        reply: R = yield self
        return reply


Flow: TypeAlias = Generator[Effect[Any], Any, T]
"""A flow that returns a `T`."""


class Stored(Effect[R]):
    """Something a flow needs of the store.

    Attributes:
        verb: What a store has to be able to do for that; empty for what every store can.
    """

    __slots__ = ()
    verb: ClassVar[str] = ""

    def on(self, store: Any) -> Any:
        """Ask `store`, whose methods return the reply, or something that can be awaited for it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarize(Effect[Draft]):
    """Ask the summariser; the handler throws `SummaryError` when there is no answer."""

    request: SummaryRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract(Effect[Draft]):
    """Ask the offline summariser, which always answers."""

    request: SummaryRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieve(Effect[tuple[Ranking | Exception, ...]]):
    """Ask the retrievers which messages answer a question; the reply has a ranking of each.

    Of a retriever that failed it has the exception.

    Attributes:
        question: What is looked for.
        passages: All messages of the conversation, without its head.
        limit: How many each may return.
        lexical: Whether the lexical retriever is among those asked: a store may do its work.
    """

    question: Question
    passages: Passages
    limit: int
    lexical: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare(Effect[None]):
    """Have the retrievers read what is new, so that the next question need not wait for that."""

    passages: Passages
    lexical: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Effect[float]):
    """Ask for the time of day, in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now(Effect[float]):
    """Ask for the time, in seconds of a clock that never goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Effect[None]):
    """Tell the hooks."""

    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Effect[bool]):
    """Ask to be the only one who summarises a conversation; the reply is whether that is so.

    Whoever summarises an input that begins alike is waited for, `patience` seconds at most; what
    they put on record may serve here too. Without patience the reply is False at once.

    Attributes:
        key: The log of the input.
        links: The chain hashes of the input.
        patience: Seconds to wait.
    """

    key: LogKey
    links: Sequence[bytes]
    patience: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Effect[None]):
    """Give up what was claimed; a handler that is closed does so by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter(Effect[bool]):
    """Ask to be the only turn of a conversation; the reply is whether that is so.

    The turn before is waited for, `patience` seconds at most, to the end of its reply, whichever
    process it runs in where the store has leases; then the version of the log has to decide. The
    turn ends with the flow, or with the stream of its reply.

    Attributes:
        key: The log of the conversation.
        patience: Seconds to wait.
    """

    key: LogKey
    patience: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Await(Effect[float]):
    """Give up the turn until a conversation has moved on; the reply are the seconds left.

    None are left where it did not in time, and at once where nobody can be expected to go on: the
    exchange is open because of this very thread or task, or nobody is known to work on it.

    Attributes:
        key: The log of the conversation, which is amid an exchange.
        version: The version that it has.
        patience: Seconds to wait.
    """

    key: LogKey
    version: int
    patience: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Effect[None]):
    """Tell that a turn ended with calls that this caller is to answer, or that it answered them.

    Attributes:
        key: The log of the conversation.
        open: Whether there are calls to answer now.
    """

    key: LogKey
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answered.

    Attributes:
        response: As the client returns it.
        reply: What it says, or None where that is still to come, as in a stream.
    """

    response: Any
    reply: Reply | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Effect[Answer]):
    """Send a request; the handler throws whatever the client raises.

    Attributes:
        prompt: What the caller made, after their conversation.
        fitted: The messages to send.
        completion: `max_completion_tokens` in place of the caller's; None for the caller's.
    """

    prompt: Prompt
    fitted: Fitted
    completion: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn(Effect[None]):
    """Have another flow run beside this one; nobody waits for it."""

    flow: Flow[None]
