"""Which terms a text that is stored has."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from memory.analysis.folding import UNSPACED, folded, pairs, pieces, words
from memory.analysis.stems import SURFACE, forms

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("LONGEST", "SIZE", "chunks", "length_of", "plain", "terms_of", "written")

LONGEST = 64
"""Characters of a term: what a longer word begins with. At most 256 bytes, where 2,046 fit."""
READ = 500_000
"""Characters of a text that are looked at."""
SIZE = 250_000
"""Bytes of the terms of one text: a `tsvector` may have 1 MB."""
WHOLE = "¤"
"""What stands before an identifier; no text has it in a word."""
JOINT = "·"
"""What stands in an identifier for each run of joints; no text has it in a word."""

_LETTER = rf"[^\W_{UNSPACED}]"
# Possessive, and from the beginning of a word only, so that no character is looked at twice.
_JOINED = re.compile(rf"(?<!{_LETTER})[0-9a-z]++(?:[-_./:@#+\\]++[0-9a-z]++)++(?!{_LETTER})")
# Most texts have none, which is seen in a tenth of the time.
_MAYBE = re.compile(r"[-_./:@#+\\][0-9a-z]")
_JOINTS = re.compile(r"[-_./:@#+\\]+")
_TELLING = re.compile(r"[0-9_@/\\#]")
_DOTTED = re.compile(r"[a-z]{2,}+(?:\.[a-z]{2,}+)++")


def chunks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a folded text, each with the identifier at its end or an empty text."""
    begun = 0
    for found in _JOINED.finditer(text) if _MAYBE.search(text) else ():
        if _is_identifier(found[0]) and not _is_marked(text, found.end()):
            whole = WHOLE + _JOINTS.sub(JOINT, found[0])
            yield text[begun : found.end()], whole[:LONGEST]
            begun = found.end()
    yield text[begun:], ""


def _is_identifier(joined: str) -> bool:
    return bool(_TELLING.search(joined) or _DOTTED.fullmatch(joined))


def _is_marked(text: str, place: int) -> bool:
    return place < len(text) and unicodedata.category(text[place])[0] == "M"


def _written(text: str) -> Iterator[str]:
    """Yield the terms of a text, some of them together with a space between two."""
    # The second cut: folding makes 18 letters of some characters.
    for chunk, whole in chunks(folded(text[:READ])[:READ]):
        if chunk.isascii():
            yield from (forms(word[:LONGEST]) for word in words(chunk))
        else:
            yield from _unlike(chunk)
        if whole:
            yield whole


def _unlike(chunk: str) -> Iterator[str]:
    """Yield the terms of a text that is not ASCII."""
    for word in words(chunk):
        for piece, unspaced in ((word, False),) if word.isascii() else pieces(word):
            if unspaced:
                yield from pairs(piece)
                yield piece[-1]
            else:
                yield forms(piece[:LONGEST])


def terms_of(text: str) -> list[str]:
    """Return the terms of a text that is stored, in order and as often as they come."""
    return " ".join(_written(text)).split()


def written(text: str) -> str:
    """Return the terms of a text with one space between two, in less than 250,000 bytes."""
    terms = " ".join(_written(text))
    data = b"" if len(terms) * 4 < SIZE else terms[:SIZE].encode()
    if len(data) < SIZE:
        return terms
    return data[:SIZE].rpartition(b" ")[0].decode()


def plain(term: str) -> bool:
    """Return whether a term is a word or a pair of characters, and repeats no other."""
    return len(term) > 1 and term[0] not in (SURFACE, WHOLE)


def length_of(terms: str) -> int:
    """Return how many terms with one space between two there are, without those that repeat.

    Terms with a mark before them say again what others say: a word that is there as its stem, an
    identifier that is there in pieces.
    """
    every = terms.count(" ") + 1 if terms else 0
    return every - terms.count(SURFACE) - terms.count(WHOLE)
