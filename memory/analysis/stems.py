"""English words without their endings."""

from __future__ import annotations

from functools import lru_cache

__all__ = ("SURFACE", "forms", "stem_of")

SURFACE = "¬"
"""What stands before a word that is a term beside its stem; no text has it in a word."""
LEAST, MOST = 3, 24
"""Letters of the words that are stemmed: shorter ones have no ending, longer ones are no words."""
KNOWN = 32_768
"""Words of which the stem is kept; making one takes 40 µs, two hundred times as long."""


@lru_cache(maxsize=KNOWN)
def stem_of(word: str) -> str:
    """Return the stem of a folded word; the word itself if it does not look like English."""
    if not (LEAST <= len(word) <= MOST and word.isascii() and word.isalpha()):
        return word
    # Imported when it is needed: the package loads 30 languages. A stemmer holds the word that it
    # works on, so each call makes its own, which is free, and threads need no lock.
    from snowballstemmer.english_stemmer import (  # type: ignore[import-untyped]  # noqa: PLC0415
        EnglishStemmer,
    )

    return str(EnglishStemmer().stemWord(word)) or word


@lru_cache(maxsize=KNOWN)
def forms(word: str) -> str:
    """Return the terms of a word of a script with spaces, with one space between two."""
    stem = stem_of(word)
    return word if stem == word else f"{stem} {SURFACE}{word}"
