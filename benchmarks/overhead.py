"""What a memory adds to a call, beside what the call costs without one.

    python -m benchmarks.overhead --data ../shared/data --json

The hook is everything that `wrap()` adds: from the call of `request()` to where the SDK's own takes
over, and from where that returns to where the caller has the response. It is divided by the time
of the same `create()` on the client that was wrapped. Both talk to a transport in this process that
answers at once, so nothing waits, and what is measured is the processor time of the thread: what
else the machine does stays out. Calls with and without a memory alternate, and every call ends in
messages that no call had before; figures are medians.

A turn that only asks whether all fits is also measured beside the same of LangChain and litellm,
each in a process and an environment of its own, with how wrong the counter behind it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final
from unittest.mock import patch

from benchmarks import _overhead_errors, _overhead_turns
from benchmarks._corpora import add_data_argument
from benchmarks._overhead_hook import LISTS, MODEL, SITUATIONS, Bench, Instant
from benchmarks._overhead_turns import CLOSE, FAR, OURS, PEERS
from benchmarks._report import Check, Figure, Report, Row
from memory import models
from memory.vocabulary import warmup

__all__ = ("figures", "main", "measure")

WINDOW: Final = 1_000_000_000
"""Tokens. Ten thousand messages exceed the window of every model there is; here they must not."""
ROUNDS: Final = {10: 100, 100: 50, 1_000: 15, 10_000: 5}
"""How many calls of each kind are made for a history of so many messages."""
QUICK: Final = {10: 3, 20: 3}
TURNS: Final = {100: 50, 1_000: 25, 10_000: 5}
"""How many turns there are beside others after a history of so many messages."""
QUICK_TURNS: Final = {20: 3}
RATIO: Final = 0.02
"""Share of a bare call that the hook may cost, where histories are long."""
LONG: Final = 1_000
"""Messages from which a history is long."""
GROWTH: Final = 1.5
"""How much faster than the history the time of the hook may grow."""
IMPORTS: Final = 15
LEFT_OUT: Final[Mapping[str, str]] = {"LangChain, litellm": "--no-peers was given"}


def measure(rounds: Mapping[int, int]) -> list[Row]:
    """Return the rows for each length of history, measured in so many rounds."""
    counter = warmup()
    rows = []
    with patch.object(models, "window", lambda _model: WINDOW):
        for length, times in rounds.items():
            bench = Bench(length, Instant(counter))
            bench.run(times)
            rows += bench.rows()
    return rows


def checks(rows: Sequence[Row]) -> list[Check]:
    """Return what has to hold in each situation, for the worse of the two kinds of list."""
    lengths = sorted({row["messages"] for row in rows})
    long = [length for length in lengths if length >= LONG] or lengths[-2:]
    found = []
    for situation in SITUATIONS:
        of = {
            (row["messages"], row["list"]): row
            for row in rows
            if row["situation"] == situation.name
        }
        found += [
            Check(
                name=f"{situation.name}, {length:,} messages: hook / bare call",
                value=max(of[length, kind]["ratio"] for kind in LISTS),
                op="<=",
                bound=RATIO,
            )
            for length in long
        ]
        found.append(
            Check(
                name=f"{situation.name}: hook at {long[-1]:,} / hook at {long[0]:,} messages",
                value=max(
                    of[long[-1], kind]["hook ms"] / of[long[0], kind]["hook ms"] for kind in LISTS
                ),
                op="<=",
                bound=GROWTH * long[-1] / long[0],
            )
        )
    return found


def seconds_to_import(module: str) -> float:
    """Return the seconds that importing a module takes in a fresh interpreter."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    made = subprocess.run(  # noqa: S603  # this interpreter, and a text of our own
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return float(made.stdout)


def imports(times: int) -> Row:
    """Return the median milliseconds that `memory` and `asyncio` take to import, in turns."""
    taken: dict[str, list[float]] = {"memory": [], "asyncio": []}
    for _ in range(times):
        for module, seconds in taken.items():
            seconds.append(seconds_to_import(module))
    ours, theirs = (median(seconds) * 1e3 for seconds in taken.values())
    return {"runs": times, "memory ms": ours, "asyncio ms": theirs, "ratio": ours / theirs}


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Return what the hook adds to a call with a long history, beside the bare call."""
    lengths = {row["messages"] for row in rows}
    at = LONG if LONG in lengths else max(lengths)
    worst = [
        max(
            (row for row in rows if (row["messages"], row["situation"]) == (at, each.name)),
            key=lambda row: float(row["ratio"]),
        )
        for each in SITUATIONS
    ]
    return [
        Figure(
            name=f"hook at {at:,} messages, {row['situation']}",
            value=row["hook ms"],
            unit="ms",
            floor=row["bare ms"],
        )
        for row in worst
    ]


def hooks(rows: Sequence[Row]) -> list[Row]:
    """Return what `wrap()` adds to a call that is sent as it is, as rows beside other libraries."""
    ways = {SITUATIONS[0].name: FAR, SITUATIONS[1].name: CLOSE}
    return [
        {
            "messages": row["messages"],
            "library": OURS[0].title,
            "function": "wrap(), reply included",
            "budget": ways[row["situation"]],
            "turns": row["calls"],
            "turn ms": row["hook ms"],
            "first ms": row["first hook ms"],
        }
        for row in rows
        if row["situation"] in ways and row["list"] == LISTS[0]
    ]


def beside(
    calls: Sequence[Row], options: argparse.Namespace
) -> tuple[dict[str, list[Row]], list[Check], list[Figure]]:
    """Return the rows, checks and figures of a turn beside other libraries.

    Args:
        calls: The rows of `measure`.
        options: Those of the command line.
    """
    others = PEERS if options.peers else ()
    turns, skipped = _overhead_turns.measure(
        QUICK_TURNS if options.quick else TURNS, [*OURS, *others]
    )
    scope = _overhead_errors.QUICK if options.quick else _overhead_errors.FULL
    errors, left_out = _overhead_errors.measure(options.data, others, scope)
    lengths = {row["messages"] for row in turns}
    added = [row for row in hooks(calls) if row["messages"] in lengths]
    rows = _overhead_turns.with_errors([*turns, *added], _overhead_errors.pooled(errors))
    notes = {**left_out, **({} if options.peers else LEFT_OUT)}
    notes |= {row["library"]: row["reason"] for row in skipped}
    tables = {
        "a turn beside others": sorted(rows, key=lambda row: int(row["messages"])),
        "errors of whole prompts in %": errors,
        "left out": [{"what": what, "reason": reason} for what, reason in notes.items()],
    }
    found = _overhead_turns.checks(turns) if options.peers else []
    return tables, found, _overhead_turns.figures(turns)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure what a memory adds to a call")
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument(
        "--no-peers", dest="peers", action="store_false", help="leave out other libraries"
    )
    options = parser.parse_args(arguments)
    rounds = QUICK if options.quick else ROUNDS
    calls = measure(rounds)
    tables, compared, turning = beside(calls, options)
    started = imports(3 if options.quick else IMPORTS)
    importing = Check(
        name="import memory / import asyncio", value=started["ratio"], op="<=", bound=1.0
    )
    report = Report(
        benchmark="overhead",
        settings={"counter": warmup().name, "rounds": rounds, "model": MODEL},
        rows={"calls": calls, **tables, "imports": [started]},
        checks=[*checks(calls), *compared, importing],
        figures=[*figures(calls), *turning],
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
