"""What is looked for: terms of what somebody typed, and of a question."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from memory.analysis.folding import folded, pairs, pieces, words
from memory.analysis.function_words import CHINESE, ENGLISH
from memory.analysis.stems import SURFACE, stem_of
from memory.analysis.terms import LONGEST, chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from memory.records import Match

__all__ = ("Query", "Term", "sentences")

ASKED = 10_000
"""Characters of a query that are looked at."""
TERMS = 64
"""Terms of a query: a longer one is a text that somebody pasted."""
BESIDE = 0.5
"""How much a term counts that only the context of a question has."""
AROUND = 0.25
"""How much a term counts that stands beside the sentences of a message that ask something."""
_SENTENCES = re.compile(r"(?<=[。！？\n])|(?<=[.!?])\s+")
ALONE = 0.5
"""How much a character of a question counts that stands alone: it is in many other words."""
_STARRED = re.compile(r"([^*]+)(\*?)")
_EMPTY = re.compile("|".join(CHINESE))


@dataclass(frozen=True, slots=True)
class Term:
    """What a query looks for: one term, or all that begin alike.

    Attributes:
        text: The term, or how it begins.
        prefix: Whether it is only how it begins: a term, or a word that is there as its stem.
        weight: How much it counts, where 1 is usual; terms that differ in nothing else are equal.
    """

    text: str
    prefix: bool = False
    weight: float = field(default=1.0, compare=False)

    @property
    def beginnings(self) -> tuple[str, ...]:
        """How the terms begin that this one finds; the second of two is that of written words."""
        if self.prefix and self.text.isascii() and self.text.isalpha():
            return self.text, SURFACE + self.text
        return (self.text,)

    @property
    def fts5(self) -> str:
        """This term as a query of SQLite."""
        star = "*" * self.prefix
        quoted = (begin.replace('"', '""') for begin in self.beginnings)
        return _either([f'"{begin}"{star}' for begin in quoted], " OR ")

    @property
    def tsquery(self) -> str:
        """This term as the text of a `tsquery` of PostgreSQL."""
        star = ":*" * self.prefix
        quoted = (begin.replace("\\", "\\\\").replace("'", "''") for begin in self.beginnings)
        return _either([f"'{begin}'{star}" for begin in quoted], " | ")

    def held(self, words: Collection[str]) -> bool:
        """Return whether one of the terms of a message matches."""
        if self.prefix:
            begin = self.beginnings
            return any(word.startswith(begin) for word in words)
        return self.text in words

    def count(self, words: Collection[str]) -> int:
        """Return how often terms of a message match."""
        if self.prefix:
            # A word and its stem may both begin so, and are one.
            return max(sum(w.startswith(begin) for w in words) for begin in self.beginnings)
        return sum(word == self.text for word in words)


def _either(queries: list[str], either: str) -> str:
    return queries[0] if len(queries) == 1 else f"({either.join(queries)})"


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
        return cls(_first(_typed(text)))

    @classmethod
    def of_question(cls, text: str, context: str = "") -> Query:
        """Read a question that somebody asks in words, for a search of any of its terms.

        Its function words are left out, unless there are no others. Where some of its sentences
        end in a question mark, those come first, and terms that only others have count a quarter.
        The first 64 terms count, those of the question before those of the context.

        Args:
            text: The question.
            context: What it was asked after; a term that only this has counts half.
        """
        asked, told = _parted(text[:ASKED])
        around = _weighed(_telling(told), AROUND)
        found = _first(chain(_telling(asked), around, _weighed(_telling(context), BESIDE)))
        return cls(found) if found else cls.parse(text)

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


def _first(found: Iterator[Term]) -> tuple[Term, ...]:
    return tuple(islice(dict.fromkeys(found), TERMS))


def _typed(text: str) -> Iterator[Term]:
    """Yield what a query asks for: the words of each chunk, and the identifier at its end."""
    parts = list(chunks(folded(text[:ASKED])))
    for number, (chunk, whole) in enumerate(parts, 1):
        starred = bool(whole) and number < len(parts) and parts[number][0].startswith("*")
        yield from _of_words(f"{chunk}*" if starred else chunk)
        if whole:
            yield Term(whole, prefix=starred)


def _of_words(chunk: str) -> Iterator[Term]:
    return (
        term
        for run in words(chunk, also="*")
        for word, star in _STARRED.findall(run)
        for term in _asked(word, starred=bool(star))
    )


def _asked(word: str, *, starred: bool) -> Iterator[Term]:
    """Yield what a word of a query asks for; a star belongs to the last part of it."""
    parts = pieces(word)
    for number, (piece, unspaced) in enumerate(parts, 1):
        if not unspaced:
            yield _word(piece[:LONGEST], starred=starred and number == len(parts))
        elif len(piece) == 1:
            yield Term(piece, prefix=True)
        else:
            yield from map(Term, pairs(piece))


def _word(word: str, *, starred: bool) -> Term:
    return Term(word, prefix=True) if starred else Term(stem_of(word))


def _telling(text: str) -> Iterator[Term]:
    """Yield what a question asks for without its function words."""
    for chunk, whole in chunks(folded(text[:ASKED])):
        for word in words(chunk):
            for piece, unspaced in pieces(word):
                yield from _of_run(piece) if unspaced else _of_word(piece)
        if whole:
            yield Term(whole)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; a dot within a word ends none."""
    return _SENTENCES.split(text)


def _parted(text: str) -> tuple[str, str]:
    """Return the sentences of a text that ask something, and the others; all where none does."""
    said = sentences(text)
    asked = [each for each in said if each.rstrip().endswith(("?", "？"))]
    if not asked:
        return text, ""
    return "\n".join(asked), "\n".join(each for each in said if each not in asked)


def _weighed(terms: Iterator[Term], weight: float) -> Iterator[Term]:
    return (replace(term, weight=term.weight * weight) for term in terms)


def _of_word(word: str) -> Iterator[Term]:
    if word not in ENGLISH:
        yield Term(stem_of(word[:LONGEST]))


def _of_run(run: str) -> Iterator[Term]:
    """Yield what a run without spaces asks for, parted where its function words stand."""
    for part in _EMPTY.split(run):
        if len(part) == 1:
            yield Term(part, prefix=True, weight=ALONE)
        yield from map(Term, pairs(part))
