"""What recall brings back, within the same budget: recall of answers, cost, protocol, injection.

    python -m benchmarks.recall --data ../shared/data --json

Recorded conversations go through a `MemoryManager` request by request, and each question about them
is appended as the last user message; what is sent for it is searched for its answer, without a
model. The settings are the library's defaults with `recall="auto"`, the same with recall off, and
for LoCoMo, whose summaries a model once wrote, a row in which they are kept whole. Recall by the
share of the budget that it may have is the evidence for the default share.

Beside it: the time that recall adds to a turn, also of a long log; how many messages of the
evidence the retriever ranks among its ten best; what recall costs where tools are called; every
recorded conversation through a wrapped client in every mode of recall and style of call, on a
strict server; and hostile transcripts that are brought back.

Tokens are counted with Kimi's own vocabulary.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks import _recall_cost, _recall_injection, _recall_protocol, _recall_scale
from benchmarks._corpora import add_data_argument
from benchmarks._cost_runs import CHAIN, chains
from benchmarks._hostile import TRANSCRIPTS
from benchmarks._recall_cost import Expense, expense, tariff
from benchmarks._recall_injection import Recalled, attacked, unguarded
from benchmarks._recall_protocol import MODES, STYLES, Sent, harnessed, replayed
from benchmarks._recall_report import (
    AUTO,
    OFF,
    WHOLE,
    Point,
    figures,
    kind_rows,
    recall_rows,
    sent_rows,
    share_rows,
    talk_checks,
    turn_checks,
    turn_rows,
)
from benchmarks._recall_talks import CORPORA, Talk, talk
from benchmarks._recall_turns import Turns, turns
from benchmarks._report import Check, Report, Row
from memory import Settings

__all__ = ("Found", "Scope", "main", "measure")

T = TypeVar("T")
WORKERS: Final = 2
"""Processes that measure at once."""
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    AUTO: {"recall": "auto"},
    OFF: {},
    WHOLE: {"recall": "auto", "target": 0.75, "notes": 0.7, "ahead": 0.8},
}
"""With which settings recall is measured, by their label."""
HIDDEN: Final = ("what", "requests", "arrived", "most", "history", "fewest compactions")
"""Columns that are in the JSON only: a page is not wide enough."""
RECORDED: Final = "locomo"
"""The corpus with summaries by a model; those of others cannot be kept whole."""
SEARCHED: Final = ("locomo", "zh_haystack", "beam_100k")
"""The corpora whose single turns are searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is run.

    Attributes:
        talks: How many conversations of each corpus.
        messages: The most messages of each; None for all.
        settings: Which of `SETTINGS`.
        shares: The shares of the limit that recall has besides 0 and the default.
        shared: How many conversations of each corpus have those.
        turns: The most conversations of each corpus whose single turns are searched.
        chains: How many chained conversations of tau-bench.
        chain: How many runs make one.
        protocol: Through which corpora the wrapped client goes.
        replays: The most conversations of each; None for all.
        requests: The most requests of each of them.
        attacks: Every so-manieth hostile transcript.
        latency: Whether the time that recall adds to a turn is measured.
    """

    talks: Mapping[str, int] = field(
        default_factory=lambda: {
            "locomo": 5,
            "beam_100k": 10,
            "zh_haystack": 50,
            "bfcl_memory": 2,
        }
    )
    messages: int | None = None
    settings: Sequence[str] = tuple(SETTINGS)
    shares: Sequence[float] = (0.1, 0.15, 0.2, 0.3)
    shared: Mapping[str, int] = field(
        default_factory=lambda: {
            "locomo": 5,
            "beam_100k": 1,
            "zh_haystack": 4,
            "bfcl_memory": 2,
        }
    )
    turns: int | None = None
    chains: int | None = None
    chain: int = CHAIN
    protocol: Sequence[str] = _recall_protocol.CORPORA
    replays: int | None = None
    requests: int = 3
    attacks: int = 1
    latency: bool = True


QUICK: Final = Scope(
    talks={"locomo": 1, "zh_haystack": 1},
    messages=300,
    settings=(AUTO, OFF),
    shares=(0.1,),
    shared={"locomo": 1},
    turns=1,
    chains=1,
    chain=3,
    protocol=("zh_haystack", "tau_airline"),
    replays=1,
    requests=4,
    attacks=10,
    latency=False,
)
"""Enough to see that everything runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that was measured.

    Attributes:
        talks: The conversations by corpus and label of the settings.
        points: The conversations by corpus and share of the limit, in their order.
        turns: By corpus, what the retriever finds.
        costs: By the value of `recall`, each chained conversation.
        sent: By corpus, mode and style, what became of requests.
        harness: By corpus, what became of requests in the harness of invariants.
        attacks: Each hostile transcript.
        caught: For each whether the reader finds something where nothing is quoted.
    """

    talks: Mapping[tuple[str, str], Sequence[Talk]]
    points: Sequence[Point]
    turns: Mapping[str, Sequence[Turns]]
    costs: Mapping[str, Sequence[Expense]]
    sent: Mapping[_recall_protocol.Key, Sent]
    harness: Mapping[str, Sent]
    attacks: Sequence[Recalled]
    caught: Sequence[bool]


def measure(data: Path, scope: Scope, *, workers: int = WORKERS) -> Found:
    """Measure everything in a scope, but for time.

    Args:
        data: The directory of the corpora.
        scope: How much is run.
        workers: Processes that measure at once.

    Raises:
        OSError: A corpus cannot be read.
    """
    chosen = TRANSCRIPTS[:: scope.attacks]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        talks = {key: _submitted(pool, jobs) for key, jobs in _talks(data, scope).items()}
        shares = {key: _submitted(pool, jobs) for key, jobs in _shares(data, scope).items()}
        costs = {key: _submitted(pool, jobs) for key, jobs in _costs(data, scope).items()}
        sent = {key: pool.submit(job) for key, job in _sent(data, scope).items()}
        judged = {
            key: pool.submit(harnessed, data, key, cuts=scope.requests, limit=scope.replays)
            for key in scope.protocol
        }
        searched = {key: pool.submit(turns, data, key, limit=scope.turns) for key in SEARCHED}
        attacks = [pool.submit(attacked, each) for each in chosen]
        held = {key: _results(each) for key, each in talks.items()}
        return Found(
            talks=held,
            points=_points(scope, held, {key: _results(each) for key, each in shares.items()}),
            turns={key: each.result() for key, each in searched.items()},
            costs={key: _results(each) for key, each in costs.items()},
            sent={key: each.result() for key, each in sent.items()},
            harness={key: each.result() for key, each in judged.items()},
            attacks=_results(attacks),
            caught=[unguarded(each) for each in chosen],
        )


def _submitted(pool: Executor, jobs: Sequence[Callable[[], T]]) -> list[Future[T]]:
    return [pool.submit(job) for job in jobs]


def _results(futures: Sequence[Future[T]]) -> list[T]:
    return [future.result() for future in futures]


def _talks(data: Path, scope: Scope) -> dict[tuple[str, str], list[Callable[[], Talk]]]:
    return {
        (corpus, label): [
            partial(talk, data, CORPORA[corpus], i, SETTINGS[label], limit=scope.messages)
            for i in range(number)
        ]
        for corpus, number in scope.talks.items()
        for label in scope.settings
        if label != WHOLE or corpus == RECORDED
    }


def _shares(data: Path, scope: Scope) -> dict[tuple[str, float], list[Callable[[], Talk]]]:
    return {
        (corpus, share): [
            partial(
                talk,
                data,
                CORPORA[corpus],
                i,
                {"recall": "auto", "recall_share": share},
                limit=scope.messages,
                methods=("sent",),
            )
            for i in range(number)
        ]
        for corpus, number in scope.shared.items()
        for share in scope.shares
        if share != Settings().recall_share
    }


def _costs(data: Path, scope: Scope) -> dict[str, list[Callable[[], Expense]]]:
    model = tariff().model
    conversations = chains(data, length=scope.chain, limit=scope.chains)
    return {
        label: [partial(expense, each, options, model=model) for each in conversations]
        for label, options in _recall_cost.RECALL.items()
    }


def _sent(data: Path, scope: Scope) -> dict[_recall_protocol.Key, Callable[[], Sent]]:
    return {
        (corpus, mode, style): partial(
            replayed, data, corpus, mode, style, most=scope.requests, limit=scope.replays
        )
        for corpus in scope.protocol
        for mode in MODES
        for style in STYLES
    }


def _points(
    scope: Scope,
    talks: Mapping[tuple[str, str], Sequence[Talk]],
    shares: Mapping[tuple[str, float], Sequence[Talk]],
) -> list[Point]:
    """Return the shares in order, those of the rows that are measured anyway among them."""
    usual = Settings().recall_share
    found = [Point(corpus, share, each) for (corpus, share), each in shares.items()]
    for corpus, number in scope.shared.items():
        found.append(Point(corpus, 0.0, talks[corpus, OFF][:number]))
        found.append(Point(corpus, usual, talks[corpus, AUTO][:number]))
    corpora = list(scope.shared)
    return sorted(found, key=lambda point: (corpora.index(point.corpus), point.share))


def rows(found: Found) -> dict[str, list[Row]]:
    """Return the tables by heading."""
    return {
        "recall": recall_rows(found.talks),
        "kinds of questions": kind_rows(found.talks),
        "what was sent": sent_rows(found.talks),
        "share of the budget": share_rows(found.points),
        "single turns": turn_rows(found.turns),
        "cost": _recall_cost.rows(found.costs),
        "protocol": _recall_protocol.rows(found.sent, found.harness),
        "injection": _recall_injection.rows(found.attacks, found.caught),
    }


def checks(found: Found) -> list[Check]:
    """Return what has to hold, but for time."""
    return [
        *talk_checks(found.talks),
        *turn_checks(found.turns),
        *_recall_cost.checks(found.costs),
        *_recall_protocol.checks(found.sent, found.harness),
        *_recall_injection.checks(found.attacks, found.caught),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure what recall brings back, and its price")
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="a small version")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes at once")
    options = parser.parse_args(arguments)
    scope, start = QUICK if options.quick else Scope(), time.perf_counter()
    timed = _recall_scale.measured() if scope.latency else []  # first, while nothing runs beside it
    found = measure(options.data, scope, workers=options.workers)
    made = rows(found) | ({"time added": timed} if timed else {})
    report = Report(
        benchmark="recall",
        settings={
            "defaults": asdict(Settings(recall="auto")),
            "settings": dict(SETTINGS),
            "budgets": {name: corpus.budget for name, corpus in CORPORA.items()},
            "scope": asdict(scope),
            "seconds": round(time.perf_counter() - start, 1),
        },
        rows=made,
        tables={
            heading: [{k: v for k, v in row.items() if k not in HIDDEN} for row in each]
            for heading, each in made.items()
        },
        checks=[*checks(found), *(_recall_scale.checks(timed) if timed else ())],
        figures=[
            *figures(found.talks, found.points, found.turns),
            *_recall_cost.figures(found.costs),
            *(_recall_scale.figures(timed) if timed else ()),
        ],
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
