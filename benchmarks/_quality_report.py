"""The tables of `benchmarks.quality`, and what has to hold of them.

Recall is in percent. The bounds are for the average over the views of the last messages: at the
last view alone it is up to 2 points more or less, by how long ago the last compaction was. At the
defaults the last view has to reach them all the same. `normalised` is where between the floor
(`last n`, 0) and the ceiling (`full`, 100) a view stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from benchmarks._measures import interval, mean
from benchmarks._quality_recall import LATE, METHODS, Chat
from benchmarks._quality_references import Run
from benchmarks._quality_sentences import KINDS, Kind
from benchmarks._quality_standing import COMPACTIONS, Fate, Held
from benchmarks._report import Check, Figure, Row

__all__ = ("checks", "figures", "recall_rows", "reference_rows", "standing_rows")

RECALL: Final[Mapping[str, float]] = {"defaults": 65.0, "target 0.9, notes 0.7": 75.0}
"""Percent of the answers' content words that late views have to have, by parts of words."""
OF_STATIC: Final = 0.97
"""Of what a static summary and a tail of the same sizes have."""
KEPT: Final[Mapping[Kind, float]] = {"pinned": 100.0, "system": 100.0, "user": 90.0}
"""Percent of the wishes that have to stand in every view."""
REFERENCES: Final[Mapping[int, float]] = {8_000: 99.0, 4_000: 95.0}
"""Percent of the values by budget."""
AFTER: Final = (1, 3, 5, COMPACTIONS)
"""Compactions after which wishes are counted."""


def recall_rows(found: Mapping[str, Sequence[Chat]]) -> list[Row]:
    """Return what the views of LoCoMo know, beside what else could be sent."""
    return [row for label, chats in found.items() for row in _recall(label, chats)]


def _recall(label: str, chats: Sequence[Chat]) -> Iterator[Row]:
    whens = {
        "last view": "last",
        "last view, by parts of words": "parts",
        "last view, wrong answers too": "everything",
        "late views": "late",
        "late views, by parts of words": "late_parts",
        "all views": "views",
    }
    for when, name in whens.items():
        shares = [getattr(chat, name) for chat in chats]
        if any(shares):
            yield {"settings": label, "at": when, **_methods(shares)}
    for chat in chats:
        yield {
            "settings": label,
            "at": chat.id,
            **_methods([chat.last]),
            "tokens": chat.tokens,
            "of them segments": chat.segments,
            "history": chat.history,
            "calls": chat.calls,
            "rejected": chat.rejected,
        }


def _methods(shares: Sequence[Mapping[str, Sequence[float]]]) -> Row:
    """Return the recall of every method over some conversations, and the interval of the view."""
    groups = {method: [each[method] for each in shares if each] for method in METHODS}
    row: Row = {method: 100 * mean(found) for method, found in groups.items()}
    low, high = interval(groups["view"])
    floor, ceiling = row["last n"], row["full"]
    span = ceiling - floor
    row |= {
        "probes": sum(map(len, groups["view"])),
        "of static": row["view"] / row["static"],
        "normalised": 100 * (row["view"] - floor) / span if span else None,
    }
    return row | ({"low": 100 * low, "high": 100 * high} if len(shares) > 1 else {})


def standing_rows(found: Sequence[Held]) -> list[Row]:
    """Return what became of the wishes of each kind, by language and summariser."""
    return [
        {
            "language": held.language,
            "summariser": held.stub,
            "kind": kind,
            "planted": len(held.of(kind)),
            "kept in every view": _kept(held.of(kind)),
            **{f"after {k}": _after(held.of(kind), k) for k in AFTER},
            "views": sum(fate.views for fate in held.of(kind)),
            "compactions": held.compactions,
            "without room": held.capped,
            "largest view": held.largest,
            "lost": [fate.wish.text for fate in held.of(kind) if fate.lost is not None],
        }
        for held in found
        for kind in KINDS
    ]


def _kept(fates: Sequence[Fate]) -> float | None:
    """Return the percentage of wishes that stood in every view."""
    return 100 * sum(fate.lost is None for fate in fates) / len(fates) if fates else None


def _after(fates: Sequence[Fate], compactions: int) -> float | None:
    """Return the percentage that stood in every view up to so many compactions."""
    been = [fate for fate in fates if fate.through >= compactions]
    return 100 * sum(fate.kept(compactions) for fate in been) / len(been) if been else None


def reference_rows(found: Sequence[Run]) -> list[Row]:
    """Return how many of the values that calls pass were in the view, by budget and summariser."""
    return [
        {
            "budget": budget,
            "summariser": name,
            "view": 100 * mean([run.found for run in runs]),
            "low": 100 * low,
            "high": 100 * high,
            "last n": 100 * mean([run.latest for run in runs]),
            "full": 100.0,
            "values": sum(len(run.found) for run in runs),
            "requests": sum(run.requests for run in runs),
            "largest": max(run.largest for run in runs),
            "shortened": sum(run.shortened for run in runs),
            "calls": sum(run.calls for run in runs),
        }
        for (budget, name), runs in _runs(found)
        for low, high in [interval([run.found for run in runs])]
    ]


def _runs(found: Sequence[Run]) -> Iterator[tuple[tuple[int, str], list[Run]]]:
    for key, runs in groupby(found, key=lambda run: (run.budget, run.stub)):
        yield key, list(runs)


def figures(
    chats: Mapping[str, Sequence[Chat]], held: Sequence[Held], runs: Sequence[Run]
) -> list[Figure]:
    """Return what the benchmark is run for; the floor is what the last messages alone have."""
    return [*_recall_figures(chats), *_standing_figures(held), *_reference_figures(runs)]


def _recall_figures(found: Mapping[str, Sequence[Chat]]) -> Iterator[Figure]:
    for label, chats in found.items():
        row = _methods([chat.last for chat in chats])
        yield Figure(
            name=f"answer words in the last view, {label}",
            value=row["view"],
            unit="%",
            low=row.get("low"),
            high=row.get("high"),
            floor=row["last n"],
            ceiling=row["full"],
        )


def _standing_figures(found: Sequence[Held]) -> Iterator[Figure]:
    for kind in KINDS:
        yield Figure(
            name=f"standing wishes in every view, {kind}",
            value=_kept([fate for held in found for fate in held.of(kind)]),
            unit="%",
            ceiling=100.0,
        )


def _reference_figures(found: Sequence[Run]) -> Iterator[Figure]:
    for row in reference_rows(found):
        yield Figure(
            name=f"values of calls in the view, {row['summariser']}, {row['budget']} tokens",
            value=row["view"],
            unit="%",
            low=row["low"],
            high=row["high"],
            floor=row["last n"],
            ceiling=row["full"],
        )


def checks(
    chats: Mapping[str, Sequence[Chat]],
    held: Sequence[Held],
    runs: Sequence[Run],
    *,
    budget: int,
) -> list[Check]:
    """Return what has to hold.

    Args:
        chats: The conversations of LoCoMo by the label of the settings.
        held: The conversations with wishes.
        runs: The chained conversations.
        budget: Tokens for the conversations of LoCoMo.
    """
    return [*_recall_checks(chats, budget), *_standing_checks(held), *_reference_checks(runs)]


def _recall_checks(found: Mapping[str, Sequence[Chat]], budget: int) -> Iterator[Check]:
    for label, chats in found.items():
        name = f"LoCoMo, {label}"
        late = _methods([chat.late_parts for chat in chats])
        text = f"{name}: answer-content recall, percent, views of the last {LATE} messages"
        yield Check(name=text, value=late["view"], op=">=", bound=RECALL[label])
        if label == "defaults":
            yield from _default_checks(name, late, chats)
        largest = max(chat.largest for chat in chats)
        text = f"{name}: tokens of the largest view"
        yield Check(name=text, value=largest, op="<=", bound=budget)


def _default_checks(name: str, late: Row, chats: Sequence[Chat]) -> Iterator[Check]:
    """Yield what else has to hold at the defaults: at the last view alone, in both readings."""
    text = f"{name}: recall as a share of that of a static summary and tail of the same sizes"
    yield Check(name=f"{text}, late views", value=late["of static"], op=">=", bound=OF_STATIC)
    readings = {
        "last view": [chat.parts for chat in chats],
        "last view, by words": [chat.last for chat in chats],
    }
    for reading, shares in readings.items():
        row = _methods(shares)
        recall = f"{name}: answer-content recall, percent, {reading}"
        yield Check(name=recall, value=row["view"], op=">=", bound=RECALL["defaults"])
        value = row["of static"]
        yield Check(name=f"{text}, {reading}", value=value, op=">=", bound=OF_STATIC)


def _standing_checks(found: Sequence[Held]) -> Iterator[Check]:
    for each in found:
        name = f"standing wishes, {each.language}, {each.stub}"
        for kind in KINDS:
            text = f"{name}, {kind}: percent that stand in every view"
            yield Check(name=text, value=_kept(each.of(kind)), op=">=", bound=KEPT[kind])
        through = min((fate.through for fate in each.fates), default=0)
        text = f"{name}: compactions that every wish has been through"
        yield Check(name=text, value=through, op=">=", bound=COMPACTIONS)
        text = f"{name}: compactions without room for all wishes"
        yield Check(name=text, value=each.capped, op="==", bound=0)


def _reference_checks(found: Sequence[Run]) -> Iterator[Check]:
    for (budget, name), runs in _runs(found):
        text = f"references, {name} summaries, {budget:,} tokens"
        yield Check(
            name=f"{text}: percent of the values that are in the view",
            value=100 * mean([run.found for run in runs]),
            op=">=",
            bound=REFERENCES[budget],
        )
        largest = max(run.largest for run in runs)
        yield Check(
            name=f"{text}: tokens of the largest view", value=largest, op="<=", bound=budget
        )
