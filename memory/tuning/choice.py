"""Which trials none beats, where the knee is, and which one to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from memory.tuning.study import Prefer, Trial

__all__ = ("chosen", "knee", "pareto")

TIE: Final = 0.005
"""Shares of recall that are as good as the same."""
SLIGHT: Final = 1e-9
"""Above a line by less than this is on it."""
NOTICED: Final = 0.05
"""A share of recall, or of dollars, that makes a difference to somebody."""
NO_FLOORS: Final[Mapping[int, float]] = MappingProxyType({})


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


def knee(trials: Sequence[Trial], *, floors: Mapping[int, float] = NO_FLOORS) -> int:
    """Return the place of the trial from which on more dollars buy little recall.

    Of the trials that none beats in dollars and recall it is the one farthest above the straight
    line from the cheapest to the one that recalls most, both scaled to that line. Where none is
    above it, there is no knee; then it is the one nearest to the best of both.

    Args:
        trials: All of them.
        floors: By budget, the recall of the latest messages alone, 0 to 1: a memory that knows
            less is none, and only looked at where all do.
    """
    front = _knowing(trials, _front(trials), floors)
    first, last = trials[front[0]], trials[front[-1]]
    dollars, recall = last.usd - first.usd, last.recall - first.recall
    if not dollars or not recall:
        return front[0]

    def above(place: int) -> float:
        trial = trials[place]
        return (trial.recall - first.recall) / recall - (trial.usd - first.usd) / dollars

    best = max(front, key=lambda place: (above(place), -trials[place].usd))
    return best if above(best) > SLIGHT else _nearest(trials, front, waits=False)


def chosen(
    trials: Sequence[Trial], prefer: Prefer, *, floors: Mapping[int, float] = NO_FLOORS
) -> int:
    """Return the place of the best trial for what is preferred.

    `cost` is the cheapest and `latency` the quickest, `recall` the one that recalls most and the
    cheapest of those that are as good as that. `balanced` is the one nearest to the best of all
    three, each on a scale from the best to the worst. All but `recall` leave out what recalls less
    than the latest messages alone would, unless everything does.

    Args:
        trials: All of them.
        prefer: What is preferred.
        floors: By budget, the recall of the latest messages alone, 0 to 1.
    """
    front = pareto(trials)
    if prefer == "recall":
        best = max(trials[place].recall for place in front)
        near = [place for place in front if trials[place].recall >= best - TIE]
        return _least(near, lambda place: (trials[place].usd, trials[place].wait_p95))
    knowing = _knowing(trials, front, floors)
    if prefer == "balanced":
        return _nearest(trials, knowing, waits=True)
    if prefer == "cost":
        return _least(knowing, lambda place: (trials[place].usd, -trials[place].recall))
    return _least(knowing, lambda place: (trials[place].wait_p95, trials[place].usd))


def _knowing(
    trials: Sequence[Trial], places: Sequence[int], floors: Mapping[int, float]
) -> list[int]:
    """Return the places of trials that recall as much as the latest messages, if there are any."""

    def knows(place: int) -> bool:
        trial = trials[place]
        return trial.recall >= floors.get(trial.settings.get("budget", 0), 0.0) - TIE

    return [place for place in places if knows(place)] or list(places)


def _nearest(trials: Sequence[Trial], places: Sequence[int], *, waits: bool) -> int:
    """Return the place of the trial nearest to the best of everything, on scales from 0 to 1.

    A scale has a least width, so that what nobody would notice does not decide.
    """
    some = [trials[place] for place in places]
    cheap, best = min(t.usd for t in some), max(t.recall for t in some)
    quick = min(t.wait_p95 for t in some)
    dollars = max(max(t.usd for t in some) - cheap, NOTICED * cheap) or 1.0
    recall = max(best - min(t.recall for t in some), NOTICED)
    seconds = max(max(t.wait_p95 for t in some) - quick, 1.0)

    def far(place: int) -> tuple[float, float]:
        trial = trials[place]
        away = ((trial.usd - cheap) / dollars) ** 2 + ((best - trial.recall) / recall) ** 2
        return away + (((trial.wait_p95 - quick) / seconds) ** 2 if waits else 0.0), trial.usd

    return _least(places, far)


def _front(trials: Sequence[Trial]) -> list[int]:
    """Return the places of those that none beats in dollars and recall, by dollars."""
    order = sorted(_sound(trials), key=lambda place: _figures(trials[place]))
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
