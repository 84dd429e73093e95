"""How long appends take: beside bare inserts of the same rows, by one process and by several.

One process writes a block by the store, then the same block by the floor beside it, then the next
the other way round, so that whatever else the machine does hits both. Several processes write at
once by the store, then at once by the floor. Every round begins in a new place.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Barrier
from statistics import median
from typing import Any, Final, Self, TypeVar

from benchmarks._report import Row, percentile
from benchmarks._stores_places import Place, made
from benchmarks._stores_rows import OWNER, Group, Step, key_of, steps
from memory.errors import ConflictError
from memory.records import Turn
from memory.stores import Searching, Store

__all__ = ("Crew", "Load", "Round", "alone", "row", "together")

T = TypeVar("T")
PATIENCE: Final = 120.0
"""Seconds that processes wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is written in one round.

    Attributes:
        conversations: How many there are.
        appends: How many appends all processes make together.
        block: How many are made by one side before it is the other's turn.
        later: How many follow a search.
    """

    conversations: int
    appends: int
    block: int
    later: int


@dataclass(slots=True, kw_only=True)
class Round:
    """What one round took, in seconds.

    Attributes:
        ours: Of each append by the store.
        floor: Of each by the floor; empty where there is none.
        wall: From the first append to the last, by the store and by the floor.
        busy: Of the processor in this process, for one process alone.
        conflicts: How often the store said that somebody else was first.
        search: Of the search that indexes all; None where the store has none.
        searched: Of the appends after that search, by the store and by the floor.
    """

    ours: list[float]
    floor: list[float]
    wall: tuple[float, float]
    busy: tuple[float, float] = (0.0, 0.0)
    conflicts: int = 0
    search: float | None = None
    searched: tuple[float, float] | None = None

    @property
    def ratio(self) -> float | None:
        """How much longer the store took."""
        return self.wall[0] / self.wall[1] if self.floor else None

    @property
    def busier(self) -> float | None:
        """How much more of the processor it took: what else the machine does hardly shows."""
        return self.busy[0] / self.busy[1] if self.floor and self.busy[1] else None

    @property
    def indexed(self) -> float | None:
        """How much longer it took with a search that indexes all of it at the end."""
        if self.search is None or not self.floor:
            return None
        return (self.wall[0] + self.search) / self.wall[1]

    @property
    def after(self) -> float | None:
        """How much longer appends took after a search."""
        return self.searched[0] / self.searched[1] if self.searched else None


@dataclass(slots=True)
class _Author:
    """Appends to logs of a store, and reads those again to which somebody else appended."""

    store: Store
    conflicts: int = 0
    _seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Version and messages of each log, as far as known."""

    def __call__(self, step: Step) -> None:
        key, record = key_of(step.conversation), step.record
        version, messages = self._seen.get(step.conversation, (0, 0))
        while True:
            if record.start != messages:
                record = replace(record, start=messages)
            try:
                version = self.store.append(key, (record,), expected=version)
            except ConflictError:
                self.conflicts += 1
                log = self.store.load(key)
                assert log.records, "somebody else removed what was written here"  # noqa: S101
                version, last = log.version, log.records[-1]
                assert isinstance(last, Turn)  # noqa: S101  # nothing else is written here
                messages = last.start + len(last.messages)
            else:
                self._seen[step.conversation] = (version, messages + len(record.messages))
                return


def alone(kind: str, groups: Sequence[Group], load: Load, *, first: int) -> Round:
    """Return what one process took in a new place, from group `first` on."""
    count, size = load.appends, load.conversations
    todo = steps(groups, count + load.later, conversations=size, first=first)
    with made(kind) as place, ExitStack() as stack:
        store = stack.enter_context(place.store())
        store.known(OWNER, user=OWNER)  # opens it
        author, floor = _Author(store), place.floor()
        sides: list[Callable[[Step], None]] = [author]
        if floor is not None:
            sides.append(stack.enter_context(floor))
        taken = _alternating(sides, todo[:count], load.block)
        done = Round(
            ours=taken[0].appends,
            floor=taken[-1].appends if floor else [],
            wall=(taken[0].wall, taken[-1].wall),
            busy=(taken[0].busy, taken[-1].busy),
        )
        if floor is not None and isinstance(store, Searching):
            done.search = _search(store, todo[count - 1])
            after = _alternating(sides, todo[count:], load.block)
            done.searched = (after[0].wall, after[-1].wall)
    return done


@dataclass(slots=True)
class _Taken:
    """What appends of one side took, in seconds."""

    appends: list[float] = field(default_factory=list)
    busy: float = 0.0

    @property
    def wall(self) -> float:
        return sum(self.appends)

    def write(self, append: Callable[[Step], None], todo: Sequence[Step]) -> None:
        """Append, and note what it took."""
        taken, clock, busy = self.appends, time.perf_counter, time.thread_time()
        before = clock()
        for step in todo:
            append(step)
            now = clock()
            taken.append(now - before)
            before = now
        self.busy += time.thread_time() - busy


def _alternating(
    sides: Sequence[Callable[[Step], None]], todo: Sequence[Step], block: int
) -> list[_Taken]:
    """Return what the steps took each side; who begins a block changes."""
    taken = [_Taken() for _ in sides]
    for place in range(0, len(todo), block):
        backwards = place // block % 2 == 1
        for side in sorted(range(len(sides)), reverse=backwards):
            taken[side].write(sides[side], todo[place : place + block])
    return taken


def _search(store: Searching, last: Step) -> float:
    """Return the seconds of a search for a word that was said last."""
    texts = (m["content"] for m in last.record.messages if isinstance(m.get("content"), str))
    word = max(" ".join(texts).split(), key=len)
    before = time.perf_counter()
    found = store.search(OWNER, word, user=OWNER)
    taken = time.perf_counter() - before
    assert found  # noqa: S101  # else what was timed is not what it says
    return taken


class Crew:
    """Processes that are started once and begin each task at the same moment.

    Args:
        size: How many.
    """

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(size)
        self.size = size
        self._pool = ProcessPoolExecutor(
            size, mp_context=context, initializer=_join, initargs=(barrier,)
        )

    def __call__(self, work: Callable[..., T], *arguments: Any) -> list[T]:
        """Return what `work` returned in each process; its last argument is which one it is."""
        shares = [(place, self.size) for place in range(self.size)]
        # None can take two: it waits for the others within the first.
        made = [self._pool.submit(work, *arguments, share) for share in shares]
        return [each.result() for each in made]

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


_barriers: list[Barrier] = []


def _join(barrier: Barrier) -> None:
    _barriers.append(barrier)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one process of a crew took."""

    taken: list[float]
    begun: float
    ended: float
    conflicts: int


def together(crew: Crew, kind: str, groups: Sequence[Group], load: Load, *, first: int) -> Round:
    """Return what several processes took that write to one new place at once."""
    with made(kind) as place:
        ours = crew(_by_store, place, groups, load, first)
        floor: list[_Part] = []
        if (opened := place.floor()) is not None:
            if load.conversations == 1:  # one that all write to is there before
                (before,) = steps(groups, 1, conversations=1)
                with opened as write:
                    write(before._replace(values=(0, *before.values[1:])))
            floor = crew(_by_floor, place, groups, load, first)
    return Round(
        ours=[each for part in ours for each in part.taken],
        floor=[each for part in floor for each in part.taken],
        wall=(_wall(ours), _wall(floor)),
        conflicts=sum(part.conflicts for part in ours),
    )


def _wall(parts: Sequence[_Part]) -> float:
    if not parts:
        return 0.0
    return max(part.ended for part in parts) - min(part.begun for part in parts)


def _by_store(
    place: Place, groups: Sequence[Group], load: Load, first: int, share: tuple[int, int]
) -> _Part:
    with place.store() as store:
        store.known(OWNER, user=OWNER)
        author = _Author(store)
        part = _parted(author, groups, load, first, share)
        return replace(part, conflicts=author.conflicts)


def _by_floor(
    place: Place, groups: Sequence[Group], load: Load, first: int, share: tuple[int, int]
) -> _Part:
    opened = place.floor()
    assert opened is not None  # noqa: S101  # there was one in the process that asks
    with opened as write:
        return _parted(write, groups, load, first, share)


def _parted(
    write: Callable[[Step], None],
    groups: Sequence[Group],
    load: Load,
    first: int,
    share: tuple[int, int],
) -> _Part:
    count = load.appends // share[1]
    todo = steps(groups, count, conversations=load.conversations, first=first, share=share)
    _barriers[0].wait(PATIENCE)
    begun = time.perf_counter()
    taken = _Taken()
    taken.write(write, todo)
    return _Part(taken.appends, begun, time.perf_counter(), 0)


def row(kind: str, processes: int, load: Load, rounds: Sequence[Round]) -> Row:
    """Return the figures of some rounds: times over all, ratios as the median of the rounds."""
    ours = [each for done in rounds for each in done.ours]
    floor = [each for done in rounds for each in done.floor]
    walls = [sum(done.wall[side] for done in rounds) for side in (0, 1)]
    searches = [done.search for done in rounds if done.search is not None]
    return {
        "store": kind,
        "processes": processes,
        "conversations": load.conversations,
        "appends": len(ours),
        "appends/s": len(ours) / walls[0],
        **_times("", ours),
        "conflicts": sum(done.conflicts for done in rounds),
        "floor/s": len(floor) / walls[1] if floor else None,
        **_times("floor ", floor),
        **_middle("ratio", [done.ratio for done in rounds]),
        **_middle("processor ratio", [done.busier for done in rounds]),
        **_middle("ratio with indexing", [done.indexed for done in rounds]),
        **_middle("ratio after a search", [done.after for done in rounds]),
        "indexing us": median(searches) / load.appends * 1e6 if searches else None,
    }


def _times(name: str, seconds: Sequence[float]) -> Row:
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    found = {label: percentile(seconds, share) for label, share in shares.items()}
    return {f"{name}{k} ms": None if v is None else v * 1e3 for k, v in found.items()}


def _middle(name: str, values: Sequence[float | None]) -> Row:
    known = [value for value in values if value is not None]
    return {
        name: median(known) if known else None,
        f"{name}, lowest": min(known, default=None),
        f"{name}, highest": max(known, default=None),
    }
