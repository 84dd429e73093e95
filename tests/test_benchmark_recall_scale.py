"""The benchmark of the time that recall adds measures it, and is able to fail."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("splintr")

from benchmarks import _recall_scale as scale
from benchmarks._recall_scale_stores import questions, stores, written

SMALL = scale.Scope(stored=(200, 1_000), held=(200, 1_000), rounds=6)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Return the rows of a small run, with every store that is there."""
    return scale.measured(SMALL)


def row(messages: int, seconds: float) -> dict[str, Any]:
    """Return a row of which recall takes so long, and the index of a turn too."""
    taken = {"p50 / bare": seconds * 1e3, "index a turn p50 ms": seconds * 1e3}
    return {"searched by": "sqlite", "messages": messages, **taken}


def test_every_place_is_searched_at_every_size(rows: list[dict[str, Any]]) -> None:
    """Stores by their sizes, and the memory by its own."""
    wanted = [(kind, size) for kind in (*stores(), "in memory") for size in SMALL.stored]
    assert [(each["searched by"], each["messages"]) for each in rows] == wanted


def test_what_is_timed_brings_something_back(rows: list[dict[str, Any]]) -> None:
    """Recall that finds nothing would be quick for nothing."""
    assert [each["with passages %"] > 0 for each in rows] == [True] * len(rows)


def test_figures_are_named_once(rows: list[dict[str, Any]]) -> None:
    """Pages quote figures by their names: four of each row."""
    assert len({each.name for each in scale.figures(rows)}) == 4 * len(rows)


def test_growth_like_the_conversation_breaks_the_bounds() -> None:
    """A thousand times the messages, a thousand times the time."""
    found = scale.checks([row(1_000, 0.01), row(1_000_000, 10.0)])
    assert [each.holds for each in found] == [False, False]


def test_slow_growth_holds() -> None:
    """A thousand times the messages, twice the time."""
    found = scale.checks([row(1_000, 0.01), row(1_000_000, 0.02)])
    assert [each.holds for each in found] == [True, True]


def test_the_same_messages_and_questions_are_written_again() -> None:
    """Two runs ask the same."""
    first, second = (questions(written(50), 10) for _ in range(2))
    assert first == second
