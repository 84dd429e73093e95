"""From what came of conversations to rows, checks and headline figures.

Recall is in percent, over probes, and on tau-bench over the values that tools are called with.
Intervals are 95 % bootstrap intervals, drawn by conversation. Differences are paired: probe by
probe on the conversations that both have been through.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks._measures import interval, mean
from benchmarks._report import Check, Figure, Row, percentile
from benchmarks.peers import COMPARED
from benchmarks.peers.talks import CORPORA
from memory.models import DEFAULT_MODEL
from memory.tuning.prices import Tariff, Volume

__all__ = ("NEAR", "OURS", "OVER", "TARIFF", "checks", "figures", "settings", "table")

OURS: Final = "memory"
NEAR: Final = 2.0
"""Points of recall below ours within which the cheapest has to be us."""
OVER: Final = 0.02
"""The share of requests over the budget from which recall is not at equal budget any more."""
TARIFF: Final = Tariff.of(DEFAULT_MODEL)
_READING: Final = "parts"
"""Which reading of recall is the headline: as `benchmarks.quality` has its bounds."""

Line = Mapping[str, Any]
Group = list[Line]


def table(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return a row for each corpus, budget, peer and setting.

    Args:
        found: What `benchmarks.peers.compare` wrote, with the corpus.
    """
    groups = _groups(found)
    ours = {key[:2]: group for key, group in groups.items() if key[2:] == (OURS, "matched")}
    return [_row(key, group, ours.get(key[:2], [])) for key, group in groups.items()]


def _groups(found: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int, str, str], Group]:
    groups: dict[tuple[str, int, str, str], Group] = defaultdict(list)
    for corpus, known in CORPORA.items():
        for budget in known.budgets:
            for each in (each for each in found if each["corpus"] == corpus):
                bound = COMPARED[each["peer"]].bound
                for line in each.get("lines", ()):
                    anyway = line["row"] == "defaults" and not bound
                    if line["budget"] == budget or anyway:
                        groups[corpus, budget, each["peer"], line["row"]].append(line)
    return groups


def _row(key: tuple[str, int, str, str], group: Group, ours: Group) -> Row:
    corpus, budget, name, row = key
    sizes = [size for line in group for size in line["sizes"]]
    turns, notes = _volume(group, "turns"), _volume(group, "summaries")
    answered = sum(line["bill"]["requests"][0] for line in group)
    paid = TARIFF.dollars(turns) + TARIFF.dollars(notes)
    return {
        "corpus": corpus,
        "budget": budget,
        "peer": name,
        "title": COMPARED[name].title,
        "row": row,
        "conversations": len(group),
        "requests": len(sizes) + sum(line["failed"] for line in group),
        **_recalls(corpus, group),
        **_ahead(corpus, group, ours),
        "usd": 1_000 * paid / answered if answered else None,
        "usd of summaries": 1_000 * TARIFF.dollars(notes) / answered if answered else None,
        "cached share": _share(turns.cached + notes.cached, turns.prompt + notes.prompt),
        "shared share": _share(sum(line["bill"]["shared"] for line in group), turns.prompt),
        "summary calls": sum(line["calls"] for line in group),
        "rejected": sum(line["rejected"] for line in group),
        "rejected summaries": sum(line["refused"] for line in group),
        "over budget": sum(size > budget for size in sizes),
        "failed": sum(line["failed"] for line in group),
        "largest": max(sizes, default=0),
        "mean tokens": sum(sizes) / len(sizes) if sizes else None,
        "wait p95 s": percentile([wait for line in group for wait in line["bill"]["waits"]], 0.95),
        "seconds": sum(line["seconds"] for line in group),
        "errors": sorted({error for line in group for error in line["errors"]})[:3],
    }


def _volume(group: Group, *kinds: str) -> Volume:
    found = [line["bill"][kind] for line in group for kind in kinds]
    return Volume(
        prompt=sum(each["prompt"] for each in found),
        cached=sum(each["cached"] for each in found),
        completion=sum(each["completion"] for each in found),
    )


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _values(corpus: str, line: Line, method: str = "view") -> list[float]:
    """Return what the headline recall of a conversation is the mean of."""
    if corpus == "tau":
        return list(line["references"].get(method, ()))
    return list(line["last"].get(f"{method}, {_READING}", ()))


def _recalls(corpus: str, group: Group) -> Row:
    def percent(values: Sequence[Sequence[float]]) -> float | None:
        return 100 * mean(values) if any(values) else None

    low, high = interval([_values(corpus, line) for line in group])
    known = any(_values(corpus, line) for line in group)
    referred = [line["references"].get("view", ()) for line in group]
    return {
        "recall": percent([_values(corpus, line) for line in group]),
        "recall low": 100 * low if known else None,
        "recall high": 100 * high if known else None,
        "floor": percent([_values(corpus, line, "last n") for line in group]),
        "ceiling": percent([_values(corpus, line, "full") for line in group]),
        "recall by words": percent([line["last"].get("view, words", ()) for line in group]),
        "late recall": percent([line["late"].get(f"view, {_READING}", ()) for line in group]),
        "late floor": percent([line["late"].get(f"last n, {_READING}", ()) for line in group]),
        "references": percent(referred),
    }


def _ahead(corpus: str, group: Group, ours: Group) -> Row:
    """Return how many points we are ahead, on what both have been through."""
    mine = {line["id"]: _values(corpus, line) for line in ours}
    pairs = [
        [100 * (a - b) for a, b in zip(mine[line["id"]], _values(corpus, line), strict=True)]
        for line in group
        if line["id"] in mine
    ]
    if not any(pairs):
        return {"ahead": None, "ahead low": None, "ahead high": None}
    low, high = interval(pairs)
    return {"ahead": mean(pairs), "ahead low": low, "ahead high": high}


def checks(rows: Sequence[Row]) -> list[Check]:
    """Return what has to hold at a matched budget; what was not measured fails.

    A rival is whoever keeps the budget in all but `OVER` of its requests and fails no more turns
    than that, whatever the server rejects; full history is the ceiling.

    Args:
        rows: Made by `table`.
    """
    matched = [row for row in rows if row["row"] == "matched"]
    made: list[Check] = []
    for row in (row for row in matched if row["peer"] == OURS):
        place = {"corpus": row["corpus"], "budget": row["budget"]}
        rivals = [
            each
            for each in matched
            if each["peer"] != OURS and place.items() <= each.items() and _fair(each)
        ]
        made += _ranked(f"{row['corpus']} at {row['budget']:,}", row, rivals)
    return made


def _fair(row: Row) -> bool:
    most = OVER * row["requests"]
    return bool(row["over budget"] <= most and row["failed"] <= most)


def _ranked(name: str, row: Row, rivals: Sequence[Row]) -> list[Check]:
    made = []
    known = [each for each in rivals if each["ahead"] is not None]
    if known:
        best = min(known, key=lambda each: float(each["ahead"]))
        half = (best["ahead"] - best["ahead low"], best["ahead high"] - best["ahead"])
        made.append(
            Check(
                name=f"{name}: points of recall ahead of {best['peer']}, the best of the others",
                value=best["ahead"],
                op=">=",
                bound=-max(half),
            )
        )
    near = [each for each in known if each["usd"] is not None and each["ahead"] <= NEAR]
    cheapest = min(near, key=lambda each: float(each["usd"]), default=None)
    if cheapest is not None:
        made.append(
            Check(
                name=f"{name}: our USD as a share of {cheapest['peer']}'s, the cheapest of those "
                f"within {NEAR:g} points of our recall",
                value=row["usd"] / cheapest["usd"] if row["usd"] is not None else None,
                op="<=",
                bound=1.0,
            )
        )
    zeros = ("rejected", "rejected summaries", "over budget", "failed")
    made += [Check(name=f"{name}: {what}", value=row[what], op="==", bound=0) for what in zeros]
    return made


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Return our recall and what it costs at the first budget of each corpus.

    Args:
        rows: Made by `table`.
    """
    made: list[Figure] = []
    for row in rows:
        first = row["budget"] == CORPORA[row["corpus"]].budgets[0]
        if (row["peer"], row["row"]) != (OURS, "matched") or not first:
            continue
        name = f"{row['corpus']} at {row['budget']}"
        made += [
            Figure(
                name=f"{name}, recall",
                value=row["recall"],
                unit="%",
                low=row["recall low"],
                high=row["recall high"],
                floor=row["floor"],
                ceiling=row["ceiling"],
            ),
            Figure(name=f"{name}, 1,000 requests", value=row["usd"], unit="USD"),
        ]
    return made


def settings(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return how each peer was run, in words.

    Args:
        found: What `benchmarks.peers.compare` wrote.
    """
    versions = {each["peer"]: each.get("version") for each in found}
    return [
        {
            "peer": name,
            "title": entry.title,
            "distribution": entry.distribution,
            "version": versions[name],
            "matched": entry.matched or None,
            "defaults": entry.own or None,
            "summarises": entry.summarises,
            "conversations at most": entry.most,
        }
        for name, entry in COMPARED.items()
        if name in versions
    ]
