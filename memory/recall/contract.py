"""What is looked for among the originals of a conversation, what is looked through, what is found.

A retriever is given a `Question` and `Passages` and returns `Found`: it ranks, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, overload

from memory.messages import WireMessage

__all__ = ("Found", "Passage", "Passages", "Question", "Ranking", "Stretch")

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is looked for.

    Attributes:
        text: What the user said last, or what the model searches for.
        context: What else tells what it is about, such as the exchange that was open when the
            conversation was compacted last; empty for nothing. It counts for less.
    """

    text: str
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One original message, as a retriever sees it.

    Attributes:
        place: Which message, counted from 0 without the head.
        role: Its role.
        text: What it says and calls, without media and thoughts.
        digest: The digest of the message: the same for the same message, wherever it stands.
    """

    place: int
    role: str
    text: str
    digest: bytes


class Found(NamedTuple):
    """A message that answers a question, in the eyes of one retriever."""

    place: int
    """Which message, counted from 0 without the head."""
    score: float
    """How well: larger is better; comparable within one answer of one retriever only."""
    match: float | None = None
    """How much of the question it holds by itself, 0 to 1, where the score says more than that."""

    @property
    def matched(self) -> float:
        """How much of the question it holds, as far as is known."""
        return self.score if self.match is None else self.match


Ranking = Sequence[Found]
"""What one retriever found, best first, each message at most once; scores from 0 to about 1."""


class Passages(Sequence[Passage]):
    """The messages of a conversation without its head, read one by one as they are asked for.

    Args:
        messages: The messages, as they are put on record.
        digests: The digest of each.
        links: Their chain hashes, one more than there are messages: two conversations that have
            the same link at place n begin with the same n messages.
        text: What a message says.
        role: The role of a message.
        searched: What it says for those who search by words, with the arguments of calls as they
            are meant and not as JSON escapes them; None for `text`.
    """

    def __init__(
        self,
        messages: Sequence[WireMessage],
        *,
        digests: Sequence[bytes],
        links: Sequence[bytes],
        text: Callable[[WireMessage], str],
        role: Callable[[WireMessage], str],
        searched: Callable[[WireMessage], str] | None = None,
    ) -> None:
        self.messages = messages
        self.digests = digests
        self.links = links
        self._text = text
        self._role = role
        self._searched = searched or text

    @overload
    def __getitem__(self, place: int) -> Passage: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Passage]: ...
    def __getitem__(self, place: int | slice) -> Passage | Sequence[Passage]:
        """Return the message at a place, or those of a slice."""
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        index = range(len(self))[place]
        message = self.messages[index]
        return Passage(
            place=index,
            role=self._role(message),
            text=self._text(message),
            digest=self.digests[index],
        )

    def searched(self, place: int) -> str:
        """Return what a message says for those who search by words."""
        return self._searched(self.messages[place])

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self.messages)


class Stretch(Sequence[T], Generic[S, T]):
    """A stretch of a sequence, read item by item as it is asked for: nothing is copied, in O(1).

    Args:
        items: The sequence, which has `start + size` items or more.
        read: What is told of an item.
        start: Where the stretch begins.
        size: How many items it has.
    """

    def __init__(
        self, items: Sequence[S], read: Callable[[S], T], *, start: int = 0, size: int
    ) -> None:
        self._items = items
        self._read = read
        self._start = start
        self._size = size

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        """Return what is told of the item at a place, or of those of a slice."""
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self._size))]
        return self._read(self._items[self._start + range(self._size)[place]])

    def __len__(self) -> int:
        """Return how many items there are."""
        return self._size
