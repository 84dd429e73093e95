"""Runs of the harness on copies of the package: one bug planted in each, or none."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from benchmarks import _planted_talks
from benchmarks._planted_bugs import Patch
from benchmarks._planted_child import COPY, OUTCOME
from memory.invariants import CHECKS, RUN_CHECKS

__all__ = ("ROOT", "TALKS", "Catcher", "Finding", "asked", "check_named", "copied")

ROOT: Final = Path(__file__).resolve().parent.parent
COPIED: Final = ("memory", "tests", "benchmarks", "pyproject.toml")
"""What a copy consists of, from the root of the project."""
TALKS: Final = "transcripts"
"""The folder of a copy that holds recorded conversations."""
LONGEST: Final = 300
"""Characters of a failure that are told."""
_TIMED_OUT: Final = re.compile(r"Timeout \(?[>\d]")
_CHECKS: Final = re.compile(rf"\b(?:{'|'.join((*CHECKS, *RUN_CHECKS))})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catcher:
    """One part of the harness.

    Attributes:
        name: Its name.
        tests: What pytest is asked to run.
        seconds: How long that may take.
    """

    name: str
    tests: tuple[str, ...]
    seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a catcher said of a copy.

    Attributes:
        catcher: Its name.
        outcome: `"caught"`, `"clean"`, `"timeout"`, or `"broken"` where it could not run.
        seconds: How long it took.
        passed: How many tests passed before it ended.
        test: The test that failed first; empty for none.
        check: The invariants that the failure names, else the name of the test; empty for none.
        message: The first line of the failure.
    """

    catcher: str
    outcome: str
    seconds: float
    passed: int = 0
    test: str = ""
    check: str = ""
    message: str = ""


@contextmanager
def copied(patches: Sequence[Patch] = (), *, root: Path = ROOT) -> Iterator[Path]:
    """Have a copy of the package and its tests in a folder of its own, with patches applied.

    Raises:
        ValueError: A patch does not fit.
    """
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        place = Path(folder)
        for name in COPIED:
            if (root / name).is_dir():
                shutil.copytree(root / name, place / name, symlinks=True)
            else:
                shutil.copy2(root / name, place / name)
        _planted_talks.write(place / TALKS)
        for patch in patches:
            patch.apply(place)
        yield place


def asked(catcher: Catcher, place: Path, *, first: bool = True) -> Finding:
    """Return what a catcher says of the copy in a folder.

    Args:
        catcher: Which part of the harness is run.
        place: Where the copy is.
        first: Whether to stop at the first failure.
    """
    told = place / "outcome.json"
    told.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "benchmarks._planted_child"]
    command += ["-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=300"]
    command += ["-x"] if first else []
    start = monotonic()
    try:
        done = subprocess.run(  # noqa: S603  # this very interpreter
            [*command, *catcher.tests],
            cwd=place,
            env=_environment(place, told),
            capture_output=True,
            timeout=catcher.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(catcher=catcher.name, outcome="timeout", seconds=monotonic() - start)
    seconds = monotonic() - start
    if not told.exists():
        return _broken(catcher, seconds, done.stderr + done.stdout)
    return _found(catcher, seconds, json.loads(told.read_text(encoding="utf-8")))


def _environment(place: Path, told: Path) -> dict[str, str]:
    """Return the environment of a run: the copy comes first on the path of imports."""
    given = {COPY: str(place), OUTCOME: str(told), "PYTHONPATH": str(place), "CI": "1"}
    return {**os.environ, **given, "PYTHONHASHSEED": "0"}


def _broken(catcher: Catcher, seconds: float, output: bytes) -> Finding:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    message = lines[-1][:LONGEST] if lines else "pytest said nothing"
    return Finding(catcher=catcher.name, outcome="broken", seconds=seconds, message=message)


def _found(catcher: Catcher, seconds: float, told: Mapping[str, Any]) -> Finding:
    failures = told["failures"]
    if not failures:
        outcome = "clean" if told["passed"] else "broken"
        passed = told["passed"]
        return Finding(catcher=catcher.name, outcome=outcome, seconds=seconds, passed=passed)
    failure = failures[0]
    error = f"{failure['message']}\n{failure['error']}"
    outcome = "broken" if failure.get("broken") else "caught"
    return Finding(
        catcher=catcher.name,
        outcome="timeout" if _TIMED_OUT.search(failure["message"]) else outcome,
        seconds=seconds,
        passed=told["passed"],
        test=failure["test"],
        check=check_named(error, failure["test"]),
        message=_telling(error),
    )


def _telling(error: str) -> str:
    """Return the first line of an error that names a check, else the first line."""
    lines = [line.strip() for line in error.splitlines() if line.strip()] or ["no message"]
    return next((line for line in lines if _CHECKS.search(line)), lines[0])[:LONGEST]


def check_named(error: str, test: str) -> str:
    """Return the invariant checks that the text of an error names, else the name of the test."""
    found = dict.fromkeys(_CHECKS.findall(error))
    return ", ".join(found) or test.rpartition("::")[2]
