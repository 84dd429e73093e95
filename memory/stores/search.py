"""Full-text search as every store does it: which terms a text has, and which a query asks for.

Databases part texts differently, and none of them parts Chinese, so the terms are made here: a
database keeps them as they are, each as one token, and finds the same messages as every other.

**Terms.** Text is folded (NFKC, case) and parted into words: runs of letters, digits and marks. A
run in a script that is written without spaces between words (Chinese, Japanese, Korean, Thai, …)
becomes its overlapping pairs of characters, and its last character alone, so that each character
begins a term. Terms have at most 64 characters and hold neither white space nor punctuation.

**Queries.** A query is made of the same terms, but that a run of one character asks for the terms
that begin with it, and so does a word with a `*` after it. A longer run asks for its pairs.
Everything else in a query is punctuation, so there are no operators and nothing to escape.

**What is searched.** The messages that conversations with a name have now: a `Turn` replaces what
stood from its start on. A message without terms is no document.

**One ranking.** `memory.stores.ranking` says what a store asks its database for, and puts what it
found in the same order everywhere.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from memory.messages import WireMessage, content_parts, role_of, tool_calls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from memory.records import Match, Turn

__all__ = ("Document", "Query", "Term", "documents_of", "terms_of", "text_of_message", "words_of")

LONGEST = 64
"""Characters of a term: what a longer word begins with. At most 256 bytes, where 2,046 fit."""
READ = 500_000
"""Characters of a text that are looked at."""
SIZE = 250_000
"""Bytes of the terms of one message: a `tsvector` may have 1 MB."""
ASKED = 10_000
"""Characters of a query that are looked at."""
TERMS = 64
"""Terms of a query: a longer one is a text that somebody pasted."""

# Written without spaces between words. Their punctuation is gone before they are looked for.
_UNSPACED = (
    "\u0e01-\u0e4f\u0e81-\u0ecf\u0edc-\u0edf"  # Thai and Lao, without their digits
    "\u1000-\u103f\u104a-\u108f\u109a-\u109f\u1780-\u17dd"  # Burmese and Khmer, likewise
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Hangul
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c"  # iteration marks
    "\u3041-\u30ff\u3100-\u312f\u3130-\u318f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uffdc"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff"  # Tangut, more kana
    "\U00020000-\U0003ffff"  # Han, all extensions
)
_PIECE = re.compile(f"([{_UNSPACED}]+)|[^{_UNSPACED}]+")
_STARRED = re.compile(r"([^*]+)(\*?)")
# What stands in a word and is not seen: soft hyphens, joiners, directions, variants of a character.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]+"
)
_DATA = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w.+-]{1,50}=[\w.+-]{0,50}){0,4};base64,[\w+/=-]*")


def _folded(text: str) -> str:
    """Return a text without what makes two spellings of a word."""
    if text.isascii():
        return text.lower()
    text = _UNSEEN.sub("", text)
    marks = "".join(c for c in set(text) if unicodedata.category(c)[0] == "M")
    if marks:
        # Sorting a heap of marks takes the square of its length: 7 s for 80,000. Nobody writes 30.
        text = re.sub(f"([{marks}]{{30}})[{marks}]+", r"\1", text)
    text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)


def _words(text: str, *, also: str = "") -> list[str]:
    """Return the runs of letters, digits and marks, and of the characters in `also`."""
    # A text has few different characters: looking at those is ten times as fast as a pattern.
    kept = {c for c in set(text) if c.isalnum() or c in also or unicodedata.category(c)[0] == "M"}
    return text.translate({ord(c): c if c in kept else " " for c in set(text)}).split()


def _pieces(word: str) -> list[tuple[str, bool]]:
    """Return the parts of a word with whether they are of a script without spaces."""
    return [(found[0], found[1] is not None) for found in _PIECE.finditer(word)]


def _pairs(run: str) -> Iterator[str]:
    return (run[place : place + 2] for place in range(len(run) - 1))


_PLAIN = bytes(ord(chr(c).lower()) if chr(c).isalnum() else ord(" ") for c in range(128)) * 2
"""What becomes of each ASCII character."""


def _terms(text: str) -> Iterator[str]:
    if text.isascii():  # a fifth of the time
        words = text[:READ].encode().translate(_PLAIN).decode().split()
        yield from (word[:LONGEST] for word in words)
        return
    for word in _words(_folded(text[:READ])[:READ]):
        if word.isascii():
            yield word[:LONGEST]
            continue
        for piece, unspaced in _pieces(word):
            if unspaced:
                yield from _pairs(piece)
                yield piece[-1]
            else:
                yield piece[:LONGEST]


def terms_of(text: str) -> list[str]:
    """Return the terms of a text that is stored, in order and as often as they come."""
    return list(_terms(text))


@dataclass(frozen=True, slots=True)
class Term:
    """What a query looks for: one term, or all that begin alike.

    Attributes:
        text: The term, or how it begins.
        prefix: Whether it is only how it begins.
    """

    text: str
    prefix: bool = False

    @property
    def fts5(self) -> str:
        """This term as a query of SQLite."""
        quoted = self.text.replace('"', '""')
        return f'"{quoted}"{"*" * self.prefix}'

    @property
    def tsquery(self) -> str:
        """This term as the text of a `tsquery` of PostgreSQL."""
        quoted = self.text.replace("\\", "\\\\").replace("'", "''")
        return f"'{quoted}'{':*' * self.prefix}"

    def held(self, words: Collection[str]) -> bool:
        """Return whether one of the terms of a message matches."""
        if self.prefix:
            return any(word.startswith(self.text) for word in words)
        return self.text in words

    def count(self, words: Collection[str]) -> int:
        """Return how often terms of a message match."""
        if self.prefix:
            return sum(word.startswith(self.text) for word in words)
        return sum(word == self.text for word in words)


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; one without terms is false and matches nothing.

    Attributes:
        terms: Each once, in the order in which they were asked for.
    """

    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read what somebody typed; anything can be read, and the first 64 terms count."""
        found = (
            term
            for run in _words(_folded(text[:ASKED]), also="*")
            for word, star in _STARRED.findall(run)
            for term in _asked(word, starred=bool(star))
        )
        return cls(tuple(islice(dict.fromkeys(found), TERMS)))

    def __bool__(self) -> bool:
        """Return whether there is anything to look for."""
        return bool(self.terms)

    def fts5(self, match: Match) -> str:
        """Return the query for SQLite's FTS5, without brackets; empty if there are no terms."""
        return (" AND " if match == "all" else " OR ").join(term.fts5 for term in self.terms)

    def tsquery(self, match: Match) -> str:
        """Return the text of a `tsquery` of PostgreSQL, without brackets; empty without terms."""
        return (" & " if match == "all" else " | ").join(term.tsquery for term in self.terms)

    def matches(self, words: Collection[str], match: Match) -> bool:
        """Return whether a message with these terms is found."""
        held = (term.held(words) for term in self.terms)
        return bool(self.terms) and (all(held) if match == "all" else any(held))


def _asked(word: str, *, starred: bool) -> Iterator[Term]:
    """Yield what a word of a query asks for; a star belongs to the last part of it."""
    pieces = _pieces(word)
    for number, (piece, unspaced) in enumerate(pieces, 1):
        if not unspaced:
            yield Term(piece[:LONGEST], prefix=starred and number == len(pieces))
        elif len(piece) == 1:
            yield Term(piece, prefix=True)
        else:
            yield from map(Term, _pairs(piece))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A message as it is searched.

    Attributes:
        place: Which message of the conversation, counted from 0 without the head.
        item: Which message of its turn, counted from 0.
        role: Its role.
        words: Its terms, with one space between two.
        length: How many terms these are.
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
            length=words.count(" ") + 1,
        )
        for item, message in enumerate(turn.messages)
        if (words := words_of(message))
    )


def text_of_message(message: WireMessage) -> str:
    """Return what a message says and calls, without what nobody reads: media and thoughts."""
    called = (f"{name}({given})" for name, given in _calls(message))
    return "\n".join((*_said(message), *called))


def words_of(message: WireMessage) -> str:
    """Return the terms of a message with one space between two, in less than 250,000 bytes."""
    called = (f"{name}\n{_values(given)}" for name, given in _calls(message))
    terms = _terms("\n".join((*_said(message), *called)))
    words = " ".join(islice(terms, SIZE // 2))  # each has a character and a space
    if len(words) * 4 < SIZE or len(data := words.encode()) < SIZE:
        return words
    return data[:SIZE].rpartition(b" ")[0].decode()


def _said(message: WireMessage) -> list[str]:
    return [_DATA.sub("…", part) for part in content_parts(message) if isinstance(part, str)]


def _calls(message: WireMessage) -> Iterator[tuple[str, Any]]:
    """Yield the names and the arguments of the functions that a message calls."""
    for call in tool_calls(message):
        function = call.get("function")
        if isinstance(function, Mapping):
            given = function.get("arguments") or ""
            yield str(function.get("name") or ""), _bare(given)


def _bare(given: Any) -> Any:
    return _DATA.sub("…", given) if isinstance(given, str) else given


def _values(given: Any) -> str:
    r"""Return the keys and values in arguments: in JSON, words hide behind `\n` and `\u5317`."""
    try:
        if isinstance(given, str):
            given = json.loads(given)
        return "\n".join(_leaves(given))
    except (ValueError, RecursionError):
        return str(given)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield _bare(str(value))
