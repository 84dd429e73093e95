"""`kimi-memory tune`, and the settings that other commands take from its file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import result_of, run
from studies import study

from memory.cli.endpoint import KEYS, OPENAI_KEY, URLS
from memory.cli.output import CommandError
from memory.cli.tuning import axis
from memory.config import Settings
from memory.testing import FakeKimi, serve

if TYPE_CHECKING:
    from typer.testing import Result


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings and keys out of the tests."""
    for name in list(os.environ):
        if name.startswith("KIMI_MEMORY_") or name in {*KEYS, *URLS, OPENAI_KEY}:
            monkeypatch.delenv(name)


def conversation(name: str, *, turns: int = 8) -> dict[str, Any]:
    """Return a conversation whose replies come back to what was said before."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You guide visitors."}]
    for n in range(turns):
        question = f"What is shown in room {n}, and who was painter Q{n * 7}{name}? " * 2
        answer = f"Room {n} shows {n * 3} landscapes by painter Q{(n - 4) * 7}{name}. " * 2
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": answer})
    return {"id": name, "messages": messages}


def written(path: Path, *names: str, turns: int = 8) -> Path:
    """Write a file of conversations and return it."""
    lines = [json.dumps(conversation(name, turns=turns)) for name in names]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a file of two conversations of eight turns."""
    return written(tmp_path / "data.jsonl", "a", "b")


def tune(data: Path, *arguments: object, budget: int = 600, out: str = "out") -> Result:
    """Run `kimi-memory tune` in this process, with one process and its files beside the data."""
    where = ("--out", data.parent / out, "--processes", 1)
    return run("tune", data, "--budget", budget, *where, *arguments)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Tune once for several tests; return the directory of the files, and the run."""
    data = written(tmp_path_factory.mktemp("tune") / "data.jsonl", "a", "b")
    result = tune(data, "--set", "target=0.4,0.45", "--points", 3, "--json")
    return data.parent / "out", result


def test_one_json_object_has_the_study_and_the_files(done: tuple[Path, Result]) -> None:
    """It is what a study has as a row, with the paths beside it."""
    folder, result = done
    value = result_of(result)

    assert 0 == result.exit_code
    assert set(study().row()) | {"files written", "settings_file", "plots"} == set(value)
    assert str(folder / "settings.toml") == value["settings_file"]
    assert 4 == len(value["plots"])
    assert all(Path(path).exists() for path in [*value["plots"], value["settings_file"]])


def test_the_file_has_the_chosen_settings(done: tuple[Path, Result]) -> None:
    """They are the ones of the JSON object."""
    folder, result = done
    settings = result_of(result)["chosen"]["settings"]

    assert Settings(**settings) == Settings.resolve({}, environ={}, file=folder / "settings.toml")


def test_it_says_before_how_much_there_is_to_do(done: tuple[Path, Result]) -> None:
    """On standard error, so that the JSON stays alone."""
    assert "3 combinations and 2 ways without a memory x 2 conversations" in done[1].stderr


def test_the_report_has_the_command(done: tuple[Path, Result]) -> None:
    """What changes no figure is not part of it."""
    folder, _ = done
    page = (folder / "report.html").read_text(encoding="utf-8")

    given = "--budget 600 --points 3 --set target=0.4,0.45"
    assert f"kimi-memory tune {folder.parent / 'data.jsonl'} {given}" in page
    assert "--json" not in page


def test_a_second_run_measures_nothing_and_finds_the_same(done: tuple[Path, Result]) -> None:
    """What was measured is kept."""
    folder, first = done
    data, kept = folder.parent / "data.jsonl", folder / "trials" / "trials.jsonl"
    lines = kept.read_text(encoding="utf-8")

    again = tune(data, "--set", "target=0.4,0.45", "--points", 3, "--json")

    assert first.stdout == again.stdout
    assert lines == kept.read_text(encoding="utf-8")


def test_people_see_a_table(data: Path) -> None:
    """With what is chosen, both ends of the scale, and who wrote the summaries."""
    result = tune(data, "--set", "target=0.4,0.45", "--points", 1, "--prefer", "cost")

    for part in ("chosen", "ceiling", "floor", "offline extractor", "settings.toml", "least cost"):
        assert part in result.stdout


def test_only_a_file_is_measured(data: Path, tmp_path: Path) -> None:
    """Nothing else of the grid, and with --fresh nothing from before."""
    kept = tmp_path / "out" / "trials" / "trials.jsonl"
    kept.parent.mkdir(parents=True)
    kept.write_text("from before\n", encoding="utf-8")
    file = tmp_path / "mine.toml"
    file.write_text("budget = 650\ntarget = 0.37\n", encoding="utf-8")

    where = ("--out", tmp_path / "out", "--processes", 1, "--limit", 1)
    result = run("tune", data, "--only", file, *where, "--fresh", "--json")
    trials = result_of(result)["trials"]

    assert [{"budget": 650, "target": 0.37}] == [
        {name: each["settings"][name] for name in ("budget", "target")} for each in trials
    ]
    assert "from before" not in kept.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--set", "targets=1"), "no such setting; there are budget"),
        (("--set", "target"), "write NAME=VALUE"),
        (("--set", "target="), "write NAME=VALUE"),
        (("--set", "budget=1,2"), "say --budget"),
        (("--set", "target=often"), "target='often'"),
        (("--prices", "/none.json"), "/none.json: no price file"),
        (("--only", "/none.toml"), "/none.toml: cannot be read"),
        (("--model", "kimi-none"), "no prices for kimi-none"),
        (("--conversation", "z"), "no conversation 'z'"),
        (("--live",), "--live needs --spend"),
        (("--live", "--spend", 1), "no key"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    data: Path, arguments: tuple[object, ...], told: str
) -> None:
    """With exit code 2, and nothing written."""
    result = tune(data, *arguments)

    assert 2 == result.exit_code
    assert told in " ".join(result.stderr.split())
    assert not (data.parent / "out" / "report.html").exists()


def test_a_budget_is_needed(data: Path) -> None:
    """There is none to guess."""
    result = run("tune", data)

    assert 2 == result.exit_code
    assert "tune needs a --budget" in result.stderr


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("target=0.3, 0.4", "target", [0.3, 0.4]),
        ("tail=none,0.1", "tail", [None, 0.1]),
        ("media_tokens=2000", "media_tokens", [2_000]),
        ("clear_tool_results=off,only", "clear_tool_results", ["off", "only"]),
    ],
)
def test_an_axis_is_a_name_and_values(text: str, name: str, values: list[Any]) -> None:
    """Numbers are numbers, and none is no value."""
    assert (name, values) == axis(text)


def test_an_axis_of_one_letter_less_is_an_error() -> None:
    """The message names the settings that there are."""
    with pytest.raises(CommandError, match="clear_tool_results"):
        axis("clear_tool_result=off")


def test_without_matplotlib_nothing_is_measured(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says how to install it, before the work and not after it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    result = tune(data)

    assert 2 == result.exit_code
    assert "plots need matplotlib: pip install 'kimi-memory[tune]'" in result.stderr
    assert not (data.parent / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for one process")
def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    """What was measured is kept."""
    data = written(tmp_path / "data.jsonl", "a", "b", turns=40)
    out = tmp_path / "out"
    # Whoever was started in the background has the signal ignored, and so has what it starts.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from memory.cli import main; main()"
    options = ["--budget", "900", "--out", str(out), "--processes", "1"]
    kept = out / "trials" / "trials.jsonl"

    with subprocess.Popen(
        [sys.executable, "-c", code, "tune", str(data), *options], stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while not (kept.exists() and kept.stat().st_size) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert "the same command goes on" in " ".join(told.split())
    assert "Traceback" not in told
    assert kept.read_text(encoding="utf-8")


def live(data: Path, fake: FakeKimi, *arguments: object, stdin: str = "") -> Result:
    """Measure one combination, one conversation, with a server that takes the key sk-secret."""
    with serve(fake) as url:
        return run(
            "tune", data, "--budget", 600, "--points", 1, "--limit", 1, "--live", *arguments,
            "--base-url", url, "--out", data.parent / "out", stdin=stdin, KIMI_API_KEY="sk-secret",
        )  # fmt: skip


def test_a_live_run_says_what_it_may_cost_and_asks(data: Path) -> None:
    """Nothing but the list of models is asked for before the user agrees."""
    fake = FakeKimi(api_key="sk-secret")

    refused = live(data, fake, "--spend", 2.5, stdin="n\n")

    assert 1 == refused.exit_code
    assert "until 2.50 US dollars are spent" in " ".join(refused.stderr.split())
    assert "sk-secret" not in refused.output
    assert ["GET"] == [request.method for request in fake.requests]


def test_a_live_run_has_the_summaries_of_the_model(data: Path) -> None:
    """The report says so, and every turn went to the API."""
    fake = FakeKimi(api_key="sk-secret")

    result = live(data, fake, "--spend", 2.5, "--yes", "--json")
    value = result_of(result)

    assert 0 == result.exit_code
    assert "kimi-k2.6, live" == value["summarizer"]
    assert value["chosen"]["requests"] <= sum(each.method == "POST" for each in fake.requests)


def test_a_live_run_stops_before_it_costs_too_much(data: Path) -> None:
    """With next to nothing to spend nothing is sent."""
    fake = FakeKimi(api_key="sk-secret")

    result = live(data, fake, "--spend", 0.000001, "--yes")

    assert 2 == result.exit_code
    assert ["GET"] == [request.method for request in fake.requests]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Return a file with a budget."""
    path = tmp_path / "settings.toml"
    path.write_text("budget = 1500\ntarget = 0.36\n", encoding="utf-8")
    return path


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """Return a file with one conversation of 40 turns."""
    path = tmp_path / "messages.json"
    path.write_text(json.dumps(conversation("c", turns=40)), encoding="utf-8")
    return path


def test_plan_takes_the_settings_of_a_file(messages: Path, settings: Path) -> None:
    """Limit and target are those of the file."""
    value = result_of(run("plan", messages, "--settings", settings, "--json"))

    assert (1_500, 540) == (value["limit"], value["target"])


def test_the_option_wins_over_the_environment_and_that_over_the_file(
    messages: Path, settings: Path
) -> None:
    """As everywhere."""
    given = ("plan", messages, "--settings", settings, "--json")

    options = run(*given, "--budget", 1_300, KIMI_MEMORY_BUDGET="1400")
    environment = run(*given, KIMI_MEMORY_BUDGET="1400")

    assert (1_300, 1_400) == (result_of(options)["limit"], result_of(environment)["limit"])


def test_check_takes_the_budget_of_a_file(messages: Path, settings: Path) -> None:
    """It is needed no more, and every promise is kept."""
    result = run("check", messages, "--settings", settings, "--json")

    assert 0 == result.exit_code
    assert 1_500 == result_of(result)["budget"]


def test_check_needs_a_budget_from_somewhere(messages: Path, tmp_path: Path) -> None:
    """A file without one is not enough."""
    file = tmp_path / "settings.toml"
    file.write_text("target = 0.4\n", encoding="utf-8")

    results = [run("check", messages), run("check", messages, "--settings", file)]

    assert [2, 2] == [result.exit_code for result in results]
    assert all("check needs a --budget" in " ".join(each.stderr.split()) for each in results)


def test_demo_takes_the_settings_of_a_file(tmp_path: Path, settings: Path) -> None:
    """Its budget is the limit of the replay, and its target is where compactions go."""
    data = written(tmp_path / "data.jsonl", "a", turns=40)

    result = run("demo", "--data", data, "--settings", settings, "--json")
    value = result_of(result)

    assert (0, 1_500) == (result.exit_code, value["budget"])
    assert value["total"]["compactions"] > 0


def test_chat_takes_the_budget_of_a_file(settings: Path) -> None:
    """The gauge has its limit."""
    result = run("chat", "--fake", "--settings", settings, "--json", stdin="Hello.\n")

    assert 1_500 == result_of(result)["limit"]


@pytest.mark.parametrize("command", ["plan", "check", "demo", "chat"])
def test_a_bad_file_is_named(command: str, messages: Path, settings: Path) -> None:
    """With the setting that is wrong in it."""
    settings.write_text("target = 2\n", encoding="utf-8")
    files: dict[str, list[object]] = {"plan": [messages], "check": [messages], "chat": ["--fake"]}

    result = run(command, *files.get(command, []), "--settings", settings)

    assert 2 == result.exit_code
    assert f"{settings}: " in result.stderr
    assert "target=2" in result.stderr
