"""Effects: what a flow may ask for, as values.

`Effect[R].perform()` is a one-line generator, so that `log = yield from Load(key=key).perform()`
has the exact type of the reply for every checker.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from memory.events import Event
from memory.flow.state import Fitted, Prompt
from memory.records import Compaction, LogKey, Record
from memory.replies import Reply
from memory.summary import Draft, SummaryRequest

__all__ = (
    "Answer",
    "Append",
    "Claim",
    "Effect",
    "Emit",
    "Enter",
    "Extract",
    "Find",
    "Flow",
    "Forget",
    "Known",
    "Load",
    "Log",
    "Release",
    "Send",
    "Spawn",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a store holds under one key."""

    records: tuple[Record, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known(Effect["int | None"]):
    """Ask for the smallest number of messages that a record of a namespace was made for.

    None when there is no record: then no input needs hashing. A store that cannot tell cheaply
    answers 0.
    """

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Find(Effect[tuple[Compaction, ...]]):
    """Ask for the records of a namespace whose coverage, adoption or mark is among `hashes`."""

    namespace: str
    hashes: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(Effect[Log]):
    """Ask for a whole log and its version."""

    key: LogKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Append(Effect[int]):
    """Append records to a log if it is still at `expected`; the reply is the new version.

    The handler throws `ConflictError` when it is not.
    """

    key: LogKey
    records: tuple[Record, ...]
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(Effect[int]):
    """Have a whole log removed; the reply is how many records it had."""

    key: LogKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarize(Effect[Draft]):
    """Ask the summariser; the handler throws `SummaryError` when there is no answer."""

    request: SummaryRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract(Effect[Draft]):
    """Ask the offline summariser, which always answers."""

    request: SummaryRequest


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
        namespace: Where records are kept.
        links: The chain hashes of the input.
        patience: Seconds to wait.
    """

    namespace: str
    links: Sequence[bytes]
    patience: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Effect[None]):
    """Give up what was claimed; a handler that is closed does so by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter(Effect[bool]):
    """Ask to be the only turn of a conversation; the reply is whether that is so.

    The turn before is waited for, `patience` seconds at most, to the end of its reply; then the
    version of the log has to decide. The turn ends with the flow, or with the stream of its reply.

    Attributes:
        namespace: Where the conversation is kept.
        patience: Seconds to wait.
    """

    namespace: str
    patience: float


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
