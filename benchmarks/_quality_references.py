"""Forward-reference recall: whether what a tool is called with is still in front of the model.

Recorded runs of tau-bench airline are chained into long conversations and go through
`MemoryManager.fit` request by request. Before every recorded call, its argument values (of three
characters and more) that occur anywhere in the history are looked up in what would be sent.

A few tool results there have 3,000 tokens, which leaves no room for anything else in 4,000. The
default is to raise an error then; here those are shortened, so that no view exceeds its budget. A
summariser that fails is asked again and again, for what hangs on a clock is no figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import chained
from benchmarks._measures import count, readable, values
from benchmarks._stubs import stub
from memory.events import Event, Overflowed
from memory.manager import MemoryManager
from memory.replay import Step, steps

__all__ = ("CHAIN", "Run", "run")

CHAIN: Final = 8
"""Recorded runs that make one conversation."""

Message = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Run:
    """What came of one conversation.

    Attributes:
        id: Which.
        budget: Tokens.
        stub: Who wrote the summaries.
        found: For each value that is in the history, 1 if it is in the view, else 0.
        latest: The same were nothing sent but the latest messages, of the size of the view.
        largest: Tokens of the largest view.
        requests: How many there were.
        shortened: How many of them had to have a tool result shortened.
        calls: How often the summariser was asked.
        missing: The values that were not in the view, and the requests they were wanted in.
    """

    id: str
    budget: int
    stub: str
    found: list[float] = field(default_factory=list)
    latest: list[float] = field(default_factory=list)
    largest: int = 0
    requests: int = 0
    shortened: int = 0
    calls: int = 0
    missing: list[tuple[int, str]] = field(default_factory=list)


def run(data: Path, index: int, budget: int, *, stub_name: str, limit: int | None = None) -> Run:
    """Send one chained conversation through a manager, and look up what is referred to.

    Args:
        data: The directory of the corpora.
        index: Which conversation.
        budget: Tokens.
        stub_name: Who writes the summaries; see `benchmarks._stubs.stub`.
        limit: The most requests of it; None for all.
    """
    conversation = chained(data, "tau_airline", chain=CHAIN, limit=index + 1)[index]
    summarizer, made = stub(stub_name), list[Event]()
    manager = MemoryManager(
        budget=budget,
        oversize="shorten-tool-results",
        summary_pause=0,
        summarizer=summarizer,
        tokenizer=count,
        hooks=[made.append],
    )
    costs = manager.count(conversation["messages"])
    texts = [readable([message]) for message in conversation["messages"]]
    result = Run(id=conversation["id"], budget=budget, stub=stub_name)
    for step in list(steps(conversation))[:limit]:
        view = manager.fit(step.messages, tools=step.tools or None)
        tokens = manager.count(view, tools=step.tools or None).total
        result.largest = max(result.largest, tokens)
        result.requests += 1
        start = _tail(costs[: len(step.messages)], tokens - costs[0])
        _look_up(result, step, view, texts, start)
    result.calls = summarizer.calls
    result.shortened = sum(isinstance(event, Overflowed) for event in made)
    return result


def _look_up(
    result: Run, step: Step, view: Sequence[Message], texts: Sequence[str], start: int
) -> None:
    """Note for each value of the call that follows whether the view has it."""
    stop = len(step.messages)
    history, sent = "\n".join(texts[:stop]), readable(view)
    latest = "\n".join([texts[0], *texts[start:stop]])
    for value in values(step.reply or {}):
        if value in history:
            result.found.append(float(value in sent))
            result.latest.append(float(value in latest))
            if value not in sent:
                result.missing.append((result.requests, value))


def _tail(costs: Sequence[int], tokens: int) -> int:
    """Return where the longest tail begins that has at most so many tokens."""
    start = len(costs)
    while start > 1 and costs[start - 1] <= tokens:
        start -= 1
        tokens -= costs[start]
    return start
