"""The benchmark of cost says what it measured, and is able to fail."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kimi_clients import httpx_library

if httpx_library.__name__ != "httpx2":
    pytest.skip("clients of benchmarks are on httpx2", allow_module_level=True)
pytest.importorskip("splintr")

from benchmarks import cost
from benchmarks._cost_runs import Job, Outcome, chains, paid, together
from benchmarks._synthetic import Writer
from memory import Settings
from memory.replay import steps
from memory.testing import Served
from memory.tuning.bills import Asked, Bill, Requests, billed, shared_tokens
from memory.tuning.prices import Tariff, Volume
from memory.tuning.ruler import Ruler

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODEL = "kimi-k2.6"
FIGURES = {"name", "value", "op", "bound", "holds"}
TARIFFS = [Tariff.read(path) for path in sorted(cost.PRICES.glob("*.json"))]


def recorded(number: int, *, turns: int = 5) -> dict[str, Any]:
    """Return a conversation in the form of the corpus, with a call in every turn."""
    writer = Writer(f"run {number}")
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Answer briefly."}]
    for turn in range(turns):
        arguments = json.dumps({"flight": f"HAT{turn:03d}"})
        call = {
            "id": f"find_{turn}",
            "type": "function",
            "function": {"name": "find", "arguments": arguments},
        }
        messages += [
            {"role": "user", "content": writer.text(900)},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": writer.text(1_500)},
            {"role": "assistant", "content": writer.text(900)},
        ]
    return {"id": f"run {number}", "messages": messages}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory with a corpus of invented runs."""
    rows = [json.dumps(recorded(number)) for number in range(cost.QUICK)]
    (tmp_path / "tau_airline.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def served(*messages: str, kind: Any = "chat", **counts: Any) -> Served:
    """Return an entry in the log of a server."""
    listed = [{"role": "user", "content": text} for text in messages]
    return Served(
        kind=kind,
        method="POST",
        path="/v1/chat/completions",
        body={"model": MODEL, "messages": listed},
        headers={},
        status=200,
        **counts,
    )


def outcome(dollars: float, *, summaries: int = 3, merges: int = 1, **more: Any) -> Outcome:
    """Return what came of a conversation that costs so many dollars a million input tokens."""
    cached = int(dollars * 960_000)
    volume = Volume(prompt=int(dollars * 1_000_000), cached=cached)
    bill = Bill(
        turns=volume,
        shared=cached,
        requests=Requests(turns=100, summaries=summaries, merges=merges),
        largest=8_000,
    )
    return replace(Outcome(bill=bill, news=20_000, compactions=3), **more)


def table(**changes: Any) -> dict[tuple[str, str], Sequence[Outcome]]:
    """Return outcomes that pass every check, with changes to those of the memory."""
    memory = replace(outcome(0.6), **changes)
    ways = {cost.FULL: outcome(1.0), cost.SLIDING: outcome(1.5), cost.MEMORY: memory}
    return {(tariff.name, way): [each] for tariff in TARIFFS for way, each in ways.items()}


def broken(found: dict[tuple[str, str], Sequence[Outcome]]) -> int:
    """Return how many checks do not hold."""
    return sum(not check.holds for check in cost.checks(found, TARIFFS))


def test_the_benchmark_of_cost_prints_its_figures(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with one JSON object: a row for each price file and way, and the checks."""
    cost.main(["--quick", "--json", "--data", str(data)])
    read = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = read["rows"]["cost"]
    ways = [cost.FULL, cost.SLIDING, cost.MEMORY]

    assert all(set(check) == FIGURES for check in read["checks"])
    assert [(t.name, way) for t in TARIFFS for way in ways] == [
        (row["prices"], row["way"]) for row in rows if row["way"] in ways
    ]
    assert all(row["requests"] == rows[0]["requests"] for row in rows)
    assert all(not row["problems"] and not row["refused"] for row in rows)
    assert all(row["compactions"] for row in rows if row["way"] == cost.MEMORY)
    assert {"k2.6", "k3"} == set(read["settings"]["prices"])


def test_good_figures_pass() -> None:
    """The bounds are met by figures as they should be."""
    assert 0 == broken(table())


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"bill": outcome(0.8).bill}, 4),
        ({"bill": replace(outcome(0.6).bill, shared=0)}, 2),
        ({"bill": outcome(0.6, summaries=9).bill}, 2),
        ({"bill": outcome(0.6, merges=4).bill}, 2),
        ({"bill": replace(outcome(0.6).bill, largest=8_001)}, 1),
        ({"bill": replace(outcome(0.6).bill, refused=1)}, 1),
        ({"compactions": 0}, 2),
        ({"problems": ("a promise",)}, 1),
    ],
    ids=["dear", "cold", "summaries", "merges", "large", "refused", "never compacts", "breaks"],
)
def test_bad_figures_are_reported(change: dict[str, Any], count: int) -> None:
    """Each fails its own checks, at either price where that is asked of both."""
    assert count == broken(table(**change))


def test_summaries_are_bounded_by_what_is_new() -> None:
    """Each may stand for what lies between trigger and target; one more is allowed."""
    settings = Settings(budget=8_000, target=0.5)

    assert 1 + 1 == cost.allowed(3_840, settings, MODEL)
    assert 2 + 1 == cost.allowed(3_841, settings, MODEL)


def test_a_prompt_shares_tokens_until_it_differs() -> None:
    """A message that goes on as the one before began is shared as far as that."""
    short, long = served("one two three", "four five"), served("one two three", "four five six")
    _, whole = shared_tokens([short, short])

    assert [0, whole - 1 - 4] == shared_tokens([short, long])  # the end of the message, the opening


def test_merges_are_billed_apart() -> None:
    """What was asked for last, before a place in the log, is what a request there was for."""
    note = served("Notes.", kind="summary", prompt_tokens=10, completion_tokens=2)
    turn = served("Hello.", prompt_tokens=7, cached_tokens=3)
    bill = billed(
        [turn, note, note, note, turn, note, turn],
        [Asked(1, "new"), Asked(3, "merge"), Asked(5, "new")],
    )

    assert Requests(turns=3, breaks=2, summaries=3, merges=1) == bill.requests
    assert Volume(prompt=10, completion=2) == bill.merges
    assert Volume(prompt=21, cached=9) == bill.turns
    assert Volume(prompt=61, cached=9, completion=8) == bill.volume


def test_dollars_are_those_of_the_price_file() -> None:
    """Cached tokens, other prompt tokens and completion tokens have a price each."""
    volume = Volume(prompt=2_000_000, cached=1_000_000, completion=1_000_000)
    dollars = {tariff.name: round(tariff.dollars(volume), 6) for tariff in TARIFFS}

    assert {"k2.6": 5.11, "k3": 18.3} == dollars


def test_the_window_keeps_calls_with_their_results(data: Path) -> None:
    """It has the head and as many of the latest parts as fit, to the token."""
    (conversation,) = chains(data, length=cost.QUICK)
    ruler, budget = Ruler(MODEL), 2_000
    for step in steps(conversation):
        window = ruler.window(step, budget)
        roles = [message["role"] for message in window]

        assert step.messages[0] == window[0]
        assert step.messages[len(step.messages) - len(window) + 1 :] == window[1:]
        assert "tool" != roles[1]
        assert ruler.tokens(step, window) <= budget


def test_full_history_is_never_summarised(data: Path) -> None:
    """It sends every message every time, and what was sent before is cached."""
    (conversation,) = chains(data, length=cost.QUICK)
    found = paid(Job(conversation=conversation, model=MODEL, way="full history"))

    assert 0 == found.compactions == found.bill.requests.summaries
    assert found.bill.largest > found.news > 8_000
    assert found.bill.cached_share > 0.9


def test_bills_add_up() -> None:
    """Two conversations cost what each does; the largest prompt is the larger one."""
    both = together([outcome(1.0), outcome(2.0)])

    assert outcome(3.0).bill.volume == both.bill.volume
    assert 200 == both.bill.requests.turns
    assert 8_000 == both.bill.largest
    assert 40_000 == both.news
