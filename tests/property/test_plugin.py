"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from workbench import chat

from memory import MemoryManager
from memory.events import Compacted
from memory.testing.plugin import EventList
from memory.testing.served import ServedKimi

pytest_plugins = ("pytester",)

BROKEN = """
import pytest
from memory import MemoryManager

class Broken(MemoryManager):
    def fit(self, messages, **others):
        view = super().fit(messages, **others)
        return view if view is messages else [*view[:3], *view[4:]]

@pytest.hookimpl(optionalhook=True)
def pytest_memory_manager(options):
    return Broken(**options)
"""
REPEAT = (
    "-p memory.testing.plugin --memory-transcripts */talks.jsonl --memory-budgets random "
    "--memory-seed 5 -k trip"
)
PASSES = "def test_of_mine():\n    pass\n"
FIXTURES = """
from memory import MemoryManager, wrap
from memory.events import Compacted

def test_fixtures(fake_kimi, memory_events):
    manager = MemoryManager(budget=1_000, hooks=(memory_events,))
    client = manager.wrap(fake_kimi.client())
    messages = [{"role": "user", "content": f"word{n} " * 40} for n in range(60)]
    client.chat.completions.create(model="kimi-k2.6", messages=messages)
    assert 1 == len(memory_events.of(Compacted))
    assert ["summary", "chat"] == [each.kind for each in fake_kimi.requests]
"""


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory outside the project: two conversations, one file without any, a README."""
    path = tmp_path_factory.mktemp("recorded")
    rows = [{"id": "trip", "messages": chat(25)}, {"id": "books", "messages": chat(20, tag="b")}]
    lines = "\n".join(json.dumps(row) for row in rows)
    (path / "talks.jsonl").write_text(lines, encoding="utf-8")
    (path / "scores.json").write_text('{"score": 1}', encoding="utf-8")
    (path / "README.md").write_text("# Talks", encoding="utf-8")
    return path


def ran(pytester: pytest.Pytester, *arguments: object) -> pytest.RunResult:
    """Run pytest with the plugin, without what else is installed."""
    fixed = ["-p", "memory.testing.plugin", "-p", "no:randomly", "-p", "no:langsmith_plugin"]
    return pytester.runpytest_inprocess(*fixed, *map(str, arguments))


def figures(result: pytest.RunResult) -> dict[str, int]:
    """Return the figures of the summary by name."""
    line = next(line for line in result.outlines if line.startswith("files: "))
    pairs = re.findall(r"([a-z ]+): ([\d,]+)", line)
    return {name.strip(): int(number.replace(",", "")) for name, number in pairs}


def test_each_conversation_is_a_test(pytester: pytest.Pytester, directory: Path) -> None:
    """Without paths of tests nothing else is collected; the summary tells what was done."""
    pytester.makepyfile(PASSES)
    result = ran(pytester, "--memory-transcripts", directory, "--memory-seed", "5")
    told = figures(result)

    result.assert_outcomes(passed=2)
    assert (1, 2, 0, 0) == (
        told["files"],
        told["conversations"],
        told["too large"],
        told["violations"],
    )
    assert told["requests checked"] > 40
    assert told["compactions"] >= 4
    result.stdout.fnmatch_lines(
        [
            "*in 2 files, budgets: random, --memory-seed 5",
            "skipped *scores.json: not an object with a list of `messages`",
            "*(--memory-seed 5)",
        ]
    )


def test_own_tests_are_run_beside_them(pytester: pytest.Pytester, directory: Path) -> None:
    """Where paths of tests are given the conversations come on top."""
    path = pytester.makepyfile(PASSES)
    result = ran(pytester, path, f"--memory-transcripts={directory}", "--memory-budgets=2000")

    result.assert_outcomes(passed=3)


def test_conversations_are_chosen_by_name(pytester: pytest.Pytester, directory: Path) -> None:
    """By `-k`, as tests are."""
    path = directory / "talks.jsonl"
    result = ran(pytester, "--memory-transcripts", path, "-k", "trip", "-v")

    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*talks.jsonl::trip PASSED*"])


def test_every_budget_is_tried(pytester: pytest.Pytester, directory: Path) -> None:
    """Named budgets are used for each conversation; one that is too small for all is told."""
    arguments = ("--memory-transcripts", directory, "--memory-budgets", "50,60")
    result = ran(pytester, *arguments)

    assert figures(result)["requests checked"] == figures(result)["too large"]
    result.stdout.fnmatch_lines(["all requests were refused: the budgets are too small to check"])


def test_a_broken_promise_is_shown(pytester: pytest.Pytester, directory: Path) -> None:
    """A failure names the request, shows it as a table without texts, and how to repeat it."""
    pytester.makeconftest(BROKEN)
    result = ran(pytester, "--memory-transcripts", directory, "--memory-seed", "5", "-k", "trip")

    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "*talks.jsonl:1: conversation trip",
            "*violations in * requests",
            "trip, budget *: request *: tail_is_a_suffix: *",
            "* messages sent for *, * tokens, limit *",
            "given:",
            "    0 system *characters",
            "sent:",
            "*<- notes",
            f"To repeat it: pytest {REPEAT}",
            "FAILED *talks.jsonl::trip*",
        ]
    )
    assert "u24-0" not in result.stdout.str()
    assert figures(result)["violations"] > 3


def test_contents_are_shown_where_asked_for(pytester: pytest.Pytester, directory: Path) -> None:
    """Then the tables show how messages begin."""
    pytester.makeconftest(BROKEN)
    result = ran(pytester, "--memory-transcripts", directory, "-k", "trip", "--memory-contents")

    result.stdout.fnmatch_lines(["* system * 'head0 head1 *"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--memory-transcripts", "nowhere"], "*nowhere: there is no such file or directory*"),
        (["--memory-transcripts", "."], "*no conversation in *"),
        (["--memory-budgets", "4k"], "*'4k': numbers of tokens with commas between, or random*"),
    ],
)
def test_nothing_to_check_is_an_error(
    pytester: pytest.Pytester, arguments: list[str], complaint: str
) -> None:
    """It is told on the command line, and never passes for a success."""
    result = ran(pytester, *arguments)

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines([complaint])


def test_fixtures_are_there(pytester: pytest.Pytester) -> None:
    """A server on a port with clients, and a list of events that is a hook."""
    result = ran(pytester, pytester.makepyfile(FIXTURES))

    result.assert_outcomes(passed=1)


def test_it_runs_from_anywhere(directory: Path, tmp_path: Path) -> None:
    """As a command, beside other plugins, with a `memory.py` around, and no trace is left."""
    (tmp_path / "memory.py").write_text("raise RuntimeError", encoding="utf-8")
    before = sorted(directory.rglob("*"))
    code = "import sys, pytest; sys.path.remove(''); sys.exit(pytest.main(sys.argv[1:]))"
    options = ["-p", "memory.testing.plugin", "-p", "no:langsmith_plugin"]
    options += ["--memory-transcripts", str(directory), "-k", "books"]
    run = subprocess.run(
        [sys.executable, "-c", code, *options],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert (0, "") == (run.returncode, run.stderr)
    assert "1 passed, 1 deselected" in run.stdout
    assert before == sorted(directory.rglob("*"))


def test_nothing_heavy_is_imported() -> None:
    """A run that checks no conversation pays for none."""
    code = (
        "import sys, memory.testing.plugin; "
        "print([name for name in sys.modules if name in "
        "('openai', 'tiktoken', 'uvicorn', 'hypothesis', 'memory.manager', 'memory.messages')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert b"[]" == run.stdout.strip()


def test_a_list_of_events_is_a_hook() -> None:
    """It keeps all events in order and finds those of a kind."""
    events = EventList()
    MemoryManager(budget=1_600, hooks=(events,)).fit(chat(30))

    assert [Compacted] == [type(each) for each in events.of(Compacted)]
    assert len(events) > 3


def test_clients_of_a_served_fake_take_options() -> None:
    """They go to the constructor, over what is there."""
    fake = ServedKimi()
    fake.url = "http://127.0.0.1:9/v1"
    options: dict[str, Any] = {"api_key": "sk-mine", "max_retries": 3}
    client = fake.client(**options)
    fake.close()

    assert ("sk-mine", 3, "127.0.0.1") == (
        client.api_key,
        client.max_retries,
        client.base_url.host,
    )
