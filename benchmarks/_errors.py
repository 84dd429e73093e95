"""The errors of predicted token counts, as rows of figures and as checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from benchmarks._report import Check, Figure, Row, percentile

__all__ = ("AT", "Prediction", "checks", "compaction_rows", "error_rows", "figures", "table")

POOLED: Final = "pooled"
HELD_OUT: Final = "held out"
ALL: Final = "all"
AT: Final = (1, 2, 3, 5, 10, 20)
"""The requests of a conversation whose errors are reported."""


class Prediction(NamedTuple):
    """What was predicted for one request, and what the server counted."""

    counter: str
    corpus: str
    request: int
    """Which request of its conversation, from 1."""
    text_only: bool
    """Whether its conversation neither declares nor calls tools."""
    held_out: bool
    """Whether its conversation belongs to the half that the estimator was not fitted to."""
    predicted: int
    counted: int

    @property
    def error(self) -> float:
        """The signed error in percent of what the server counted."""
        return 100 * (self.predicted - self.counted) / self.counted


def spread(predictions: Sequence[Prediction]) -> Row:
    """Return the signed and the absolute errors of predictions, in percent."""
    signed = [each.error for each in predictions]
    absolute = [abs(error) for error in signed]
    return {
        "requests": len(predictions),
        "signed p50": percentile(signed, 0.5),
        "signed p95": percentile(signed, 0.95),
        "absolute p50": percentile(absolute, 0.5),
        "absolute p95": percentile(absolute, 0.95),
        "largest": max(absolute, default=None),
    }


def grouped(predictions: Sequence[Prediction]) -> dict[tuple[str, str], list[Prediction]]:
    """Return predictions by counter and corpus; after its corpora, each counter has two pools.

    One holds all of them, the other those on conversations that the estimator was not fitted to.
    """
    counters = dict.fromkeys(each.counter for each in predictions)
    corpora = dict.fromkeys(each.corpus for each in predictions)
    return {
        (counter, corpus): [
            each
            for each in predictions
            if each.counter == counter
            and corpus in {each.corpus, POOLED, HELD_OUT if each.held_out else POOLED}
        ]
        for counter in counters
        for corpus in (*corpora, POOLED, HELD_OUT)
    }


def error_rows(predictions: Sequence[Prediction]) -> list[Row]:
    """Return one row for each counter, corpus and reported request, and one for all requests."""
    rows = []
    for (counter, corpus), group in grouped(predictions).items():
        for at in (*AT, None):
            chosen = [each for each in group if at in (None, each.request)]
            if chosen:
                where = {"counter": counter, "corpus": corpus, "request": at or ALL}
                rows.append(where | spread(chosen))
    return rows


def compaction_rows(predictions: Sequence[Prediction]) -> list[Row]:
    """Return one row for each counter and corpus."""
    return [
        {"counter": counter, "corpus": corpus} | spread(group)
        for (counter, corpus), group in grouped(predictions).items()
        if group
    ]


def figures(rows: Sequence[Row], *, floor: str) -> list[Figure]:
    """Return what the benchmark is run for, from error rows.

    Args:
        rows: Those of `error_rows`.
        floor: The counter that never learns; without its rows there is no floor.
    """
    pooled = {
        (r["counter"], r["request"]): r["absolute p95"] for r in rows if r["corpus"] == POOLED
    }
    return [
        Figure(
            name=f"error p95 at request {request}, {counter}",
            value=value,
            unit="%",
            floor=pooled.get((floor, request)),
            ceiling=0.0,
        )
        for (counter, request), value in pooled.items()
        if counter != floor and request in {1, 5, max(AT)}
    ]


def checks(predictions: Sequence[Prediction], *, exact: str, estimator: str) -> list[Check]:
    """Return what has to hold for the two counters of the library, by their names."""
    groups = grouped(predictions)
    exactly, pooled, held_out = (
        groups.get(key, ()) for key in ((exact, POOLED), (estimator, POOLED), (estimator, HELD_OUT))
    )
    text = [abs(each.error) for each in exactly if each.text_only]
    tools = [abs(each.error) for each in exactly if not each.text_only and each.request > 1]
    return [
        Check(
            name="exact vocabulary, conversations of text only: largest error in %",
            value=max(text, default=None),
            op="==",
            bound=0.0,
        ),
        Check(
            name="exact vocabulary, conversations with tools, from request 2: p95 error in %",
            value=percentile(tools, 0.95),
            op="<=",
            bound=1.0,
        ),
        *_learning("all conversations", pooled),
        *_learning("those it was not fitted to", held_out),
    ]


def _learning(which: str, predictions: Sequence[Prediction]) -> list[Check]:
    """Return what has to hold for the estimator on these predictions."""
    return [
        Check(
            name=f"estimator, {which}, request {request}: p{round(100 * share)} error in %",
            value=percentile([abs(p.error) for p in predictions if p.request == request], share),
            op="<",
            bound=1.0,
        )
        for request, share in ((5, 0.5), (20, 0.95))
    ]


def table(rows: Sequence[Row]) -> list[Row]:
    """Return error rows for people: one line a counter and corpus, p50 / p95 of each request."""
    lines: dict[tuple[str, str], Row] = {}
    for row in rows:
        line = lines.setdefault((row["counter"], row["corpus"]), {})
        line[f"#{row['request']}"] = f"{row['absolute p50']:.2f}/{row['absolute p95']:.2f}"
    columns = [f"#{at}" for at in AT]
    return [
        {"counter": counter, "corpus": corpus} | {each: line.get(each) for each in columns}
        for (counter, corpus), line in lines.items()
    ]
