"""Runs the benchmarks whose figures are published, and keeps what they print.

    python -m benchmarks.suite              # all, a few hours
    python -m benchmarks.suite cost drift   # some
    python -m benchmarks.suite --quick      # only see that everything runs; nothing is kept
    python -m benchmarks.suite --check      # look at what is kept

Each one is a process of its own, `python -m benchmarks.NAME --json`. Its last line has to be a
report (`benchmarks._suite_schema`) that names no place on this machine, and its exit code has to
agree with its checks; then it is kept as `benchmarks/results/YYYY-MM-DD-NAME.json`, checks that do
not hold included. One that fails is not kept, and the others run all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import DATA
from benchmarks._report import Check, Report, Row
from benchmarks._report_environment import ROOT
from benchmarks._suite_registry import BENCHMARKS, Benchmark, present
from benchmarks._suite_results import RESULTS, save, unfit
from benchmarks._suite_schema import problems

__all__ = ("Run", "Suite", "main", "read")

_VARIABLE: Final = "KIMI_MEMORY_DATA"
"""Names the corpora to those that can do without them."""
_SAID: Final = 400
"""Characters of what a failed benchmark said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one benchmark.

    Attributes:
        name: Which one.
        seconds: How long it took.
        failure: Why there is no report; None if there is one.
        failing: The names of its checks that do not hold.
        checks: How many checks it has.
        file: The name of the file it is kept in, if it is kept.
    """

    name: str
    seconds: float = 0.0
    failure: str | None = None
    failing: Sequence[str] = ()
    checks: int = 0
    file: str | None = None

    def row(self) -> Row:
        """Return it as a line of a table."""
        return {
            "benchmark": self.name,
            "seconds": round(self.seconds, 1),
            "checks": self.checks,
            "do not hold": list(self.failing),
            "failure": self.failure,
            "kept as": self.file,
        }


def read(printed: str, code: int) -> tuple[dict[str, Any] | None, str | None]:
    """Return the report that a benchmark ended with, or why there is none.

    Args:
        printed: What it wrote to its standard output.
        code: Its exit code.
    """
    try:
        report = json.loads(printed.strip().rpartition("\n")[2])
    except ValueError:
        return None, f"exit code {code}, and its last line is no JSON"
    if wrong := problems(report):
        return None, "; ".join(wrong)
    if code != int(not all(check["holds"] for check in report["checks"])):
        return None, f"exit code {code} says something else than its checks"
    return report, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """How benchmarks are run.

    Attributes:
        quick: Whether small versions are.
        data: The directory of the corpora.
        results: Where reports are kept; None for nowhere.
        python: What runs them.
    """

    quick: bool = False
    data: Path = DATA
    results: Path | None = RESULTS
    python: Sequence[str] = field(default_factory=lambda: (sys.executable,))

    def run(self, chosen: Sequence[Benchmark], *, workers: int) -> list[Run]:
        """Run benchmarks, and return what came of them in their order.

        Those that measure time run one after another, when the others are done.

        Args:
            chosen: Which.
            workers: How many of the others run at once.
        """
        with ThreadPoolExecutor(max(1, workers)) as pool:
            others = [each for each in chosen if not each.timed]
            made = dict(zip((e.name for e in others), pool.map(self._one, others), strict=True))
        made |= {each.name: self._one(each) for each in chosen if each.timed}
        return [made[each.name] for each in chosen]

    def _one(self, benchmark: Benchmark) -> Run:
        if missing := benchmark.missing(self.data):
            where = f"in {self.data}; --data or KIMI_MEMORY_DATA says where they are"
            return Run(name=benchmark.name, failure=f"no corpus {', '.join(missing)} {where}")
        print(f"{benchmark.name} …", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        done = subprocess.run(  # noqa: S603  # benchmarks of ours
            [*self.python, *benchmark.command(self.data.resolve(), quick=self.quick)],
            cwd=ROOT,
            env={**os.environ, _VARIABLE: str(self.data.resolve())},
            check=False,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - begun
        report, failure = read(done.stdout, done.returncode)
        if report is None:
            said = done.stderr.strip()[-_SAID:]
            return Run(name=benchmark.name, seconds=seconds, failure=f"{failure}\n{said}".strip())
        report["quick"] = report["quick"] or self.quick
        kept = None if self.results is None else save(report, self.results)
        return Run(
            name=benchmark.name,
            seconds=seconds,
            failing=[check["name"] for check in report["checks"] if not check["holds"]],
            checks=len(report["checks"]),
            file=None if kept is None else kept.name,
        )


def summary(runs: Sequence[Run], *, quick: bool) -> Report:
    """Return what came of the suite: whether all ran, and whether all checks hold."""
    failures = sum(run.failure is not None for run in runs)
    return Report(
        benchmark="suite",
        settings={"benchmarks": [run.name for run in runs]},
        rows={"runs": [run.row() for run in runs]},
        tables={
            "runs": [{**run.row(), "do not hold": len(run.failing)} for run in runs],
            "checks that do not hold": [
                {"benchmark": run.name, "check": name} for run in runs for name in run.failing
            ],
        },
        checks=[
            Check(name="benchmarks that did not run", value=failures, op="==", bound=0),
            *(
                Check(
                    name=f"{run.name}: checks that do not hold",
                    value=None if run.failure is not None else len(run.failing),
                    op="==",
                    bound=0,
                )
                for run in (() if quick else runs)  # bounds are for the full size
            ),
        ],
        quick=quick,
    )


def _checked(directory: Path) -> int:
    """Say what is wrong with the results that are kept; return 1 if anything is."""
    found = list(unfit(directory))
    for each in found:
        print(each)
    print(f"{len(list(directory.glob('*.json')))} results, {len(found)} problems")
    return int(bool(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; return 1 if something did not run or a check does not hold."""
    parser = argparse.ArgumentParser(description="run the benchmarks and keep their figures")
    here = {each.name: each for each in present()}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(here)}; none: all")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--data", type=Path, default=DATA, help="directory of the corpora")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="at once, of those without times"
    )
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="where they are kept; quick ones nowhere else"
    )
    parser.add_argument("--check", action="store_true", help="only look at what is kept")
    options = parser.parse_args(arguments)
    if options.check:
        return _checked(options.results or RESULTS)
    if unknown := [name for name in options.names if name not in here]:
        known = [f"{name} is not here" if name in BENCHMARKS else name for name in unknown]
        parser.error(f"no such benchmark: {', '.join(known)}")
    results = options.results or (None if options.quick else RESULTS)
    suite = Suite(quick=options.quick, data=options.data, results=results)
    chosen = [here[name] for name in options.names] or list(here.values())
    runs = suite.run(chosen, workers=options.workers)
    return summary(runs, quick=options.quick).finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
