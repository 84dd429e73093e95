"""What a conversation still knows after its summaries: answers, standing wishes, references.

    python -m benchmarks.quality --data ../shared/data --json

Real conversations go through a `MemoryManager` with the library's defaults and deterministic
summarisers; no model is asked. Three questions, each with its floor and its ceiling:

- Of what will be asked about a LoCoMo chat, how much can be answered from the last view of 6,000
  tokens? The summaries are those that a model once wrote of its sessions.
- Does every standing wish stand word for word in every view, through ten compactions by a
  summariser that is of no use?
- When a tool is called, are the values it is called with still in front of the model?

Tokens are counted with Kimi's own vocabulary.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks import _standing_rules
from benchmarks._corpora import add_data_argument
from benchmarks._quality_recall import Chat, chat
from benchmarks._quality_references import Run, run
from benchmarks._quality_report import (
    checks,
    figures,
    recall_rows,
    reference_rows,
    standing_rows,
)
from benchmarks._quality_sentences import LANGUAGES, Language
from benchmarks._quality_standing import COMPACTIONS, Held, hold
from benchmarks._report import Report, Row
from memory.config import Settings

__all__ = ("Found", "Scope", "main", "measure")

T = TypeVar("T")
WORKERS: Final = 2
"""Processes that measure at once."""
RECALL: Final[Mapping[str, Mapping[str, Any]]] = {
    "defaults": {},
    "target 0.9, notes 0.7": {"target": 0.9, "notes": 0.7, "ahead": 0.95},
}
"""With which settings recall is measured, by their label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is run.

    Attributes:
        chats: How many conversations of LoCoMo.
        messages: The most messages of each; None for all.
        budget: Tokens for those.
        recall: Which of the settings in `RECALL`.
        languages: In which wishes are planted.
        stubs: Who writes the summaries there.
        standing: Tokens for those.
        every: Only every so-manieth wish is planted.
        compactions: How many the last wish has to be through.
        chains: How many chained conversations of tau-bench.
        requests: The most requests of each; None for all.
        budgets: Tokens for those, one run each.
        writers: Who writes the summaries there.
        rules: Whether the rules that find wishes are measured on their own as well.
    """

    chats: int = 5
    messages: int | None = None
    budget: int = 6_000
    recall: Sequence[str] = tuple(RECALL)
    languages: Sequence[Language] = LANGUAGES
    stubs: Sequence[str] = ("empty", "hostile", "lossy-0.5")
    standing: int = 8_000
    every: int = 1
    compactions: int = COMPACTIONS
    chains: int = 12
    requests: int | None = None
    budgets: Sequence[int] = (8_000, 4_000)
    writers: Sequence[str] = ("extractive", "empty", "void")
    rules: bool = True


QUICK: Final = Scope(
    chats=1,
    messages=300,
    budget=4_000,
    recall=("defaults",),
    languages=("zh",),
    stubs=("hostile",),
    standing=3_000,
    every=6,
    compactions=1,
    chains=1,
    requests=40,
    budgets=(8_000,),
    writers=("void",),
    rules=False,
)
"""Enough to see that everything runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that was measured.

    Attributes:
        chats: By the label of the settings, each conversation.
        held: Each conversation with wishes.
        runs: Each chained conversation, budget and stub.
        rules: What the rules that find wishes find.
    """

    chats: Mapping[str, Sequence[Chat]]
    held: Sequence[Held]
    runs: Sequence[Run]
    rules: Sequence[Row]


def measure(data: Path, scope: Scope, *, workers: int = WORKERS) -> Found:
    """Measure everything in a scope.

    Args:
        data: The directory of the corpora.
        scope: How much is run.
        workers: Processes that measure at once; 1 for this one alone.

    Raises:
        OSError: A corpus cannot be read.
    """
    recall = [(label, index) for label in scope.recall for index in range(scope.chats)]
    asked: list[Callable[[], Chat]] = [
        partial(chat, data, index, {"budget": scope.budget, **RECALL[label]}, limit=scope.messages)
        for label, index in recall
    ]
    wishes: list[Callable[[], Held]] = [
        partial(
            hold,
            data,
            language,
            {"budget": scope.standing},
            stub_name=name,
            every=scope.every,
            compactions=scope.compactions,
        )
        for language in scope.languages
        for name in scope.stubs
    ]
    referred: list[Callable[[], Run]] = [
        partial(run, data, index, budget, stub_name=name, limit=scope.requests)
        for budget in scope.budgets
        for name in scope.writers
        for index in range(scope.chains)
    ]
    held = _all(wishes, workers)  # the longest first
    runs, chats = _all(referred, workers), _all(asked, workers)
    by_label: dict[str, list[Chat]] = {label: [] for label in scope.recall}
    for (label, _), each in zip(recall, chats, strict=True):
        by_label[label].append(each)
    rules = _standing_rules.measure(data) if scope.rules else []
    return Found(chats=by_label, held=held, runs=runs, rules=rules)


def _all(jobs: Sequence[Callable[[], T]], workers: int) -> list[T]:
    """Return what the jobs return, in their order."""
    if workers == 1:
        return [job() for job in jobs]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure what is still known after summaries")
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a small version")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes at once")
    options = parser.parse_args(arguments)
    scope, start = QUICK if options.quick else Scope(), time.perf_counter()
    found = measure(options.data, scope, workers=1 if options.quick else options.workers)
    report = Report(
        benchmark="quality",
        settings={
            "defaults": asdict(Settings()),
            "recall": dict(RECALL),
            "scope": asdict(scope),
            "seconds": round(time.perf_counter() - start, 1),
        },
        rows={
            "recall, LoCoMo": recall_rows(found.chats),
            "standing wishes": standing_rows(found.held),
            "rules that find wishes": found.rules,
            "references, tau-bench": reference_rows(found.runs),
        },
        checks=[
            *checks(found.chats, found.held, found.runs, budget=scope.budget),
            *_standing_rules.checks(found.rules),
        ],
        figures=figures(found.chats, found.held, found.runs),
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
