"""The plot of where the knee lies: what every combination of settings costs and recalls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks._report_style import COLOURS, INK, panels, svg

__all__ = ("knees",)


def knees(report: Mapping[str, Any]) -> str:
    """Draw recall against dollars of every point, a panel a corpus, with floor and defaults."""
    rows, defaults = report["rows"]["points"], report["settings"]["defaults"]
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    with panels(len(corpora), height=2.6, shared=False, columns=min(2, len(corpora))) as drawn:
        figure, all_axes = drawn
        for axes, corpus in zip(all_axes, corpora, strict=True):
            mine = [row for row in rows if row["corpus"] == corpus]
            usual = next(row for row in mine if all(row[k] == v for k, v in defaults.items()))
            axes.axhline(mine[0]["floor"], color=INK, linestyle=":", label="latest messages alone")
            for number, target in enumerate(sorted({row["target"] for row in mine})):
                some = [row for row in mine if row["target"] == target]
                axes.plot(
                    [row["of full history"] for row in some],
                    [row["recall"] for row in some],
                    linestyle="none",
                    marker=f"${100 * target:.0f}$",
                    color=COLOURS[number % len(COLOURS)],
                    markersize=9,
                )
            axes.plot(
                usual["of full history"],
                usual["recall"],
                marker="o",
                markersize=16,
                markerfacecolor="none",
                color=INK,
                linestyle="none",
                label="the defaults",
            )
            axes.set(title=corpus, xlabel="USD, of those of full history")
        for axes in all_axes[::2]:
            axes.set_ylabel("recall over the turns, %")
        handles, labels = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, labelcolor=INK)
        return svg(figure)
