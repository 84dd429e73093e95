"""What a store takes for one operation, and for each conversation, as conversations become many.

The store is grown from one size to the next. At each size a store object that has read nothing yet
is asked about conversations that are spread over all of it; figures are medians. A user has ten
conversations, so that what concerns one user has the same size everywhere.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from benchmarks._report import Row
from benchmarks._stores_places import SqlitePlace, made
from benchmarks._synthetic import Writer
from memory.records import Compaction, LogKey, Segment, Turn
from memory.stores.volatile import VolatileStore

__all__ = ("KINDS", "OPERATIONS", "filled")

KINDS: Final = ("volatile", "sqlite", "postgres", "redis")
OPERATIONS: Final = (
    *("begin", "append", "load", "list a user", "list all", "search", "put", "find", "delete"),
)
"""What is timed: `put` is the append of a compaction that is found by its hashes."""
NAMESPACE: Final = "scale"
OF_A_USER: Final = 10
TURNS: Final = 2
"""How many a conversation has."""
PAGE: Final = 10
"""Conversations on a page of a list."""
LONG: Final = 200
"""Turns of a conversation that is long; one in a thousand is."""
EVERY: Final = 1_000
RARE: Final = "zanzibar"
"""What one conversation in ten speaks of, and what is searched for."""
TEXTS: Final = 500
"""Different texts; a store does not mind that they come again."""
SEED: Final = 7
UNSYNCED: Final = "?options=-csynchronous_commit%3Doff"
"""What a URL of PostgreSQL ends with, so that commits do not wait for the disk."""


@dataclass(frozen=True, slots=True)
class Library:
    """What is said.

    Attributes:
        texts: In turn.
    """

    texts: Sequence[str]

    @classmethod
    def written(cls) -> Library:
        """Return so many texts of usual size."""
        writer = Writer(NAMESPACE)
        return cls([writer.text(200.0) for _ in range(TEXTS)])

    def turns(self, number: int, count: int) -> list[Turn]:
        """Return the turns of a conversation."""
        return [self.turn(number, place) for place in range(count)]

    def turn(self, number: int, place: int) -> Turn:
        """Return one turn of a conversation."""
        text = self.texts[(number * 7 + place) % TEXTS]
        asked = f"{text} {RARE}" if number % OF_A_USER == 0 and not place else text
        said = self.texts[(number * 11 + place) % TEXTS]
        messages = ({"role": "user", "content": asked}, {"role": "assistant", "content": said})
        return Turn(start=2 * place, messages=messages, replied=True)


def key_of(number: int) -> LogKey:
    """Return the key of a conversation."""
    return LogKey(namespace=NAMESPACE, user=_user(number), name=f"trip {number}")


def _user(number: int) -> str:
    return f"user {number // OF_A_USER:06}"


def _root(number: int) -> LogKey:
    """Return the key of a log without a name, as callers have it who send everything."""
    return LogKey(namespace=NAMESPACE, user=_user(number), root=_hash("root", number).hex())


def _hash(of: str, number: int) -> bytes:
    return f"{of[0]}{number:015}".encode()


def _compaction(number: int) -> Compaction:
    segment = Segment(text="They planned a trip.", first=1, last=4, tokens=8, author="scale")
    return Compaction(
        covered=4,
        coverage=_hash("coverage", number),
        adopted=6,
        adoption=_hash("adoption", number),
        segments=(segment,),
        mark=_hash("mark", number),
    )


def filled(kind: str, sizes: Sequence[int], repeats: int) -> list[Row]:
    """Return a row for each size of one kind of store.

    Args:
        kind: Which.
        sizes: How many conversations, rising.
        repeats: How often each operation is timed, where there are so many conversations.
    """
    library, rows, done = Library.written(), list[Row](), 0
    with _place(kind) as place:
        for size in sizes:
            with place.store() as store:
                seconds = _fill(store, library, range(done, size))
            row = {"store": kind, "conversations": size, "filled a second": None}
            if size > done + 1:
                row["filled a second"] = (size - done) / seconds
            done = size
            times = _Times(place, library, size, min(repeats, size)).measured()
            known = _size(place)
            row |= {f"{name} ms": times.get(name) for name in OPERATIONS}
            row["KiB a conversation"] = None if known is None else known / 1024 / size
            if isinstance(place, SqlitePlace):
                row["delete and scrub ms"] = _scrubbed(place, library, size)
            rows.append(row)
    return rows


def _fill(store: Any, library: Library, numbers: range) -> float:
    begun = perf_counter()
    for number in numbers:
        long = number % EVERY == EVERY - 1
        store.append(key_of(number), library.turns(number, LONG if long else TURNS), expected=0)
        if number % OF_A_USER == 0:
            store.append(_root(number), [_compaction(number)], expected=0)
    return perf_counter() - begun


class _Times:
    """Times operations on one store of a size, on conversations by chance, each once."""

    def __init__(self, place: Any, library: Library, size: int, repeats: int) -> None:
        chance = random.Random(SEED + size)
        self._place = place
        self._library = library
        self._size = size
        self._numbers = chance.sample(range(size), repeats)
        self._fresh = range(size + 10 * size % 7, size + 10 * size % 7 + repeats)

    def measured(self) -> dict[str, float]:
        """Return the median milliseconds by operation; what a store cannot do is left out."""
        with self._place.store() as store:
            store.known(NAMESPACE, user="nobody")  # opens it
            return {
                name: median(times) * 1e3 for name, times in self._all(store) if times is not None
            }

    def _all(self, store: Any) -> Iterator[tuple[str, list[float] | None]]:
        numbers, fresh, library = self._numbers, self._fresh, self._library
        yield "load", [_timed(store.load, key_of(number)) for number in numbers]
        yield "append", [self._appended(store, number) for number in numbers]
        users = [_user(number) for number in numbers]
        yield (
            "list a user",
            [_timed(store.conversations, NAMESPACE, user=user, limit=PAGE) for user in users],
        )
        after = [(key_of(number).user, key_of(number).name) for number in numbers]
        yield (
            "list all",
            [_timed(store.conversations, NAMESPACE, after=place, limit=PAGE) for place in after],
        )
        found = None
        if hasattr(store, "search"):
            for user in users:  # the first search of a user indexes what they said
                store.search(NAMESPACE, RARE, user=user)
            found = [_timed(store.search, NAMESPACE, RARE, user=user) for user in users]
        yield "search", found
        records = {number: [_compaction(number)] for number in fresh}
        yield "put", [_timed(store.append, _root(n), records[n], expected=0) for n in fresh]
        links = [frozenset({_hash("adoption", n), _hash("other", n)}) for n in fresh]
        where = [_user(number) for number in fresh]
        yield (
            "find",
            [
                _timed(store.find, NAMESPACE, each, user=user)
                for each, user in zip(links, where, strict=True)
            ],
        )
        for number in fresh:
            store.forget(_root(number))
        turns = {number: library.turns(number, TURNS) for number in fresh}
        yield "begin", [_timed(store.append, key_of(n), turns[n], expected=0) for n in fresh]
        yield "delete", [_timed(_unscrubbed(store).forget, key_of(number)) for number in fresh]

    def _appended(self, store: Any, number: int) -> float:
        key = key_of(number)
        version = store.load(key).version
        turn = self._library.turn(number, version)
        return _timed(store.append, key, [turn], expected=version)


def _timed(call: Callable[..., Any], *args: Any, **options: Any) -> float:
    begun = perf_counter()
    call(*args, **options)
    return perf_counter() - begun


def _unscrubbed(store: Any) -> Any:
    """Return a store that does not rewrite its file after a removal, where it would."""
    if hasattr(store, "_scrub"):
        store._scrub = False  # noqa: SLF001  # an argument of the store, which is open already
    return store


def _scrubbed(place: SqlitePlace, library: Library, size: int) -> float:
    """Return the milliseconds of a removal after which the file is rewritten."""
    with place.store() as store:
        key = key_of(2 * size + 1)
        store.append(key, library.turns(0, TURNS), expected=0)
        return _timed(store.forget, key) * 1e3


@contextmanager
def _place(kind: str) -> Iterator[Any]:
    if kind == "volatile":
        yield _Roomy(VolatileStore(conversations=1_000_000, messages=10_000_000))
        return
    with made(kind) as place:
        # What grows is looked for, and not what the disk of a server takes to sync.
        yield replace(place, url=place.url + UNSYNCED) if kind == "postgres" else place  # type: ignore[attr-defined, type-var]


@dataclass(frozen=True, slots=True)
class _Roomy:
    """The memory of this process, without the bounds that forget the oldest conversations."""

    kept: VolatileStore

    @contextmanager
    def store(self) -> Iterator[VolatileStore]:
        """Return the one store there is."""
        yield self.kept


def _size(place: Any) -> float | None:
    """Return the bytes of a file; None where there is none."""
    if not isinstance(place, SqlitePlace):
        return None
    folder = Path(place.folder)
    return float(sum(os.stat(each).st_size for each in folder.glob("store.db*")))  # noqa: PTH116
