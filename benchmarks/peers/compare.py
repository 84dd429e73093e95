"""Runs one peer through the conversations of one corpus, in its own environment.

    python -m benchmarks.peers.compare NAME --corpus C --conversations N --data DIR --report FILE

Writes one JSON object: for each row, budget and conversation what came of it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peers import COMPARED, Entry
from benchmarks.peers.match import Match
from benchmarks.peers.talks import CORPORA, Corpus, Talk, talks

__all__ = ("compare", "main", "runs")


def runs(entry: Entry, corpus: Corpus) -> Iterator[tuple[str, int]]:
    """Yield the rows and budgets that a peer is run with.

    What does not depend on the budget is run once, with the first of them.
    """
    if entry.matched:
        yield from (("matched", budget) for budget in corpus.budgets)
    if entry.own:
        budgets = corpus.budgets if entry.bound else corpus.budgets[:1]
        yield from (("defaults", budget) for budget in budgets)


def compare(entry: Entry, corpus: Corpus, some: Sequence[Talk]) -> dict[str, Any]:
    """Return what came of each conversation, row and budget.

    Args:
        entry: The peer.
        corpus: Where the conversations are from; it says the budgets.
        some: The conversations.
    """
    lines = []
    for row, budget in runs(entry, corpus):
        for talk in some[: entry.most]:
            began = time.perf_counter()
            line = Match(entry, talk, budget=budget, own=row == "defaults").play()
            took = round(time.perf_counter() - began, 2)
            lines.append({"row": row, "budget": budget, "seconds": took, **line.row()})
    return {"peer": entry.name, "version": version(entry.distribution), "lines": lines}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a peer and write the report."""
    parser = argparse.ArgumentParser(description="run one library through recorded conversations")
    parser.add_argument("name", choices=COMPARED)
    parser.add_argument("--corpus", choices=CORPORA, required=True)
    parser.add_argument("--conversations", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # what peers warn of is not what is compared
    logging.disable()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    corpus = CORPORA[options.corpus]
    some = talks(options.data, corpus, number=options.conversations)
    found: Mapping[str, Any] = compare(COMPARED[options.name], corpus, some)
    options.report.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
