"""The repository keeps its own promises: commands, versions, floors and records that agree."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import corpora
from scripts import constraints

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
HTTP = {"httpx", "httpx2"}


def contract(identifier: str) -> dict[str, Any]:
    """Return one import contract of `pyproject.toml`."""
    contracts = tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]
    return next(each for each in contracts if each["id"] == identifier)


def floors() -> list[list[str]]:
    """Return the modules of each floor, from the roof to the ground."""
    return [re.findall(r"\w+", floor) for floor in contract("floors")["layers"]]


def test_ci_runs_the_tests_as_the_readme_says() -> None:
    """The command that README gives for the tests is the one that CI runs."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^(?:\$ )?(uv run .*pytest.*)$", readme, re.MULTILINE)

    assert len(commands) == 1
    assert f" {commands[0]}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_pure_floors_are_all_under_the_contract() -> None:
    """`flow` and every floor below it are sources of the contract that forbids I/O."""
    names = floors()
    start = names.index(["flow"])
    core = {f"memory.{module}" for floor in names[start:] for module in floor}

    assert core == set(contract("pure-core")["source_modules"])


def imported(file: Path) -> set[str]:
    """Return the top-level packages that a file imports, for type checkers alone or for real."""
    nodes = [*ast.walk(ast.parse(file.read_bytes()))]
    names = [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_the_library_knows_no_http_library() -> None:
    """It runs with any openai because nothing but the test doubles imports httpx or httpx2."""
    package = ROOT / "memory"
    files = {*package.rglob("*.py")} - {*(package / "testing").rglob("*.py")}
    found = {str(file.relative_to(package)) for file in files if imported(file) & HTTP}

    assert set() == found


def test_the_oldest_openai_is_the_documented_one() -> None:
    """The guide to versions names the floor that the dependency declares."""
    declared = tomllib.loads(PYPROJECT)["project"]["dependencies"]
    (floor,) = [each.partition(">=")[2] for each in declared if each.startswith("openai>=")]
    guide = (ROOT / "docs" / "how-to" / "versions.md").read_text(encoding="utf-8")

    assert f"`openai` {floor} or newer" in guide


def test_no_module_is_larger_than_one_reads() -> None:
    """Files of the package have at most 400 lines; a longer one hides a second module."""
    files = sorted((ROOT / "memory").rglob("*.py"))
    long = {file.name for file in files if len(file.read_bytes().splitlines()) > 400}

    assert set() == long


def test_the_changelog_opens_with_what_is_not_released() -> None:
    """The newest section is `Unreleased`, and the released ones are in descending order."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *released = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)

    assert first == "Unreleased"
    assert sorted(released, key=lambda each: [*map(int, each.split("."))], reverse=True) == released


def test_the_installed_version_is_the_declared_one() -> None:
    """The metadata that the documentation reads belongs to this source tree."""
    assert tomllib.loads(PYPROJECT)["project"]["version"] == version("kimi-memory")


def test_constraints_survive_being_rewritten() -> None:
    """What the script writes between its markers it reads back, sorted."""
    text = constraints.rewritten(PYPROJECT, {"zeta": "2.0", "alpha": "1.0rc1"})

    assert [("alpha", "1.0rc1"), ("zeta", "2.0")] == list(constraints.constrained(text).items())


def test_constraints_need_their_markers() -> None:
    """Without the markers nothing is rewritten in silence."""
    with pytest.raises(ValueError, match="constraints: begin"):
        constraints.rewritten("[tool.uv]\n", {})


def test_constraints_name_each_disagreement() -> None:
    """A changed, a missing and a needless constraint are each told in one sentence."""
    found = constraints.disagreements(
        {"a": "1", "c": "3", "d": "4"}, {"a": "2", "b": "1", "d": "4"}
    )

    assert [
        "a: constrained to 1, installed is 2",
        "b: constrained to nothing, installed is 1",
        "c: constrained to 3, installed is nothing",
    ] == found


@corpora.requires("tau_airline")
def test_corpora_hold_messages_as_they_are_sent() -> None:
    """Keys of the corpus's own are left out of every message, and tool calls are kept."""
    keys = {
        key for each in corpora.load("tau_airline", limit=3) for m in each["messages"] for key in m
    }

    assert {"content", "name", "role", "tool_call_id", "tool_calls"} == keys


@corpora.requires("tau_airline")
def test_chained_conversations_have_one_head() -> None:
    """A chain of runs under the same policy carries the system prompt of the first, once."""
    (chained,) = corpora.load("tau_airline", limit=1, chain=3)
    single = corpora.load("tau_airline", limit=3)

    assert [0] == [i for i, m in enumerate(chained["messages"]) if m["role"] == "system"]
    assert sum(len(each["messages"]) for each in single) - 2 == len(chained["messages"])
