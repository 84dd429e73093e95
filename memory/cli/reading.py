"""Reading conversations from files: JSON lines, one object, or a bare list of messages."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from memory.cli.output import CommandError

__all__ = ("load", "load_one", "messages_of", "values", "without_notes")

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
        CommandError: The file does not hold that; the message says where.
        OSError: It cannot be read.
    """
    with _opened(path) as lines:
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
        CommandError: The file holds none of these.
        OSError: It cannot be read.
    """
    with _opened(path) as file:
        text = _text(file, name=str(path))
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


def values(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the JSON values of a file with their places: the only one, or those of its lines.

    Args:
        path: The file; `-` is standard input.

    Raises:
        CommandError: One of them is no JSON.
        OSError: It cannot be read.
    """
    with _opened(path) as file:
        text = _text(file, name=str(path))
    try:
        yield str(path), json.loads(text)
    except (ValueError, RecursionError):
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                place = f"{path}:{number}"
                yield place, _parsed(line, place=place)


def messages_of(value: Any, *, place: str) -> list[dict[str, Any]]:
    """Return the messages of a conversation that a file holds: a list, or `messages` of an object.

    Raises:
        CommandError: There are none, or one of them is no message.
    """
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list):
        raise CommandError(f"{place}: not an object with a list of `messages`")
    wrong = next((i for i, each in enumerate(messages) if not _is_message(each)), None)
    if wrong is not None:
        raise CommandError(f"{place}: message {wrong} is not an object with a `role`")
    return messages


def _opened(path: Path) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdin) if str(path) == "-" else path.open(encoding="utf-8-sig")


def _text(file: TextIO, *, name: str) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise CommandError(f"{name}: not UTF-8: {error}") from None


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
            yield _checked(_parsed(line, place=place), place=place, name=str(number))


def _parsed(line: str, *, place: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{place}: not JSON: {error}") from None


def _checked(value: Any, *, place: str, name: str) -> Conversation:
    whole = value if isinstance(value, dict) else {}
    messages = messages_of(whole, place=place)
    return {
        **whole,
        "id": str(whole.get("id", name)),
        "messages": [without_notes(message) for message in messages],
    }


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def without_notes(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without the keys of a data set's own, which start with `_`."""
    return {key: value for key, value in message.items() if not key.startswith("_")}
