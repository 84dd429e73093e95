"""JSON values in files: one, the elements of a list, or one a line, read as they are asked for.

A list or a file of lines is never held as a whole: the text of one value is there while that is
read. Only an object that goes over several lines is read in one piece.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any, Final, TextIO

from memory.formats.failures import TranscriptError, wrong
from memory.formats.lists import elements

__all__ = ("Entry", "entries", "opened", "parsed", "text_in", "values")

Entry = tuple[str, str, Any]
"""Where a value stands, its number there (empty for the only one), and the value.

In place of a value that cannot be read stands the `TranscriptError` that says why.
"""
_LONG: Final = 1 << 24
"""Characters of a line; the list that begins in a longer one is read element by element."""


def opened(path: Path) -> AbstractContextManager[TextIO]:
    """Open a file of text, or standard input where it is named `-`.

    Raises:
        OSError: It cannot be read.
    """
    return nullcontext(sys.stdin) if str(path) == "-" else path.open(encoding="utf-8-sig")


def text_in(file: TextIO, *, name: str) -> str:
    """Return all that is in a file.

    Raises:
        TranscriptError: It is not UTF-8.
    """
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise wrong(name, f"not UTF-8: {error}") from None


def parsed(line: str, *, place: str) -> Any:
    """Return the JSON value of a line.

    Raises:
        TranscriptError: It has none.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise wrong(place, f"not JSON: {error}") from None


def values(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the JSON values of a file with their places: the only one, or those of its lines.

    Args:
        path: The file; `-` is standard input.

    Raises:
        TranscriptError: One of them is no JSON.
        OSError: It cannot be read.
    """
    with opened(path) as file:
        text = text_in(file, name=str(path))
    for place, _, value in _whole_or_lines(text, name=str(path), start=1):
        if isinstance(value, TranscriptError):
            raise value
        yield place, value


def entries(file: TextIO, *, name: str) -> Iterator[Entry]:
    """Yield the JSON values of a file: the only one, the elements of a list, or those of its lines.

    Args:
        file: The open file.
        name: What its places begin with.
    """
    try:
        yield from _entries(file, name=name)
    except UnicodeDecodeError as error:
        yield name, "", wrong(name, f"not UTF-8: {error}")


def _entries(file: TextIO, *, name: str) -> Iterator[Entry]:
    number, line = _first(file)
    is_list = line.startswith("[")
    if is_list and not line.endswith("\n") and len(line) >= _LONG:
        yield from _elements(file, line, name=name)
        return
    try:
        value = json.loads(line) if line else None
    except (ValueError, RecursionError):
        if is_list:
            yield from _elements(file, line, name=name)
        else:
            yield from _whole_or_lines(line + file.read(), name=name, start=number)
        return
    blank, second = _first(file)
    if second:
        rest = enumerate(chain([second], file), start=number + blank)
        yield from _lines(chain([(number, line)], rest), name=name)
    elif isinstance(value, list) and value and not _may_be_message(value[0]):
        yield from ((f"{name}:[{i}]", str(i + 1), each) for i, each in enumerate(value))
    elif line:
        yield name, "", value


def _first(file: TextIO) -> tuple[int, str]:
    """Return the next line that is not blank, and how many lines were read for it."""
    number = 0
    while line := file.readline(_LONG):
        number += 1
        if line.strip():
            text = line.lstrip()
            is_whole = len(line) < _LONG or line.endswith("\n") or text.startswith("[")
            return number, text if is_whole else text + file.readline()
    return number, ""


def _lines(lines: Iterable[tuple[int, str]], *, name: str) -> Iterator[Entry]:
    for number, line in lines:
        if line.strip():
            place = f"{name}:{number}"
            yield place, str(number), _tried(line, place=place)


def _whole_or_lines(text: str, *, name: str, start: int) -> Iterator[Entry]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from _lines(enumerate(text.split("\n"), start=start), name=name)
    else:
        yield name, "", value


def _tried(line: str, *, place: str) -> Any:
    try:
        return parsed(line, place=place)
    except TranscriptError as error:
        return error


def _elements(file: TextIO, text: str, *, name: str) -> Iterator[Entry]:
    """Yield the elements of a list as they are read, or the list where it is one of messages."""
    found = elements(file, text)
    together: list[Any] | None = None
    index = -1
    try:
        for index, value in enumerate(found):
            if not index and _may_be_message(value):
                together = []
            if together is None:
                yield f"{name}:[{index}]", str(index + 1), value
            else:
                together.append(value)
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        place = f"{name}:[{index + 1}]"
        yield place, str(index + 2), wrong(place, f"not JSON: {error}")
        return
    if together is not None or index < 0:
        yield name, "", together or []


def _may_be_message(value: object) -> bool:
    """Return whether a list that begins with it is meant as one of messages."""
    if not isinstance(value, dict) or "messages" in value:
        return False
    return "role" in value or "content" in value
