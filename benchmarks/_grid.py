"""Recall on LoCoMo over a grid of settings, to choose the defaults by.

Not a benchmark: nothing is checked. One line for each combination: recall of the last view and over
all views, that of a static summary and tail of the same sizes, and the calls that it took.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from benchmarks._corpora import add_data_argument
from benchmarks._measures import mean
from benchmarks._quality_recall import Chat, chat
from memory import policy as policies

__all__ = ("main",)

COLUMNS: Final = (
    "target  notes segments |   last static ratio |   late static ratio |  views static ratio"
    " | last-n  full | segments tokens calls"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each combination of settings."""
    parser = argparse.ArgumentParser(description="recall over a grid of settings")
    add_data_argument(parser)
    parser.add_argument("--target", type=float, nargs="+", default=[0.45])
    parser.add_argument("--notes", type=float, nargs="+", default=[0.3])
    parser.add_argument("--segments", type=int, nargs="+", default=[policies.SEGMENTS])
    parser.add_argument("--budget", type=int, default=6_000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    print(COLUMNS)
    combinations = itertools.product(options.target, options.notes, options.segments)
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        measured = partial(_line, options.data, options.budget)
        for line in pool.map(measured, combinations):
            print(line, flush=True)
    return 0


def _line(data: Path, budget: int, settings: tuple[float, float, int]) -> str:
    target, notes, segments = settings
    if notes >= target:
        return f"{target:6.2f} {notes:6.2f} {segments:8} | notes do not fit into the target"
    options = {"budget": budget, "target": target, "notes": notes, "ahead": (target + 1) / 2}
    policies.SEGMENTS = segments
    chats = [chat(data, index, options) for index in range(5)]
    return f"{target:6.2f} {notes:6.2f} {segments:8} | {_figures(chats)}"


def _figures(chats: Sequence[Chat]) -> str:
    pieces = []
    for name in ("last", "late", "views"):
        shares = [getattr(each, name) for each in chats]
        view, static = (100 * mean([s[m] for s in shares]) for m in ("view", "static"))
        pieces.append(f"{view:6.1f} {static:6.1f} {view / static:5.3f}")
    floor, full = (100 * mean([each.views[m] for each in chats]) for m in ("last n", "full"))
    number = len(chats)
    pieces.append(f"{floor:6.1f} {full:5.1f}")
    sizes = (sum(each.segments for each in chats), sum(each.tokens for each in chats))
    calls = sum(each.calls for each in chats)
    pieces.append(f"{sizes[0] // number:8} {sizes[1] // number:6} {calls:5}")
    return " | ".join(pieces)


if __name__ == "__main__":
    sys.exit(main())
