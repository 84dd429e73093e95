"""`kimi-memory check`: what it reads, what it says, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import lines, result_of, run
from workbench import chat

from memory import MemoryManager
from memory.messages import WireMessage
from memory.testing import transcript_replay

TALKS = [{"id": "trip", "messages": chat(25)}, {"id": "books", "messages": chat(20, tag="b")}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of two conversations, of some 2,500 and 2,000 tokens."""
    path = tmp_path / "talks.jsonl"
    path.write_text("\n".join(json.dumps(talk) for talk in TALKS), encoding="utf-8")
    return path


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let managers lose a message whenever they send notes."""

    class Broken(MemoryManager):
        def fit(self, messages: list[WireMessage], **others: object) -> list[WireMessage]:  # type: ignore[override]
            view = super().fit(messages, **others)  # type: ignore[arg-type]
            return messages if view is messages else [*view[:3], *view[4:]]

    monkeypatch.setattr(transcript_replay, "MemoryManager", Broken)


def test_promises_that_are_kept(file: Path) -> None:
    """It ends with 0 and tells how much was checked."""
    result = run("check", file, "--budget", 1_600)
    told = [" ".join(line.split()) for line in lines(result.stdout)]

    assert 0 == result.exit_code
    assert told[0].startswith("kimi-memory check budget 1,600 tokens · seed 0 · counted by ")
    assert ["conversations 2", "requests checked 50", "violations none"] == [
        told[1],
        told[2],
        told[-1],
    ]


def test_the_result_is_json(file: Path) -> None:
    """With `--json` the figures are the last line, and nothing else is printed."""
    result = run("check", file, "--budget", 1_600, "--seed", 7, "--json")
    value = result_of(result)

    assert 1 == len(result.stdout.splitlines())
    assert (2, 50, 0, [], [], 0, 1_600, 7) == (
        value["conversations"],
        value["requests"],
        value["too_large"],
        value["violations"],
        value["skipped"],
        value["continued"],
        value["budget"],
        value["seed"],
    )
    assert value["compactions"] >= 2


def test_one_conversation_is_chosen(file: Path) -> None:
    """By its id."""
    value = result_of(run("check", file, "--budget", 1_600, "--conversation", "books", "--json"))

    assert 1 == value["conversations"]


def test_a_directory_is_checked(file: Path) -> None:
    """All its files are read, and what holds no conversation is told."""
    (file.parent / "scores.json").write_text('{"score": 1}', encoding="utf-8")
    value = result_of(run("check", file.parent, "--budget", 1_600, "--json"))
    skipped = {
        "place": str(file.parent / "scores.json"),
        "reason": "not an object with a list of `messages`",
    }

    assert (2, [skipped]) == (value["conversations"], value["skipped"])


def test_standard_input_is_read() -> None:
    """A list of messages may come through a pipe."""
    stdin = json.dumps(chat(25))
    result = run("check", "-", "--budget", 1_600, "--json", stdin=stdin)

    assert (0, 1) == (result.exit_code, result_of(result)["conversations"])


@pytest.mark.usefixtures("broken")
def test_a_broken_promise_ends_with_1(file: Path) -> None:
    """The request is shown as a table, without texts."""
    result = run("check", file, "--budget", 1_600, "--conversation", "trip")

    assert 1 == result.exit_code
    assert "trip, budget 1,600: request " in result.stdout
    assert "tail_is_a_suffix: the tail is not the end of the input" in result.stdout
    assert "    0 system" in result.stdout
    assert "head0" not in result.stdout


@pytest.mark.usefixtures("broken")
def test_contents_are_shown_where_asked_for(file: Path) -> None:
    """Then the table shows how messages begin."""
    result = run("check", file, "--budget", 1_600, "--contents")

    assert (1, True) == (result.exit_code, "'head0 head1" in result.stdout)


@pytest.mark.usefixtures("broken")
def test_violations_are_json(file: Path) -> None:
    """Each tells its conversation, its request, its check, and what repeats it."""
    result = run("check", file, "--budget", 1_600, "--json")
    found = result_of(result)["violations"]

    assert {"trip", "books"} == {each["conversation"] for each in found}
    assert {(1_600, 0)} == {(each["budget"], each["seed"]) for each in found}
    assert all(each["described"] for each in found if each["request"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["talks.jsonl", "--budget", "60"], "nothing could be checked: with 60 tokens all of the"),
        (["talks.jsonl", "--budget", "9", "--conversation", "x"], "no conversation 'x' in it"),
        (["nowhere", "--budget", "9"], "nowhere: there is no such file or directory"),
        (["scores.json", "--budget", "9"], "not an object with a list of `messages`"),
    ],
)
def test_nothing_to_check_ends_with_2(
    file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
) -> None:
    """One line says why."""
    (file.parent / "scores.json").write_text('{"score": 1}', encoding="utf-8")
    monkeypatch.chdir(file.parent)
    result = run("check", *arguments)

    assert (2, "") == (result.exit_code, result.stdout)
    assert complaint in result.stderr


def test_neither_pytest_nor_hypothesis_is_needed(file: Path) -> None:
    """The command comes with the extra for the command line, which has neither."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pytest', 'hypothesis', 'uvicorn'])); "
        f"sys.argv = ['kimi-memory', 'check', {str(file)!r}, '--budget', '1600', '--json']; "
        "from memory.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True, timeout=110
    )

    assert (0, "") == (done.returncode, done.stderr)
