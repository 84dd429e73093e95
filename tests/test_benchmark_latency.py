"""The benchmark of waiting says what it measured, and is able to fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kimi_clients import httpx_library

if httpx_library.__name__ != "httpx2":
    pytest.skip("clients of benchmarks are on httpx2", allow_module_level=True)

from benchmarks import latency

FIGURES = {"name", "value", "op", "bound", "holds"}


def rows(**changes: Any) -> list[dict[str, Any]]:
    """Return rows that pass every check, with changes to those of the background."""
    good = {"compactions": 2, "p95 share": 0.01, "max share": 1.1, "over budget": 0}
    return [
        {"client": colour, "mode": mode, **good, **(changes if mode == "background" else {})}
        for colour in latency.COLOURS
        for mode in latency.MODES
    ]


def at_once(summaries: int = 1) -> list[dict[str, Any]]:
    """Return rows of calls at once."""
    return [{"at once by": way, "summaries": summaries} for way in ("threads", "tasks")]


def broken(turns: list[dict[str, Any]], single: list[dict[str, Any]]) -> int:
    """Return how many checks do not hold."""
    return sum(not check.holds for check in latency.checks(turns, single))


def test_the_benchmark_of_latency_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with one JSON object: a row for each client and mode, and two for calls at once."""
    latency.main(["--quick", "--json"])
    read = json.loads(capsys.readouterr().out.splitlines()[-1])
    turns = read["rows"]["turns"]

    assert [FIGURES] * 12 == [set(check) for check in read["checks"]]
    assert [(c, m) for c in latency.COLOURS for m in latency.MODES] == [
        (row["client"], row["mode"]) for row in turns
    ]
    assert all(row["compactions"] and not row["over budget"] for row in turns)
    assert [1, 1] == [row["summaries"] for row in read["rows"]["at once"]]
    assert [latency.CALLERS] * 2 == [row["calls"] for row in read["rows"]["at once"]]


def test_good_figures_pass() -> None:
    """The bounds are met by figures as they should be."""
    assert 0 == broken(rows(), at_once())


@pytest.mark.parametrize(
    "change",
    [{"p95 share": 0.05}, {"p95 share": 0.9}, {"compactions": 0}, {"over budget": 1}],
    ids=["just", "waits", "never summarises", "too large"],
)
def test_a_background_that_fails_is_reported(change: dict[str, Any]) -> None:
    """For each of the two clients."""
    assert 2 == broken(rows(**change), at_once())


def test_a_benchmark_that_shows_nothing_is_reported() -> None:
    """Where inline does not wait either there is nothing to compare."""
    shown = [{**row, "max share": 0.2} for row in rows()]

    assert 2 == broken(shown, at_once())


def test_a_second_summary_is_reported() -> None:
    """By threads and by tasks."""
    assert 2 == broken(rows(), at_once(summaries=2))


def test_what_is_missing_does_not_hold() -> None:
    """A mode that was not measured is not taken for good."""
    assert 0 == sum(check.holds for check in latency.checks([], []))
