"""How much of what is asked later survives an offline summary, beside what costs nothing to do.

    python -m benchmarks.extractive --data ../shared/data --json

Answer-content recall: the share of a gold answer's content words (of Chinese: pairs of characters)
that stand in the text, mean over the probes. The floors have the same size and form: the first
sentences of all messages in turn, the last sentences, random ones. The ceiling is the full text.
The extractor's weights were tuned on every second conversation; the others are reported here.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final, NamedTuple

from benchmarks._corpora import rows as corpus_rows
from benchmarks._measures import content, count, sentences
from benchmarks._report import Check, Figure, Op, Report, Row
from memory.summarizers.extractive import extract

__all__ = ("main",)

SUITES: Final = (
    # corpus, budget as a share of its tokens, conversations, points above the best floor
    ("locomo", 0.1, None, 10.0),
    ("locomo", 0.2, None, 10.0),
    ("zh_haystack", 0.1, None, 10.0),
    ("beam_100k", 0.1, 3, 2.0),
)
SEEDS: Final = (1, 2, 3)
FILLED: Final = 0.8  # share of a budget that a summary of a much longer text has to use
LARGE: Final = (
    # measure, how much of BEAM is summarised, seconds it may take
    ("tokens", 90_000, 1.5),
    ("bytes", 1_000_000, 2.0),
)

Message = dict[str, Any]


class Conversation(NamedTuple):
    """One conversation as it is measured."""

    messages: list[Message]
    tokens: int
    golds: list[frozenset[str]]
    """The content words of each answer that somebody will ask for."""


class Score(NamedTuple):
    """How a method does on a suite."""

    recall: float
    """Answer-content recall in percent."""
    filled: float
    """The smallest share of a budget that was used."""
    over: int
    """Summaries that exceed their budget."""


Method = Callable[[Conversation, int], str]


def load(data: Path, name: str, limit: int | None) -> list[Conversation]:
    """Return every second conversation of a corpus, at most `limit`: those not tuned on."""
    found = corpus_rows(data, name, limit=None if limit is None else 2 * limit)
    return [_conversation(row) for row in found[::2]]


def _conversation(row: dict[str, Any]) -> Conversation:
    messages = [{k: v for k, v in m.items() if not k.startswith("_")} for m in row["messages"]]
    answers = (" ".join(p["answers"]) for p in row["probes"] if not p.get("abstain"))
    golds = [gold for gold in map(content, answers) if gold]
    return Conversation(messages, sum(count(m["content"]) for m in messages), golds)


def extractive(conversation: Conversation, budget: int) -> str:
    """Summarise with the product's extractor."""
    return extract(conversation.messages, budget=budget, count=count)


def lead(conversation: Conversation, budget: int) -> str:
    """Take the first sentence of each message, then each second one, until the budget is full."""
    turns = itertools.zip_longest(*_sentences(conversation))
    return _page((each for turn in turns for each in turn if each), budget)


def last(conversation: Conversation, budget: int) -> str:
    """Take the last sentences."""
    return _page(reversed([*itertools.chain(*_sentences(conversation))]), budget)


def chance(seed: int) -> Method:
    """Return the method that takes random sentences."""

    def method(conversation: Conversation, budget: int) -> str:
        pool = [*itertools.chain(*_sentences(conversation))]
        random.Random(seed).shuffle(pool)
        return _page(pool, budget)

    return method


def whole(conversation: Conversation, _: int) -> str:
    """Keep everything."""
    return "\n".join(m["content"] for m in conversation.messages)


def _sentences(conversation: Conversation) -> list[list[tuple[int, str]]]:
    """Return the sentences of each message as lines, numbered throughout."""
    numbers = itertools.count()
    return [
        [(next(numbers), f"- {m['role']}: {s}") for s in sentences(m["content"])]
        for m in conversation.messages
    ]


def _page(lines: Iterable[tuple[int, str]], budget: int) -> str:
    """Return the lines up to the first that does not fit, in the order of the conversation."""
    taken, used = list[tuple[int, str]](), 0
    for number, line in lines:
        used += count(f"{line}\n")
        if used > budget:
            break
        taken.append((number, line))
    return "\n".join(line for _, line in sorted(taken))


def score(method: Method, conversations: Sequence[Conversation], share: float) -> Score:
    """Return how a method does with a share of each conversation's tokens."""
    shares, filled, over = list[float](), list[float](), 0
    for each in conversations:
        budget = int(each.tokens * share)
        text = method(each, budget)
        words = content(text)
        shares += [len(gold & words) / len(gold) for gold in each.golds]
        filled.append(count(text) / budget)
        over += count(text) > budget
    return Score(100 * fmean(shares), min(filled), over)


def suite(data: Path, name: str, share: float, limit: int | None) -> tuple[Row, Score]:
    """Return the recall of every method on one corpus, and the extractor's score."""
    conversations = load(data, name, limit)
    ours = score(extractive, conversations, share)
    row = {
        "suite": f"{name} at {share:.0%}",
        "conversations": len(conversations),
        "probes": sum(len(each.golds) for each in conversations),
        "extractive": ours.recall,
        "lead": score(lead, conversations, share).recall,
        "last": score(last, conversations, share).recall,
        "random": fmean(score(chance(seed), conversations, share).recall for seed in SEEDS),
        "full text": score(whole, conversations, share).recall,
    }
    return row, ours


def checks(row: Row, ours: Score, margin: float) -> list[Check]:
    """Return what has to hold on one suite."""
    above = ours.recall - max(row["lead"], row["last"], row["random"])
    figures: tuple[tuple[str, float, Op, float], ...] = (
        ("points of recall above the best floor", above, ">=", margin),
        ("smallest share of a budget used", ours.filled, ">=", FILLED),
        ("summaries over budget", ours.over, "<=", 0),
    )
    return [
        Check(name=f"{row['suite']}: {name}", value=value, op=op, bound=bound)
        for name, value, op, bound in figures
    ]


def figure(row: Row) -> Figure:
    """Return what one suite is run for; the floor is the best of those that cost nothing."""
    return Figure(
        name=f"answer words in the summary, {row['suite']}",
        value=row["extractive"],
        unit="%",
        floor=max(row["lead"], row["last"], row["random"]),
        ceiling=row["full text"],
    )


def speed(data: Path) -> list[Check]:
    """Return the checks on the seconds that large inputs take, at a tenth of their tokens."""
    messages = [message for row in corpus_rows(data, "beam_100k") for message in row["messages"]]
    sizes: dict[str, Callable[[str], int]] = {"tokens": count, "bytes": lambda t: len(t.encode())}
    return [
        Check(
            name=f"seconds for {size:,} {unit}",
            value=seconds(messages, sizes[unit], size),
            op="<=",
            bound=bound,
        )
        for unit, size, bound in LARGE
    ]


def seconds(messages: Sequence[Message], measure: Callable[[str], int], size: int) -> float:
    """Return the seconds that the leading messages of about `size` take, best of three."""
    sums = itertools.accumulate(measure(m["content"]) for m in messages)
    run = [m for m, total in zip(messages, sums, strict=True) if total <= size]
    budget = sum(count(m["content"]) for m in run) // 10
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        extract(run, budget=budget, count=count)
        taken.append(time.perf_counter() - start)
    return min(taken)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure the offline summariser")
    default = Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="directory of the corpora")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    rows, held = list[Row](), list[Check]()
    for name, share, limit, margin in SUITES[:1] if options.quick else SUITES:
        row, ours = suite(options.data, name, share, 1 if options.quick else limit)
        rows.append(row)
        held += checks(row, ours, margin)
    report = Report(
        benchmark="extractive",
        settings={"seeds of random sentences": SEEDS},
        rows={"recall": rows},
        checks=held if options.quick else [*held, *speed(options.data)],
        figures=[figure(row) for row in rows],
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
