"""What is said of a file that does not hold what it should."""

from __future__ import annotations

from memory.errors import KimiMemoryError

__all__ = ("TranscriptError", "wrong")


class TranscriptError(KimiMemoryError):
    """A file does not hold what it should; the message says where and what is wrong."""


def wrong(place: str, reason: str) -> TranscriptError:
    """Return the error for something wrong at a place."""
    return TranscriptError(f"{place}: {reason}")
