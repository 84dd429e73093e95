"""What `tune` prints: the combinations that none beats, which one to take, and what was written."""

from __future__ import annotations

import sys
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from memory.cli.output import Output, plain
from memory.tuning.page import Written
from memory.tuning.study import Study, Trial
from memory.tuning.words import (
    BEST,
    ceiling_of,
    dollars,
    floors_of,
    marks_of,
    number_of,
    percent,
    recall_of,
    seconds,
    settings_of,
)

__all__ = ("row", "show")

_STYLES = {"chosen": "bold green", "knee": "yellow"}


def show(out: Output, study: Study, written: Written) -> None:
    """Show what came of tuning, for people or for programs.

    Args:
        out: Where to show it.
        study: What was measured.
        written: The files that it was written to.
    """
    title = f"{study.model} · {number_of(study)} · seed {study.seed}"
    out.show(f"\n[bold]kimi-memory tune[/]  [dim]{escape(plain(title))}[/]\n")
    out.show(_table(study))
    for line in _remarks(study, written):
        out.show(Text(plain(line)), soft_wrap=True)
    out.result(row(study, written))


def row(study: Study, written: Written) -> dict[str, Any]:
    """Return what was measured and written as a JSON object."""
    plots = [str(path) for path in written.plots]
    files = {"report": str(written.report), "settings": str(written.settings), "plots": plots}
    return {
        **study.row(),
        "files written": files,
        "settings_file": str(written.settings),
        "plots": plots,
    }


def _table(study: Study) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("#", "$/1,000", "recall", "wait p95", "cached"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("settings")
    places = [*study.pareto]
    places += [p for p in dict.fromkeys((study.chosen, study.knee, 0)) if p not in places]
    for number, place in enumerate(places, 1):
        marks = marks_of(study, place)
        beaten = place not in study.pareto
        style = next((_STYLES[mark] for mark in marks if mark in _STYLES), "")
        trial = study.trials[place]
        table.add_row(
            "" if beaten else str(number),
            *_figures(trial),
            ", ".join(marks),
            Text(settings_of(trial.settings)),
            style=style,
        )
    top = ceiling_of(study)
    for each in [*([] if top is None else [top]), *floors_of(study)]:
        end = "ceiling" if each == top else "floor"
        table.add_row("", *_figures(each.trial), end, each.name, style="dim")
    return table


def _figures(trial: Trial) -> tuple[str, str, str, str]:
    return (
        dollars(trial.usd_per_1000),
        percent(trial.recall) if trial.wanted else "-",
        seconds(trial.wait_p95),
        percent(trial.cached_share),
    )


def _full(study: Study) -> int:
    """Return the largest prompt that there would be without a memory, in tokens."""
    top = ceiling_of(study)
    return top.trial.largest if top is not None and top.trial.largest else sys.maxsize


def _remarks(study: Study, written: Written) -> list[str]:
    """Return what has to be known with the figures, and where they are."""
    chosen = study.trials[study.chosen]
    lines = [
        "",
        f"chosen for {BEST[study.prefer]}: {settings_of(chosen.settings)}",
        f"recall {recall_of(chosen)}: {study.recall_of}",
        f"summaries by {study.summarizer}",
        f"prices: {study.prices}",
    ]
    failed = chosen.rejected + chosen.over_budget
    if failed:
        lines.append(f"{failed:,} requests were refused or above the budget")
    if chosen.too_large:
        lines.append(
            f"{chosen.too_large:,} turns were not sent, for what may not be dropped exceeds the "
            "budget: raise it"
        )
    if max(trial.largest for trial in study.trials) >= _full(study):
        lines.append("no conversation exceeds the budget: try --chain, or a smaller --budget")
    lines += ["", f"settings  {written.settings}", f"report    {written.report}"]
    return lines
