"""Conversations in the formats that others publish them in, as rows of one schema.

A row is an object with `id` and `messages`, which are wire messages, perhaps with `_id`,
`_session` and `_time`; and with `tools`, `probes` and `lang` where they are known. A probe has
`qid`, `type`, `question`, `answers` and `evidence` (the `_id` of messages), and `abstain` where
the right answer is that there is none.

What a file holds is recognised by its content: LoCoMo, LongMemEval, tau-bench and tau2-bench,
ShareGPT, and OpenAI's lists of messages, fine-tuning and batch lines and logs of requests.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from memory.formats import locomo, longmemeval, openai, sharegpt, tau
from memory.formats.failures import TranscriptError
from memory.formats.files import Entry, entries, opened
from memory.formats.wire import Row

__all__ = ("Found", "Row", "TranscriptError", "row", "rows", "scan")


class _Format(Protocol):
    def recognises(self, value: Any) -> bool: ...
    def row(self, value: Any, *, place: str, number: int) -> Row: ...


_FORMATS: tuple[_Format, ...] = (locomo, longmemeval, tau, sharegpt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One conversation of a file, or why something in it is none.

    Attributes:
        place: Where it stands: the file, and the line, element or run where it has several.
        name: What it is called if it does not say so: its number, or the name of the file.
        row: The conversation; `id` is only there where the file gives one.
        problem: Why it is none, and `row` is None.
    """

    place: str
    name: str
    row: Row | None = None
    problem: TranscriptError | None = None


def row(value: Any, *, place: str = "", number: int = 0) -> Row:
    """Return one conversation, as a file holds it, as a row; without `id` if it does not give one.

    Args:
        value: What JSON was read.
        place: Where it stands, for complaints.
        number: Its place among others, from 0; ids of data sets without ids are made with it.

    Raises:
        TranscriptError: It is no conversation in a known format.
    """
    if isinstance(value, TranscriptError):
        raise value
    for each in _FORMATS:
        if each.recognises(value):
            return each.row(value, place=place, number=number)
    return openai.row(value, place=place, number=number)


def rows(path: Path) -> Generator[Row]:
    """Yield the conversations of a file, each with an `id`, as they are read.

    Args:
        path: The file; `-` is standard input.

    Raises:
        TranscriptError: Something in it is no conversation in a known format.
        OSError: It cannot be read.
    """
    for found in scan(path):
        if found.row is None:
            raise found.problem or TranscriptError(found.place)
        yield {**found.row, "id": str(found.row.get("id", found.name))}


def scan(path: Path) -> Generator[Found]:
    """Yield the conversations of a file as they are read, and what in it is none.

    Args:
        path: The file; `-` is standard input.

    Raises:
        OSError: It cannot be read.
    """
    with opened(path) as file:
        number = 0
        for place, name, value in _together(entries(file, name=str(path)), name=str(path)):
            for inner, part in tau.parts(value, place=place):
                yield _found(part, inner, name=name or path.stem, number=number)
                number += 1


def _found(value: Any, place: str, *, name: str, number: int) -> Found:
    try:
        return Found(place=place, name=name, row=row(value, place=place, number=number))
    except TranscriptError as error:
        return Found(place=place, name=name, problem=error)


def _together(found: Iterator[Entry], *, name: str) -> Iterator[Entry]:
    """Yield values, but one list where all of several are messages: the lines of one talk."""
    held: list[Entry] = []
    for entry in found:
        if not openai.is_message(entry[2]):
            yield from held
            yield entry
            yield from found
            return
        held.append(entry)
    if len(held) > 1:
        yield name, "", [value for _, _, value in held]
    else:
        yield from held
