"""The plots of the page about benchmarks, each drawn from the report of one benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.ticker import ScalarFormatter

from benchmarks._report_numbers import number
from benchmarks._report_style import COLOURS, INK, MARKS, lines, panels, svg

__all__ = ("cost", "drift", "latency", "overhead", "ranges", "tokens")

Report = Mapping[str, Any]

_LANGUAGES: Final[Mapping[str, Sequence[str]]] = {
    "English": ("locomo", "beam_100k"),
    "Chinese": ("zh_haystack",),
    "English, with tools": ("tau_airline", "bfcl_multi_turn", "swe_agent", "bfcl_memory"),
}
"""Corpora of `benchmarks.tokens` by what is in them."""
_LEAST_ERROR: Final = 0.1
"""Percent below which errors are drawn as if the scale were linear, to show none at all."""


def ranges(report: Report) -> str:
    """Draw every figure that has a floor and a ceiling between the two, with its interval."""
    found = [f for f in report["figures"] if None not in (f["value"], f["floor"], f["ceiling"])]
    with panels(height=1.0 + 0.42 * len(found)) as (figure, (axes,)):
        for place, each in enumerate(found):
            axes.plot([each["floor"], each["ceiling"]], [place] * 2, color=INK, linewidth=1)
            for end, mark in (("floor", "|"), ("ceiling", "|")):
                axes.plot(each[end], place, mark, color=INK, markersize=11, markeredgewidth=2)
            if each["low"] is not None and each["high"] is not None:
                reach = [each["low"], each["high"]]
                axes.plot(reach, [place] * 2, color=COLOURS[0], linewidth=4, alpha=0.5)
            axes.plot(each["value"], place, MARKS[0], color=COLOURS[0])
        axes.set_yticks(range(len(found)), [each["name"] for each in found])
        axes.invert_yaxis()
        axes.margins(y=0.1)
        axes.set_xlabel("%   (bar: floor and ceiling; shade: 95 % interval)")
        return svg(figure)


def cost(report: Report) -> str:
    """Draw what each way to send a conversation costs, as a share of full history."""
    rows = report["rows"]["cost"]
    prices = sorted({row["prices"] for row in rows})
    with panels(len(prices), height=2.6) as (figure, all_axes):
        for axes, price in zip(all_axes, prices, strict=True):
            mine = [row for row in rows if row["prices"] == price]
            names = [row["way"].replace(", ", ",\n") for row in mine]
            shares = [100 * row["of full history"] for row in mine]
            tints = [COLOURS[0] if row["way"].startswith("memory") else INK for row in mine]
            bars = axes.barh(names, shares, color=tints, height=0.6)
            axes.bar_label(bars, [f"{share:.0f}" for share in shares], padding=3, color=INK)
            axes.set_title(price)
            axes.set_xlabel("% of the cost of full history")
            axes.margins(x=0.15)
        all_axes[0].invert_yaxis()
        return svg(figure)


def drift(report: Report) -> str:
    """Draw what is left of the beginning after each compaction."""
    rows = report["rows"]["recall of early facts"]
    forms = ("full text", "memory", "rolling", "notes alone", "empty summary")
    with panels() as (figure, (axes,)):
        curves = {form: [row[form] for row in rows] for form in forms}
        lines(axes, [row["compaction"] for row in rows], curves)
        axes.set_xlabel("compactions")
        axes.set_ylabel("recall of early facts, %")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside lower center", ncols=5)
        return svg(figure)


def overhead(report: Report) -> str:
    """Draw the milliseconds that a call takes, with and without a memory, by its length."""
    rows = [
        row for row in report["rows"]["calls"] if row["list"] == report["rows"]["calls"][0]["list"]
    ]
    situations = list(dict.fromkeys(row["situation"] for row in rows))
    lengths = sorted({row["messages"] for row in rows})
    with panels(height=3.8) as (figure, (axes,)):
        of = {(row["situation"], row["messages"]): row for row in rows}
        hooks = {
            f"hook, {name}": [of[name, length]["hook ms"] for length in lengths]
            for name in situations
        }
        bare = {"bare call of the SDK": [of[situations[0], n]["bare ms"] for n in lengths]}
        lines(axes, lengths, {**hooks, **bare})
        axes.set(xscale="log", yscale="log", xlabel="messages", ylabel="milliseconds a call")
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.minorticks_off()
        figure.legend(loc="outside lower center", ncols=2)
        return svg(figure)


def tokens(report: Report) -> str:
    """Draw how the error of predicted tokens falls with each reply, by language."""
    rows = [row for row in report["rows"]["errors"] if row["request"] != "all"]
    counters = list(dict.fromkeys(row["counter"] for row in rows))
    requests = sorted({row["request"] for row in rows})
    present = {row["corpus"] for row in rows}
    shown = {name: corpora for name, corpora in _LANGUAGES.items() if present & {*corpora}}
    with panels(len(shown)) as (figure, all_axes):
        for axes, (language, corpora) in zip(all_axes, shown.items(), strict=True):
            curves = {each: _worst(rows, each, corpora, requests) for each in counters}
            lines(axes, range(len(requests)), curves)
            axes.set_title(language)
            axes.set_xticks(range(len(requests)), list(map(str, requests)))
            axes.set_xlabel("request")
            axes.set_yscale("symlog", linthresh=_LEAST_ERROR)
            axes.yaxis.set_major_formatter(ScalarFormatter())
        all_axes[0].set_ylim(bottom=0)
        all_axes[0].set_ylabel("|error|, p95, %")
        all_axes[-1].legend()
        return svg(figure)


def _worst(
    rows: Sequence[Mapping[str, Any]], counter: str, corpora: Sequence[str], requests: Sequence[int]
) -> list[float]:
    """Return the largest p95 of some corpora at each request."""
    at = {
        request: [
            row["absolute p95"]
            for row in rows
            if (row["counter"], row["request"]) == (counter, request) and row["corpus"] in corpora
        ]
        for request in requests
    }
    return [max(found, default=float("nan")) for found in at.values()]


def latency(report: Report) -> str:
    """Draw what turns wait for summaries, inline and in the background."""
    rows = report["rows"]["turns"]
    clients = list(dict.fromkeys(row["client"] for row in rows))
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    ranks = ("p50", "p95", "max")
    width = 0.8 / len(modes)
    with panels(len(clients)) as (figure, all_axes):
        for axes, client in zip(all_axes, clients, strict=True):
            for place, mode in enumerate(modes):
                (row,) = (r for r in rows if (r["client"], r["mode"]) == (client, mode))
                at = [x + (place - (len(modes) - 1) / 2) * width for x in range(len(ranks))]
                values = [row[f"{rank} ms"] for rank in ranks]
                bars = axes.bar(at, values, width * 0.9, color=COLOURS[place], label=mode)
                axes.bar_label(bars, list(map(number, values)), padding=2, color=INK)
            summary = 1e3 * report["settings"]["summary"]
            axes.axhline(summary, color=INK, linestyle="--", label="one summary")
            axes.set(yscale="log", title=f"{client} client")
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.set_xticks(range(len(ranks)), ranks)
            axes.margins(y=0.15)
        all_axes[0].set_ylabel("added wait of a turn, ms")
        all_axes[0].legend()
        return svg(figure)
