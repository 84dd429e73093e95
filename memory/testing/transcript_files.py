"""Recorded conversations in files, in the formats of `memory.formats`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from memory import formats, models
from memory.formats import TranscriptError
from memory.formats.failures import wrong
from memory.formats.files import opened, parsed, text_in, values
from memory.formats.wire import messages_of, without_notes
from memory.identity import normal_form

__all__ = (
    "Reading",
    "Skipped",
    "Transcript",
    "TranscriptError",
    "find",
    "messages_of",
    "opened",
    "parsed",
    "read",
    "text_in",
    "transcript",
    "values",
    "without_notes",
)

SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
"""The names of files that are looked into in a directory end with one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One recorded conversation.

    Attributes:
        id: What it is called.
        messages: Its messages as they go over the wire.
        tools: The tool declarations that were sent with them.
        model: The model they were sent to.
        place: Where it stands: the file, and the line where that holds several.
    """

    id: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    model: str = models.DEFAULT_MODEL
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that is no conversation.

    Attributes:
        place: The file, and the line where that is meant.
        reason: What is wrong with it.
    """

    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file holds.

    Attributes:
        transcripts: Its conversations, each with an id of its own.
        skipped: What else was in it.
        continued: Requests that are the beginning of a later one: that stands for both.
    """

    transcripts: tuple[Transcript, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    continued: int = 0


def find(path: Path) -> list[Path]:
    """Return the files to look into: the one named, or those of a directory and below it.

    In a directory they are those whose names end in `.json`, `.jsonl` or `.ndjson`, by name;
    what begins with a dot is left out.

    Raises:
        TranscriptError: There is no such file or directory.
    """
    if not path.is_dir():
        if str(path) != "-" and not path.exists():
            text = f"{path}: there is no such file or directory"
            raise TranscriptError(text)
        return [path]
    inside = (each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())
    return sorted(each for each in inside if not _is_hidden(each.relative_to(path)))


def read(path: Path) -> Reading:
    """Return the conversations of a file, and what in it is none.

    The file is in one of the formats of `memory.formats`: JSON or JSON lines of conversations,
    lines that are messages, a log of requests, a corpus. A log may keep the replies as well. Keys
    of messages that begin with `_` are left out. Of requests that continue each other the last
    one is returned.

    Args:
        path: The file; `-` is standard input.

    Raises:
        OSError: It cannot be read.
    """
    found: list[Transcript] = []
    skipped: list[Skipped] = []
    for each in formats.scan(path):
        try:
            if each.problem is not None:
                raise each.problem
            found.append(_of(each.row or {}, place=each.place, name=""))
        except TranscriptError as error:
            skipped.append(Skipped(place=each.place, reason=_reason(each.place, error)))
    if not found and len(skipped) > 1:
        reasons = {each.reason for each in skipped}
        told = reasons.pop() if len(reasons) == 1 else f"{skipped[0].reason}, and so on"
        skipped = [Skipped(place=str(path), reason=told)]
    last = _latest(found)
    return Reading(
        transcripts=tuple(_named(last, stem=path.stem)),
        skipped=tuple(skipped),
        continued=len(found) - len(last),
    )


def transcript(value: Any, *, place: str = "", name: str = "") -> Transcript:
    """Return a conversation as `read` understands it.

    Args:
        value: A list of messages, an object with `messages`, or one of another known format.
        place: Where it stands, for complaints.
        name: What it is called if it does not say so.

    Raises:
        TranscriptError: It is none, or one of its messages is none.
    """
    return _of(formats.row(value, place=place), place=place, name=name)


def _of(row: Mapping[str, Any], *, place: str, name: str) -> Transcript:
    messages = row["messages"]
    if not messages:
        raise wrong(place, "no messages in it")
    tools, model = row.get("tools"), row.get("model")
    return Transcript(
        id=str(row.get("id", name)),
        messages=[without_notes(message) for message in messages],
        tools=tools if isinstance(tools, list) else (),
        model=model if isinstance(model, str) and model else models.DEFAULT_MODEL,
        place=place,
    )


def _is_hidden(path: Path) -> bool:
    return any(name.startswith(".") for name in path.parts)


def _reason(place: str, error: TranscriptError) -> str:
    return str(error).removeprefix(f"{place}: ")


def _latest(found: Sequence[Transcript]) -> list[Transcript]:
    """Return the conversations without those that another one goes on from."""
    chains = [_chain(each) for each in found]
    inner = {link for chain in chains for link in chain[:-1]}
    return [each for each, chain in zip(found, chains, strict=True) if chain[-1] not in inner]


def _chain(one: Transcript) -> list[bytes]:
    """Return a hash for each beginning of a conversation, the whole one included.

    It is of what messages mean: a logged reply and the same one sent again are equal.
    """
    links: list[bytes] = []
    link = b""
    for message in one.messages:
        text = json.dumps(normal_form(message), sort_keys=True, default=str)
        link = blake2b(link + text.encode(), digest_size=16).digest()
        links.append(link)
    return links


def _named(found: Sequence[Transcript], *, stem: str) -> Iterator[Transcript]:
    """Yield conversations with ids that differ: one without has its number, or the file's name."""
    seen: dict[str, int] = {}
    for number, each in enumerate(found, start=1):
        name = each.id or (str(number) if len(found) > 1 else stem)
        seen[name] = seen.get(name, 0) + 1
        yield replace(each, id=f"{name}#{seen[name]}" if seen[name] > 1 else name)
