"""`kimi-memory demo`: replays, their figures, what they cost, and how they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from memory.cli.app import app
from memory.cli.endpoint import KEYS, OPENAI_KEY, URLS
from memory.testing import FakeKimi, serve
from memory.tuning.prices import Prices, Volume

ROW = {
    "id",
    "requests",
    "compactions",
    "summarizer_calls",
    "tokens_full",
    "tokens_sent",
    "tokens_summaries",
    "largest_request",
    "cached_share",
    "over_budget",
    "rejected",
    "summary_position_ok",
    "input_mutated",
    "covered",
    "tail_exact",
    "smallest_view_share",
    "problems",
}
"""The figures of one conversation."""
WHOLE = {"conversations", "total", "failed", "budget", "model", "counter"}
"""What the JSON object of a replay holds."""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings and keys out of the tests."""
    for name in list(os.environ):
        if name.startswith("KIMI_MEMORY_") or name in {*KEYS, *URLS, OPENAI_KEY}:
            monkeypatch.delenv(name)


def conversation(name: str, *, turns: int = 10) -> dict[str, Any]:
    """Return a conversation of some 60 tokens a turn, as a line of a data file holds it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You guide visitors."}]
    for n in range(turns):
        question = f"What is shown in room {n}, and who painted it? " * 2
        answer = f"Room {n} shows {n * 3} landscapes of the year {1800 + n}. " * 2
        messages.append({"role": "user", "content": question, "_time": n})
        messages.append({"role": "assistant", "content": answer})
    return {"id": name, "messages": messages}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a file of three conversations of ten requests."""
    path = tmp_path / "data.jsonl"
    lines = [json.dumps(conversation(name)) for name in ("a", "b", "c")]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def run(*arguments: object, stdin: str = "") -> Result:
    """Run `kimi-memory demo` in this process."""
    return CliRunner().invoke(app, ["demo", *map(str, arguments)], input=stdin)


def result_of(result: Result) -> dict[str, Any]:
    """Return the JSON object that a run printed as its last line."""
    value: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return value


def test_the_shipped_conversation_is_replayed_without_a_key_and_passes_every_check() -> None:
    """`python -m memory demo --json` needs nothing, and all invariants hold."""
    command = [sys.executable, "-m", "memory", "demo", "--json"]

    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=110)
    (line,) = done.stdout.splitlines()
    value = json.loads(line)
    (row,) = value["conversations"]

    assert set(value) == WHOLE
    assert set(row) == set(value["total"]) == ROW
    assert value["failed"] == row["problems"] == []
    assert (row["over_budget"], row["rejected"], row["input_mutated"]) == (0, 0, False)
    assert row["summary_position_ok"]
    assert row["covered"]
    assert row["tail_exact"]
    assert 0 < row["compactions"] <= row["summarizer_calls"]
    assert row["largest_request"] <= value["budget"] == 4_000
    assert row["tokens_sent"] + row["tokens_summaries"] < row["tokens_full"] / 2
    assert row["cached_share"] > 0.5


def test_people_see_figures_a_chart_and_the_synthetic_message(data: Path) -> None:
    """Without `--json` a single replay ends with a table, a plot and the notes."""
    result = run("--data", data, "--budget", 500, "--limit", 1)

    assert 0 == result.exit_code
    for expected in ("tokens if resent in full", "resent in full", "┈", "▼", "<summary messages="):
        assert expected in result.stdout


def test_output_is_no_wider_than_the_terminal(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrow terminal gets a narrow chart."""
    monkeypatch.setenv("COLUMNS", "60")

    result = run("--data", data, "--budget", 500, "--limit", 1)

    assert max(map(len, result.stdout.splitlines()[1:])) <= 60


def test_output_carries_no_colours_into_files(data: Path) -> None:
    """Where standard output is no terminal there are no escape sequences."""
    result = run("--data", data, "--budget", 500, "--limit", 1)

    assert "\x1b" not in result.stdout


def test_several_conversations_are_rows_and_a_total(data: Path) -> None:
    """Each conversation is a row; the total adds them up."""
    result = run("--data", data, "--budget", 500, "--json")
    value = result_of(result)

    assert 0 == result.exit_code
    assert ["a", "b", "c"] == [row["id"] for row in value["conversations"]]
    assert 30 == value["total"]["requests"]
    assert (
        sum(row["tokens_sent"] for row in value["conversations"]) == value["total"]["tokens_sent"]
    )


def test_several_conversations_are_shown_as_a_table(data: Path) -> None:
    """People get one row for each conversation and a total."""
    result = run("--data", data, "--budget", 500)

    assert 0 == result.exit_code
    shown = [
        line.split()[0] for line in result.stdout.splitlines() if line.rstrip().endswith(" ok")
    ]
    assert ["a", "b", "c", "total"] == shown


def test_conversations_are_joined_by_the_chain(data: Path) -> None:
    """`--chain 2` makes two conversations of three, under one system prompt."""
    value = result_of(run("--data", data, "--budget", 500, "--chain", 2, "--json"))

    assert [("a+1", 20), ("c", 10)] == [
        (row["id"], row["requests"]) for row in value["conversations"]
    ]


def test_one_conversation_is_chosen_by_its_id(data: Path) -> None:
    """`--conversation` replays only that one."""
    value = result_of(run("--data", data, "--budget", 500, "--conversation", "b", "--json"))

    assert ["b"] == [row["id"] for row in value["conversations"]]


def test_data_may_come_from_standard_input(data: Path) -> None:
    """`--data -` reads lines from a pipe."""
    text = data.read_text(encoding="utf-8")

    value = result_of(run("--data", "-", "--budget", 500, "--limit", 1, "--json", stdin=text))

    assert ["a"] == [row["id"] for row in value["conversations"]]


def test_full_is_what_was_sent_as_long_as_everything_fits(data: Path) -> None:
    """A budget that is never reached saves nothing: both counts are the server's."""
    (row,) = result_of(run("--data", data, "--budget", 100_000, "--limit", 1, "--json"))[
        "conversations"
    ]

    assert row["tokens_full"] == row["tokens_sent"]
    assert 0 == row["compactions"]


def test_a_budget_that_cannot_be_met_ends_that_conversation_and_fails(tmp_path: Path) -> None:
    """What may not be dropped is larger than the budget: the error is told, the others go on."""
    path = tmp_path / "data.jsonl"
    huge = conversation("huge", turns=1)
    huge["messages"][1]["content"] = "a b c d " * 2_000
    path.write_text(f"{json.dumps(huge)}\n{json.dumps(conversation('small'))}", encoding="utf-8")

    result = run("--data", path, "--budget", 500, "--json")
    value = result_of(result)

    assert 1 == result.exit_code
    assert ["small"] == [row["id"] for row in value["conversations"]]
    assert ["huge"] == [each["id"] for each in value["failed"]]
    assert "last user message" in value["failed"][0]["error"]


def test_a_refused_request_fails_the_run(tmp_path: Path) -> None:
    """A conversation that the API would refuse is reported as such."""
    path = tmp_path / "data.jsonl"
    orphan = {"role": "tool", "tool_call_id": "x:0", "content": "?"}
    messages = [{"role": "user", "content": "Hi"}, orphan, {"role": "assistant", "content": "Yes"}]
    path.write_text(json.dumps({"id": "bad", "messages": messages}), encoding="utf-8")

    result = run("--data", path, "--budget", 500, "--json")

    assert 1 == result.exit_code
    assert 1 == result_of(result)["total"]["rejected"]


def test_any_model_can_be_named(data: Path) -> None:
    """The fake serves whatever model is asked for."""
    result = run("--data", data, "--budget", 500, "--limit", 1, "--model", "my-kimi", "--json")

    assert 0 == result.exit_code
    assert "my-kimi" == result_of(result)["model"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--data", "{data}"], "--budget"),
        (["--data", "{data}", "--budget", "600", "--conversation", "z"], "'z'"),
        (["--data", "{nowhere}", "--budget", "600"], "No such file"),
        (["--data", "{broken}", "--budget", "600"], "broken.jsonl:1: not JSON"),
        (["--conversation", "z"], "'demo'"),
        (["--live"], "MOONSHOT_API_KEY"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(
    arguments: list[str], complaint: str, data: Path, tmp_path: Path
) -> None:
    """What cannot be done is said in one line on standard error, and in the JSON object."""
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{", encoding="utf-8")
    places = {"data": data, "nowhere": tmp_path / "nowhere", "broken": broken}
    given = [argument.format(**places) for argument in arguments]

    result = run(*given, "--json")

    assert 2 == result.exit_code
    assert complaint in result.stderr
    assert 1 == len(result.stderr.splitlines())
    assert ["error"] == list(result_of(result))


def test_a_key_of_openai_needs_an_explicit_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's key is never sent to Moonshot by default."""
    monkeypatch.setenv(OPENAI_KEY, "sk-of-openai")

    assert 2 == run("--live").exit_code


def test_a_live_replay_says_its_price_and_asks(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent to the API before the user has agreed to the price."""
    fake = FakeKimi()
    monkeypatch.setenv("KIMI_API_KEY", "sk-secret")

    with serve(fake) as url:
        arguments = ("--live", "--base-url", url, "--data", data, "--budget", 500, "--limit", 1)
        refused = run(*arguments, stdin="n\n")

    assert 1 == refused.exit_code
    assert "US dollars" in " ".join(refused.stderr.split())
    assert "sk-secret" not in refused.output
    assert ["GET"] == [request.method for request in fake.requests]


def test_a_live_replay_is_sent_to_the_base_url_with_the_key(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With consent the same replay goes to the API."""
    fake = FakeKimi(api_key="sk-secret")
    monkeypatch.setenv("KIMI_API_KEY", "sk-secret")

    with serve(fake) as url:
        monkeypatch.setenv("KIMI_BASE_URL", url)
        result = run("--live", "--yes", "--data", data, "--budget", 500, "--limit", 1, "--json")
    row = result_of(result)["total"]

    assert 0 == result.exit_code
    assert 1 + row["requests"] + row["summarizer_calls"] == len(fake.requests)


def test_a_wrong_key_is_found_before_anything_is_replayed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of models costs nothing and needs the key."""
    monkeypatch.setenv("KIMI_API_KEY", "sk-wrong")

    with serve(FakeKimi(api_key="sk-secret")) as url:
        result = run("--live", "--base-url", url, "--yes", "--data", data, "--budget", 500)

    assert 2 == result.exit_code
    assert "Incorrect API key" in result.stderr


def test_prices_are_of_millions_of_tokens() -> None:
    """Cached prompt tokens have their own price, and a cache that never hits is dearer."""
    volume = Volume(prompt=3_000_000, cached=1_000_000, completion=500_000)
    prices = Prices(input=1.0, cached=0.25, output=4.0)

    assert 4.25 == volume.cost(prices)
    assert 5.0 == volume.cost(prices, cached=False)
