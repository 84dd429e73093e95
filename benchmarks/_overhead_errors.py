"""How wrong each counter is about a whole prompt, without and with what a reply tells it.

The truth is what `FakeKimi` counts, by its own template and vocabulary. Real conversations are sent
request by request. A counter that does not learn is asked about every request; the one that does
also about those after its first reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from openai import OpenAI

from benchmarks._corpora import rows as corpus_rows
from benchmarks._errors import Prediction, spread
from benchmarks._overhead_process import GoneError, Process
from benchmarks._overhead_turns import Contender
from benchmarks._report import Row
from benchmarks.tokens import Approximate, Subjects, growing, predict, without_extra
from memory.client import manager_of, wrap
from memory.replay import Step, join

__all__ = ("FULL", "POOLED", "QUICK", "Scope", "measure", "pooled")

POOLED: Final = "all"
COLD: Final = "memory, estimator, cold"
LEARNT: Final = "memory, estimator"
EXACT: Final = "memory, exact vocabulary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is counted.

    Attributes:
        conversations: The most conversations of each corpus.
        requests: The most requests of each conversation.
    """

    conversations: Mapping[str, int]
    requests: int


FULL: Final = Scope(
    conversations={"tau_airline": 20, "locomo": 5, "zh_haystack": 10, "beam_100k": 3}, requests=20
)
QUICK: Final = Scope(conversations={"zh_haystack": 1}, requests=3)


def measure(data: Path, contenders: Sequence[Contender], scope: Scope) -> tuple[list[Row], Row]:
    """Return a row for each counter and corpus, and for all corpora; and the corpora left out.

    Args:
        data: The directory of the corpora.
        contenders: Which other libraries count.
        scope: How much is counted.
    """
    found: list[Prediction] = []
    left_out: Row = {}
    with ExitStack() as stack:
        approximations = {COLD: _cold()}
        for each in contenders:
            process = stack.enter_context(closing(Process(each.name)))
            try:
                process.ask("tokens", messages=[], tools=[])
            except GoneError as error:
                left_out[each.title] = str(error)
            else:
                approximations[each.title] = partial(_counted, process)
        subjects = Subjects(
            clients={LEARNT: without_extra, EXACT: wrap}, approximations=approximations
        )
        for corpus, limit in scope.conversations.items():
            try:
                read = join(corpus_rows(data, corpus, limit=limit), chain=1)
            except OSError as error:
                left_out[corpus] = f"it cannot be read: {error.strerror}"
                continue
            for conversation in read:
                found += growing(corpus, conversation, subjects, limit=scope.requests)
    # What it says before its first reply is what it says cold.
    found = [each for each in found if each.counter != LEARNT or each.request > 1]
    return _rows(found), left_out


def _counted(process: Process, step: Step) -> int:
    answer = process.ask("tokens", messages=list(step.messages), tools=list(step.tools))
    return int(answer["tokens"])


def _cold() -> Approximate:
    """Return what counts as for somebody without the `[exact]` extra, and is told nothing."""
    client = OpenAI(api_key="sk-test", base_url="http://nobody/v1")
    return partial(predict, manager_of(without_extra(client, hooks=())).meter)


def _rows(found: Sequence[Prediction]) -> list[Row]:
    counters = dict.fromkeys(each.counter for each in found)
    corpora = dict.fromkeys(each.corpus for each in found)
    return [
        {"library": counter, "corpus": corpus}
        | spread([p for p in found if p.counter == counter and corpus in {p.corpus, POOLED}])
        for counter in counters
        for corpus in (*corpora, POOLED)
    ]


def pooled(rows: Sequence[Row]) -> Mapping[str, Row]:
    """Return the rows of `measure` for all corpora together, by library."""
    return {row["library"]: row for row in rows if row["corpus"] == POOLED}
