"""What the log holds: messages, compactions and what the server said they cost.

Records are append-only and self-contained: a view is rebuilt from the caller's messages and one
`Compaction`, with no setting in between, so that a later version or another process makes the
same bytes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

__all__ = (
    "SEPARATOR",
    "Compaction",
    "Entry",
    "Forgotten",
    "Health",
    "Hit",
    "Identifier",
    "Log",
    "LogKey",
    "Logged",
    "Match",
    "Pinned",
    "Record",
    "Segment",
    "Shortened",
    "Source",
    "Standing",
    "Turn",
    "Undone",
    "Usage",
    "segment_of",
    "standing_of",
)


SEPARATOR = "//"
"""Between the namespace of a manager and the label of a conversation, in the names of scopes."""


Match = Literal["all", "any"]
"""Whether a message has to hold all the terms of a query, or one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """Which log of a store is meant.

    Attributes:
        namespace: Whose logs; no search crosses it.
        user: Whose conversations within it, any text; empty for nobody in particular. No call
            reaches from one user to another.
        name: The name of the conversation; empty for callers who send everything themselves.
        root: Without a name, the chain hash of the first message, in hex: one log for each
            beginning.
    """

    namespace: str
    user: str = ""
    name: str = ""
    root: str = ""

    @property
    def scope(self) -> str:
        """What claims, turns and events of this log go by: the same for no two conversations."""
        if not self.user and not self.name:
            return self.namespace
        return f"{self.namespace}{SEPARATOR}{self.label}"

    @property
    def label(self) -> str:
        """User and name as one printable text, as in `"user-42/trip"`."""
        if not self.user:
            return self.name
        return f"{_quoted(self.user)}/{self.name or '/'}"


def _quoted(text: str) -> str:
    """Return a text without slashes and without what cannot be printed, escaped as in URLs."""
    return "".join(
        c
        if c.isprintable() and c not in "%/"
        else "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "surrogatepass"))
        for c in text
    )


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
    """The model that wrote it, `"extractive"` for the offline summariser, `"caller"` for words that
    the caller gave."""
    level: int = 0
    """0 for one run of dropped messages; one more than the higher of the two it was merged from."""
    depth: int = 1
    """How many times its messages were summarised on the way: 1 when it was written from them, one
    more than the deeper of the two when it was written from their texts."""
    prompt: str = ""
    """The id of the instruction it was written by; empty where there was none."""
    gaps: tuple[tuple[int, int], ...] = ()
    """Runs of messages between its first and its last that it does not cover: they were sent
    verbatim, or another segment covers them."""
    own: bool = False
    """Whether it holds words that the caller gave, which may say more than its messages."""
    refused: bool = False
    """Whether a summariser refused its messages for their content: it is not asked again."""
    dates: tuple[str, str] = ("", "")
    """The first and the last date that its messages open with; empty where none does."""

    @property
    def numbers(self) -> list[int]:
        """The numbers of the messages it covers, in order."""
        return [number for start, stop in self.runs for number in range(start, stop + 1)]

    @property
    def runs(self) -> list[tuple[int, int]]:
        """The runs of messages it covers, each from its first number to its last."""
        starts = [self.first, *(last + 1 for _, last in self.gaps)]
        stops = [*(first - 1 for first, _ in self.gaps), self.last]
        return list(zip(starts, stops, strict=True))


Source = Literal["pinned", "system", "user"]
"""Who asked that something hold: `pin()`, a later system message, or a sentence of the user."""


class Standing(NamedTuple):
    """A wish that holds until it is taken back, quoted in the notes."""

    text: str
    source: Source
    """Who asked that it hold."""


class Identifier(NamedTuple):
    """Something that can be referred to again, such as an id, a path or an amount."""

    label: str
    """What it is: the name of the argument or key it stood under, or its kind; may be empty."""
    value: str


def segment_of(body: Mapping[str, Any]) -> Segment:
    """Return the segment that stands in a JSON object; the first version had fewer keys."""
    depth = body.get("depth", 1 + body["level"])  # it folded texts, and counted how often
    first, last = body.get("dates") or ("", "")
    gaps = tuple((start, stop) for start, stop in body.get("gaps", ()))
    return Segment(**{**body, "depth": depth, "dates": (first, last), "gaps": gaps})


def standing_of(item: str | Sequence[Any]) -> Standing:
    """Return what stands in a JSON value; the first version knew system messages only, as texts."""
    return Standing(item, "system") if isinstance(item, str) else Standing(*item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A tool result of which only the beginning and the end are sent, or nothing at all."""

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
    standing: tuple[Standing, ...] = ()
    """What holds until it is taken back, quoted."""
    pins: bytes | None = None
    """A digest of the sentences that were pinned when it was made; None for none."""
    identifiers: tuple[Identifier, ...] = ()
    """What can be referred to again among the covered messages, the most useful first."""
    shortened: tuple[Shortened, ...] = ()
    synthetic: Mapping[str, Any] | None = None
    """The message that stands for what is covered; None when nothing is."""
    mark: bytes | None = None
    """The digest of `synthetic`, by which our own message is recognised."""
    cost: float | None = None
    """What `synthetic` costs in tokens, as far as its author's server told."""
    tokens_before: int = 0
    tokens_after: int = 0
    measured: tuple[tuple[int, float], ...] = ()
    """What the server counted more, or less, than we did for messages that stay in the view, in
    tokens; by index without the head, and below 0 for the head, counted from its end."""
    tools: float | None = None
    """The same for the tool declarations."""
    head: bytes | None = None
    """The chain hash of the head that was measured."""
    origin: bytes | None = None
    """The content of the compaction that this is a variant of, made for another input."""

    @property
    def content(self) -> bytes:
        """A digest of what it did, whatever its notes quote beside that; that of its origin."""
        if self.origin is not None:
            return self.origin
        said = [(segment.first, segment.last, segment.text) for segment in self.segments]
        did = (self.covered, self.coverage, said, self.shortened)
        return blake2b(repr(did).encode("utf-8", "surrogatepass"), digest_size=16).digest()


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
    at: float | None = None
    """When it was put on record, in seconds since 1970; None where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A compaction is not used any more."""

    mark: bytes | None
    """The mark of the compaction."""
    content: bytes | None = None
    """What the compaction did, as a digest, so that another one with the same mark stays in
    use; None in records of the first version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """Something stays in the view from now on, or does not have to any more."""

    text: str = ""
    """A sentence that the notes quote; empty where a message is meant."""
    digest: bytes | None = None
    """The digest of a message that stays verbatim."""
    held: bool = True
    """Whether it stays."""


Record = Compaction | Logged | Pinned | Turn | Undone
"""Anything a log holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a store holds under one key.

    Attributes:
        records: Oldest first.
        version: Grows with everything appended; 0 for a log that has nothing.
    """

    records: tuple[Record, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A conversation with a name, in a list of them.

    Attributes:
        user: Whose it is; empty for nobody in particular.
        name: Its name.
        version: The version of its log.
        messages: How many messages it has now, without the head.
        updated: When something was appended last, in seconds since 1970.
    """

    user: str
    name: str
    version: int
    messages: int
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A message that a search found.

    Attributes:
        user: Whose conversation it is in; empty for nobody in particular.
        name: The name of that conversation.
        place: Which message of it, counted from 0 without the head.
        role: Its role.
        text: Its text.
        score: How well it matches: larger is better; comparable within one search only.
    """

    user: str
    name: str
    place: int
    role: str
    text: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How much was removed: the proof of a `forget`.

    Attributes:
        logs: How many logs, those without a name included.
        records: How many records they had.
        messages: How many original messages were in those.
        compactions: How many compactions were.
        documents: How many entries of the search index.
        leases: How many leases.
    """

    logs: int = 0
    records: int = 0
    messages: int = 0
    compactions: int = 0
    documents: int = 0
    leases: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a store says of itself.

    Attributes:
        kind: `"sqlite"`, `"postgres"`, …
        location: Where it is, without credentials.
        schema: The version of its schema; None where it has none, 0 before the first.
        latest: The version that this library writes; None where it has none.
    """

    kind: str
    location: str
    schema: int | None = None
    latest: int | None = None
