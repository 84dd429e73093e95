"""Peers side by side: what each keeps of a conversation, and what that costs.

    python -m benchmarks.peers --json
    python -m benchmarks.peers --corpus locomo --peer memory --peer langchain

Every library goes through the same recorded conversations, request by request, in an environment
of its own that uv makes from the package index. Its summariser asks, over HTTP, a strict fake of
the Kimi API, where the same deterministic scribe answers all of them (`benchmarks.peers.scribe`);
the turns go there too. Two budgets for each corpus, and two rows for each library: `matched`, with
its documented knobs set for that budget, and `defaults`, with nothing but what it cannot do
without.

- LoCoMo, BEAM-100K, Chinese haystack: the share of the content words of what will be asked that
  stands in the last request. A probe whose answer is known to be wrong is left out.
- tau-bench, chained: the share of the values tools are called with that stand in the request.
- USD per 1,000 requests answered, summaries included, by the price file of kimi-k2.6.
- Beside every figure the floor, the latest messages of the same size, and the ceiling, everything.

A library whose adapter raises fails that turn: nothing is sent, its view counts as empty, and the
conversation goes on. Full history is the ceiling and no rival at an equal budget.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import add_data_argument
from benchmarks._report import Report, Row
from benchmarks.peers import COMPARED
from benchmarks.peers.environments import python, reported
from benchmarks.peers.figures import NEAR, OVER, TARIFF, checks, figures, settings, table
from benchmarks.peers.match import LATE, STRIDE
from benchmarks.peers.scribe import SHARE
from benchmarks.peers.talks import CORPORA

__all__ = ("main", "measure")

REQUIREMENTS: Final = Path(__file__).parent / "requirements"
HERE: Final = frozenset({"memory", "last-n", "full"})
"""Those that run in the environment of the project."""
QUICK: Final = ("locomo", "tau")
"""The corpora of a quick run, one conversation each."""
SHOWN: Final = (
    *("corpus", "budget", "peer", "row", "recall", "floor", "ceiling", "late recall", "ahead"),
    *("ahead low", "ahead high", "usd", "cached share", "summary calls", "rejected"),
    *("over budget", "failed", "largest"),
)
"""The columns that people see."""


def measure(name: str, corpus: str, *, number: int, data: Path) -> Row:
    """Run a peer in its own environment and return what came of it; what it prints goes to stderr.

    Args:
        name: One of `COMPARED`.
        corpus: One of `CORPORA`.
        number: How many conversations.
        data: The directory of the corpora.
    """
    command = [sys.executable] if name in HERE else python(REQUIREMENTS / f"{name}.txt")
    found, code = reported(
        command,
        *("-m", "benchmarks.peers.compare", name, "--corpus", corpus),
        *("--conversations", str(number), "--data", str(data.resolve())),
    )
    return {"peer": name, **found, "corpus": corpus, "exit code": code}


def _measured(names: Sequence[str], corpora: Sequence[str], options: Any) -> list[Row]:
    """Run everything, as many processes at once as there are processors."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        waiting = [
            pool.submit(measure, name, corpus, number=_number(corpus, options), data=options.data)
            for corpus in corpora
            for name in names
        ]
        return [each.result() for each in waiting]


def _number(corpus: str, options: Any) -> int:
    if options.conversations is not None:
        return int(options.conversations)
    return 1 if options.quick else CORPORA[corpus].conversations


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="compare libraries on recorded conversations")
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="one conversation each, no peers")
    parser.add_argument("--corpus", action="append", choices=CORPORA, help="none: all")
    parser.add_argument("--peer", action="append", choices=COMPARED, help="none: all")
    parser.add_argument("--conversations", type=int, help="of each corpus")
    options = parser.parse_args(arguments)
    names = options.peer or [each for each in COMPARED if not options.quick or each in HERE]
    corpora = options.corpus or (QUICK if options.quick else list(CORPORA))
    began = time.perf_counter()
    found = _measured(names, corpora, options)
    rows = table(found)
    report = Report(
        benchmark="peers",
        settings={
            "corpora": {
                name: {
                    "title": CORPORA[name].title,
                    "budgets": list(CORPORA[name].budgets),
                    "conversations": _number(name, options),
                }
                for name in corpora
            },
            "summariser": "the same for all: recorded summaries of sessions on LoCoMo, else an "
            "extract; earlier notes carried on; no longer than what the request caps, what the "
            "prompt asks for, and a share of the budget",
            "share of the budget": SHARE,
            "late": {"messages": LATE, "requests apart": STRIDE},
            "near points": NEAR,
            "over share": OVER,
            "prices": TARIFF.row(),
            "seconds": round(time.perf_counter() - began, 1),
        },
        rows={
            "peers": rows,
            "settings": settings(found),
            "exits": [
                {key: each[key] for key in ("peer", "corpus", "exit code")} for each in found
            ],
        },
        checks=checks(rows),
        tables={"peers": [{column: row[column] for column in SHOWN} for row in rows]},
        figures=figures(rows),
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
