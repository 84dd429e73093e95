"""Recorded conversations in files: JSON, JSON lines, and logs of requests."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, TextIO

from memory import models
from memory.errors import KimiMemoryError

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
_WRAPPERS = ("body", "request")
"""Keys under which logs keep what was sent, as the files of OpenAI's batches do."""


class TranscriptError(KimiMemoryError):
    """A file does not hold what it should; the message says where and what is wrong."""


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

    The file is JSON or JSON lines of conversations. A conversation is a list of messages, or an
    object with `messages` and perhaps `id`, `tools` and `model`, as it is or under `body` or
    `request`; lines that are messages are one conversation. Keys of messages that begin with `_`
    are left out. Of requests that continue each other the last one is returned.

    Args:
        path: The file; `-` is standard input.

    Raises:
        OSError: It cannot be read.
    """
    found: list[Transcript] = []
    skipped: list[Skipped] = []
    try:
        entries = [*_conversations(path)]
    except TranscriptError as error:
        return Reading(skipped=(_skipped(path, error),))
    for place, value in entries:
        try:
            found.append(transcript(value, place=place))
        except TranscriptError as error:
            skipped.append(Skipped(place=place, reason=_reason(place, error)))
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
        value: A list of messages, or an object with `messages`.
        place: Where it stands, for complaints.
        name: What it is called if it does not say so.

    Raises:
        TranscriptError: It is none, or one of its messages is none.
    """
    if isinstance(value, TranscriptError):
        raise value
    whole: Mapping[str, Any] = value if isinstance(value, dict) else {}
    body = _body(whole)
    messages = messages_of(value if isinstance(value, list) else body, place=place)
    if not messages:
        text = f"{place}: no messages in it"
        raise TranscriptError(text)
    tools, model = body.get("tools"), body.get("model")
    own = (whole.get(key) for key in ("id", "custom_id"))
    return Transcript(
        id=str(next((each for each in own if each is not None), name)),
        messages=[without_notes(message) for message in messages],
        tools=tools if isinstance(tools, list) else (),
        model=model if isinstance(model, str) and model else models.DEFAULT_MODEL,
        place=place,
    )


def values(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the JSON values of a file with their places: the only one, or those of its lines.

    Args:
        path: The file; `-` is standard input.

    Raises:
        TranscriptError: One of them is no JSON.
        OSError: It cannot be read.
    """
    for place, value in _entries(path):
        if isinstance(value, TranscriptError):
            raise value
        yield place, value


def messages_of(value: Any, *, place: str) -> list[dict[str, Any]]:
    """Return the messages of a conversation that a file holds: a list, or `messages` of an object.

    Raises:
        TranscriptError: There are none, or one of them is no message.
    """
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list):
        text = f"{place}: not an object with a list of `messages`"
        raise TranscriptError(text)
    wrong = next((i for i, each in enumerate(messages) if not _is_message(each)), None)
    if wrong is not None:
        text = f"{place}: message {wrong} is not an object with a `role`"
        raise TranscriptError(text)
    return messages


def without_notes(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without the keys of a data set's own, which start with `_`."""
    return {key: value for key, value in message.items() if not key.startswith("_")}


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
        text = f"{name}: not UTF-8: {error}"
        raise TranscriptError(text) from None


def parsed(line: str, *, place: str) -> Any:
    """Return the JSON value of a line.

    Raises:
        TranscriptError: It has none.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        text = f"{place}: not JSON: {error}"
        raise TranscriptError(text) from None


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the values of a file with their places, or in place of one why it is none."""
    with opened(path) as file:
        text = text_in(file, name=str(path))
    try:
        yield str(path), json.loads(text)
    except (ValueError, RecursionError):
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                place = f"{path}:{number}"
                yield place, _tried(line, place=place)


def _tried(line: str, *, place: str) -> Any:
    try:
        return parsed(line, place=place)
    except TranscriptError as error:
        return error


def _conversations(path: Path) -> list[tuple[str, Any]]:
    """Return what a file may hold as conversations, with their places."""
    entries = [*_entries(path)]
    if len(entries) > 1 and all(_is_message(value) and not _body(value) for _, value in entries):
        return [(str(path), [value for _, value in entries])]
    if len(entries) == 1 and isinstance(entries[0][1], list):
        inner = entries[0][1]
        if inner and not any(_is_message(each) for each in inner):
            return [(f"{path}:[{number}]", each) for number, each in enumerate(inner)]
    return entries


def _body(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what has the messages: an object, or what it has under a name that logs use."""
    if not isinstance(whole, dict):
        return {}
    inner = (whole.get(key) for key in _WRAPPERS)
    each: Any
    for each in (whole, *inner):
        if isinstance(each, dict) and "messages" in each:
            return each
    return {}


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def _is_hidden(path: Path) -> bool:
    return any(name.startswith(".") for name in path.parts)


def _skipped(path: Path, error: TranscriptError) -> Skipped:
    return Skipped(place=str(path), reason=_reason(str(path), error))


def _reason(place: str, error: TranscriptError) -> str:
    return str(error).removeprefix(f"{place}: ")


def _latest(found: Sequence[Transcript]) -> list[Transcript]:
    """Return the conversations without those that another one goes on from."""
    chains = [_chain(each) for each in found]
    inner = {link for chain in chains for link in chain[:-1]}
    return [each for each, chain in zip(found, chains, strict=True) if chain[-1] not in inner]


def _chain(one: Transcript) -> list[bytes]:
    """Return a hash for each beginning of a conversation, the whole one included."""
    links: list[bytes] = []
    link = b""
    for message in one.messages:
        text = json.dumps(message, sort_keys=True)
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
