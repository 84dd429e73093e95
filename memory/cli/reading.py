"""Reading conversations from files, in every format of `memory.formats`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from memory.cli.output import CommandError
from memory.formats import Row, rows
from memory.formats.wire import without_notes

__all__ = ("load", "load_one")


def load(
    path: Path, *, conversation: str | None = None, limit: int | None = None, chain: int = 1
) -> list[Row]:
    """Return the conversations of a file, in order, as rows of `memory.formats`.

    Keys of messages that start with `_` are still there; `memory.replay.join` needs their ids.

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
    with closing(rows(path)) as found:
        wanted = _from(found, conversation) if conversation else found
        count = 1 if conversation else limit
        chosen = list(islice(wanted, None if count is None else count * chain))
    if not chosen:
        raise _missing(path, conversation)
    return chosen


def load_one(path: Path, *, conversation: str | None = None) -> Row:
    """Return one conversation: `id`, `messages`, and `tools` and `model` where the file has them.

    It is the first one of the file, or that with the id `conversation`. Keys of messages that
    start with `_` are left out.

    Raises:
        CommandError: There is no such conversation in it.
        TranscriptError: The file holds none of these.
        OSError: It cannot be read.
    """
    with closing(rows(path)) as found:
        for each in found:
            if conversation in {None, each["id"]}:
                return {**each, "messages": [*map(without_notes, each["messages"])]}
    raise _missing(path, conversation)


def _missing(path: Path, conversation: str | None) -> CommandError:
    missing = "no conversation" if conversation is None else f"no conversation {conversation!r}"
    return CommandError(f"{path}: {missing} in it")


def _from(found: Iterable[Row], wanted: str) -> Iterator[Row]:
    """Yield the conversations from the wanted one on."""
    left = iter(found)
    for each in left:
        if each["id"] == wanted:
            yield each
            yield from left
