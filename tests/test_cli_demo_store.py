"""`kimi-memory demo --store`: a second run pays for nothing and sends the same."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import result_of, run, sqlite

from memory.cli.endpoint import KEYS, OPENAI_KEY, URLS
from memory.cli.replaying import LIVE_NAMESPACE, NAMESPACE
from memory.stores import open_store
from memory.testing import FakeKimi, serve

if TYPE_CHECKING:
    from typer.testing import Result

BUDGET = 500
CHECKS = ("over_budget", "rejected", "input_mutated")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings and keys out of the tests."""
    for name in list(os.environ):
        if name.startswith("KIMI_MEMORY_") or name in {*KEYS, *URLS, OPENAI_KEY}:
            monkeypatch.delenv(name)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return the URL of a file that is not there yet."""
    return sqlite(tmp_path / "memory.db")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a file of two conversations of ten requests."""
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps(conversation(name)) for name in "ab"), encoding="utf-8")
    return path


def conversation(name: str) -> dict[str, Any]:
    """Return a conversation of some 60 tokens a turn, as a line of a data file holds it."""
    messages = [{"role": "system", "content": "You guide visitors."}]
    for n in range(10):
        question = f"What is shown in room {n} of house {name}, and who painted it? " * 2
        answer = f"Room {n} shows {n * 3} landscapes of the year {1800 + n}. " * 2
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer})
    return {"id": name, "messages": messages}


def replayed(data: Path, *more: object) -> Result:
    """Run `demo` on a file."""
    return run("demo", "--data", data, "--budget", BUDGET, *more)


def compactions_in(store: str, namespace: str) -> bool:
    """Tell whether a store has a compaction in a namespace."""
    opened: Any = open_store(store)
    with closing(opened):
        return opened.known(namespace) is not None


def test_the_shipped_conversation_is_paid_for_once(store: str) -> None:
    """The second run asks for no summary, sends the same bytes, and passes every check."""
    first, second = (result_of(run("demo", "--store", store, "--json")) for _ in range(2))

    assert first["summaries_paid"] == first["total"]["summarizer_calls"] > 0
    assert 0 == second["summaries_paid"] == second["total"]["tokens_summaries"]
    assert first["digest"] == second["digest"]
    assert first["total"]["tokens_sent"] == second["total"]["tokens_sent"]
    assert [4_000, 4_000] == [each["budget"] for each in (first, second)]
    for row in (first["total"], second["total"]):
        assert [0, 0, False, True, True, True, []] == [
            row[name]
            for name in (*CHECKS, "summary_position_ok", "covered", "tail_exact", "problems")
        ]


def test_several_conversations_have_one_digest(data: Path, store: str) -> None:
    """Equal for two runs of the same, another for something else."""
    first, second, other = (
        result_of(replayed(data, "--store", store, "--json", *more))
        for more in ([], [], ["--limit", 1])
    )

    assert first["digest"] == second["digest"] != other["digest"]
    assert [True, 0, 0] == [
        first["summaries_paid"] > 0,
        second["summaries_paid"],
        other["summaries_paid"],
    ]


def test_the_digest_is_of_what_was_sent(data: Path, tmp_path: Path) -> None:
    """Not of where it was kept; what the store had before changes what is sent."""
    digests = [
        result_of(run("demo", "--data", data, "--budget", budget, "--store", url, "--json"))[
            "digest"
        ]
        for name, budget in (("a", BUDGET), ("b", BUDGET), ("c", 5_000), ("a", 5_000))
        for url in [sqlite(tmp_path / name)]
    ]

    assert digests[0] == digests[1] == digests[3] != digests[2]


@pytest.mark.parametrize("limit", [1, 2])
def test_people_see_both_figures(limit: int, data: Path, store: str) -> None:
    """For one conversation and for several."""
    found = result_of(replayed(data, "--limit", limit, "--store", store, "--json"))
    shown = replayed(data, "--limit", limit, "--store", store).stdout

    assert found["digest"] in shown
    (line,) = (line for line in shown.splitlines() if "summaries paid" in line)
    assert "0" in line.split()


def test_without_a_store_there_is_no_digest(data: Path) -> None:
    """And the variable of the other commands does not name one: a demo is no part of the data."""
    result = run(
        "demo", "--data", data, "--budget", BUDGET, "--json", KIMI_MEMORY_STORE="mysql://nowhere"
    )

    assert 0 == result.exit_code
    assert {"digest", "summaries_paid"}.isdisjoint(result_of(result))


def test_a_demo_is_no_conversation_of_yours(data: Path, store: str) -> None:
    """It has a namespace of its own, and logs without names."""
    replayed(data, "--store", store)
    spaces = ("default", NAMESPACE)
    listed = [run("conversations", "--store", store, "--namespace", each) for each in spaces]

    assert ["no conversations\n"] * 2 == [each.stdout for each in listed]
    assert [False, True] == [compactions_in(store, each) for each in spaces]


def test_the_real_api_does_not_go_on_from_made_up_summaries(
    data: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rehearsal keeps nothing, and what the fake wrote is not used; a second run pays none."""
    monkeypatch.setenv("KIMI_API_KEY", "sk-secret")
    paid = [result_of(replayed(data, "--store", store, "--json"))["summaries_paid"]]
    with serve(FakeKimi(api_key="sk-secret")) as url:
        monkeypatch.setenv("KIMI_BASE_URL", url)
        for _ in range(2):
            live = replayed(data, "--store", store, "--live", "--yes", "--json")
            paid.append(result_of(live)["summaries_paid"])

    assert paid[0] == paid[1] > paid[2] == 0
    assert compactions_in(store, LIVE_NAMESPACE)


@pytest.mark.parametrize("url", ["mysql://me:secret@host/x", "redis://me:secret@127.0.0.1:1/0"])
def test_a_store_that_cannot_be_used_is_one_line(url: str, data: Path) -> None:
    """Before anything is replayed, and without its password."""
    result = replayed(data, "--store", url, "--json")

    assert (2, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert "secret" not in result.output
