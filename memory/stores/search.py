"""Full-text search as every store does it: what of a message is searched.

Databases part texts differently, and none of them parts Chinese, so `memory.analysis` makes the
terms of texts and of queries: a database keeps them as they are, each as one token, and finds the
same messages as every other.

**What is searched.** The messages that conversations with a name have now: a `Turn` replaces what
stood from its start on. A message without terms is no document.

**One ranking.** `memory.stores.ranking` says what a store asks its database for, and puts what it
found in the same order everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.analysis import Query, Term, length_of, terms_of, written
from memory.messages import WireMessage, role_of
from memory.said import searched_text, text_of_message

if TYPE_CHECKING:
    from memory.records import Turn

__all__ = (
    "Document",
    "Query",
    "Term",
    "documents_of",
    "length_of",
    "terms_of",
    "text_of_message",
    "words_of",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A message as it is searched.

    Attributes:
        place: Which message of the conversation, counted from 0 without the head.
        item: Which message of its turn, counted from 0.
        role: Its role.
        words: Its terms, with one space between two.
        length: How many terms these are, without those that repeat others: see `length_of`.
    """

    place: int
    item: int
    role: str
    words: str
    length: int


def documents_of(turn: Turn) -> tuple[Document, ...]:
    """Return what can be searched of a turn; every document from its start on is gone with it."""
    return tuple(
        Document(
            place=turn.start + item,
            item=item,
            role=role_of(message),
            words=words,
            length=length_of(words),
        )
        for item, message in enumerate(turn.messages)
        if (words := words_of(message))
    )


def words_of(message: WireMessage) -> str:
    """Return the terms of a message with one space between two, in less than 250,000 bytes."""
    return written(searched_text(message))
