"""The combinations of settings that are tried: first the defaults, then what lies around them.

A full grid has thousands of points. Each axis is walked on its own, then points are drawn at
random, and in a second round the neighbours of the best so far are tried.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any, Final

from memory.config import Settings
from memory.errors import ConfigError

__all__ = ("AXES", "Grid", "Point", "key_of")

Point = Mapping[str, Any]
"""Settings by name."""

AXES: Final[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
    {
        "trigger": (0.7, 0.85, 1.0),
        "target": (0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7),
        "tail": (None, 0.1, 0.15, 0.2, 0.3, 0.4),
        "notes": (0.1, 0.2, 0.3, 0.35, 0.4, 0.5),
        "identifiers": (0.0, 0.05, 0.1, 0.2),
        "clear_tool_results": ("off", "before-summary"),
    }
)
"""The values of each setting that is tuned, in order.

`clear_tool_results="only"` is not among them: it has the offline extractor write what a model would
otherwise, and where that stands in for the model anyway, it looks as good and costs nothing.
"""


_MANY: Final = 20_000
"""Combinations from which on nobody counts which of them are valid."""


class Grid:
    """All combinations of the values of some settings that go together.

    Args:
        axes: The values of each setting, in order; one alone is fixed. What is not among them has
            its default.

    Raises:
        ConfigError: A setting is unknown, has no value, or no combination is valid.
    """

    def __init__(self, axes: Mapping[str, Sequence[Any]]) -> None:
        defaults = Settings()
        for name, values in axes.items():
            if not hasattr(defaults, name):
                Settings.resolve({name: None}, environ={})  # raises, and says which there are
            if not values:
                msg = f"{name}: there are no values to try"
                raise ConfigError(msg)
        self.axes: dict[str, list[Any]] = {name: list(axes[name]) for name in axes}
        usual = {name: getattr(defaults, name) for name in self.axes}
        start = {
            name: usual[name] if usual[name] in values else values[0]
            for name, values in self.axes.items()
        }
        found = next(iter(self._valid([start, *self._around(start), *self._all()])), None)
        if found is None:
            Settings.resolve(_completed(start), environ={})  # raises, and says why
            msg = "no combination of these values is valid"
            raise ConfigError(msg)
        self.start: Point = found
        self._whole = prod(len(values) for values in self.axes.values())

    @cached_property
    def size(self) -> int:
        """How many combinations are valid; of very many, how many there are at all."""
        if self._whole > _MANY:
            return self._whole
        return sum(1 for _ in self._valid(self._all()))

    def points(self, number: int, *, seed: int) -> list[Point]:
        """Return the start, what differs from it in one setting, and others drawn at random.

        Args:
            number: How many at most.
            seed: What the draws follow from.
        """
        ways = list(self._valid(self._around(self.start)))
        draw = random.Random(seed)
        draw.shuffle(ways)
        ways.sort(key=lambda point: point.get("budget") == self.start.get("budget"))
        budgets = len(self.axes.get("budget", ()))  # each with the defaults, whatever else
        half = max(budgets, number) // 2  # no more, so that some differ in several
        drawn = self._valid(self._drawn(draw))
        return _first(number, [self.start], ways[: max(half, budgets - 1)], drawn, ways[half:])

    def neighbours(self, points: Iterable[Point]) -> Iterator[Point]:
        """Yield the valid points that are one step along one axis from one of some others."""
        for point in points:
            for name, values in self.axes.items():
                place = values.index(point[name])
                steps = [values[step] for step in (place - 1, place + 1) if 0 <= step < len(values)]
                yield from self._valid({**point, name: value} for value in steps)

    def _around(self, point: Point) -> list[dict[str, Any]]:
        return [
            {**point, name: value}
            for name, values in self.axes.items()
            for value in values
            if value != point[name]
        ]

    def _drawn(self, draw: random.Random) -> Iterator[dict[str, Any]]:
        for _ in range(10 * self._whole):
            yield {name: draw.choice(values) for name, values in self.axes.items()}

    def _all(self) -> Iterator[dict[str, Any]]:
        found: list[dict[str, Any]] = [{}]
        for name, values in self.axes.items():
            found = [{**each, name: value} for each in found for value in values]
        yield from found

    def _valid(self, points: Iterable[Point]) -> Iterator[Point]:
        for point in points:
            whole = _completed(point)
            try:
                Settings(**whole)
            except ConfigError:
                continue
            yield MappingProxyType(whole)


def key_of(point: Point) -> str:
    """Return a text that is the same for the same settings."""
    plain = {
        name: float(value) if isinstance(value, int) else value for name, value in point.items()
    }
    return json.dumps(plain, sort_keys=True)


def _completed(point: Point) -> dict[str, Any]:
    """Return a point with `ahead` moved out of the way of a high target."""
    target = point.get("target", Settings().target)
    ahead = point.get("ahead", Settings().ahead)
    moved = isinstance(target, float) and "ahead" not in point and target >= ahead
    return {**point, **({"ahead": round((target + 1) / 2, 3)} if moved else {})}


def _first(number: int, *groups: Iterable[Point]) -> list[Point]:
    """Return so many different points from groups, in their order."""
    found: dict[str, Point] = {}
    for group in groups:
        for point in group:
            if len(found) >= number:
                return list(found.values())
            found.setdefault(key_of(point), point)
    return list(found.values())
