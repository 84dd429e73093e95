"""Conversations of up to a million messages in a store, to time what recall adds to a turn.

Words are as frequent as in a language: the second half as frequent as the first, the third a third,
and so on. Every third message holds a number that no other has.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, product
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from benchmarks._synthetic import WORDS
from memory.records import LogKey, Turn

__all__ = ("KEY", "Message", "filled", "questions", "store_of", "stores", "written")

Message = dict[str, Any]
KEY: Final = LogKey(namespace="scale", user="u", name="long")
"""The conversation."""
LENGTH: Final = 16
"""Words of a message."""
ASKED: Final = 9
"""Words of a question."""
SYLLABLES: Final = ("ba", "co", "den", "fi", "gor", "hu", "lam", "mi", "nos", "pel", "ru", "tav")
AT_ONCE: Final = 1_000
"""Messages that are appended at once."""
POSTGRES: Final = ("KIMI_MEMORY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
PATIENCE: Final = 2
"""Seconds in which a server has to answer."""
_VOCABULARY: Final = (*WORDS, *("".join(each) for each in product(SYLLABLES, repeat=4)))
_WEIGHTS: Final = [*accumulate(1 / rank for rank in range(1, len(_VOCABULARY) + 1))]


def written(size: int, *, start: int = 0) -> list[Message]:
    """Return so many messages, the same ones each time; users and assistants by turns."""
    chance = random.Random(f"scale {start}")
    return [_message(chance, place) for place in range(start, start + size)]


def _message(chance: random.Random, place: int) -> Message:
    text = _words(chance, LENGTH)
    text += f" order {place:07}" if place % 3 == 0 else ""
    return {"role": "assistant" if place % 2 else "user", "content": f"{text}."}


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=count))


def questions(messages: Sequence[Message], count: int) -> list[str]:
    """Return questions with words of messages anywhere; every fifth has only frequent words."""
    chance = random.Random("questions")
    return [_question(chance, messages, number) for number in range(count)]


def _question(chance: random.Random, messages: Sequence[Message], number: int) -> str:
    said = chance.choice(messages)["content"].rstrip(".").split()
    words = chance.sample(WORDS[:40], ASKED) if number % 5 == 4 else said[-ASKED:]
    return f"What was it about {' '.join(words)}?"


def filled(store: Any, messages: Sequence[Message]) -> int:
    """Put a conversation on record, have it indexed, and return its version."""
    version = 0
    for start in range(0, len(messages), AT_ONCE):
        turn = Turn(start=start, messages=tuple(messages[start : start + AT_ONCE]))
        version = store.append(KEY, [turn], expected=version)
    store.index(KEY)
    return version


def stores() -> list[str]:
    """Return the kinds of stores that are there: `sqlite`, and `postgres` where one answers."""
    parts = urlsplit(_postgres())
    try:
        address = (parts.hostname or "127.0.0.1", parts.port or 5432)
        socket.create_connection(address, PATIENCE).close()
    except OSError:
        return ["sqlite"]
    return ["sqlite", "postgres"]


def _postgres() -> str:
    variable, usual = POSTGRES
    return os.environ.get(variable) or usual


@contextmanager
def store_of(kind: str) -> Iterator[Any]:
    """Open an empty store, and remove all of it at the end.

    Args:
        kind: `sqlite` or `postgres`.
    """
    with _sqlite() if kind == "sqlite" else _schema() as store:
        yield store


@contextmanager
def _sqlite() -> Iterator[Any]:
    from memory.stores.sqlite import SqliteStore  # noqa: PLC0415  # each when it is asked for

    with (
        tempfile.TemporaryDirectory(prefix="kimi-memory-bench-") as folder,
        SqliteStore(Path(folder) / "scale.db", timeout=60) as store,
    ):
        yield store


@contextmanager
def _schema() -> Iterator[Any]:
    import psycopg  # noqa: PLC0415  # only where there is a server
    from psycopg import sql  # noqa: PLC0415  # as above

    from memory.stores.postgres import PostgresStore  # noqa: PLC0415  # as above

    url, name = _postgres(), f"recall_{uuid4().hex}"
    try:
        with PostgresStore(url, schema=name) as store:
            store.upgrade()
            yield store
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name))
            connection.execute(drop)
