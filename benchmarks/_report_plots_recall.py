"""The plots of what recall brings back: beside its floors and ceiling, and by its share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks._report_style import COLOURS, INK, MARKS, lines, panels, svg

__all__ = ("beside", "shares")

Report = Mapping[str, Any]
_RIVALS: Final = ("random snippets", "random turns", "last n")
"""What is drawn beside what was sent and the ceiling."""


def beside(report: Report) -> str:
    """Draw the recall of every corpus and setting between what chance has and the full text."""
    rows = _first([row for row in report["rows"]["recall"] if row["sent"] is not None])
    with panels(height=1.4 + 0.42 * len(rows)) as (figure, (axes,)):
        for place, row in enumerate(rows):
            axes.plot([row["last n"], row["full"]], [place] * 2, color=INK, linewidth=1)
            if row.get("low") is not None:
                axes.plot(
                    [row["low"], row["high"]], [place] * 2, color=COLOURS[0], linewidth=4, alpha=0.5
                )
        names = [f"{row['corpus']}, {row['budget']:,} tokens:\n{row['settings']}" for row in rows]
        for number, method in enumerate(("sent", *_RIVALS)):
            values = [row[method] for row in rows]
            colour, mark = COLOURS[number], MARKS[number]
            axes.plot(values, range(len(rows)), mark, color=colour, label=method, linestyle="none")
        full = [row["full"] for row in rows]
        axes.plot(full, range(len(rows)), "|", color=INK, markersize=11, label="full text")
        axes.set_yticks(range(len(rows)), names)
        axes.invert_yaxis()
        axes.margins(y=0.1)
        axes.set_xlabel("% of what is asked for   (shade: 95 % interval)")
        figure.legend(loc="outside lower center", ncols=5)
        return svg(figure)


def _first(rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows in the first reading of each corpus, by which it is judged."""
    judged = {row["corpus"]: row["reading"] for row in reversed(rows)}
    return [row for row in rows if row["reading"] == judged[row["corpus"]]]


def shares(report: Report) -> str:
    """Draw recall by the share of the budget that recall may have, a line a corpus."""
    rows = report["rows"]["share of the budget"]
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    usual = 100 * report["settings"]["defaults"]["recall_share"]
    with panels() as (figure, (axes,)):
        at = sorted({row["share"] for row in rows})
        of = {(row["corpus"], row["share"]): row["recall"] for row in rows}
        curves = {
            corpus: [of.get((corpus, share), float("nan")) for share in at] for corpus in corpora
        }
        lines(axes, at, curves)
        axes.axvline(usual, color=INK, linestyle=":", label="the default")
        axes.set_xlabel("% of the budget that recall may have")
        axes.set_ylabel("% of what is asked for")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside lower center", ncols=5)
        return svg(figure)
