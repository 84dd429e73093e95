"""Processes are killed at any moment, and databases restarted: what was acknowledged is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from store_workers import Workers, place_of, workers

from benchmarks._endurance_kills import AIMS, WRITES, Aim, Killing
from benchmarks._endurance_postgres import binaries, server
from benchmarks._endurance_restarts import restarted

LEASE = 15.0
"""Seconds for which a lease outlives a process that nobody knows to be dead."""
WELL = {"lost": 0, "displaced": 0, "wrong": []}


@pytest.fixture(scope="module")
def crew() -> Iterator[Workers]:
    """Return where processes come from."""
    with workers() as crew:
        yield crew


def killed(
    crew: Workers, kind: str, cycles: int, *, aims: tuple[Aim, ...] = AIMS
) -> dict[str, Any]:
    """Return what came of so many kills."""
    place = place_of(kind)
    killing = Killing(crew.nursery, crew.office, crew.address, place, each=8, aims=aims)
    return killing.run(cycles).row(kind)


def outcome(row: dict[str, Any]) -> dict[str, Any]:
    """Return of a row what has to be as in `WELL`."""
    return {name: row[name] for name in WELL}


@pytest.mark.parametrize(("kind", "cycles"), [("sqlite", 25), ("postgres", 10)])
def test_a_kill_loses_nothing_acknowledged(crew: Workers, kind: str, cycles: int) -> None:
    """Whenever a process is killed, the next one goes on from all that it had been told is there.

    The log is whole, requests followed what is on record, and nobody waits for a dead process.
    """
    row = killed(crew, kind, cycles)

    assert WELL == outcome(row)
    assert cycles == row["cycles"]
    assert row["acknowledged"]
    assert row["first reply longest s"] < LEASE


def test_a_write_that_breaks_off_never_happened(crew: Workers) -> None:
    """A process that dies amid a write to the file leaves what it had committed, and no more."""
    row = killed(crew, "sqlite", 6, aims=WRITES)

    assert WELL == outcome(row)
    assert row["killed amid a commit"]


def test_turns_go_on_after_a_restart_of_the_database(crew: Workers) -> None:
    """Connections that broke are replaced; what was on its way is on record once, or told of."""
    if binaries() is None:
        reason = "initdb and pg_ctl of PostgreSQL are not installed"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    with server() as database:
        row = restarted(1, crew.nursery, crew.address, database)

    assert WELL == outcome(row)
    assert row["acknowledged"]
