"""The tables of `benchmarks.recall`, and what has to hold of them.

Recall is in percent. `last n` and `random turns` are the floors of a memory, `random snippets` that
of recall, `full` is the ceiling: see `benchmarks._recall_talks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from statistics import fmean
from typing import Final, NamedTuple

from benchmarks._measures import interval, mean
from benchmarks._recall_scores import READINGS, Reading
from benchmarks._recall_talks import CORPORA, METHODS, Asked, Method, Talk
from benchmarks._recall_turns import LIMIT, Turns
from benchmarks._report import Check, Figure, Row

__all__ = (
    "AUTO",
    "OFF",
    "WHOLE",
    "Point",
    "figures",
    "kind_rows",
    "recall_rows",
    "sent_rows",
    "share_rows",
    "talk_checks",
    "turn_checks",
    "turn_rows",
)

AUTO: Final = "recall auto"
OFF: Final = "recall off"
WHOLE: Final = "recall auto, summaries kept whole"
TEMPORAL: Final = "temporal"
"""The kind of LoCoMo's questions for a time."""
BOUNDS: Final[Mapping[tuple[str, str, str], float]] = {
    ("locomo", AUTO, ""): 80.0,
    ("locomo", WHOLE, ""): 86.0,
    ("locomo", AUTO, TEMPORAL): 74.0,
    ("locomo", WHOLE, TEMPORAL): 82.0,
    ("beam_100k", AUTO, ""): 60.0,
    ("zh_haystack", AUTO, ""): 85.0,
    ("bfcl_memory", AUTO, ""): 95.0,
}
"""Percent, by corpus, settings and kind of question (empty for all), in the first reading."""
TURNS: Final[Mapping[str, float]] = {"locomo": 60.0, "zh_haystack": 73.0}
"""Percent of the evidence among the ten best, by corpus."""

Talks = Mapping[tuple[str, str], Sequence[Talk]]
"""What came of the conversations, by corpus and label of the settings."""


class Point(NamedTuple):
    """One share of the budget on one corpus."""

    corpus: str
    share: float
    """Of the limit, 0 to 1; 0 for recall off."""
    talks: Sequence[Talk]


def recall_rows(found: Talks) -> list[Row]:
    """Return how much of what is asked for was sent, beside what else could be."""
    return [
        _recall_row(corpus, label, reading, talks)
        for (corpus, label), talks in found.items()
        for reading in CORPORA[corpus].readings
    ]


def _recall_row(corpus: str, label: str, reading: Reading, talks: Sequence[Talk]) -> Row:
    groups = _groups(talks, "sent", reading)
    low, high = interval(groups)
    return {
        "corpus": corpus,
        "budget": CORPORA[corpus].budget,
        "settings": label,
        "reading": reading,
        **{method: _percent(talks, method, reading) for method in METHODS},
        **({"low": 100 * low, "high": 100 * high} if len(talks) > 1 and any(groups) else {}),
        "probes": sum(map(len, groups)),
        "what": READINGS[reading],
    }


def _groups(
    talks: Sequence[Talk], method: Method, reading: Reading, kind: str = ""
) -> list[list[float]]:
    """Return the scores of each conversation, those of one kind of question or all."""
    return [
        [
            asked.scores[method][reading]
            for asked in talk.asked
            if kind in ("", asked.type) and reading in asked.scores.get(method, {})
        ]
        for talk in talks
    ]


def _percent(
    talks: Sequence[Talk], method: Method, reading: Reading, kind: str = ""
) -> float | None:
    groups = _groups(talks, method, reading, kind)
    return 100 * mean(groups) if any(groups) else None


def kind_rows(found: Talks) -> list[Row]:
    """Return the same by kind of question, in the first reading of each corpus."""
    return [
        {
            "corpus": corpus,
            "settings": label,
            "kind": kind,
            **{m: _percent(talks, m, CORPORA[corpus].readings[0], kind) for m in METHODS},
            "probes": sum(asked.type == kind for asked in _asked(talks)),
        }
        for (corpus, label), talks in found.items()
        for kind in sorted({asked.type for asked in _asked(talks)})
    ]


def _asked(talks: Sequence[Talk]) -> list[Asked]:
    return [*chain.from_iterable(talk.asked for talk in talks)]


def sent_rows(found: Talks) -> list[Row]:
    """Return what was sent, on the way and for the questions."""
    return [_sent_row(corpus, label, talks) for (corpus, label), talks in found.items()]


def _sent_row(corpus: str, label: str, talks: Sequence[Talk]) -> Row:
    asked = _asked(talks)
    requests = sum(talk.requests for talk in talks)
    return {
        "corpus": corpus,
        "settings": label,
        "conversations": len(talks),
        "history": fmean(talk.history for talk in talks),
        "requests": requests,
        "with snippets": sum(talk.snippets for talk in talks) / requests,
        "compactions": sum(talk.compactions for talk in talks),
        "fewest compactions": min(talk.compactions for talk in talks),
        "questions": len(asked),
        "questions with snippets": sum(each.recalled > 0 for each in asked),
        "tokens": _average([each.tokens for each in asked]),
        "of them snippets": _average([each.recalled for each in asked if each.recalled]),
        "passages": _average([each.passages for each in asked if each.recalled]),
        "questions that compact": sum(each.compacted for each in asked),
        "sent as a real request": sum(talk.as_real for talk in talks),
        "largest": max(talk.largest for talk in talks),
        "failed": sum(talk.failed for talk in talks),
    }


def _average(values: Sequence[int]) -> float | None:
    return fmean(values) if values else None


def share_rows(points: Sequence[Point]) -> list[Row]:
    """Return recall by the share of the budget that recall may have."""
    return [
        {
            "corpus": corpus,
            "share": 100 * share,
            "recall": _percent(talks, "sent", CORPORA[corpus].readings[0]),
            "reading": CORPORA[corpus].readings[0],
            "tokens of snippets": fmean(each.recalled for each in _asked(talks)),
            "conversations": len(talks),
            "probes": len(_asked(talks)),
        }
        for corpus, share, talks in points
    ]


def turn_rows(found: Mapping[str, Sequence[Turns]]) -> list[Row]:
    """Return how much of the evidence is among the messages that are found first."""
    return [
        {
            "corpus": corpus,
            "kind": kind or "all",
            f"recall@{LIMIT}": _of_turns(each, "found", kind),
            "random": _of_turns(each, "chance", kind),
            "most": _of_turns(each, "most", kind),
            "questions": sum(kind in ("", other) for one in each for other in one.types),
        }
        for corpus, each in found.items()
        for kind in ("", *sorted({kind for one in each for kind in one.types}))
    ]


def _of_turns(found: Sequence[Turns], what: str, kind: str = "") -> float:
    return 100 * fmean(
        value
        for each in found
        for value, other in zip(getattr(each, what), each.types, strict=True)
        if kind in ("", other)
    )


def turn_checks(found: Mapping[str, Sequence[Turns]]) -> list[Check]:
    """Return what has to hold of single turns."""
    return [
        Check(
            name=f"{corpus}: percent of the evidence among the {LIMIT} messages found first",
            value=_of_turns(found[corpus], "found"),
            op=">=",
            bound=bound,
        )
        for corpus, bound in TURNS.items()
        if corpus in found
    ]


def talk_checks(found: Talks) -> list[Check]:
    """Return what has to hold of the conversations."""
    return [
        *_recall_checks(found),
        *(check for (corpus, label), each in found.items() for check in _sane(corpus, label, each)),
    ]


def _recall_checks(found: Talks) -> Iterator[Check]:
    for (corpus, label, kind), bound in BOUNDS.items():
        if (corpus, label) in found:
            reading = CORPORA[corpus].readings[0]
            which = f", {kind} questions" if kind else ""
            yield Check(
                name=f"{corpus}, {CORPORA[corpus].budget:,} tokens, {label}{which}: percent of "
                + READINGS[reading].partition(",")[0],
                value=_percent(found[corpus, label], "sent", reading, kind),
                op=">=",
                bound=bound,
            )


def _sane(corpus: str, label: str, talks: Sequence[Talk]) -> Iterator[Check]:
    """Yield what has to hold for the figures to mean what they say."""
    row = _sent_row(corpus, label, talks)
    name = f"{corpus}, {label}"
    sure = row["sent as a real request"] - row["conversations"]
    yield Check(
        name=f"{name}: tokens of the largest prompt",
        value=row["largest"],
        op="<=",
        bound=CORPORA[corpus].budget,
    )
    yield Check(name=f"{name}: searches that failed", value=row["failed"], op="==", bound=0)
    yield Check(
        name=f"{name}: last questions sent otherwise than as a real request",
        value=-sure,
        op="==",
        bound=0,
    )
    yield Check(
        name=f"{name}: compactions of a conversation, fewest",
        value=row["fewest compactions"],
        op=">=",
        bound=1,
    )


def figures(
    found: Talks, points: Sequence[Point], turns: Mapping[str, Sequence[Turns]]
) -> list[Figure]:
    """Return what the benchmark is run for."""
    return [*_recall_figures(found), *_share_figures(points), *_turn_figures(turns)]


def _recall_figures(found: Talks) -> Iterator[Figure]:
    for row in recall_rows(found):
        if row["settings"] != AUTO and row["reading"] != CORPORA[row["corpus"]].readings[0]:
            continue  # the rows have them
        yield Figure(
            name=f"{row['corpus']}, {row['settings']}, {row['reading']}",
            value=row["sent"],
            unit="%",
            low=row.get("low"),
            high=row.get("high"),
            floor=row["last n"],
            ceiling=row["full"],
        )
    for row in kind_rows(found):
        if row["kind"] == TEMPORAL:
            yield Figure(
                name=f"{row['corpus']}, {row['settings']}, {TEMPORAL} questions",
                value=row["sent"],
                unit="%",
                floor=row["last n"],
                ceiling=row["full"],
            )


def _share_figures(points: Sequence[Point]) -> Iterator[Figure]:
    for row in share_rows(points):
        yield Figure(
            name=f"{row['corpus']}, {row['share']:.0f} % of the budget for recall",
            value=row["recall"],
            unit="%",
        )


def _turn_figures(turns: Mapping[str, Sequence[Turns]]) -> Iterator[Figure]:
    for row in turn_rows(turns):
        if row["kind"] == "all":
            yield Figure(
                name=f"{row['corpus']}, evidence among the {LIMIT} messages found first",
                value=row[f"recall@{LIMIT}"],
                unit="%",
                floor=row["random"],
                ceiling=row["most"],
            )
