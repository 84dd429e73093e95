"""Whether the harness finds the bugs it is there for: twenty-five are planted, one at a time.

    python -m benchmarks.planted --json

Each bug is a slip that somebody could make (`_planted_views.py`, `_planted_records.py`), applied to
a copy of the package in a folder of its own. The catchers are parts of the harness as users get it:
none was written for one of the bugs. For each bug the catcher that should see it is asked first and
all others after it, until one fails; what it said first is in the report. The copy without a bug is
given to every catcher too, and none may find anything there.

`--all` asks every catcher about every bug, which takes an hour and makes the whole table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from benchmarks import _planted_records, _planted_views
from benchmarks._planted_bugs import Bug
from benchmarks._planted_runs import TALKS, Catcher, Finding, asked, copied
from benchmarks._report import Check, Report, Row

__all__ = ("BUGS", "CATCHERS", "caught", "checks", "main", "report")

BUGS: Final = (*_planted_views.BUGS, *_planted_records.BUGS)
WORKERS: Final = 2
"""How many copies are tested at once."""
PROPERTY: Final = "tests/property"
CATCHERS: Final = (
    Catcher(
        name="transcripts",
        tests=("-p", "memory.testing.plugin", "--memory-transcripts", TALKS, "--memory-seed", "7"),
    ),
    Catcher(
        name="summarisers",
        tests=(
            f"{PROPERTY}/test_strategies_summarizers.py::test_no_behaviour_breaks_a_promise",
            f"{PROPERTY}/test_strategies_summarizers.py::test_each_behaviour_reaches_a_manager",
            f"{PROPERTY}/test_strategies_summarizers.py::test_asynchronous_managers_take_them",
        ),
    ),
    Catcher(
        name="interleavings",
        tests=(
            f"{PROPERTY}/test_interleavings.py::test_every_order_ends_well",
            f"{PROPERTY}/test_interleavings.py::test_identical_fits_make_one_view",
            f"{PROPERTY}/test_interleavings.py::test_turns_are_on_record_one_after_the_other",
        ),
    ),
    Catcher(
        name="faults",
        tests=(
            f"{PROPERTY}/test_effect_faults.py::test_a_fault_at_any_effect_does_no_harm",
            f"{PROPERTY}/test_effect_faults.py::test_a_cancelled_task_does_no_harm",
            f"{PROPERTY}/test_effect_faults.py::test_a_crash_leaves_a_file_that_can_be_opened",
        ),
    ),
    Catcher(name="replays", tests=(f"{PROPERTY}/test_flow_replays.py",)),
    Catcher(name="views", tests=(f"{PROPERTY}/test_flow_properties.py",)),
    Catcher(
        name="store machine",
        tests=(f"{PROPERTY}/test_store_machine.py::test_a_store_does_what_the_model_does",),
    ),
    Catcher(name="conformance", tests=("tests/test_conformance_report.py",)),
    Catcher(
        name="memory machine",
        tests=(
            f"{PROPERTY}/test_memory_machine.py::test_every_promise_holds",
            f"{PROPERTY}/test_memory_machine.py::test_every_promise_holds_with_other_settings",
        ),
    ),
)
"""The parts of the harness, from quick to slow; tests of the harness itself are left out."""


def caught(
    bug: Bug, catchers: Sequence[Catcher] = CATCHERS, *, every: bool = False
) -> list[Finding]:
    """Return what the catchers say of a bug: until the first one sees it, or every one of them."""
    ordered = sorted(catchers, key=lambda catcher: catcher.name != bug.expected)
    findings: list[Finding] = []
    try:
        with copied(bug.patches) as place:
            for catcher in ordered:
                findings.append(asked(catcher, place))
                if findings[-1].outcome == "caught" and not every:
                    break
    except ValueError as error:  # the sources have changed
        findings.append(Finding(catcher="none", outcome="broken", seconds=0.0, message=str(error)))
    _progress(bug.name, findings)
    return findings


def spared(catcher: Catcher) -> Finding:
    """Return what a catcher says of the copy without a bug."""
    with copied() as place:
        finding = asked(catcher, place, first=False)
    _progress("no bug", [finding])
    return finding


def _progress(name: str, findings: Sequence[Finding]) -> None:
    """Say how it goes: a run takes minutes."""
    told = ", ".join(f"{each.catcher} {each.outcome} {each.seconds:.0f} s" for each in findings)
    print(f"{name}: {told}", file=sys.stderr, flush=True)


def report(
    bugs: Sequence[Bug] = BUGS, catchers: Sequence[Catcher] = CATCHERS, *, every: bool = False
) -> Report:
    """Plant each bug, and none, and return what the catchers said."""
    with ThreadPoolExecutor(WORKERS) as pool:
        clean = [pool.submit(spared, catcher) for catcher in reversed(catchers)]
        runs = [pool.submit(caught, bug, catchers, every=every) for bug in bugs]
        found = [run.result() for run in runs]
        spoken = [run.result() for run in clean]
    return Report(
        benchmark="planted",
        settings={"bugs": len(bugs), "catchers": [each.name for each in catchers], "all": every},
        rows={
            "bugs": [_row(bug, findings) for bug, findings in zip(bugs, found, strict=True)],
            "without a bug": [_clean(each) for each in spoken],
            **({"every catcher": _table(bugs, found)} if every else {}),
        },
        checks=checks(bugs, found, spoken, catchers),
    )


def _first(findings: Sequence[Finding]) -> Finding | None:
    return next((each for each in findings if each.outcome == "caught"), None)


def _row(bug: Bug, findings: Sequence[Finding]) -> Row:
    first = _first(findings)
    return {
        "bug": bug.name,
        "breaks": bug.breaks,
        "caught by": first.catcher if first else None,
        "check": first.check if first else None,
        "asked": len(findings),
        "seconds": round(sum(each.seconds for each in findings), 1),
        "first line": first.message if first else _excuse(findings),
        "test": first.test if first else None,
    }


def _excuse(findings: Sequence[Finding]) -> str:
    """Return why nobody caught a bug."""
    return "; ".join(f"{each.catcher}: {each.outcome} {each.message}".strip() for each in findings)


def _clean(finding: Finding) -> Row:
    return {
        "catcher": finding.catcher,
        "outcome": finding.outcome,
        "tests": finding.passed,
        "seconds": round(finding.seconds, 1),
        "first line": finding.message,
    }


def _table(bugs: Sequence[Bug], found: Sequence[Sequence[Finding]]) -> list[Row]:
    """Return which catcher sees which bug, and by which check."""
    return [
        {
            "bug": bug.name,
            **{each.catcher: each.check or each.outcome for each in findings},
        }
        for bug, findings in zip(bugs, found, strict=True)
    ]


def checks(
    bugs: Sequence[Bug],
    found: Sequence[Sequence[Finding]],
    spoken: Sequence[Finding],
    catchers: Sequence[Catcher],
) -> list[Check]:
    """Return what has to hold of the findings about each bug, and of those about none."""
    seen = [first.catcher for findings in found if (first := _first(findings)) is not None]
    broken = [each for findings in found for each in findings if each.outcome == "broken"]
    spared_by = sum(each.outcome == "clean" for each in spoken)
    idle = sum(each.name not in seen for each in catchers)
    return [
        Check(name="bugs that were caught", value=len(seen), op="==", bound=len(bugs)),
        Check(name="runs that could not be made", value=len(broken), op="==", bound=0),
        Check(
            name="catchers that find nothing without a bug",
            value=spared_by,
            op="==",
            bound=len(catchers),
        ),
        Check(name="catchers that caught nothing", value=idle, op="==", bound=0),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="plant bugs and see which check finds them")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--all", action="store_true", help="ask every catcher about every bug")
    parser.add_argument("--only", default="", help="bugs whose name contains this")
    options = parser.parse_args(arguments)
    bugs = [bug for bug in BUGS if options.only in bug.name]
    return report(bugs, every=options.all).finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
