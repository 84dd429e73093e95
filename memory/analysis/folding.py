"""Spellings made one, and texts parted into words."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("UNSPACED", "folded", "pairs", "pieces", "words")

# Written without spaces between words. Their punctuation is gone before they are looked for.
UNSPACED = (
    "\u0e01-\u0e4f\u0e81-\u0ecf\u0edc-\u0edf"  # Thai and Lao, without their digits
    "\u1000-\u103f\u104a-\u108f\u109a-\u109f\u1780-\u17dd"  # Burmese and Khmer, likewise
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Hangul
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c"  # iteration marks
    "\u3041-\u30ff\u3100-\u312f\u3130-\u318f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uffdc"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff"  # Tangut, more kana
    "\U00020000-\U0003ffff"  # Han, all extensions
)
"""Scripts without spaces between words, as ranges of a pattern."""
_PIECE = re.compile(f"([{UNSPACED}]+)|[^{UNSPACED}]+")
# What stands in a word and is not seen: soft hyphens, joiners, directions, variants of a character.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]+"
)
_PLAIN = bytes(ord(chr(c).lower()) if chr(c).isalnum() else ord(" ") for c in range(128)) * 2
"""What becomes of each ASCII character."""


def folded(text: str) -> str:
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


def words(text: str, *, also: str = "") -> list[str]:
    """Return the runs of letters, digits and marks, and of the characters in `also`."""
    if text.isascii() and not also:  # a fifth of the time
        return text.encode().translate(_PLAIN).decode().split()
    # A text has few different characters: looking at those is ten times as fast as a pattern.
    kept = {c for c in set(text) if c.isalnum() or c in also or unicodedata.category(c)[0] == "M"}
    return text.translate({ord(c): c if c in kept else " " for c in set(text)}).split()


def pieces(word: str) -> list[tuple[str, bool]]:
    """Return the parts of a word with whether they are of a script without spaces."""
    return [(found[0], found[1] is not None) for found in _PIECE.finditer(word)]


def pairs(run: str) -> Iterator[str]:
    """Return the overlapping pairs of characters of a run; none of a run of one."""
    return (run[place : place + 2] for place in range(len(run) - 1))
