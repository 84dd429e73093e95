"""The plots in which this library stands beside others, and the growth of everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from matplotlib.ticker import ScalarFormatter

from benchmarks._report_style import COLOURS, INK, MARKS, lines, panels, svg

__all__ = ("faults", "frontier", "growth")

Report = Mapping[str, Any]
Row = Mapping[str, Any]

_MAP: Final = "cividis"
"""A scale of colours that is read alike with and without seeing red or green."""
_DARK: Final = 0.55
"""Share up to which a cell of that scale is dark."""


def frontier(report: Report) -> str:
    """Draw what peers remember against what they cost, one panel a corpus and budget."""
    rows = [row for row in report["rows"]["peers"] if row["row"] == "matched" and row["usd"]]
    places = list(dict.fromkeys((row["corpus"], row["budget"]) for row in rows))
    peers = list(dict.fromkeys(row["peer"] for row in rows))
    with panels(len(places), height=2.5, columns=min(2, len(places))) as (figure, all_axes):
        for axes, place in zip(all_axes, places, strict=True):
            for row in rows:
                kept = _kept(row)
                if (row["corpus"], row["budget"]) != place or kept is None:
                    continue
                number = peers.index(row["peer"])
                axes.plot(
                    row["usd"],
                    kept,
                    MARKS[number % len(MARKS)],
                    color=COLOURS[number % len(COLOURS)],
                    markerfacecolor="none" if number >= len(COLOURS) else None,
                    markersize=7,
                    label=row["title"],
                )
            axes.set(title=f"{place[0]}, {place[1]:,} tokens", xscale="log")
            axes.margins(0.1)
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_formatter(ScalarFormatter())
            axes.tick_params(axis="x", which="both", labelsize=7)
        for axes in all_axes[::2]:
            axes.set_ylabel("recall, %")
        for axes in all_axes[-2:]:
            axes.set_xlabel("USD for 1,000 requests")
        named = {
            text: handle
            for axes in all_axes
            for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            named.values(), named.keys(), loc="outside lower center", ncols=3, labelcolor=INK
        )
        return svg(figure)


def _kept(row: Row) -> float | None:
    """Return what is drawn of a row: the recall of answers, on tool calls that of references."""
    found: float | None = row["recall"] if row["recall"] is not None else row["references"]
    return found


def growth(report: Report) -> str:
    """Draw what a turn costs and how long it takes, by the length of its conversation."""
    rows = report["rows"]["talks"]
    styles = list(dict.fromkeys(row["style"] for row in rows))
    sizes = sorted({row["messages"] for row in rows})
    of = {(row["style"], row["messages"]): row for row in rows}

    def curves(column: str, chosen: Sequence[str]) -> dict[str, list[float]]:
        absent: Row = {}
        return {
            each: [of.get((each, size), absent).get(column) or float("nan") for size in sizes]
            for each in chosen
        }

    with panels(2, shared=False) as (figure, (paid, taken)):
        (full,) = curves("$ with full history", styles[:1]).values()
        lines(paid, sizes, {**curves("$ a 1,000 turns", styles), "full history": full})
        lines(taken, sizes, curves("turn ms", styles))
        for axes, name in ((paid, "USD a 1,000 turns"), (taken, "milliseconds a turn")):
            axes.set(xscale="log", yscale="log", xlabel="messages", ylabel=name)
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.minorticks_off()
            axes.legend(fontsize=8)
        return svg(figure)


def faults(report: Report) -> str:
    """Draw the share of facts that can be reached, by what is wrong and by who remembers."""
    cells = _cells(report)
    cases = list(dict.fromkeys(case for case, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    shares = [[cells.get((case, column), float("nan")) for column in columns] for case in cases]
    with panels(height=1.4 + 0.27 * len(cases)) as (figure, (axes,)):
        axes.imshow(shares, aspect="auto", cmap=_MAP, vmin=0, vmax=100)
        for down, line in enumerate(shares):
            for across, share in enumerate(line):
                if share == share:  # noqa: PLR0124  # not a number is unequal to itself
                    ink = "white" if share < 100 * _DARK else "black"
                    axes.text(across, down, f"{share:.0f}", color=ink, ha="center", va="center")
        axes.set_yticks(range(len(cases)), cases)
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha="left")
        axes.xaxis.tick_top()
        axes.grid(visible=False)
        axes.set_xlabel("facts that are left, % (the worst of languages, ways and seeds)")
        return svg(figure)


def _cells(report: Report) -> dict[tuple[str, str], float]:
    """Return the lowest percentage of facts by case and column."""
    found: dict[tuple[str, str], float] = {}
    for case, column, share in _shares(report["rows"]):
        found[case, column] = min(share, found.get((case, column), share))
    return found


def _shares(rows: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, str, float]]:
    for row in rows["faults"]:
        for column in ("in view", "in reach"):
            yield row["row"], f"memory, {column}", 100 * row[column] / row["facts"]
    for row in rows.get("peers", ()):
        if row.get("passed") is not None and row.get("in reach") is not None:
            yield row["row"], row["peer"], 100 * row["in reach"] / row["facts"]
