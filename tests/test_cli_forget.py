"""`kimi-memory forget`: what goes, what stays, and who is asked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cli_runs import TRIP, fill, lines, result_of, run, sqlite


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return the URL of a store with one conversation."""
    return fill(sqlite(tmp_path / "memory.db"))


def test_it_asks_on_standard_error(store: str) -> None:
    """Who says no keeps everything."""
    refused = run("forget", TRIP, "--store", store, "--json", stdin="n\n")

    assert (1, False) == (refused.exit_code, "forgotten" in refused.stdout)
    assert "Forget user-42/trip with 4 messages for good?" in refused.stderr
    assert 0 == run("show", TRIP, "--store", store).exit_code


def test_it_counts_what_went(store: str) -> None:
    """Who says yes gets the proof; a second time there is nothing."""
    result = run("forget", TRIP, "--store", store, "--json", stdin="y\n")
    again = run("forget", TRIP, "--store", store, "--yes")

    assert (1, 4) == tuple(result_of(result)["forgotten"][k] for k in ("logs", "messages"))
    assert [1, 1] == [again.exit_code, run("show", TRIP, "--store", store).exit_code]


def test_everything_of_a_user_goes_and_nothing_of_others(store: str) -> None:
    """Users that could be taken for this one included."""
    fill(store, "user-42/work", "user-4/trip", "user-42", "user-421/trip")
    asked = run("forget", "--user", "user-42", "--store", store, stdin="n\n")
    shown = run("forget", "--user", "user-42", "--yes", "--store", store).stdout
    left = result_of(run("conversations", "--store", store, "--json"))["conversations"]

    assert "2 conversations" in asked.stderr
    assert ["logs", "2"] in [line.split() for line in lines(shown)]
    assert ["", "user-4", "user-421"] == [each["user"] for each in left]


def test_somebody_has_to_be_named(store: str) -> None:
    """Neither a name nor a user is a mistake, and so is an empty one."""
    codes = [
        run("forget", *given, "--yes", "--store", store).exit_code
        for given in ([], ["--user", ""], ["", "--user", "user-42"])
    ]

    assert [2, 2, 2] == codes
    assert 0 == run("show", TRIP, "--store", store).exit_code


def test_what_cannot_be_read_can_be_forgotten(store: str) -> None:
    """A broken row keeps nobody from it."""
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE memory_records SET body = '{'")
    connection.close()
    shown = run("show", TRIP, "--store", store)
    asked = run("forget", TRIP, "--store", store, "--json", stdin="y\n")

    assert (2, 1) == (shown.exit_code, len(shown.stderr.splitlines()))
    assert "messages that cannot be read" in asked.stderr
    assert 1 == result_of(asked)["forgotten"]["logs"]
