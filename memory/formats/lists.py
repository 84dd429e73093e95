"""The elements of a JSON list, without holding the list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TextIO

__all__ = ("elements",)

_CHUNK: Final = 1 << 16
"""Characters that are read at least at a time."""
_INK: Final = re.compile(r"[^ \t\n\r]")
"""A character that is no white space to JSON."""


def elements(file: TextIO, text: str) -> Iterator[Any]:
    """Yield the elements of the list that begins in `text` and goes on in `file`.

    Raises:
        ValueError: It is no JSON; the elements before that place have been yielded.
        RecursionError: An element is nested too deeply.
    """
    reader = _Reader(file, text)
    reader.skip("[")
    if reader.next() == "]":
        reader.skip("]")
    else:
        yield from reader.members()
    if reader.next():
        message = "there is more after the end of the list"
        raise ValueError(message)


class _Reader:
    """A window of the text that moves on with what has been read.

    Args:
        file: Where the text goes on.
        text: How it begins.
    """

    def __init__(self, file: TextIO, text: str) -> None:
        self._file = file
        self._text = text
        self._at = 0
        self._decode = json.JSONDecoder().raw_decode

    def members(self) -> Iterator[Any]:
        """Yield the elements up to the bracket that closes the list."""
        mark = ","
        while mark == ",":
            yield self._value()
            mark = self.next()
            if mark not in {",", "]"}:
                message = "the list is not closed" if not mark else "a comma is missing"
                raise ValueError(message)
            self.skip(mark)

    def next(self) -> str:
        """Return the next character that is no white space; empty at the end."""
        while True:
            found = _INK.search(self._text, self._at)
            if found:
                self._at = found.start()
                return found[0]
            self._at = len(self._text)
            if not self._more():
                return ""

    def skip(self, mark: str) -> None:
        """Go past a character, which is the next one."""
        if self.next() == mark:
            self._at += 1

    def _value(self) -> Any:
        self.next()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise ValueError(error.msg) from None
                continue
            # A number may go on in what has not been read yet.
            if end < len(self._text) or not self._more():
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on, and forget what is done with; double what is left, so as to try seldom."""
        left = self._text[self._at :]
        read = self._file.read(max(_CHUNK, len(left)))
        if read:
            self._text, self._at = left + read, 0
        return bool(read)
