"""Writes the page about benchmarks, its plots, and every figure that other pages quote.

    uv run python -m benchmarks.report           # write
    uv run python -m benchmarks.report --check   # only say what differs

From the newest result of each benchmark in `benchmarks/results`, and from nothing else but
`reasons.toml` beside them, which says why a check does not hold:

    ["cost"]
    "k3: USD of full history" = "Why, in one sentence."

The same results give the same bytes. A result of a small version counts only with `--quick`.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks._report_environment import ROOT
from benchmarks._report_figures import GENERATED, filled, misplaced, pages
from benchmarks._report_page import PLOTS, drawn, page, unexplained
from benchmarks._suite_results import RESULTS, Result, newest

__all__ = ("Outcome", "main", "render")

REASONS: Final = "reasons.toml"
"""The file beside the results that says why checks do not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the results make of the documentation.

    Attributes:
        files: The text of each file that is written from results, the page without results too.
        stale: Plots that no page shows any more.
        problems: What cannot be written as it should: unknown figures, missing reasons.
    """

    files: Mapping[Path, str]
    stale: Sequence[Path]
    problems: Sequence[str]

    def differing(self) -> Iterator[Path]:
        """Yield the files that are not what the results give, those that should be gone too."""
        for path, text in self.files.items():
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                yield path
        yield from self.stale

    def write(self) -> None:
        """Write what differs."""
        for path in list(self.differing()):
            if path in self.files:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self.files[path], encoding="utf-8")
            else:
                path.unlink()


def render(
    results: Mapping[str, Result],
    reasons: Mapping[str, Mapping[str, str]],
    *,
    root: Path = ROOT,
    plots: bool = True,
) -> Outcome:
    """Return what results make of the documentation.

    Args:
        results: The newest of each benchmark.
        reasons: Why checks do not hold, by benchmark and name of the check.
        root: The directory of the repository.
        plots: Whether the plots are drawn too, which takes seconds.
    """
    at = root / GENERATED[0]
    files = {at: page(results, reasons)}
    stale = list[Path]()
    if plots:
        files |= {at.parent / PLOTS / name: svg for name, svg in drawn(results).items()}
        stale = [path for path in sorted((at.parent / PLOTS).glob("*.svg")) if path not in files]
    problems = list(unexplained(results, reasons))
    for path in pages(root):
        text = path.read_text(encoding="utf-8")
        files[path], unknown = filled(text, results)
        wrong = [*misplaced(text), *(f"no result has {each}" for each in unknown)]
        problems += [f"{path.relative_to(root).as_posix()}: {each}" for each in wrong]
    return Outcome(files=files, stale=stale, problems=problems)


def reasons_in(directory: Path) -> Mapping[str, Mapping[str, str]]:
    """Return why checks do not hold; nothing where there is no file.

    Raises:
        ValueError: It is no TOML.
    """
    path = directory / REASONS
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or compare; return 1 if something differs or cannot be written as it should."""
    parser = argparse.ArgumentParser(description="write the pages that quote benchmarks")
    parser.add_argument("--check", action="store_true", help="only say what differs")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="the results")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="the repository")
    parser.add_argument("--quick", action="store_true", help="take small versions as well")
    options = parser.parse_args(arguments)
    results = newest(options.results, quick=options.quick)
    outcome = render(results, reasons_in(options.results), root=options.root)
    differing = [path.relative_to(options.root).as_posix() for path in outcome.differing()]
    for each in (
        *outcome.problems,
        *(f"{'differs' if options.check else 'changed'}: {path}" for path in differing),
    ):
        print(each)
    if not options.check:
        outcome.write()
    return int(bool(outcome.problems) or (options.check and bool(differing)))


if __name__ == "__main__":
    sys.exit(main())
