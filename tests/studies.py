"""Studies that no replay has made: what tuning came to, in figures that are easy to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from memory.tuning.study import Reference, Study, Trial

__all__ = ("study", "trial")

DEFAULTS: Mapping[str, Any] = {"budget": 16_000}


def trial(
    settings: Mapping[str, Any] = DEFAULTS,
    *,
    usd: float = 1.0,
    recall: float = 0.5,
    wait: float = 2.0,
    cached: float = 0.8,
    course: Sequence[int] = (),
) -> Trial:
    """Return a trial of 400 requests."""
    return Trial(
        settings=settings,
        requests=400,
        usd=usd,
        recall=recall,
        recall_low=max(0.0, recall - 0.04),
        recall_high=min(1.0, recall + 0.03),
        wait_p50=wait / 3,
        wait_p95=wait,
        cached_share=cached,
        tokens=9_000.5,
        largest=15_900,
        over_budget=0,
        rejected=0,
        too_large=0,
        summaries=12,
        merges=2,
        digest="00ff",
        wanted=100,
        course=course,
    )


def study(**changes: Any) -> Study:
    """Return a study of two budgets and seven targets, where more dollars buy more recall."""
    sawtooth = [6_000 + 500 * (turn % 20) for turn in range(120)]
    trials = [
        trial(
            {"budget": budget, **({} if target == 0.45 else {"target": target})},
            usd=0.9 + budget / 20_000 + target**2,
            recall=0.3 + budget / 100_000 + target / 2.5,
            wait=1.5 + budget / 16_000 - target,
            cached=0.65 + target / 3 - budget / 400_000,
            course=sawtooth,
        )
        for budget in (16_000, 32_000)
        for target in (0.45, 0.36, 0.4, 0.55, 0.65, 0.7, 0.75)
    ]
    by_dollars = sorted(range(len(trials)), key=lambda place: trials[place].usd)
    best = [
        place
        for rank, place in enumerate(by_dollars)
        if all(trials[place].recall > trials[cheaper].recall for cheaper in by_dollars[:rank])
    ]
    full = trial({}, usd=9.0, recall=0.97, wait=1.4, course=[900 * turn for turn in range(120)])
    last = trial(
        DEFAULTS, usd=2.0, recall=0.22, course=[min(16_000, 900 * turn) for turn in range(120)]
    )
    made = Study(
        trials=trials,
        references=(
            Reference(name="full history", trial=full),
            Reference(name="last messages", trial=last),
        ),
        pareto=best,
        knee=best[3],
        chosen=best[4],
        prefer="balanced",
        recall_of="names, numbers and dates that come up again later",
        summarizer="the offline extractor, which stands in for a model",
        prices="kimi-k2.6, price list of 2026-11-23",
        files=("chats.jsonl",),
        conversations=12,
        seed=7,
        skipped=3,
        model="kimi-k2.6",
    )
    return replace(made, **changes)
