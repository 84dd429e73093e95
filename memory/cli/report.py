"""The outcome of `demo` for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from memory.cli.chart import chart, legend
from memory.cli.output import WIDTH, Output
from memory.cli.replaying import CHECKS, Outcome, sent_digest
from memory.messages import text_of
from memory.replay import Report, total
from memory.vocabulary import warmup

__all__ = ("show",)

NOTES_LINES = 30
"""Lines of the synthetic message that are shown."""


def show(
    out: Output,
    outcomes: Sequence[Outcome],
    *,
    budget: int,
    model: str,
    live: bool = False,
    stored: bool = False,
) -> None:
    """Show what replays came to: figures, and for a single conversation a chart and the notes.

    Args:
        out: Where to show it.
        outcomes: One for each conversation.
        budget: Prompt tokens that were allowed.
        model: The model that was asked for.
        live: Whether it was the real one.
        stored: Whether summaries were kept in a store, so that another run may be compared.
    """
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    failures = [outcome for outcome in outcomes if outcome.report is None]
    counter = warmup().name
    title = f"budget {budget:,} tokens · {model} · counted by {counter}"
    kept = _kept(reports) if stored else {}
    out.console.print(f"\n[bold]kimi-memory demo[/]  [dim]{escape(title)}[/]\n")
    if len(reports) == 1:
        _single(out, reports[0], budget, kept)
        if not live and reports[0].synthetic is not None:
            out.console.print("[dim]The fake writes this offline; with --live the model does.[/]")
    elif reports:
        out.console.print(_rows(reports, budget, wide=out.console.width >= WIDTH - 4))
        out.console.print("[dim]A chart and the notes of one: --conversation ID[/]")
        for name, figure in kept.items():
            out.console.print(f"{name.replace('_', ' ')}: [bold]{figure}[/]")
        for report in reports:
            _complain(out, report)
    for outcome in failures:
        out.console.print(
            f"[red]{escape(outcome.id)} ended early:[/] {escape(outcome.error or '')}"
        )
    out.result(
        {
            "conversations": [report.row() for report in reports],
            "total": total(reports).row(),
            "failed": [{"id": each.id, "error": each.error} for each in failures],
            "budget": budget,
            "model": model,
            "counter": counter,
        }
        | kept
    )


def _kept(reports: Sequence[Report]) -> dict[str, Any]:
    """Return what tells whether another run with the same store paid, and sent the same."""
    return {
        "summaries_paid": sum(report.summarizer_calls for report in reports),
        "digest": sent_digest(reports),
    }


def _single(out: Output, report: Report, budget: int, kept: Mapping[str, Any]) -> None:
    out.console.print(_figures(report, budget, kept))
    out.console.print()
    width = min(WIDTH, out.console.width)
    out.console.print(chart(report.turns, budget=budget, width=width))
    out.console.print(legend(budget))
    out.console.print()
    if report.synthetic is not None:
        out.console.print(_notes(text_of(report.synthetic), width))
    _complain(out, report)


def _complain(out: Output, report: Report) -> None:
    for problem in report.problems:
        out.console.print(f"[red]{escape(f'{report.id}: {problem}')}[/]")


def _figures(report: Report, budget: int, kept: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    rows: list[tuple[str, str, str]] = [
        ("requests", f"{report.requests:,}", ""),
        ("tokens if resent in full", f"{report.tokens_full:,}", ""),
        ("tokens sent", f"{report.tokens_sent:,}", _cached(report)),
        ("saved", _saved(report), "the tokens of the summaries counted as well"),
        ("compactions", f"{report.compactions:,}", ""),
        (
            "summariser calls",
            f"{report.summarizer_calls:,}",
            f"{report.tokens_summaries:,} tokens, prompts and replies",
        ),
        ("largest request", f"{report.largest_request:,}", f"of {budget:,} allowed"),
        ("smallest after a compaction", _share(report), "of the budget"),
    ]
    if kept:
        rows.append(("summaries paid", f"{kept['summaries_paid']:,}", "the rest from the store"))
        rows.append(("digest of the requests", "", str(kept["digest"])))
    for label, figure, remark in rows:
        table.add_row(label, f"[bold]{figure}[/]", remark)
    table.add_row("problems", *_problems(report))
    return table


def _rows(reports: Sequence[Report], budget: int, *, wide: bool) -> Table:
    """Return one row for each report and their total; the less telling columns only if `wide`."""
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("conversation", max_width=24, overflow="ellipsis")
    headings = _cells(reports[0], budget=budget, wide=wide)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    summed = total(reports)
    for report in reports:
        table.add_row(escape(report.id), *_cells(report, budget=budget, wide=wide).values())
    table.add_row(summed.id, *_cells(summed, budget=budget, wide=wide).values(), style="bold")
    return table


def _cells(report: Report, *, budget: int, wide: bool) -> dict[str, str]:
    """Return the figures of a row by the heading of their column."""
    failed = Outcome(id=report.id, report=report).failed
    cells = {
        "requests": f"{report.requests:,}" if wide else None,
        "in full": f"{report.tokens_full:,}",
        "sent": f"{report.tokens_sent:,}",
        "saved": _saved(report),
        "cached": f"{report.cached_share:.0%}" if wide else None,
        "compac-\ntions": f"{report.compactions:,}",
        "summary\ntokens": f"{report.tokens_summaries:,}" if wide else None,
        f"largest\n≤ {budget:,}": f"{report.largest_request:,}",
        "checks": f"[red]{len(failed)} failed[/]" if failed else "[green]ok[/]",
    }
    return {heading: cell for heading, cell in cells.items() if cell is not None}


def _saved(report: Report) -> str:
    """Return the share of the tokens that were saved; a refused request saves nothing."""
    if report.rejected or not report.tokens_full:
        return "–"
    return f"{1 - (report.tokens_sent + report.tokens_summaries) / report.tokens_full:.0%}"


def _cached(report: Report) -> str:
    return f"{report.cached_share:.0%} of them cached by the server"


def _share(report: Report) -> str:
    share = report.smallest_view_share
    return "–" if share is None else f"{share:.0%}"


def _problems(report: Report) -> tuple[str, str]:
    failed = Outcome(id=report.id, report=report).failed
    if not failed:
        return "[bold green]none[/]", "in " + ", ".join(CHECKS)
    return f"[bold red]{len(failed)}[/]", f"[red]{', '.join(failed)}[/]"


def _notes(text: str, width: int) -> Panel:
    lines = text.splitlines()
    more = len(lines) - NOTES_LINES
    shown = lines if more <= 0 else [*lines[:NOTES_LINES], f"… and {more} more lines"]
    return Panel(
        Text("\n".join(shown)),
        title="the message that stands for what is no longer sent",
        title_align="left",
        border_style="dim",
        width=width,
    )
