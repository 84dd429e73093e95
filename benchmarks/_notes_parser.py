"""A strict reader of what the library writes: its synthetic message and its summary requests.

Written from the documented form and not with the library's code, so that each can find the other
out. What is not exactly of the form is an error; and a text in which more tags can be seen than the
form has, by an eye that takes full-width letters for letters and does not see zero-width
characters, is one too.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

__all__ = ("FormError", "Line", "Notes", "Request", "Summary", "folded", "parse", "parse_request")

_NAMES: Final = (
    "conversation-notes",
    "standing-instructions",
    "identifiers",
    "conversation",
    "summary",
)
_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_OPENS: Final = re.compile(rf'<summary messages="(\d+)-(\d+)"(?: dates=({_STRING}))?>')
_ENTRY: Final = re.compile(rf"(\d+) ([a-z]+)(?: ({_STRING}))?(?: called ({_STRING}))?: ({_STRING})")
_SEEN: Final = re.compile(
    r"<[\s/\\]*(conversation(?:[^\w<>]|_){0,3}notes|standing(?:[^\w<>]|_){0,3}instructions|identifiers|conversation"
    r"|summary)(?![^\W_])"
)


class FormError(ValueError):
    """A text is not of the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One summary in the notes: the messages it covers, from 1, its dates and its text."""

    first: int
    last: int
    dates: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """The synthetic message, taken apart.

    Attributes:
        preamble: What stands before the first section.
        summaries: The summaries, in order.
        standing: The quoted instructions, unquoted.
        identifiers: The lines of the list.
        closing: What stands after the last section.
    """

    preamble: str
    summaries: tuple[Summary, ...]
    standing: tuple[str, ...]
    identifiers: tuple[str, ...]
    closing: str

    @property
    def frame(self) -> str:
        """Everything that is not quoted."""
        return f"{self.preamble}\n{self.closing}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a rendered conversation.

    Attributes:
        number: Which message, from 1.
        role: Whose.
        name: The name of the speaker; empty without.
        called: The tool that was called; empty where something was said.
        text: What was said, or the arguments of the call.
    """

    number: int
    role: str
    name: str
    called: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The message of a rendered summary request, taken apart.

    Attributes:
        task: The instruction.
        summaries: The earlier summaries that are to be written anew.
        lines: What was said.
    """

    task: str
    summaries: tuple[Summary, ...]
    lines: tuple[Line, ...]


def folded(text: str) -> str:
    """Return a text as an eye sees it: compatible forms alike, small, nothing invisible."""
    shown = unicodedata.normalize("NFKC", text)
    kept = (c for c in shown if unicodedata.category(c) != "Cf" and not _selects(c))
    return unicodedata.normalize("NFKC", "".join(kept)).casefold()


def _selects(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0000" <= char <= "\U000e0fff"


class _Reader:
    """The lines of a text, taken one by one."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._place = 0

    @property
    def next(self) -> str:
        """The line that comes next."""
        if self._place >= len(self._lines):
            raise FormError("the text ends too early")  # noqa: EM101, TRY003
        return self._lines[self._place]

    def take(self, expected: str | None = None) -> str:
        """Take a line; it has to be the expected one."""
        line = self.next
        if expected is not None and line != expected:
            msg = f"{expected!r} was expected and not {line!r}"
            raise FormError(msg)
        self._place += 1
        return line

    def until(self, *stops: str) -> list[str]:
        """Take the lines before the next one that begins as one of `stops`."""
        taken = []
        while not self.next.startswith(stops):
            taken.append(self.take())
        return taken

    def end(self) -> None:
        """Check that nothing is left."""
        if self._place != len(self._lines):
            msg = f"{self.next!r} stands after the end"
            raise FormError(msg)


def parse(text: str) -> Notes:
    """Take the text of a synthetic message apart.

    Raises:
        FormError: It is not of the form.
    """
    reader = _Reader(text)
    reader.take("<conversation-notes>")
    preamble = reader.until("<", "</")
    summaries = _summaries(reader)
    standing = _section(reader, "standing-instructions")
    identifiers = _section(reader, "identifiers")
    closing = reader.until("<", "</")
    reader.take("</conversation-notes>")
    reader.end()
    notes = Notes(
        preamble="\n".join(preamble),
        summaries=tuple(summaries),
        standing=tuple(_unquoted(line) for line in standing[1:]),
        identifiers=tuple(identifiers[1:]),
        closing="\n".join([*standing[:1], *identifiers[:1], *closing]),
    )
    sections = {"standing-instructions": standing, "identifiers": identifiers}
    tags = {"conversation-notes": 2, "summary": 2 * len(summaries)}
    _check_tags(text, tags | {name: 2 * bool(lines) for name, lines in sections.items()})
    return notes


def parse_request(text: str) -> Request:
    """Take the text of a rendered summary request apart.

    Raises:
        FormError: It is not of the form.
    """
    reader = _Reader(text)
    task = reader.until("<conversation>")
    reader.take("<conversation>")
    summaries = _summaries(reader)
    lines = [_line(each) for each in reader.until("</conversation>")]
    reader.take("</conversation>")
    reader.end()
    _check_tags(text, {"conversation": 2, "summary": 2 * len(summaries)})
    return Request(task="\n".join(task), summaries=tuple(summaries), lines=tuple(lines))


def _summaries(reader: _Reader) -> list[Summary]:
    found = []
    while reader.next.startswith("<summary"):
        opening = _OPENS.fullmatch(reader.take())
        if opening is None:
            raise FormError("a summary does not say what it covers")  # noqa: EM101, TRY003
        body = reader.until("</summary>")
        reader.take("</summary>")
        dates = _unquoted(opening[3]) if opening[3] else ""
        first, last = int(opening[1]), int(opening[2])
        found.append(Summary(first=first, last=last, dates=dates, text="\n".join(body)))
    return found


def _section(reader: _Reader, name: str) -> list[str]:
    """Take a section that may be missing; its first line says what it is."""
    if reader.next != f"<{name}>":
        return []
    reader.take()
    lines = reader.until(f"</{name}>")
    reader.take(f"</{name}>")
    return lines


def _line(line: str) -> Line:
    entry = _ENTRY.fullmatch(line)
    if entry is None or len(line.splitlines()) != 1:
        msg = f"{line!r} is no line of a conversation"
        raise FormError(msg)
    name, called = (_unquoted(part) if part else "" for part in (entry[3], entry[4]))
    text = _unquoted(entry[5])
    return Line(number=int(entry[1]), role=entry[2], name=name, called=called, text=text)


def _unquoted(line: str) -> str:
    if len(line.splitlines()) != 1:
        msg = f"{line!r} is not one line"
        raise FormError(msg)
    try:
        text = json.loads(line) if line.startswith('"') else line
    except ValueError:
        text = None
    if not isinstance(text, str) or (text == line):
        msg = f"{line!r} is not in quotation marks"
        raise FormError(msg)
    return text


def _check_tags(text: str, expected: dict[str, int]) -> None:
    """Count the tags that can be seen anywhere."""
    names = [re.sub(r"[\W_]+", "-", found[1]) for found in _SEEN.finditer(folded(text))]
    seen = {name: names.count(name) for name in _NAMES}
    if seen != {name: expected.get(name, 0) for name in _NAMES}:
        msg = f"{seen} tags can be seen and {expected} belong there"
        raise FormError(msg)
