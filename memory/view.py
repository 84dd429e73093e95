"""The view: what is sent in place of the caller's messages, and which record it follows.

A view is a pure function of the caller's messages and one `Compaction`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from memory.identity import Seen, link, see
from memory.messages import (
    Part,
    WireMessage,
    end_of_read,
    head_length,
    last_user,
    split,
    text_of,
)
from memory.records import Compaction, Shortened

__all__ = ("Thread", "View", "adopted", "covering", "own", "revealing", "shorten")

GAP = "\n[… {count:,} characters left out to fit the token budget …]\n"
CLEARED = "[{count:,} characters of this result are not shown any more; they are in the log]"


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Thread:
    """The caller's messages: the head, and the rest with its chain hashes.

    Attributes:
        messages: All of them.
        seen: What is known of each.
        start: How many of them are the head.
        rest: All the others. Indexes and counts of records are into these.
        links: The chain hashes of the rest, one more than it has messages.
        pinned: The digests of messages that stay verbatim.
        stored: What is known of each as it is put on record, where that differs from `seen`.
    """

    messages: Sequence[WireMessage]
    seen: Sequence[Seen]
    start: int
    rest: Sequence[WireMessage]
    links: Sequence[bytes]
    pinned: frozenset[bytes] = frozenset()
    stored: Sequence[Seen] | None = None

    @classmethod
    def of(
        cls,
        messages: Sequence[WireMessage],
        *,
        seen: Sequence[Seen] | None = None,
        start: int | None = None,
        linked: bool = True,
        pinned: frozenset[bytes] = frozenset(),
        stored: Sequence[Seen] | None = None,
    ) -> Thread:
        """Split messages into head and rest.

        Args:
            messages: The caller's messages.
            seen: What `see` returned for them, where it is at hand.
            start: How many are the head; None for the leading system messages.
            linked: Whether the chain hashes are needed.
            pinned: The digests of messages that stay verbatim.
            stored: What `see` returned for them as they are put on record; None for the same.
        """
        run = see(messages) if seen is None else seen
        head = head_length(messages) if start is None else start
        links = link((stored or run)[head:]) if linked else ()
        return cls(messages, run, head, messages[head:], links, pinned, stored)

    def starting_at(self, start: int) -> Thread:
        """Return the same messages with a head of another length."""
        return Thread.of(
            self.messages, seen=self.seen, start=start, pinned=self.pinned, stored=self.stored
        )

    def is_pinned(self, index: int) -> bool:
        """Return whether a message of the rest has to stay verbatim."""
        if not self.pinned:
            return False
        return (
            self.mark(index) in self.pinned or self.seen[self.start + index].digest in self.pinned
        )

    def mark(self, index: int) -> bytes:
        """Return the digest of a message of the rest as it is put on record."""
        return (self.stored or self.seen)[self.start + index].digest

    @property
    def settled(self) -> int:
        """How many messages of the rest the next input will begin with.

        What trails the last message a model has read, a reminder or a `partial`, is of this one.
        """
        return end_of_read(self.rest)


@dataclass(frozen=True, slots=True)
class View:
    """What is sent for a thread under a record; with no record, the thread as it is."""

    thread: Thread
    record: Compaction | None = None

    @property
    def base(self) -> Compaction:
        """The record it follows, or without one a record that changes nothing."""
        if self.record is not None:
            return self.record
        link = self.thread.links[0]
        return Compaction(covered=0, coverage=link, adopted=0, adoption=link)

    @property
    def loose(self) -> list[int]:
        """The messages of the rest that are sent verbatim, by index, in order."""
        size = len(self.thread.rest)
        if self.record is None:
            return list(range(size))
        return [*self.record.kept, *range(self.record.covered, size)]

    @property
    def synthetic(self) -> list[WireMessage]:
        """The synthetic message, if there is one."""
        if self.record is None or self.record.synthetic is None:
            return []
        return [dict(self.record.synthetic)]  # the caller may edit what it gets

    def compose(self) -> tuple[Sequence[WireMessage], Sequence[Seen]]:
        """Return the messages to send, and what is known of each."""
        thread, record = self.thread, self.record
        if record is None:
            return thread.messages, thread.seen
        messages = self._arranged(thread.messages, self.synthetic, record)
        seen = self._arranged(thread.seen, see(self.synthetic), record)
        short = {item.index: item for item in record.shortened}
        offset = thread.start + len(self.synthetic)
        for place, index in enumerate(self.loose if short else (), start=offset):
            if index in short:
                messages[place] = shorten(messages[place], short[index])
                seen[place] = see([messages[place]])[0]
        return messages, seen

    def messages(self) -> list[WireMessage]:
        """Return the messages to send."""
        return list(self.compose()[0])

    def _arranged(self, items: Sequence[T], synthetic: Sequence[T], record: Compaction) -> list[T]:
        start = self.thread.start
        kept = [items[start + index] for index in record.kept]
        return [*items[:start], *synthetic, *kept, *items[start + record.covered :]]

    def parts(self) -> list[tuple[list[int], bool]]:
        """Return the parts after the synthetic message: their indexes, and whether protected.

        Protected are the last user message, an exchange that is open, what trails the last
        message a model has read (system messages and a `partial`), and what is pinned.
        """
        loose, thread = self.loose, self.thread
        sent = [thread.rest[index] for index in loose]
        user, read = last_user(sent), end_of_read(sent)
        return [
            (
                loose[part.start : part.stop],
                part.open
                or part.stop > read
                or (user is not None and user in range(*part[:2]))
                or any(map(thread.is_pinned, loose[part.start : part.stop])),
            )
            for part in split(sent)
        ]


def own(record: Compaction, link: bytes) -> Compaction:
    """Return what a record says of an input whose first message is its synthetic one.

    Args:
        record: The record.
        link: The chain hash of the first message.
    """
    alone = replace(record, covered=1, coverage=link, adopted=1, adoption=link)
    return replace(alone, kept=(), shortened=())


def adopted(records: Iterable[Compaction], links: Sequence[bytes]) -> Compaction | None:
    """Return the latest record that was made for a beginning of this input, or None.

    Latest is the one made for the longest input; of two made for the same, the later.
    """
    best: Compaction | None = None
    for record in records:
        if _matches(record.adopted, record.adoption, links) and (
            best is None or record.adopted >= best.adopted
        ):
            best = record
    return best


def covering(records: Iterable[Compaction], thread: Thread) -> list[Compaction]:
    """Return the records that cover a beginning of this input, shallowest first.

    A record does not count that covers what may not be dropped from this input: one made further
    on in a conversation that the caller has gone back in.
    """
    links = thread.links
    needed = [i for indexes, protected in View(thread).parts() if protected for i in indexes]
    known = [
        _portable(record)
        for record in records
        if _matches(record.covered, record.coverage, links)
        and all(index >= record.covered or index in record.kept for index in needed)
    ]
    views = {(record.mark, record.covered, record.kept): record for record in known}
    return sorted(views.values(), key=lambda record: record.covered)


def _portable(record: Compaction) -> Compaction:
    """Return what a record says of any input that begins with what it covers.

    What it shortens after that speaks for the input it was made for and for no other.
    """
    if not record.shortened:
        return record
    shortened = tuple(each for each in record.shortened if each.index < record.covered)
    return replace(record, shortened=shortened, origin=record.content)


def revealing(record: Compaction, thread: Thread) -> Compaction:
    """Return a record that leaves out nothing of this input that is pinned.

    Parts are kept whole, so that what belongs to a pinned message is sent with it.
    """
    if not thread.pinned:
        return record
    covered = min(record.covered, len(thread.rest))
    held = [i for part in split(thread.rest[:covered]) for i in _held(thread, part)]
    shown = tuple(s for s in record.shortened if s.head or s.tail or not _pins(thread, s.index))
    if set(held) <= set(record.kept) and len(shown) == len(record.shortened):
        return record
    kept = tuple(sorted({*record.kept, *held}))
    return replace(record, kept=kept, shortened=shown, origin=record.content)


def _pins(thread: Thread, index: int) -> bool:
    return index < len(thread.rest) and thread.is_pinned(index)


def _held(thread: Thread, part: Part) -> range:
    indexes = range(part.start, part.stop)
    return indexes if any(map(thread.is_pinned, indexes)) else range(0)


def _matches(length: int, link: bytes, links: Sequence[bytes]) -> bool:
    return length < len(links) and links[length] == link


def shorten(message: WireMessage, how: Shortened) -> dict[str, Any]:
    """Return a copy of a message whose text is cut in the middle, with a note of how much."""
    text = text_of(message)
    left_out = len(text) - how.head - how.tail
    if left_out <= 0:
        return dict(message)
    if not how.head and not how.tail:
        return {**message, "content": CLEARED.format(count=left_out)}
    cut = text[: how.head] + GAP.format(count=left_out) + text[len(text) - how.tail :]
    return {**message, "content": cut}
