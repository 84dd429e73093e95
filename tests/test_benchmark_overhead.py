"""The benchmark of overhead says what it measured, and is able to fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import _overhead_errors, _overhead_turns, overhead
from benchmarks._overhead_hook import LISTS, SITUATIONS
from benchmarks._overhead_process import GoneError, Process
from benchmarks._overhead_turns import CLOSE, FAR
from benchmarks._synthetic import TOOLS, Writer
from benchmarks.peers.counting import COUNTING, FIT, Memory, answer

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks._report import Row

FIGURES = {"name", "value", "op", "bound", "holds"}
QUESTION = {"role": "user", "content": "Where is the train to Basel?"}
ANSWER = {"role": "assistant", "content": "On platform nine, as every day."}
FEW = _overhead_errors.Scope(conversations={"made": 1}, requests=2)
TIMES = st.floats(min_value=0.01, max_value=1_000)


def timed(ratio: float, *, slower: float = 10.0) -> list[Row]:
    """Return rows of times; `slower` is by how much the hook takes longer for the long history."""
    return [
        {
            "messages": length,
            "situation": situation.name,
            "list": kind,
            "ratio": ratio,
            "bare ms": 1.0,
            "hook ms": factor,
        }
        for length, factor in ((1_000, 1.0), (10_000, slower))
        for situation in SITUATIONS
        for kind in LISTS
    ]


def turns(*, ours: float, langchain: float | None, litellm: float | None) -> list[Row]:
    """Return rows of turns at 1,000 messages with these milliseconds; None leaves a library out."""
    made: list[tuple[str, str, float | None]] = [
        (FIT, FAR, ours / 2),
        (FIT, CLOSE, ours / 3),
        (FIT, CLOSE, ours),
        ("SummarizationMiddleware.before_model", "any", langchain),
        ("trim_messages", "any", litellm),
    ]
    return [
        {"messages": 1_000, "library": "one", "function": function, "budget": budget, "turn ms": ms}
        for function, budget, ms in made
        if ms is not None
    ]


def write(directory: Path) -> Path:
    """Write a corpus of one conversation, `made`, and return its directory."""
    messages = [QUESTION, ANSWER, QUESTION, ANSWER]
    row = json.dumps({"id": "one", "messages": messages})
    (directory / "made.jsonl").write_text(row, encoding="utf-8")
    return directory


def opened(subject: Memory, *, budget: int) -> list[bool]:
    """Return whether a subject had to count a history when it was opened, and a turn later."""
    writer = Writer("a history")
    first = {"op": "open", "messages": writer.history(20), "tools": TOOLS, "budget": budget}
    orders: list[dict[str, Any]] = [first, {"op": "turn", "messages": writer.turn()}]
    return [answer(subject, order)["counted"] for order in orders]


def test_it_prints_its_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It ends with one JSON object: a row for each length, situation and list, and the checks."""
    overhead.main(["--quick", "--json", "--no-peers", "--data", str(write(tmp_path))])
    read = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = read["rows"]["calls"]

    assert [FIGURES] * 10 == [set(check) for check in read["checks"]]
    assert len(overhead.QUICK) * 6 == len(rows)
    assert all(row["hook ms"] > 0 and row["bare ms"] > 0 for row in rows)
    assert [row["hook ms"] / row["bare ms"] for row in rows] == [row["ratio"] for row in rows]
    assert read["quick"]
    assert 4 == len(read["figures"])
    assert [(FIT, CLOSE), (FIT, FAR), (FIT, CLOSE), (FIT, FAR)] == [
        (row["function"], row["budget"]) for row in read["rows"]["a turn beside others"][:4]
    ]
    assert all(row["turn ms"] > 0 for row in read["rows"]["a turn beside others"])
    assert {"zh_haystack", "LangChain, litellm"} == {
        row["what"] for row in read["rows"]["left out"]
    }


def test_a_slow_hook_is_reported() -> None:
    """A hook that costs more than its share of the call fails in every situation and length."""
    found = [check for check in overhead.checks(timed(0.03)) if "bare call" in check.name]

    assert 6 == len(found)
    assert not any(check.holds for check in found)


def test_a_hook_that_grows_faster_than_the_history_is_reported() -> None:
    """Cheap and linear holds; more than fifteenfold from 1,000 to 10,000 messages does not."""
    assert all(check.holds for check in overhead.checks(timed(0.01, slower=14.0)))
    assert 3 == sum(not check.holds for check in overhead.checks(timed(0.01, slower=16.0)))


def test_the_figures_are_those_of_the_shortest_long_history() -> None:
    """One for each situation, at 1,000 messages, with the bare call as the floor."""
    found = overhead.figures(timed(0.01))

    assert [f"hook at 1,000 messages, {each.name}" for each in SITUATIONS] == [
        f.name for f in found
    ]
    assert [(1.0, 1.0)] * 3 == [(figure.value, figure.floor) for figure in found]


@given(ours=TIMES, langchain=TIMES, litellm=TIMES)
def test_the_slower_counter_that_has_to_count_is_compared(
    ours: float, langchain: float, litellm: float
) -> None:
    """Neither the budget that is far away nor the quicker counter makes a check hold."""
    rows = turns(ours=ours, langchain=langchain, litellm=litellm)

    assert [litellm / ours >= 10.0, ours / langchain <= 1.0] == [
        check.holds for check in _overhead_turns.checks(rows)
    ]


def test_a_library_that_was_not_measured_fails_its_check() -> None:
    """Without a time there is no ratio, and a check without a figure does not hold."""
    found = _overhead_turns.checks(turns(ours=1.0, langchain=None, litellm=20.0))

    assert [(20.0, True), (None, False)] == [(check.value, check.holds) for check in found]


def test_the_figures_of_a_turn_leave_out_who_was_not_measured() -> None:
    """There are our time, and time and ratio of each library that was asked."""
    found = _overhead_turns.figures(turns(ours=2.0, langchain=None, litellm=20.0))

    assert [
        ("a turn at 1,000 messages, counted", 2.0),
        ("a turn at 1,000 messages, litellm", 20.0),
        ("litellm / memory at 1,000 messages", 10.0),
    ] == [(figure.name, figure.value) for figure in found]


def test_a_bound_has_no_error() -> None:
    """Where the bytes suffice nothing is estimated; elsewhere the error stands beside the time."""
    errors = {"one": {"signed p50": 1.0, "absolute p50": 2.0, "absolute p95": 3.0}}
    far, *counted = _overhead_turns.with_errors(turns(ours=1.0, langchain=1.0, litellm=1.0), errors)

    assert far["error absolute p95 %"] is None
    assert [(1.0, 2.0, 3.0)] * 4 == [
        tuple(row[f"error {each} %"] for each in errors["one"]) for row in counted
    ]


@pytest.mark.parametrize("name", ["memory", "estimator"])
@pytest.mark.parametrize(("budget", "counted"), [(7_000, True), (1_000_000, False)])
def test_a_budget_that_is_close_makes_it_count(name: str, budget: int, counted: bool) -> None:  # noqa: FBT001
    """A prompt is counted where its bytes exceed the budget, and not where they do not."""
    subject = COUNTING[name]()
    assert isinstance(subject, Memory)

    assert [counted, counted] == opened(subject, budget=budget)


def test_a_prompt_that_was_changed_is_an_error() -> None:
    """A budget that the history exceeds measures something else, and is refused."""
    with pytest.raises(RuntimeError, match="changed"):
        opened(Memory(exact=True), budget=1_500)


def test_a_process_that_ended_is_told() -> None:
    """A library that cannot be begun says nothing, and who waits for it is told so."""
    process = Process("memory")
    with pytest.raises(GoneError, match="memory"):
        process.ask("an order that there is not")
    process.close()


def test_errors_are_told_cold_learnt_and_exact(tmp_path: Path) -> None:
    """Each counter has a row for the corpus and one for all; the one that learns begins later."""
    rows, left_out = _overhead_errors.measure(write(tmp_path), (), FEW)
    pooled = _overhead_errors.pooled(rows)

    assert {} == left_out
    assert 6 == len(rows)
    assert {
        "memory, estimator, cold": 2,
        "memory, estimator": 1,
        "memory, exact vocabulary": 2,
    } == {library: row["requests"] for library, row in pooled.items()}
    assert 0.0 == pooled["memory, exact vocabulary"]["largest"]


def test_a_corpus_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """There are no rows then, and a note."""
    rows, left_out = _overhead_errors.measure(tmp_path, (), FEW)

    assert [] == rows
    assert {"made"} == left_out.keys()
