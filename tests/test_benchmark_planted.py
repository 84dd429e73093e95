"""The bugs that are planted fit the sources there are, and the runner says what came of them."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from benchmarks import planted
from benchmarks._planted_bugs import Bug, Patch
from benchmarks._planted_runs import ROOT, Catcher, Finding, asked, check_named, copied

NAMES = {
    "coverage hash taken over the wrong range",
    "cut off by one",
    "deepest prefix used instead of adoption",
    "empty summary accepted",
    "forget leaves the search index",
    "head message summarised",
    "input list mutated",
    "last user message summarised",
    "ledger rewritten between compactions",
    "longer summary accepted",
    "message dict mutated",
    "pin dropped on merge",
    "prefix reused after an edit inside it",
    "reasoning_content lost",
    "split parallel batch",
    "summary lease ignored",
    "synthetic message not first after head",
    "tool result before its call",
    "tools left out of the count",
    "trailing partial dropped",
    "truncated summary accepted",
    "two synthetic messages",
    "unknown key lost",
    "usage counted twice",
    "version check dropped",
}
EVERY = pytest.mark.parametrize("bug", planted.BUGS, ids=[bug.name for bug in planted.BUGS])
DATES = Catcher(name="dates", tests=("tests/test_dates.py",))
SLIP = Patch(file="memory/dates.py", old="(found[0], found[-1])", new="(found[-1], found[0])")
CAUGHT = Finding(catcher="one", outcome="caught", seconds=1.0, check="head_is_first", message="no")
CLEAN = Finding(catcher="one", outcome="clean", seconds=1.0, passed=3)
BROKEN = Finding(catcher="one", outcome="broken", seconds=1.0, message="no module")


def test_all_bugs_are_there() -> None:
    """Each has a name of its own."""
    assert NAMES == {bug.name for bug in planted.BUGS}
    assert len(NAMES) == len(planted.BUGS)


@EVERY
def test_a_bug_fits_the_sources(bug: Bug) -> None:
    """Each text to change stands in its file once, and what comes of it is another program."""
    now: dict[str, str] = {}
    for patch in bug.patches:
        text = now.get(patch.file) or (ROOT / patch.file).read_text(encoding="utf-8")
        now[patch.file] = patch.changed(text)
    for file, text in now.items():
        before = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert ast.dump(before) != ast.dump(ast.parse(text))


@EVERY
def test_a_bug_says_what_it_breaks(bug: Bug) -> None:
    """It names an invariant and the catcher that should see it, and why it has several patches."""
    assert bug.breaks in range(1, 11)
    assert bug.expected in {catcher.name for catcher in planted.CATCHERS}
    assert bug.slip.endswith(".")


@pytest.mark.parametrize("catcher", planted.CATCHERS, ids=lambda catcher: catcher.name)
def test_catchers_are_there(catcher: Catcher) -> None:
    """The tests that they run have not moved, and have not been given other names."""
    named = [each.partition("::") for each in catcher.tests if each.startswith("tests/")]

    assert named or "memory.testing.plugin" in catcher.tests
    assert [] == [
        f"{file}::{test}"
        for file, _, test in named
        if f"def {test}" not in (ROOT / file).read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("text", ["one", "a a"], ids=["missing", "twice"])
def test_a_patch_fits_once(text: str) -> None:
    """A text that is not there, or twice, is refused."""
    with pytest.raises(ValueError, match="not once"):
        Patch(file="a.py", old="a", new="b").changed(text)


def test_a_copy_without_a_bug_is_clean() -> None:
    """Its tests pass, on the copy."""
    with copied() as place:
        finding = asked(DATES, place)

    assert ("clean", "") == (finding.outcome, finding.message)
    assert finding.passed > 10


def test_a_copy_with_a_bug_is_caught() -> None:
    """The test that fails is named, and the original is not touched."""
    before = (ROOT / SLIP.file).read_text(encoding="utf-8")
    with copied([SLIP]) as place:
        finding = asked(DATES, place)

    assert "caught" == finding.outcome
    assert finding.check in finding.test
    assert before == (ROOT / SLIP.file).read_text(encoding="utf-8")


def test_runs_that_find_nothing_are_no_catch() -> None:
    """Where nothing can be imported, nothing is tested, or there is no time: each has its name."""
    unloadable = Patch(file=SLIP.file, old="__all__ = ", new="import no_such_module\n__all__ = ")
    nothing = Catcher(name="nothing", tests=("tests/dates.py",))
    hasty = Catcher(name="hasty", tests=DATES.tests, seconds=0.05)
    with copied([unloadable]) as place:
        (place / "tests" / "dates.py").write_text("", encoding="utf-8")
        found = [asked(each, place).outcome for each in (DATES, nothing, hasty)]

    assert ["broken", "broken", "timeout"] == found


def test_a_patch_that_does_not_fit_is_no_catch() -> None:
    """It is said to be broken, and the other bugs go on."""
    patch = Patch(file=SLIP.file, old="nothing like this", new="")
    bug = Bug(name="slip", breaks=1, slip="", patches=(patch,), expected="dates")

    assert ["broken"] == [each.outcome for each in planted.caught(bug, [DATES])]


def test_the_package_that_is_tested_is_the_copy(tmp_path: Path) -> None:
    """Where the copy has none, so that another would be imported, nothing is run."""
    for name in ("tests", "benchmarks", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    finding = asked(DATES, tmp_path)

    assert ("broken", 0) == (finding.outcome, finding.passed)


def test_the_checks_that_failed_are_named() -> None:
    """In the order of the error; without one it is the test."""
    error = "assert {} == {'tool_calls_are_paired': '…', 'head_is_first': '…'}"

    assert "tool_calls_are_paired, head_is_first" == check_named(error, "a.py::test_it")
    assert "test_it" == check_named("assert 1 == 2", "a.py::test_it")


def rows_of(bugs: dict[str, list[Finding]], clean: list[Finding]) -> dict[str, float | None]:
    """Return the figures that are checked."""
    found = [Bug(name=name, breaks=1, slip="", patches=(), expected="one") for name in bugs]
    checks = planted.checks(found, list(bugs.values()), clean, [DATES])
    return {check.name: check.value for check in checks if not check.holds}


def test_good_figures_pass() -> None:
    """Every bug is caught, every catcher catches one, and the clean copy is clean."""
    caught = Finding(catcher="dates", outcome="caught", seconds=1.0)

    assert {} == rows_of({"a": [CLEAN, caught]}, [CLEAN])


def test_a_bug_that_nobody_sees_is_reported() -> None:
    """So is a catcher that sees none."""
    assert {"bugs that were caught": 0, "catchers that caught nothing": 1} == rows_of(
        {"a": [CLEAN]}, [CLEAN]
    )


def test_a_clean_copy_that_is_not_spared_is_reported() -> None:
    """Whoever finds something everywhere finds nothing."""
    seen = Finding(catcher="dates", outcome="caught", seconds=1.0)

    assert {"catchers that find nothing without a bug": 0} == rows_of({"a": [seen]}, [CAUGHT])


def test_a_run_that_could_not_be_made_is_reported() -> None:
    """It counts neither as found nor as not found."""
    seen = Finding(catcher="dates", outcome="caught", seconds=1.0)

    assert {"runs that could not be made": 1} == rows_of({"a": [BROKEN, seen]}, [CLEAN])


def test_the_report_says_who_saw_what() -> None:
    """One row a bug: who caught it, by which check, and the first line."""
    bug = Bug(name="slip", breaks=5, slip="It slips.", patches=(SLIP,), expected="dates")
    report = json.loads(planted.report([bug], [DATES]).json())
    (row,) = report["rows"]["bugs"]

    assert ("slip", "dates", 1) == (row["bug"], row["caught by"], row["asked"])
    assert row["check"] in row["test"]
    assert row["first line"]
    assert [("dates", "clean")] == [
        (each["catcher"], each["outcome"]) for each in report["rows"]["without a bug"]
    ]
    assert all(check["holds"] for check in report["checks"])
