"""Figures that pages quote: written between two comments, and filled in from the results.

    costs <!--figure: cost/cost as a share of full history, k2.6-->63.1<!--/--> % of

names a benchmark and one of its figures. ` @low`, ` @high`, ` @floor` or ` @ceiling` after the name
asks for what stands beside the value; ` | .0f` at the end is a format of Python, in place of three
digits. No reader sees the comments, on GitHub or in Sphinx; for that to be so a line may not begin
with one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks._report_environment import ROOT
from benchmarks._report_numbers import number
from benchmarks._suite_results import Result

__all__ = ("GENERATED", "MARKED", "filled", "misplaced", "pages", "typed")

MARKED: Final = re.compile(
    r"(?P<begin><!--figure:\s*(?P<benchmark>\w+)/(?P<name>[^|@\n]+?)"
    r"(?:\s*@(?P<part>low|high|floor|ceiling))?(?:\s*\|\s*(?P<format>[^|@\s]+))?\s*-->)"
    r"(?P<text>[^<\n]*)(?P<end><!--/-->)"
)
"""A quoted figure in a page."""
GENERATED: Final = (
    "docs/explanation/benchmarks.md",
    "docs/explanation/promises-elsewhere.md",
    "docs/reference/effects.md",
)
"""Pages that are written by programs as a whole."""
_BEGUN: Final = re.compile(r"<!--\s*figure")
_FIRST: Final = re.compile(r"^\s*(?:(?:[-*+>]|\d+[.)])\s+)*<!--\s*figure", re.MULTILINE)
_TYPED: Final = re.compile(r"\d(?:\s?(?:%|×|ms\b|µs|us\b)|x\b|\s(?:times\b|percent\b))")
"""What looks like a measured figure: a number with such a unit."""


def pages(root: Path = ROOT) -> Iterator[Path]:
    """Yield the README and the pages of the documentation that people write."""
    yield root / "README.md"
    for path in sorted((root / "docs").rglob("*.md")):
        place = path.relative_to(root)
        if "_build" not in place.parts and place.as_posix() not in GENERATED:
            yield path


def filled(text: str, results: Mapping[str, Result]) -> tuple[str, list[str]]:
    """Return a page with its figures as they are measured, and those that no result has.

    A figure that no result has stays as it is.
    """
    unknown = list[str]()

    def replaced(found: re.Match[str]) -> str:
        figure = _figure(results.get(found["benchmark"]), found["name"])
        value = None if figure is None else figure[found["part"] or "value"]
        if value is None:
            unknown.append(found["begin"])
            return found[0]
        shown = format(value, found["format"]) if found["format"] else number(value)
        return f"{found['begin']}{shown}{found['end']}"

    return MARKED.sub(replaced, text), unknown


def _figure(result: Result | None, name: str) -> Mapping[str, Any] | None:
    figures: Sequence[Mapping[str, Any]] = [] if result is None else result.report["figures"]
    return next((each for each in figures if each["name"] == name), None)


def misplaced(text: str) -> Iterator[str]:
    """Yield what is wrong with the marks of a page."""
    if _FIRST.search(text):
        yield "a line begins with a mark, which would make an HTML block of it"
    if len(_BEGUN.findall(text)) != len(MARKED.findall(text)):
        yield "a mark is not whole: <!--figure: BENCHMARK/NAME-->…<!--/-->"


def typed(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line with a figure that looks measured and is not quoted, and it.

    Code is not prose: blocks of it are left out.
    """
    inside = False
    for at, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith(("```", "~~~")):
            inside = not inside
        elif not inside and _TYPED.search(MARKED.sub("", line)):
            yield at, line
