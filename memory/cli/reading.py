"""Reading conversations from files: JSON lines, one object, or a bare list of messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from memory.cli.output import CommandError
from memory.testing.transcript_files import messages_of, opened, parsed, text_in, without_notes

__all__ = ("load", "load_one")

Conversation = dict[str, Any]


def load(
    path: Path, *, conversation: str | None = None, limit: int | None = None, chain: int = 1
) -> list[Conversation]:
    """Return the conversations of a file of JSON lines, in order.

    Args:
        path: The file; `-` is standard input.
        conversation: Begin at the one with this id, and take `chain`.
        limit: Take at most so many times `chain`; None for all.
        chain: How many will be joined into one.

    Raises:
        CommandError: There is no such conversation in it.
        TranscriptError: The file holds something else; the message says where.
        OSError: It cannot be read.
    """
    with opened(path) as lines:
        found = _conversations(lines, name=str(path))
        wanted = _from(found, conversation) if conversation else found
        count = 1 if conversation else limit
        chosen = list(islice(wanted, None if count is None else count * chain))
    if not chosen:
        missing = f"no conversation {conversation!r}" if conversation else "no conversation"
        raise CommandError(f"{path}: {missing} in it")
    return chosen


def load_one(path: Path, *, conversation: str | None = None) -> Conversation:
    """Return one conversation: `id`, `messages`, and `tools` and `model` where the file has them.

    The file is a list of messages, an object with `messages`, or JSON lines of such objects, of
    which the first is taken or the one with the id `conversation`. Keys of messages that start
    with `_` are left out.

    Raises:
        CommandError: There is no such conversation in it.
        TranscriptError: The file holds none of these.
        OSError: It cannot be read.
    """
    with opened(path) as file:
        text = text_in(file, name=str(path))
    try:
        value = json.loads(text)
    except ValueError:
        found = _conversations(text.splitlines(), name=str(path))
    else:
        whole = {"messages": value} if isinstance(value, list) else value
        found = iter([_checked(whole, place=str(path), name=path.stem)])
    for each in found:
        if conversation in {None, each["id"]}:
            return each
    missing = "no conversation" if conversation is None else f"no conversation {conversation!r}"
    raise CommandError(f"{path}: {missing} in it")


def _from(found: Iterator[Conversation], wanted: str) -> Iterator[Conversation]:
    """Yield the conversations from the wanted one on."""
    for each in found:
        if each["id"] == wanted:
            yield each
            yield from found


def _conversations(lines: Iterable[str], *, name: str) -> Iterator[Conversation]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            place = f"{name}:{number}"
            yield _checked(parsed(line, place=place), place=place, name=str(number))


def _checked(value: Any, *, place: str, name: str) -> Conversation:
    whole = value if isinstance(value, dict) else {}
    messages = messages_of(whole, place=place)
    return {
        **whole,
        "id": str(whole.get("id", name)),
        "messages": [without_notes(message) for message in messages],
    }
