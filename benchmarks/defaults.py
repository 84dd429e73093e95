"""Where the knee between dollars and recall lies, on four corpora, and how far the defaults are.

    python -m benchmarks.defaults --data ../shared/data --json

Every corpus is replayed by `memory.tuning` at the same points: each setting on its own around the
defaults, and target and notes together. Summaries are written by the offline extractor. Recall is
that of answers where a corpus has questions, and of what later turns refer to where it has none;
both are averages over the turns, not of the last one.

To put corpora together, dollars are taken as shares of those of full history, and recall as the
way from the floor (the latest messages alone, 0) to the ceiling (full history, 1). On tau-bench the
latest messages recall nearly all that is referred to, so that a hundredth of recall is a sixth of
that way, and views with notes can lie below 0.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from benchmarks._corpora import add_data_argument, chained
from benchmarks._report import Check, Figure, Report, Row
from memory.config import Settings
from memory.tuning.bench import Bench, Job
from memory.tuning.choice import knee
from memory.tuning.grid import AXES, Grid, Point, key_of
from memory.tuning.rehearsal import FULL, LAST, MEMORY
from memory.tuning.study import Trial

__all__ = ("CORPORA", "Corpus", "Found", "main", "measure", "points", "together")

PLANE: Final = ("target", "notes")
"""The two settings that are combined."""
NEAR: Final = 0.05
"""How far, on the way from floor to ceiling, the defaults may be below the knee of all corpora."""
DEARER: Final = 1.1
"""How many times the dollars of that knee they may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What is replayed of one corpus.

    Attributes:
        name: Its file.
        title: What people call it.
        budget: Prompt tokens.
        chain: How many recorded conversations make one.
        limit: How many of those.
    """

    name: str
    title: str
    budget: int
    chain: int = 1
    limit: int


CORPORA: Final = (
    Corpus(name="locomo", title="LoCoMo", budget=6_000, limit=5),
    Corpus(name="beam_100k", title="BEAM-100K", budget=16_000, limit=3),
    Corpus(name="zh_haystack", title="zh haystack", budget=4_000, limit=5),
    Corpus(name="tau_airline", title="tau-bench airline", budget=8_000, chain=8, limit=6),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was measured of one corpus.

    Attributes:
        corpus: Which.
        trials: By the key of their settings without the budget, in the order of the points.
        full: Full history: the ceiling of recall.
        last: The latest messages within the budget: the floor.
    """

    corpus: Corpus
    trials: Mapping[str, Trial]
    full: Trial
    last: Trial

    def relative(self, key: str) -> Trial:
        """Return a trial with dollars and recall on the scale of the corpus."""
        trial = self.trials[key]
        way = self.full.recall - self.last.recall
        recall = (trial.recall - self.last.recall) / way if way else 1.0
        return replace(trial, usd=trial.usd / self.full.usd, recall=recall)


def points() -> list[Point]:
    """Return the points, without budgets: the defaults first."""
    usual = Grid(AXES)
    start = dict(usual.start)
    ways = [
        {**start, name: value}
        for name, values in AXES.items()
        if name not in PLANE
        for value in values
    ]
    first, second = PLANE
    plane = [{**start, first: one, second: two} for one in AXES[first] for two in AXES[second]]
    made: dict[str, Point] = {}
    for point in (start, *ways, *plane):
        valid = Grid({name: [value] for name, value in point.items()}) if _is_valid(point) else None
        if valid is not None:
            made.setdefault(key_of(valid.start), valid.start)
    return list(made.values())


def _is_valid(point: Mapping[str, Any]) -> bool:
    return bool(point["notes"] < point["target"] < point["trigger"]) and (
        point["tail"] is None or point["tail"] < point["target"]
    )


def measure(
    data: Path,
    corpora: Sequence[Corpus],
    chosen: Sequence[Point],
    *,
    processes: int | None = None,
    folder: Path | None = None,
) -> list[Found]:
    """Replay every corpus at every point.

    Args:
        data: The directory of the corpora.
        corpora: Which.
        chosen: The points, without budgets.
        processes: How many replay at once; None for as many as there are processors.
        folder: Where outcomes are kept, so that a run that was stopped goes on.

    Raises:
        OSError: A corpus cannot be read.
    """
    return [_measured(data, each, chosen, processes, folder) for each in corpora]


def _measured(
    data: Path,
    corpus: Corpus,
    chosen: Sequence[Point],
    processes: int | None,
    folder: Path | None,
) -> Found:
    conversations = chained(data, corpus.name, chain=corpus.chain, limit=corpus.limit)
    job = Job(budgets=[corpus.budget], processes=processes, folder=folder)
    with ExitStack() as stack:
        bench = Bench(conversations, job, _told(corpus.title), stack)
        bench.expect(len(chosen) + 2)
        given = [{"budget": corpus.budget, **point} for point in chosen]
        found = bench.trials(MEMORY, given)
        return Found(
            corpus=corpus,
            trials={key_of(p): trial for p, trial in zip(chosen, found, strict=True)},
            full=bench.trial(FULL, {}),
            last=bench.trial(LAST, {"budget": corpus.budget}),
        )


def _told(title: str) -> Any:
    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{title}: {done} of {total} replays ", end="", file=sys.stderr, flush=True)

    return tell


def together(found: Sequence[Found]) -> dict[str, Trial]:
    """Return the points with the average of what the corpora say of them, on their scales."""
    keys = list(found[0].trials)
    made = {}
    for key in keys:
        each = [one.relative(key) for one in found]
        made[key] = replace(
            each[0],
            usd=fmean(trial.usd for trial in each),
            recall=fmean(trial.recall for trial in each),
            settings=_without_budget(each[0].settings),
            over_budget=sum(trial.over_budget for trial in each),
            rejected=sum(trial.rejected for trial in each),
            too_large=sum(trial.too_large for trial in each),
        )
    return made


def knee_of(trials: Mapping[str, Trial]) -> str:
    """Return the key of the knee."""
    keys = list(trials)
    return keys[knee([trials[key] for key in keys])]


def _without_budget(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "budget"}


def knees(found: Sequence[Found], default: str) -> list[Row]:
    """Return the knee of each corpus and of all together, beside the defaults."""
    rows = []
    everything = together(found)
    for name, trials in [
        *((each.corpus.title, {key: each.relative(key) for key in each.trials}) for each in found),
        ("all", everything),
    ]:
        key = knee_of(trials)
        best, usual = trials[key], trials[default]
        changed = {
            setting: value
            for setting, value in _without_budget(best.settings).items()
            if value != usual.settings.get(setting)
        }
        rows.append(
            {
                "corpus": name,
                "knee": ", ".join(f"{k} {v}" for k, v in changed.items()) or "the defaults",
                "USD of full history": best.usd,
                "way to the ceiling": best.recall,
                "defaults, USD of full history": usual.usd,
                "defaults, way to the ceiling": usual.recall,
            }
        )
    return rows


def sweeps(found: Sequence[Found]) -> Iterator[Row]:
    """Yield what each corpus says of each point, in its own units."""
    for each in found:
        for trial in each.trials.values():
            yield {
                "corpus": each.corpus.title,
                **{name: trial.settings.get(name) for name in AXES},
                "USD / 1,000": trial.usd_per_1000,
                "of full history": trial.usd / each.full.usd,
                "recall": 100 * trial.recall,
                "low": 100 * trial.recall_low,
                "high": 100 * trial.recall_high,
                "floor": 100 * each.last.recall,
                "ceiling": 100 * each.full.recall,
                "wait p95 s": trial.wait_p95,
                "cached": trial.cached_share,
                "summaries": trial.summaries,
                "merges": trial.merges,
                "too large": trial.too_large,
            }


def checks(found: Sequence[Found], default: str) -> list[Check]:
    """Return what has to hold of the defaults."""
    everything = together(found)
    best, usual = everything[knee_of(everything)], everything[default]
    text = "all corpora: way from floor to ceiling by which the knee is above the defaults"
    trials = [trial for each in found for trial in each.trials.values()]
    return [
        Check(name=text, value=best.recall - usual.recall, op="<=", bound=NEAR),
        Check(
            name="all corpora: USD of the defaults, of those of the knee",
            value=usual.usd / best.usd,
            op="<=",
            bound=DEARER,
        ),
        Check(
            name="requests refused or over the budget, all points",
            value=sum(trial.rejected + trial.over_budget for trial in trials),
            op="==",
            bound=0,
        ),
    ]


def figures(found: Sequence[Found], default: str) -> list[Figure]:
    """Return the recall and the price of the defaults on each corpus."""
    made = []
    for each in found:
        usual, title = each.trials[default], each.corpus.title
        made += [
            Figure(
                name=f"{title}, recall over the turns",
                value=100 * usual.recall,
                unit="%",
                low=100 * usual.recall_low,
                high=100 * usual.recall_high,
                floor=100 * each.last.recall,
                ceiling=100 * each.full.recall,
            ),
            Figure(name=f"{title}, USD of full history", value=usual.usd / each.full.usd, unit="x"),
        ]
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="find the knee between dollars and recall")
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="where replays are kept, to go on later")
    options = parser.parse_args(arguments)
    chosen, start = points(), time.perf_counter()
    corpora: Sequence[Corpus] = CORPORA
    if options.quick:
        chosen = chosen[:3]
        corpora = tuple(replace(each, limit=1) for each in CORPORA if each.name != "beam_100k")
    found = measure(
        options.data, corpora, chosen, processes=options.processes, folder=options.folder
    )
    default = key_of(chosen[0])
    report = Report(
        benchmark="defaults",
        settings={
            "defaults": {name: getattr(Settings(), name) for name in AXES},
            "corpora": {
                each.title: {
                    "budget": each.budget,
                    "chain": each.chain,
                    "conversations": each.limit,
                }
                for each in corpora
            },
            "points": len(chosen),
            "seconds": round(time.perf_counter() - start, 1),
        },
        rows={"knees": knees(found, default), "points": [*sweeps(found)]},
        checks=checks(found, default),
        figures=figures(found, default),
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
