"""How fast a figure grows: the slope between two sizes, and what a process holds."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Final

from benchmarks._report import Row

__all__ = ("MIB", "exponent", "held", "most_held", "slope")

MIB: Final = 1024 * 1024
_STATUS: Final = Path("/proc/self/status")
_FIELD: Final = "VmRSS:"


def exponent(sizes: tuple[float, float], values: tuple[float, float]) -> float | None:
    """Return the slope of a figure between two sizes, both as logarithms; None if there is none.

    0 is constant, 1 linear, 2 quadratic.

    Args:
        sizes: The smaller and the larger size.
        values: The figure at each.
    """
    (small, large), (low, high) = sizes, values
    if min(small, large, low, high) <= 0 or small == large:
        return None
    return log(high / low) / log(large / small)


def slope(rows: Sequence[Row], size: str, column: str, *, since: float) -> float | None:
    """Return the exponent of a column from the first row of at least a size to the last row.

    Args:
        rows: By size.
        size: The column of the sizes.
        column: The column of the figure; rows without it are left out.
        since: The size from which on growth counts.
    """
    found = [row for row in rows if row[size] >= since and row.get(column) is not None]
    if len(found) < len(("first", "last")):
        return None
    first, last = found[0], found[-1]
    return exponent((first[size], last[size]), (first[column], last[column]))


def held() -> float:
    """Return the MiB of this process that are in memory now, after a collection."""
    gc.collect()
    if not _STATUS.exists():
        return most_held()
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    found = next(line for line in lines if line.startswith(_FIELD))
    return int(found.split()[1]) / 1024


def most_held() -> float:
    """Return the MiB of this process that were in memory at most so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB
