"""How time, memory and money grow: 1 to 10,000 messages, 1 to 100,000 conversations.

    python -m benchmarks.scale --json

*Talks*: one conversation grows, with compactions all along, once passed as a whole list and once
kept by the library in a store. *Stores*: a store is filled with ever more conversations, and asked
about some of them. *Crowds*: one manager has ever more conversations. Every part is a process of
its own.

Figures are compared within the run: an exponent is the slope between the first size that counts and
the last one, both as logarithms. 0 is constant, 1 linear, 2 quadratic.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any, Final

from benchmarks._report import Check, Report, Row
from benchmarks._scale_crowd import crowded
from benchmarks._scale_growth import slope
from benchmarks._scale_stores import KINDS, OPERATIONS, filled
from benchmarks._scale_talk import STYLES, Style, grown
from benchmarks._stores_places import unreachable

__all__ = ("FULL", "QUICK", "STYLES", "Setup", "Style", "checks", "main", "measure")

CONSTANT: Final = 0.2
"""The exponent of what should not grow."""
LINEAR: Final = 1.1
"""The exponent of what may grow with the messages."""
READING: Final = 1.2
"""The exponent of time that is linear: the more is read, the less of it is in the processor's
caches."""
GROWS: Final = 0.5
"""The exponent of what is known to grow, so that the comparison means something."""
DOUBLED: Final = 1.5
"""How much more a process may hold after twice as many conversations."""
UNINDEXED: Final = ("list a user", "list all", "search")
"""What a volatile store does by looking through all it holds, which is bounded by default."""
TALKS: Final = (
    ("turn ms", READING),
    ("compaction ms", READING),
    ("prompt tokens", CONSTANT),
    ("$ a 1,000 turns", CONSTANT),
    ("record bytes", CONSTANT),
    ("compactions", LINEAR),
    ("merges", LINEAR),
    ("held MiB", LINEAR),
)
"""How fast each figure of a conversation may grow with its messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much is run.

    Attributes:
        messages: Sizes of a conversation.
        settled: The messages from which on growth counts: several compactions.
        conversations: Sizes of a store, by kind.
        many: The conversations from which on growth counts.
        crowd: Conversations that a manager has, by store; the last is twice the one before.
        repeats: How often an operation of a store is timed.
    """

    messages: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    settled: int = 1_000
    conversations: Mapping[str, tuple[int, ...]]
    many: int = 100
    crowd: Mapping[str, tuple[int, ...]]
    repeats: int = 100


MOST: Final = (1, 100, 10_000, 100_000)
SERVERS: Final = (1, 100, 10_000)
FULL: Final = Setup(
    conversations={"volatile": MOST, "sqlite": MOST, "postgres": SERVERS, "redis": SERVERS},
    crowd={"volatile": (1, 50_000, 100_000), "sqlite": (1, 40_000, 80_000)},
)
QUICK: Final = Setup(
    messages=(1, 10, 200),
    settled=10,
    conversations=dict.fromkeys(KINDS, (1, 10, 50)),
    many=10,
    crowd={"volatile": (1, 50, 100), "sqlite": (1, 50, 100)},
    repeats=5,
)


def measure(setup: Setup, kinds: Sequence[str], *, apart: bool = True) -> dict[str, list[Row]]:
    """Return the rows of talks, stores and crowds.

    Args:
        setup: How much is run.
        kinds: Which stores.
        apart: Whether in processes of their own, one for each processor.
    """
    jobs: list[tuple[str, Any, tuple[Any, ...]]] = [
        *(("talks", grown, (style, setup.messages)) for style in STYLES),
        *(("stores", filled, (k, setup.conversations[k], setup.repeats)) for k in kinds),
        *(("crowds", crowded, (kept, sizes)) for kept, sizes in setup.crowd.items()),
    ]
    rows: dict[str, list[Row]] = {heading: [] for heading, _, _ in jobs}
    if not apart:
        for heading, job, given in jobs:
            rows[heading] += job(*given)
        return rows
    # What a process holds is measured: each has one job. A fork would copy locks of threads.
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        asked = [(heading, pool.submit(job, *given)) for heading, job, given in jobs]
        for heading, future in asked:
            rows[heading] += future.result()
    return rows


def checks(setup: Setup, rows: Mapping[str, Sequence[Row]], kinds: Sequence[str]) -> list[Check]:
    """Return what has to hold."""
    return [
        *_of_talks(setup, rows["talks"]),
        *_of_stores(setup, rows["stores"], kinds),
        *_of_crowds(rows["crowds"]),
    ]


def _of_talks(setup: Setup, rows: Sequence[Row]) -> Iterator[Check]:
    for style in STYLES:
        mine = [row for row in rows if row["style"] == style]
        for column, bound in TALKS:
            found = slope(mine, "messages", column, since=setup.settled)
            name = f"{style}: exponent of {column} by messages"
            yield Check(name=name, value=found, op="<=", bound=bound)
        full = slope(mine, "messages", "$ with full history", since=setup.settled)
        name = f"{style}: exponent of $ with full history by messages"
        yield Check(name=name, value=full, op=">=", bound=GROWS)


def _of_stores(setup: Setup, rows: Sequence[Row], kinds: Sequence[str]) -> Iterator[Check]:
    for kind in kinds:
        mine = [row for row in rows if row["store"] == kind]
        for column in _columns(kind, mine):
            found = slope(mine, "conversations", column, since=setup.many)
            name = f"{kind}: exponent of {column} by conversations"
            bound = READING if "scrub" in column else CONSTANT
            yield Check(name=name, value=found, op="<=", bound=bound)


def _columns(kind: str, rows: Iterable[Row]) -> list[str]:
    """Return what has to stay constant in a kind of store, as far as it has that at all."""
    spared = UNINDEXED if kind == "volatile" else ()
    names = [f"{operation} ms" for operation in OPERATIONS if operation not in spared]
    wanted = [*names, "KiB a conversation", "delete and scrub ms"]
    return [name for name in wanted if any(row.get(name) is not None for row in rows)]


def _of_crowds(rows: Sequence[Row]) -> Iterator[Check]:
    for kept in dict.fromkeys(row["store"] for row in rows):
        *_, half, whole = (row for row in rows if row["store"] == kept)
        grown_by = whole["held MiB"] / half["held MiB"] if half["held MiB"] > 0 else None
        name = f"{kept}: MiB held after {whole['conversations']:,} conversations / after half"
        yield Check(name=name, value=grown_by, op="<=", bound=DOUBLED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure how time, memory and money grow")
    parser.add_argument("--stores", nargs="+", choices=KINDS, default=[*KINDS], help="which")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    absent = {kind: why for kind in options.stores if (why := unreachable(kind)) is not None}
    if absent and os.environ.get("CI", "").lower() in {"1", "true"}:
        parser.error(f"stores that cannot be reached: {absent}")
    kinds = [kind for kind in options.stores if kind not in absent]
    setup, begun = QUICK if options.quick else FULL, time.perf_counter()
    rows = measure(setup, kinds, apart=not options.quick)
    left_out = [{"store": kind, "reason": reason} for kind, reason in absent.items()]
    report = Report(
        benchmark="scale",
        settings={**asdict(setup), "seconds": round(time.perf_counter() - begun, 1)},
        rows={**rows, "left out": left_out},
        checks=checks(setup, rows, kinds),
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
