"""Averages, and how sure they are."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from math import ceil
from statistics import fmean

__all__ = ("interval", "interval_of_sums", "mean", "percentile")


def interval(
    groups: Sequence[Sequence[float]], *, resamples: int = 2_000, seed: int = 20_240_501
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over all values, drawn by group.

    Args:
        groups: The values of each conversation; those of one are not independent.
        resamples: How many times as many groups are drawn.
        seed: What the draws follow from.
    """
    sums = [(sum(group), len(group)) for group in groups]
    return interval_of_sums(sums, resamples=resamples, seed=seed)


def interval_of_sums(
    sums: Sequence[tuple[float, int]], *, resamples: int = 2_000, seed: int = 20_240_501
) -> tuple[float, float]:
    """Return the same, given for each conversation the sum of its values and their number.

    Args:
        sums: The sums and numbers.
        resamples: How many times as many groups are drawn.
        seed: What the draws follow from.
    """
    draw = random.Random(seed)
    given = [(total, number) for total, number in sums if number]
    if not given:
        return float("nan"), float("nan")
    means = list[float]()
    for _ in range(resamples):
        chosen = draw.choices(given, k=len(given))
        means.append(sum(s for s, _ in chosen) / sum(n for _, n in chosen))
    means.sort()
    return means[int(0.025 * resamples)], means[int(0.975 * resamples) - 1]


def mean(groups: Sequence[Sequence[float]]) -> float:
    """Return the mean over all values of all groups."""
    return fmean(itertools.chain.from_iterable(groups))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` (0 to 1) of `values` do not exceed.

    By nearest rank, without interpolation: of fewer than twenty values the 95th percentile is
    the largest. None of no values.
    """
    if not values:
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
