"""Which trials none beats, where the knee is, and which one to take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from memory.tuning.study import Prefer, Trial

__all__ = ("chosen", "knee", "pareto")

TIE: Final = 0.005
"""Shares of recall that are as good as the same."""


def pareto(trials: Sequence[Trial]) -> list[int]:
    """Return the places of the trials that none beats in dollars, recall and wait, by dollars.

    One beats another where it is at least as good in all three and better in one. A trial that
    left turns out, or had some refused, is only among them if there is no other.
    """
    sound = _sound(trials)
    found = [
        place
        for place in sound
        if not any(_beats(trials[other], trials[place]) for other in sound if other != place)
    ]
    alike: dict[tuple[float, float, float], int] = {}
    for place in found:
        alike.setdefault(_figures(trials[place]), place)
    return sorted(alike.values(), key=lambda place: (trials[place].usd, -trials[place].recall))


def knee(trials: Sequence[Trial]) -> int:
    """Return the place of the trial from which on more dollars buy little recall.

    Of the trials that none beats in dollars and recall it is the one farthest above the straight
    line from the cheapest to the one that recalls most, both scaled to that line.
    """
    front = _front(trials)
    first, last = trials[front[0]], trials[front[-1]]
    dollars, recall = last.usd - first.usd, last.recall - first.recall
    if not dollars or not recall:
        return front[0]

    def above(place: int) -> float:
        trial = trials[place]
        return (trial.recall - first.recall) / recall - (trial.usd - first.usd) / dollars

    return max(front, key=lambda place: (above(place), -trials[place].usd))


def chosen(trials: Sequence[Trial], prefer: Prefer, *, floor: float = 0.0) -> int:
    """Return the place of the best trial for what is preferred.

    `cost` and `latency` take the best of those that recall at least as much as the latest messages
    alone would, if there are any: a memory that knows less is none. Of trials whose recall is as
    good as the same, `recall` takes the cheapest. `balanced` is the knee.

    Args:
        trials: All of them.
        prefer: What is preferred.
        floor: The recall of the latest messages alone, 0 to 1.
    """
    front = pareto(trials)
    if prefer == "balanced":
        return knee(trials)
    if prefer == "recall":
        best = max(trials[place].recall for place in front)
        near = [place for place in front if trials[place].recall >= best - TIE]
        return _least(near, lambda place: (trials[place].usd, trials[place].wait_p95))
    knowing = [place for place in front if trials[place].recall >= floor - TIE] or front
    if prefer == "cost":
        return _least(knowing, lambda place: (trials[place].usd, -trials[place].recall))
    return _least(knowing, lambda place: (trials[place].wait_p95, trials[place].usd))


def _front(trials: Sequence[Trial]) -> list[int]:
    """Return the places of those that none beats in dollars and recall, by dollars."""
    order = sorted(_sound(trials), key=lambda place: (trials[place].usd, -trials[place].recall))
    found: list[int] = []
    for place in order:
        if not found or trials[place].recall > trials[found[-1]].recall:
            found.append(place)
    return found


def _sound(trials: Sequence[Trial]) -> list[int]:
    places = range(len(trials))
    least = min(_left_out(trials[place]) for place in places)
    return [place for place in places if _left_out(trials[place]) == least]


def _left_out(trial: Trial) -> int:
    return trial.too_large + trial.rejected + trial.over_budget


def _beats(one: Trial, other: Trial) -> bool:
    mine, theirs = _figures(one), _figures(other)
    return all(a <= b for a, b in zip(mine, theirs, strict=True)) and mine != theirs


def _figures(trial: Trial) -> tuple[float, float, float]:
    return trial.usd, -trial.recall, trial.wait_p95


def _least(places: Sequence[int], key: Callable[[int], tuple[float, float]]) -> int:
    return min(places, key=key)
