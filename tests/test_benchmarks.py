"""The benchmarks say what they measured, in a form that can be checked, and are able to fail."""

from __future__ import annotations

import json
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import tokens
from benchmarks._errors import Prediction, checks, error_rows
from benchmarks._report import Check, Op, Report, percentile
from benchmarks._synthetic import TOOLS, Writer
from memory.client import manager_of, wrap
from memory.replay import Step, join, steps

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = {"name", "value", "op", "bound", "holds"}


def conversation(turns: int) -> dict[str, Any]:
    """Return a conversation in the form of the corpora."""
    writer = Writer("a conversation")
    messages = [message for _ in range(turns) for message in reversed(writer.turn())]
    return {"id": "one", "messages": [{**message, "_id": "m"} for message in messages]}


def with_tools(turns: int) -> dict[str, Any]:
    """Return a conversation that declares a tool."""
    return {**conversation(turns), "tools": TOOLS}


def predictions(subjects: tokens.Subjects, *, turns: int) -> list[Prediction]:
    """Return the predictions for a short conversation."""
    (joined,) = join([conversation(turns)], chain=1)
    return list(tokens.growing("a corpus", joined, subjects, limit=turns))


def predicted(
    counter: str, request: int, *, error: int, text_only: bool = True, held_out: bool = False
) -> Prediction:
    """Return a prediction that is wrong by `error` percent."""
    return Prediction(counter, "a corpus", request, text_only, held_out, 100 + error, 100)


@pytest.mark.parametrize(
    ("value", "op", "bound", "holds"),
    [
        (0.0, "==", 0.0, True),
        (0.004, "==", 0.0, False),
        (1.0, "<", 1.0, False),
        (0.99, "<", 1.0, True),
        (1.0, "<=", 1.0, True),
        (1.01, "<=", 1.0, False),
        (1.0, ">=", 1.0, True),
        (0.99, ">=", 1.0, False),
    ],
)
def test_a_check_compares_as_it_says(value: float, op: Op, bound: float, holds: bool) -> None:  # noqa: FBT001
    """Whether a check holds follows from the three figures beside it, unrounded."""
    check = Check(name="a figure", value=value, op=op, bound=bound)

    assert {"name": "a figure", "value": value, "op": op, "bound": bound, "holds": holds} == (
        check.row()
    )


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_missing_figure_does_not_hold(value: float | None) -> None:
    """What could not be measured is not taken for good."""
    assert not Check(name="a figure", value=value, op="<=", bound=float("inf")).holds


def test_a_report_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` one line holds everything, and a check that fails makes the exit code 1."""
    report = Report(
        benchmark="a benchmark",
        settings={"runs": 1},
        rows={"times": [{"ms": 1.5}]},
        checks=[Check(name="ms", value=1.5, op="<", bound=1.0)],
    )
    code = report.finish(as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    read = json.loads(line)

    assert 1 == code
    told = {"schema", "benchmark", "date", "quick", "seed", "revision", "environment"}
    assert told | {"settings", "figures", "rows", "checks"} == set(read)
    assert {"times": [{"ms": 1.5}]} == read["rows"]
    assert [False] == [check["holds"] for check in read["checks"]]
    assert {"python", "packages"} <= set(read["environment"])


def test_a_report_without_failures_ends_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """Where every check holds the exit code is 0, and the table names the figures."""
    check = Check(name="milliseconds of work", value=0.5, op="<", bound=1.0)
    report = Report(benchmark="a benchmark", settings={}, rows={}, checks=[check])

    assert 0 == report.finish(as_json=False)
    assert "milliseconds of work" in capsys.readouterr().out


def test_percentiles_are_values_that_occurred() -> None:
    """The nearest rank is taken: of few values the 95th percentile is the largest."""
    values = [float(value) for value in range(100, 0, -1)]

    assert 95.0 == percentile(values, 0.95)
    assert 3.0 == percentile([1.0, 3.0, 2.0], 0.95)
    assert 2.0 == percentile([1.0, 3.0, 2.0], 0.5)
    assert percentile([], 0.5) is None


def test_errors_are_signed_and_in_percent() -> None:
    """A prediction above the count has a positive error, one below a negative."""
    above, below = predicted("a counter", 1, error=4), predicted("a counter", 1, error=-6)

    assert [4.0, -6.0] == [above.error, below.error]


def test_error_rows_report_the_chosen_requests_and_all() -> None:
    """Each corpus has a row for request 2 and one for all; the pools have them again."""
    rows = error_rows([predicted("a counter", n, error=n - 2, held_out=n > 2) for n in (2, 4)])

    assert [
        ("a corpus", 2, 1, 0.0),
        ("a corpus", "all", 2, 2.0),
        ("pooled", 2, 1, 0.0),
        ("pooled", "all", 2, 2.0),
        ("held out", "all", 1, 2.0),
    ] == [(row["corpus"], row["request"], row["requests"], row["largest"]) for row in rows]


def test_each_check_of_the_counters_looks_at_its_own_requests() -> None:
    """An error in one place fails the check for it and no other."""
    good = [
        predicted("exact", 1, error=0),
        predicted("exact", 2, error=0, text_only=False),
        *(predicted("estimator", n, error=0, held_out=True) for n in (5, 20) for _ in range(20)),
    ]

    def failing(*more: Prediction) -> list[int]:
        found = checks([*good, *more], exact="exact", estimator="estimator")
        return [place for place, check in enumerate(found) if not check.holds]

    assert [] == failing()
    assert [0] == failing(predicted("exact", 9, error=1))
    assert [1] == failing(predicted("exact", 3, error=2, text_only=False))
    assert [] == failing(predicted("exact", 1, error=9, text_only=False))
    assert [3] == failing(*[predicted("estimator", 20, error=1)] * 2)
    assert [3, 5] == failing(*[predicted("estimator", 20, error=1, held_out=True)] * 2)
    assert [2] == failing(*[predicted("estimator", 5, error=-1)] * 21)
    assert not any(check.holds for check in checks([], exact="exact", estimator="estimator"))


def test_the_vocabulary_is_measured_as_exact() -> None:
    """On text alone every prediction of the exact vocabulary is what the server counts."""
    pytest.importorskip("splintr")
    subjects = tokens.Subjects(clients={"exact": wrap})

    assert [0.0] * 4 == [each.error for each in predictions(subjects, turns=4)]


def test_a_wrong_counter_is_measured_as_wrong() -> None:
    """A tokenizer that counts words where tokens are asked for fails, and by how much is told."""
    pytest.importorskip("splintr")
    wrong = partial(wrap, tokenizer=lambda text: len(text.split()))
    made = predictions(tokens.Subjects(clients={"wrong": wrong}), turns=4)
    exactness = checks(made, exact="wrong", estimator="wrong")[0]

    assert made[0].error < -5
    assert exactness.value == max(abs(each.error) for each in made)
    assert not exactness.holds


def test_a_client_without_the_extra_estimates() -> None:
    """The estimator is measured in the client of somebody who did not install the extra."""
    (joined,) = join([conversation(4)], chain=1)
    (step,) = islice(steps(joined), 1)
    server = tokens.Server()
    meter = manager_of(tokens.without_extra(server.client, hooks=())).meter
    cold = tokens.predict(meter, step)
    usage, reply = server.ask(server.client, step)
    tokens.learn(meter, step, usage, reply)

    assert not meter.counter.exact
    assert usage.prompt_tokens != cold
    assert usage.prompt_tokens == tokens.predict(meter, step)


def test_the_first_request_after_a_compaction_is_predicted() -> None:
    """A conversation that outgrows its budget gives predictions for some requests, not for all."""
    pytest.importorskip("splintr")
    (joined,) = join([conversation(12)], chain=1)
    made = list(
        tokens.compacted(
            "a corpus", joined, tokens.Subjects(clients={"exact": wrap}), budget=3_000, limit=12
        )
    )

    assert 0 < len(made) < 12
    assert [0.0] * len(made) == [each.error for each in made]


def test_the_benchmark_of_tokens_prints_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with one JSON object: rows for each counter and request, and six checks."""
    pytest.importorskip("splintr")
    for name, chat in (("bfcl_multi_turn", with_tools(6)), ("locomo", conversation(6))):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(chat) + "\n", encoding="utf-8")
    tokens.main(["--quick", "--json", "--data", str(tmp_path)])
    read = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert [FIGURES] * 6 == [set(check) for check in read["checks"]]
    assert [True, True] == [check["holds"] for check in read["checks"][:2]]
    assert {tokens.EXACT, tokens.ESTIMATOR} <= {row["counter"] for row in read["rows"]["errors"]}
    assert {1, 2, 3, 5, "all"} == {row["request"] for row in read["rows"]["errors"]}
    assert {"after a compaction", "errors", "skipped"} == set(read["rows"])
    assert {"conversations": 1, "requests": 6} == read["settings"]["used"]["locomo"]


def test_a_missing_counter_is_named_with_the_reason() -> None:
    """Where langchain-core is not installed its row says so; where it is, there are predictions."""
    count = tokens.langchain()
    if count is None:
        assert "not installed" in tokens.NOT_INSTALLED["reason"]
    else:
        question = [{"role": "user", "content": "Where is my invoice?"}]
        assert 0 < count(Step(messages=list(question), tools=(), reply=None)) < 20


def test_synthetic_conversations_repeat_and_have_the_usual_size() -> None:
    """The same seed writes the same messages, of about 950 bytes on average."""
    history = Writer("a seed").history(2_000)
    size = len(json.dumps(history, ensure_ascii=False).encode()) / len(history)

    assert history == Writer("a seed").history(2_000)
    assert 850 < size < 1_100
    assert {"system", "user", "assistant", "tool"} == {message["role"] for message in history}
