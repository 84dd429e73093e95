"""What `check` does: reads conversations, replays them and shows what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from memory.cli.output import CommandError, Output, plain
from memory.cli.progress import progress_bar
from memory.manager import MemoryManager
from memory.testing.transcripts import (
    Reading,
    Transcript,
    TranscriptReport,
    Violation,
    check_transcript,
    find,
    read,
    total,
)
from memory.vocabulary import warmup

__all__ = ("Check",)

REFUSED = "refused, as they have to be: see BudgetError"
FITS = "all of it fits: a smaller budget would show more"


class Check:
    """One run of `check`.

    Args:
        out: Where to show what came of it.
        budget: Prompt tokens allowed.
        seed: Which requests are made.
        contents: Whether it is shown how messages begin.
        settings: A file with the other settings, or None.
    """

    def __init__(
        self,
        out: Output,
        *,
        budget: int,
        seed: int,
        contents: bool,
        settings: Path | None = None,
    ) -> None:
        self._out = out
        self._budget = budget
        self._seed = seed
        self._contents = contents
        self._make = None if settings is None else partial(MemoryManager, settings_file=settings)

    def run(self, path: Path, conversation: str | None) -> TranscriptReport:
        """Check the conversations of a file or a directory, and show what came of it.

        Args:
            path: The file or directory; `-` is standard input.
            conversation: The id of the only one to check; None for all.

        Raises:
            CommandError: There is no such conversation, or none at all; or all requests were
                refused.
            TranscriptError: There is no such file.
            OSError: It cannot be read.
        """
        readings = [read(each) for each in find(path)]
        report = total(self._checked(_chosen(path, readings, conversation)))
        if report.too_large == report.requests and not report.violations:
            raise CommandError(
                f"nothing could be checked: with {self._budget:,} tokens all of the "
                f"{report.requests:,} requests were refused, because what may not be dropped is "
                "larger; raise --budget"
            )
        self._show(report, readings)
        return report

    def _checked(self, transcripts: Sequence[Transcript]) -> list[TranscriptReport]:
        """Check one after the other, and show on a terminal how many are done."""
        reports: list[TranscriptReport] = []
        with progress_bar(self._out) as bar:
            task = bar.add_task("checking", total=len(transcripts))
            for each in transcripts:
                reports.append(self._one(each))
                bar.advance(task)
        return reports

    def _one(self, transcript: Transcript) -> TranscriptReport:
        return check_transcript(
            transcript,
            budget=self._budget,
            seed=self._seed,
            manager_factory=self._make,
            contents=self._contents,
        )

    def _show(self, report: TranscriptReport, readings: Sequence[Reading]) -> None:
        skipped = [each for reading in readings for each in reading.skipped]
        continued = sum(reading.continued for reading in readings)
        counter = warmup().name
        title = f"budget {self._budget:,} tokens · seed {self._seed} · counted by {counter}"
        self._out.show(f"\n[bold]kimi-memory check[/]  [dim]{escape(title)}[/]\n")
        for each in skipped:
            told = plain(f"skipped {each.place}: {each.reason}")
            self._out.show(f"[dim]{escape(told)}[/]", soft_wrap=True)
        for _, group in groupby(report.violations, key=lambda v: (v.conversation, v.request)):
            self._complain([*group])
        self._out.show(_figures(report, continued))
        self._out.result(
            {
                **report.row(),
                "skipped": [asdict(each) for each in skipped],
                "continued": continued,
                "budget": self._budget,
                "seed": self._seed,
                "counter": counter,
            }
        )

    def _complain(self, violations: Sequence[Violation]) -> None:
        """Show what is wrong with one request, and the request."""
        for each in violations:
            self._out.show(f"[bold red]{escape(plain(str(each)))}[/]", soft_wrap=True)
        described = plain(violations[0].described, prose=True)
        self._out.show(escape(described), soft_wrap=True)


def _chosen(path: Path, readings: Sequence[Reading], conversation: str | None) -> list[Transcript]:
    found = [each for reading in readings for each in reading.transcripts]
    chosen = [each for each in found if conversation in {None, each.id}]
    if chosen:
        return chosen
    if found:
        raise CommandError(f"{path}: no conversation {conversation!r} in it")
    skipped = [each for reading in readings for each in reading.skipped]
    told = "; ".join(f"{each.place}: {each.reason}" for each in skipped)
    raise CommandError(f"{path}: no conversation in it{told and f' ({told})'}")


def _figures(report: TranscriptReport, continued: int) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    held = "[bold green]none[/]"
    violations = f"[bold red]{len(report.violations):,}[/]" if report.violations else held
    left_out = f"{continued:,} more are the beginnings of others" if continued else ""
    for label, figure, remark in (
        ("conversations", f"{report.conversations:,}", left_out),
        ("requests checked", f"{report.requests:,}", ""),
        ("compactions", f"{report.compactions:,}", "" if report.compactions else FITS),
        ("too large", f"{report.too_large:,}", REFUSED if report.too_large else ""),
        ("violations", violations, ""),
    ):
        table.add_row(label, f"[bold]{figure}[/]", remark)
    return table
