"""What happened, as typed values, and the protocol of those who want to know.

Events carry counts, hashes and reasons, never the contents of messages. They are delivered
synchronously and outside every lock, in the order in which things happened; a hook must not block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = (
    "Accepted",
    "Change",
    "Compacted",
    "Counted",
    "CounterChosen",
    "Event",
    "Evicted",
    "Failed",
    "FellBack",
    "Hook",
    "InvariantBroken",
    "MemorySearched",
    "Overflowed",
    "Planned",
    "PrefixDiverged",
    "Purpose",
    "Recalled",
    "Recorded",
    "Rejected",
    "Resent",
    "ResultsCleared",
    "Skipped",
    "StandingCapped",
    "SummarizerPaused",
    "Summarizing",
    "Unaligned",
    "WindowLearned",
)


Change = Literal["completion", "compaction", "media"]
"""How a request that was refused for its size is changed: less room for the reply, a compaction,
or a compaction of what holds images."""


Purpose = Literal["new", "merge", "again"]
"""What a summary is asked for: messages newly dropped, two summaries to be one, or messages of
which there is only an extract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events."""

    namespace: str = ""
    """Which client or manager it happened in."""
    conversation: str | None = None
    """The name of the conversation it happened in, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterChosen(Event):
    """The counter of tokens was chosen; happens once a manager, before its first count."""

    name: str
    exact: bool
    reason: str | None = None
    """Why a better one could not be used, where one was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Event):
    """A prompt was counted; not sent where a bound on its bytes already showed that it fits."""

    tokens: int
    messages: int
    trigger: int
    limit: int
    measured: float
    """The share of the tokens known from what the server reported, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(Event):
    """A compaction was planned."""

    tokens: int
    projected: int
    """What the view is expected to cost afterwards, in tokens."""
    dropped: int
    """How many messages the summary will stand for in addition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarizing(Event):
    """A summary is about to be asked for: the moment to show "compacting…"."""

    messages: int
    tokens: int
    cap: int
    """Tokens the summary may have."""
    form: Literal["shared", "rendered"]
    purpose: Purpose = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Event):
    """A summary passed the checks."""

    author: str
    tokens: int
    cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Event):
    """A summary failed a check, or could not be had; nothing was changed by it."""

    author: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack(Event):
    """The offline summariser stands in for the one that was asked."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarizerPaused(Event):
    """A summariser that keeps failing is not asked for a while; the offline one stands in."""

    model: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsCleared(Event):
    """Old tool results are not shown any more; they are in the log."""

    messages: int
    tokens: int
    """How many that saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted(Event):
    """A compaction was recorded and is used from now on."""

    messages: int
    """How many messages the synthetic message stands for, all compactions together."""
    tokens_before: int
    tokens_after: int
    paid: bool
    """False when a summary already known was adopted for this input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflowed(Event):
    """What may not be dropped is larger than the limit."""

    tokens: int
    limit: int
    policy: Literal["raise", "send", "shorten-tool-results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixDiverged(Event):
    """An input over budget differs early from the one summarised before, so that is no use.

    Usually something in an early message changes with every call, such as the time.
    """

    index: int
    """The first message that differs, counted from 0 without the head."""
    key: str
    """Which key of it differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingCapped(Event):
    """There was no room for all standing instructions.

    Sentences of users were left out before system messages, those before what is pinned, and of
    each kind the oldest first.
    """

    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted(Event):
    """A volatile store forgot a conversation to make room."""

    messages: int
    compactions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """Memory itself failed; the caller's request went out all the same."""

    error: str
    """The type of the error, without its text, which could quote a message."""
    unrecorded: bool = False
    """Whether a turn of a conversation is not on record because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvariantBroken(Event):
    """What is about to be sent breaks a promise of this library: a defect, please report it.

    Told under `check="event"` and `check="raise"` only.
    """

    check: str
    """The name of the check in `memory.invariants`."""
    reason: str
    """What is wrong and where, in counts and places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLearned(Event):
    """The server refused a prompt and so told how large the window of its model is."""

    model: str
    window: int
    """Tokens that prompt and reply may have together, from now on."""
    stated: bool
    """Whether the server named the number; else the prompt that was refused is the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent(Event):
    """A request that the server refused for its size is sent once more, changed."""

    change: Change
    tokens: int
    """What the prompt costs now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped(Event):
    """A request of a kind that memory handles went out untouched; told once for each reason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded(Event):
    """A turn of a conversation is on record."""

    messages: int
    """How many messages it added, the reply included."""
    complete: bool
    """Whether the reply arrived whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unaligned(Event):
    """Several messages were sent to a conversation and none is the end of it: all count as new.

    Right for a transcript that is added; a caller who repeats older messages, or edited them,
    should go back first: `Conversation.rewind`.
    """

    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled(Event):
    """Originals were looked for on behalf of the last user message of a compacted conversation."""

    passages: tuple[tuple[int, float, int], ...]
    """What is shown again, best first: the number of the message, counted from 1 without the head,
    how well it answers, and its tokens; empty where nothing is relevant enough, or has room."""
    relevance: float
    """How relevant the best of what was found is; see `memory.recall.choice.relevance`."""
    floor: float
    """How relevant it has to be."""
    tokens: int
    """What is added to the prompt."""
    room: int
    """What might have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySearched(Event):
    """The model searched the originals of its conversation, and the searches were answered."""

    rounds: int
    """How many replies asked for a search; the caller sees none of them."""
    results: int
    """How many messages were found for it, all searches together."""
    tokens: int
    """What these replies cost, prompts included, beside the one that the caller gets."""


class Hook(Protocol):
    """Whoever wants to know: called with every event.

    Must return quickly and not raise; an error in a hook is logged and forgotten.
    """

    def __call__(self, event: Event, /) -> None:
        """Take note of `event`."""
