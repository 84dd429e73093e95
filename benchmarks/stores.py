"""What an append costs in each store, and what loading a long conversation does.

    python -m benchmarks.stores --json

Appends are turns of conversations, one record in a transaction, version-checked; of several
processes that write to one conversation the losers read on and try again. The floor is a bare
insert of the same rows, which were encoded before: into the same tables with the same unique key,
by the same driver and settings, one record in a transaction. Store and floor alternate, in a new
place every round. *With indexing* adds one search at the end, which indexes all that was
appended; *after a search* are appends to a store that was searched before.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks._report import Check, Figure, Report, Row
from benchmarks._stores_loads import loads
from benchmarks._stores_places import KINDS, unreachable
from benchmarks._stores_rows import Group, source
from benchmarks._stores_runs import Crew, Load, alone, row, together

__all__ = ("FULL", "QUICK", "Setup", "checks", "main", "measure")

VARIABLE: Final = "KIMI_MEMORY_DATA"
BOUNDS: Final = {"ratio": 1.6, "ratio with indexing": 2.0}
"""How much longer than the floor appends of one process may take."""
WORDS: Final = {
    "ratio": "appends without a search index / bare inserts",
    "ratio with indexing": "appends and a search that indexes them / bare inserts",
    "ratio after a search": "appends that the next search is to index / bare inserts",
}
BOUNDED: Final = ("sqlite", "postgres")
VOLATILE: Final = "volatile"
REMOTE: Final = ("postgres", "redis")
SHOWN: Final = (
    "store",
    "processes",
    "conversations",
    "appends/s",
    "p99 ms",
    "conflicts",
    "floor/s",
    "floor p99 ms",
    *("ratio", "ratio with indexing", "ratio after a search"),
)
"""The columns that people see; JSON has more."""
PACKAGES: Final = ("psycopg", "psycopg-pool", "redis", "cryptography")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is appended.

    Attributes:
        appends: In one round by one process.
        later: How many follow a search.
        crowd: In one round by several processes together.
        rounds: Rounds by one process, and by several.
    """

    appends: int
    later: int
    crowd: int
    rounds: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much is run.

    Attributes:
        local: What is appended to stores in this process.
        remote: What is appended to those that wait for a server, and for its disk.
        conversations: To one conversation, and to how many others.
        block: Appends before it is the other side's turn.
        processes: How many several are.
        messages: Messages of the conversation that is loaded.
        repeats: How often it is.
    """

    local: Size = Size(appends=6_000, later=2_000, crowd=4_000, rounds=(5, 3))
    remote: Size = Size(appends=2_000, later=500, crowd=1_000, rounds=(3, 3))
    conversations: tuple[int, int] = (1, 1_000)
    block: int = 250
    processes: int = 4
    messages: int = 10_000
    repeats: int = 5

    def size(self, kind: str) -> Size:
        """Return how much is appended to a kind of store."""
        return self.remote if kind in REMOTE else self.local


TINY: Final = Size(appends=40, later=20, crowd=20, rounds=(1, 1))
FULL: Final = Setup()
QUICK: Final = Setup(
    local=TINY,
    remote=TINY,
    conversations=(1, 10),
    block=10,
    processes=2,
    messages=100,
    repeats=1,
)


def measure(
    kinds: Sequence[str], groups: Sequence[Group], setup: Setup
) -> tuple[list[Row], list[Row]]:
    """Return the rows of appends and of loads."""
    appends = [
        _alone(kind, groups, setup, conversations)
        for kind in kinds
        for conversations in setup.conversations
    ]
    with Crew(setup.processes) as crew:
        appends += [
            _together(crew, kind, groups, setup, conversations)
            for kind in kinds
            if kind != VOLATILE  # which other processes cannot write to
            for conversations in setup.conversations
        ]
    return appends, [loads(kind, groups, setup.messages, setup.repeats) for kind in kinds]


def _alone(kind: str, groups: Sequence[Group], setup: Setup, conversations: int) -> Row:
    size = setup.size(kind)
    load = Load(
        conversations=conversations, appends=size.appends, block=setup.block, later=size.later
    )
    firsts = range(0, size.rounds[0] * load.appends, load.appends)
    return row(kind, 1, load, [alone(kind, groups, load, first=first) for first in firsts])


def _together(
    crew: Crew, kind: str, groups: Sequence[Group], setup: Setup, conversations: int
) -> Row:
    size = setup.size(kind)
    load = Load(conversations=conversations, appends=size.crowd, block=size.crowd, later=0)
    firsts = range(0, size.rounds[1] * load.appends, load.appends)
    rounds = [together(crew, kind, groups, load, first=first) for first in firsts]
    return row(kind, crew.size, load, rounds)


def checks(appends: Sequence[Row], kinds: Sequence[str]) -> list[Check]:
    """Return what has to hold: by one process, on one conversation and on many."""
    return [
        Check(
            name=f"{kind}: {WORDS[column]}, the higher of one conversation and many",
            value=_highest(appends, kind, column),
            op="<=",
            bound=bound,
        )
        for kind in BOUNDED
        if kind in kinds
        for column, bound in BOUNDS.items()
    ]


def figures(appends: Sequence[Row], loaded: Sequence[Row]) -> list[Figure]:
    """Return what the benchmark is run for, by one process; floors: a bare insert, bare parsing."""
    appending = (
        Figure(
            name=f"append p50, {each['store']}, {each['conversations']} conversations",
            value=each["p50 ms"],
            unit="ms",
            floor=each["floor p50 ms"],
        )
        for each in appends
        if each["processes"] == 1
    )
    loading = (
        Figure(
            name=f"first load of {each['messages']} messages, {each['store']}",
            value=each["first ms"],
            unit="ms",
            floor=each["json.loads ms"],
        )
        for each in loaded
    )
    return [*appending, *loading]


def _highest(appends: Sequence[Row], kind: str, column: str) -> float | None:
    mine = [each for each in appends if each["store"] == kind and each["processes"] == 1]
    values = [each[column] for each in mine]
    return None if None in values else max(values, default=None)


def _versions() -> Row:
    found: Row = {"sqlite": sqlite3.sqlite_version, "system": platform.system()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _reported(kinds: Sequence[str], absent: Row, data: Path, setup: Setup) -> Report:
    begun = time.perf_counter()
    named = source(data)
    gc.collect()
    gc.freeze()  # what the benchmark holds is not the stores' to look through
    appends, loaded = measure(kinds, named.groups, setup)
    gc.unfreeze()
    left_out = [{"store": kind, "reason": reason} for kind, reason in absent.items()]
    shown = [{name: each[name] for name in SHOWN} for each in appends]
    return Report(
        benchmark="stores",
        settings={
            "rows": f"turns of {named.name}",
            **asdict(setup),
            "versions": _versions(),
            "seconds": round(time.perf_counter() - begun, 1),
        },
        rows={"appends": appends, "loads": loaded, "left out": left_out},
        checks=checks(appends, kinds),
        figures=figures(appends, loaded),
        quick=setup is QUICK,
        tables={"appends": shown, "loads": loaded, "left out": left_out},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure appends and loads of the stores")
    default = os.environ.get(VARIABLE) or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="directory of the corpora")
    parser.add_argument("--stores", nargs="+", choices=KINDS, default=[*KINDS], help="which")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    absent = {kind: why for kind in options.stores if (why := unreachable(kind)) is not None}
    if absent and os.environ.get("CI", "").lower() in {"1", "true"}:
        parser.error(f"stores that cannot be reached: {absent}")
    kinds = [kind for kind in options.stores if kind not in absent]
    setup = QUICK if options.quick else FULL
    return _reported(kinds, absent, options.data, setup).finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
