"""What the log holds: messages, compactions and what the server said they cost.

Records are append-only and self-contained: a view is rebuilt from the caller's messages and one
`Compaction`, with no setting in between, so that a later version or another process makes the
same bytes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = (
    "SEPARATOR",
    "Compaction",
    "LogKey",
    "Logged",
    "Record",
    "Segment",
    "Shortened",
    "Turn",
    "Undone",
    "Usage",
)


SEPARATOR = "//"
"""Between the namespace of a manager and the name of a conversation in that of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """Which log of a store is meant.

    Attributes:
        namespace: Whose logs; no search crosses it.
        root: The chain hash of the first message, in hex: one log for each beginning. The log of
            a conversation with a name has no root, and a namespace of its own.
    """

    namespace: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the server said one request cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One summary of a run of messages."""

    text: str
    first: int
    """The first message it covers, counted from 1 without the head, as people count."""
    last: int
    """The last message it covers."""
    tokens: int
    """What the text costs."""
    author: str
    """The model that wrote it, or `"extractive"` for the offline summariser."""
    level: int = 0
    """0 when it was written from messages; one more than the highest it was folded from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A tool result of which only the beginning and the end are sent."""

    index: int
    """Which message, counted from 0 without the head."""
    head: int
    """Characters kept at its beginning."""
    tail: int
    """Characters kept at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """One change of the view: what it covers, for which input it was made, what stands there now.

    Counts of messages leave out the head. `coverage` and `adoption` are chain hashes
    (`memory.identity.chain`) of the first `covered` and the first `adopted` messages.
    """

    covered: int
    coverage: bytes
    adopted: int
    adoption: bytes
    kept: tuple[int, ...] = ()
    """Messages among the covered ones that are still sent verbatim, by index."""
    segments: tuple[Segment, ...] = ()
    standing: tuple[str, ...] = ()
    """Later system messages among the covered ones, quoted."""
    shortened: tuple[Shortened, ...] = ()
    synthetic: Mapping[str, Any] | None = None
    """The message that stands for what is covered; None when nothing is."""
    mark: bytes | None = None
    """The digest of `synthetic`, by which our own message is recognised."""
    cost: float | None = None
    """What `synthetic` costs in tokens, as far as its author's server told."""
    tokens_before: int = 0
    tokens_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One original message, as it was first seen."""

    index: int
    """Its place, counted from 0 without the head."""
    link: bytes
    """The chain hash up to and including it."""
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn added to a conversation; whatever stood from `start` on is not part of it now.

    Going back is a turn too: one without messages.
    """

    start: int
    """The place of its first message, counted from 0 without the head."""
    messages: tuple[Mapping[str, Any], ...] = ()
    """What was new in the request, then the reply."""
    head: tuple[Mapping[str, Any], ...] | None = None
    """The head from now on; None for the one there was."""
    complete: bool = True
    """Whether the reply arrived whole; if not, its beginning is the last message, or is missing."""
    replied: bool = False
    """Whether the last message is a reply, or the beginning of one."""
    usage: Usage | None = None
    """What the server said it cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A compaction is not used any more."""

    mark: bytes | None
    """The mark of the compaction."""


Record = Compaction | Logged | Turn | Undone
"""Anything a log holds."""
