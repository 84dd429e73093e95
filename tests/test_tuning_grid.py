"""The combinations of settings that are tried."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.config import Settings
from memory.errors import ConfigError
from memory.tuning.grid import AXES, Grid, key_of


def whole(budget: int = 8_000) -> Grid:
    """Return the usual grid."""
    return Grid({"budget": [budget], **AXES})


def test_the_first_point_is_that_of_the_defaults() -> None:
    """So that everything can be compared with it."""
    (first, *_) = whole().points(10, seed=1)

    assert {"budget": 8_000} | {name: getattr(Settings(), name) for name in AXES} == dict(first)


def test_the_default_of_every_setting_is_on_its_axis() -> None:
    """Or the first point would not be that of the defaults."""
    assert [] == [name for name, values in AXES.items() if getattr(Settings(), name) not in values]


@settings(deadline=None)  # the first one loads what all need
@given(seed=st.integers(0, 50), number=st.integers(1, 60))
def test_points_are_valid_and_differ(seed: int, number: int) -> None:
    """As many as were asked for."""
    points = whole().points(number, seed=seed)
    made = [Settings.resolve(point, environ={}) for point in points]

    assert number == len(made)
    assert number == len({key_of(point) for point in points})


def test_the_same_seed_gives_the_same_points() -> None:
    """And another one others."""
    one, same, other = (whole().points(30, seed=seed) for seed in (1, 1, 2))

    assert one == same
    assert one != other


def test_half_of_the_points_differ_in_more_than_one_setting() -> None:
    """Settings work together, and a walk along the axes would not show it."""
    start, *points = whole().points(41, seed=3)
    several = [p for p in points if sum(p[name] != start[name] for name in start) > 1]

    assert 15 <= len(several)


def test_neighbours_are_one_step_away() -> None:
    """Along one axis, in the order of its values."""
    grid = Grid({"budget": [8_000], "target": [0.4, 0.45, 0.5, 0.6], "notes": [0.2, 0.35]})
    found = [{**point} for point in grid.neighbours([grid.start])]
    start = dict(grid.start)

    assert [start | {"target": 0.4}, start | {"target": 0.5}, start | {"notes": 0.2}] == found


def test_what_cannot_be_is_left_out() -> None:
    """Notes have to fit into the target."""
    grid = Grid({"budget": [8_000], "target": [0.3, 0.6], "notes": [0.35, 0.5]})

    assert {(0.6, 0.35), (0.6, 0.5)} == {(p["target"], p["notes"]) for p in grid.points(9, seed=1)}


def test_a_high_target_moves_the_mark_of_the_background() -> None:
    """It has to lie above the target, and nobody set it."""
    (point,) = Grid({"budget": [8_000], "target": [0.8]}).points(1, seed=1)

    assert 0.9 == point["ahead"]


@pytest.mark.parametrize(
    ("axes", "named"),
    [
        ({"colour": ["red"]}, "colour"),
        ({"target": []}, "target"),
        ({"target": [2.0]}, "target"),
        ({"target": [0.3], "notes": [0.4]}, "notes"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused(axes: dict[str, list[object]], named: str) -> None:
    """By name."""
    with pytest.raises(ConfigError, match=named):
        Grid({"budget": [8_000], **axes})
