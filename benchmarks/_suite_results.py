"""The published results: one JSON file a benchmark and day, the newest of which counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks._report_environment import ROOT, git
from benchmarks._suite_schema import problems

__all__ = ("RESULTS", "Result", "newest", "save", "unfit")

RESULTS: Final = ROOT / "benchmarks" / "results"
"""Where results are kept."""
_NAME: Final = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)-(?P<benchmark>\w+)\.json")
_DIGITS: Final = 6
"""Significant digits of a figure; checks keep all, since they have to be repeatable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of a benchmark printed.

    Attributes:
        benchmark: Its name.
        day: When it ended, as `YYYY-MM-DD` in UTC.
        report: The whole of it.
    """

    benchmark: str
    day: str
    report: Mapping[str, Any]

    @property
    def failing(self) -> list[Mapping[str, Any]]:
        """The checks that do not hold."""
        return [check for check in self.report["checks"] if not check["holds"]]


def save(report: Mapping[str, Any], directory: Path) -> Path:
    """Write a report that has no problems, over one of the same benchmark and day.

    Raises:
        OSError: It cannot be written.
    """
    rounded = {key: value if key == "checks" else _rounded(value) for key, value in report.items()}
    path = directory / f"{report['date'][:10]}-{report['benchmark']}.json"
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def newest(directory: Path, *, quick: bool = False) -> dict[str, Result]:
    """Return the newest result of each benchmark, by name.

    Args:
        directory: Where they are kept; an absent one has none.
        quick: Whether small versions count as well.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file holds no report.
    """
    found = dict[str, Result]()
    for path in sorted(directory.glob("*.json")):
        result = _read(path)
        if quick or not result.report["quick"]:
            found[result.benchmark] = result
    return dict(sorted(found.items()))


def _read(path: Path) -> Result:
    report = json.loads(path.read_text(encoding="utf-8"))
    named = _NAME.fullmatch(path.name)
    if named is None:
        message = f"{path.name} is not named by a day and a benchmark"
        raise ValueError(message)
    if wrong := problems(report):
        message = f"{path.name}: {'; '.join(wrong)}"
        raise ValueError(message)
    return Result(benchmark=report["benchmark"], day=report["date"][:10], report=report)


def unfit(directory: Path) -> Iterator[str]:
    """Yield why files of a directory cannot be published."""
    for path in sorted(directory.glob("*.json")):
        try:
            result = _read(path)
        except ValueError as error:
            yield f"{path.name}: {error}" if path.name not in str(error) else str(error)
            continue
        if path.name != f"{result.day}-{result.benchmark}.json":
            yield f"{path.name}: it is of {result.day} and {result.benchmark}"
        if result.report["quick"]:
            yield f"{path.name}: it is a quick version"
        yield from _unknown(path.name, result.report["revision"])


def _unknown(name: str, revision: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield why nobody could run a result's code again."""
    if revision is None:
        yield f"{name}: it names no revision"
    elif git("cat-file", "-e", f"{revision['commit']}^{{commit}}") is None:
        yield f"{name}: git does not know revision {revision['commit'][:12]}"
