"""The benchmark of growth says what it measured, and is able to fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services import postgres_url, redis_url

from benchmarks import scale
from benchmarks._report import Row
from benchmarks._scale_bill import Account
from benchmarks._scale_crowd import crowded
from benchmarks._scale_growth import exponent, held, slope
from benchmarks._scale_stores import OPERATIONS, filled
from benchmarks._scale_talk import grown
from memory.meter import Meter
from memory.vocabulary import warmup

FIGURES = {"name", "value", "op", "bound", "holds"}
QUESTION = {"role": "user", "content": "Where is the train to Basel?"}
ANSWER = {"role": "assistant", "content": "On platform nine, as every day."}


def talk(style: str, messages: int, **changes: Any) -> Row:
    """Return a row of a conversation in which nothing grows that should not, with changes."""
    linear = dict.fromkeys(("compaction ms", "compactions", "merges", "held MiB"), messages / 10)
    constant = dict.fromkeys(("prompt tokens", "$ a 1,000 turns", "record bytes"), 7.0)
    turn = messages / 10 if style == "whole list" else 3.0
    row = {"style": style, "messages": messages, "turn ms": turn, **linear, **constant}
    return row | {"$ with full history": messages / 10, **changes}


def failing(
    *talks: Row, stores: tuple[Row, ...] = (), crowds: tuple[Row, ...] = (), kinds: str = ""
) -> list[str]:
    """Return the names of the checks that do not hold."""
    rows = {"talks": talks, "stores": stores, "crowds": crowds}
    found = scale.checks(scale.FULL, rows, kinds.split())
    return [check.name for check in found if not check.holds]


def good() -> list[Row]:
    """Return the rows of conversations that pass every check."""
    return [talk(style, size) for style in ("whole list", "managed") for size in (1_000, 10_000)]


def test_small_run_reports_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with one JSON object: talks in both styles, stores, crowds, and checks."""
    scale.main(["--quick", "--json", "--stores", "volatile", "sqlite"])
    read = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert all(set(check) == FIGURES for check in read["checks"])
    assert ["whole list"] * 3 + ["managed"] * 3 == [row["style"] for row in read["rows"]["talks"]]
    assert ["volatile"] * 3 + ["sqlite"] * 3 == [row["store"] for row in read["rows"]["stores"]]
    assert ["volatile"] * 3 + ["sqlite"] * 3 == [row["store"] for row in read["rows"]["crowds"]]


def test_servers_are_measured() -> None:
    """PostgreSQL does everything; Redis has no search."""
    postgres_url()
    redis_url()
    postgres, redis = (filled(kind, (2,), 2)[0] for kind in ("postgres", "redis"))

    assert [] == [name for name in OPERATIONS if postgres[f"{name} ms"] is None]
    assert ["search"] == [name for name in OPERATIONS if redis[f"{name} ms"] is None]


@pytest.mark.parametrize("style", scale.STYLES)
def test_a_conversation_is_compacted_and_billed(style: scale.Style) -> None:
    """Past its budget it has notes, and costs less than with the full history."""
    (row,) = grown(style, (360,))

    assert row["compactions"] >= 1
    assert row["segments"] >= 1
    assert 0 < row["prompt tokens"] <= 8_000
    assert 0 < row["$ so far"] < row["$ so far with full history"]


def test_what_fits_costs_the_same_with_and_without_a_memory() -> None:
    """As long as nothing is left out both bills are for the same prompts."""
    account, said = Account(Meter(warmup())), list[dict[str, str]]()
    for _ in range(5):
        said.append(QUESTION)
        account.turn(said, [QUESTION], ANSWER)
        said.append(ANSWER)
    paid, full, _ = account.latest()

    assert paid == pytest.approx(full, rel=0.2)


def test_what_was_sent_before_is_billed_as_cached() -> None:
    """A prompt that begins as the one before costs less than one that does not."""
    same, other = Account(Meter(warmup())), Account(Meter(warmup()))
    for account, first in ((same, QUESTION), (other, ANSWER)):
        account.turn([first], [first], ANSWER)
        account.turn([QUESTION, ANSWER, QUESTION], [QUESTION], ANSWER)

    assert same.turns[-1] < other.turns[-1]


def test_a_manager_with_many_conversations_is_measured() -> None:
    """There is a row for each size, and what is held is known."""
    rows = crowded("volatile", (1, 20))

    assert [1, 20] == [row["conversations"] for row in rows]
    assert held() > 0


@given(size=st.integers(2, 1_000), power=st.floats(-3, 3))
def test_the_exponent_of_a_power_is_the_power(size: int, power: float) -> None:
    """Whatever the sizes, growth by a power has that power as its slope."""
    assert exponent((1, size), (1, size**power)) == pytest.approx(power, abs=1e-6)


def test_growth_is_measured_from_where_it_counts() -> None:
    """Sizes that are smaller, and rows without the figure, say nothing."""
    rows: list[Row] = [
        {"n": 1, "f": 50.0},
        {"n": 10, "f": 2.0},
        {"n": 50, "f": None},
        {"n": 100, "f": 20.0},
    ]

    assert slope(rows, "n", "f", since=10) == pytest.approx(1.0)
    assert slope(rows, "n", "f", since=60) is None
    assert exponent((1, 10), (0, 5)) is None


def test_constant_and_linear_growth_passes() -> None:
    """Nothing fails where all grows as it should."""
    assert [] == failing(*good())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("turn ms", 100_000.0),
        ("compaction ms", 100_000.0),
        ("prompt tokens", 70.0),
        ("$ a 1,000 turns", 70.0),
        ("record bytes", 70.0),
        ("merges", 100_000),
        ("held MiB", 100_000.0),
        ("$ with full history", 100.0),
    ],
)
def test_growth_that_is_too_fast_fails(column: str, value: float) -> None:
    """So does a full history that does not grow: then the comparison says nothing."""
    rows = good()
    rows[-1] = talk("managed", 10_000, **{column: value})

    assert 1 == len(failing(*rows))
    assert column in failing(*rows)[0]


def test_a_store_that_slows_down_fails() -> None:
    """An operation must take as long with many conversations as with few."""
    stores = tuple(
        {"store": "sqlite", "conversations": n, "append ms": 1.0, "load ms": n / 100}
        for n in (100, 10_000)
    )

    assert ["sqlite: exponent of load ms by conversations"] == failing(
        *good(), stores=stores, kinds="sqlite"
    )


def test_a_process_that_keeps_everything_fails() -> None:
    """Twice the conversations must not take twice the memory."""
    crowds = tuple(
        {"store": "volatile", "conversations": n, "held MiB": float(n)} for n in (1, 50, 100)
    )

    assert ["volatile: MiB held after 100 conversations / after half"] == failing(
        *good(), crowds=crowds
    )
