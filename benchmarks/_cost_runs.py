"""Recorded conversations paid for: with the memory, in full, and through a sliding window.

Every way sends the same turns through the SDK and `memory.wrap` to a fake server of its own,
which gives the recorded replies, writes summaries with the offline summariser and bills both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

from openai import OpenAI
from openai.types.chat import ChatCompletion

from benchmarks._corpora import chained
from benchmarks._trial import HTTP, KEY, OFF
from memory import wrap
from memory.events import Compacted, Event, Summarizing
from memory.models import thinking
from memory.replay import Step, replay, steps, with_thoughts
from memory.testing import FakeKimi, Served
from memory.tuning.bills import Asked, Bill, billed
from memory.tuning.ruler import Ruler

__all__ = (
    "BUDGET",
    "CHAIN",
    "CORPUS",
    "Job",
    "Outcome",
    "Way",
    "chains",
    "paid",
    "run",
    "together",
)

Way = Literal["memory", "full history", "sliding window"]
CORPUS: Final = "tau_airline"
CHAIN: Final = 8
"""How many recorded runs make one conversation."""
BUDGET: Final = 8_000
"""Tokens that a prompt may have, with the memory and through the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One conversation, one model, one way to send it.

    Attributes:
        conversation: Made by `chains`.
        model: The model.
        way: How it is sent.
        budget: Tokens a prompt may have.
        options: Settings of the memory that are not left at their defaults.
        checked: Whether its promises are checked, which takes several times as long.
    """

    conversation: Mapping[str, Any]
    model: str
    way: Way
    budget: int = BUDGET
    options: Mapping[str, Any] = field(default_factory=dict)
    checked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a job.

    Attributes:
        bill: What was billed.
        news: Tokens of the last prompt in full that the first one did not begin with.
        compactions: How often summaries were put in place.
        problems: Promises that were not kept, in words.
    """

    bill: Bill
    news: int
    compactions: int = 0
    problems: tuple[str, ...] = ()


def chains(data: Path, *, length: int = CHAIN, limit: int | None = None) -> list[dict[str, Any]]:
    """Return conversations of `length` runs each, at most `limit`; runs too few are left out."""
    joined = chained(data, CORPUS, chain=length, limit=limit)
    return [with_thoughts(each) for each in joined]


def paid(job: Job) -> Outcome:
    """Have a conversation and return what it cost."""
    fake = FakeKimi()
    ears = Ears(fake.requests)
    client = OpenAI(
        api_key=KEY,
        base_url="http://fake/v1",
        max_retries=0,
        http_client=HTTP.Client(transport=getattr(fake, f"{HTTP.__name__}_transport")()),
    )
    ruler, problems = Ruler(job.model), list[str]()
    if job.way == "memory" and job.checked:
        problems = _checked(job, client, fake, ears)
    else:
        _sent(job, client, fake, ears, ruler)
    return Outcome(
        bill=billed(fake.requests, ears.asked),
        news=ruler.news(job.conversation),
        compactions=ears.compactions,
        problems=tuple(problems),
    )


class Ears:
    """Hears what summaries are asked for, and how often the view changes.

    Args:
        log: That of the server.

    Attributes:
        asked: What each request for notes was for.
        compactions: How many summaries were put in place.
    """

    def __init__(self, log: Sequence[Served]) -> None:
        self._log = log
        self.asked: list[Asked] = []
        self.compactions = 0

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.compactions += isinstance(event, Compacted) and event.paid
        if isinstance(event, Summarizing):
            self.asked.append(Asked(len(self._log), event.purpose))


def _checked(job: Job, client: OpenAI, fake: FakeKimi, ears: Ears) -> list[str]:
    """Have a conversation with the memory; return which of its promises were broken."""
    report = replay(
        job.conversation,
        client=client,
        model=job.model,
        before=lambda step: _answer(fake, step),
        measure=lambda _: 0,
        budget=job.budget,
        hooks=(ears,),
        **job.options,
    )
    return report.problems


def _sent(job: Job, client: OpenAI, fake: FakeKimi, ears: Ears, ruler: Ruler) -> None:
    """Send every request of a conversation, or as much of its end as fits."""
    budget = job.budget if job.way == "memory" else None
    wrapped = wrap(client, hooks=(ears,), budget=budget, **job.options)
    body = {} if thinking(job.model) != "switchable" else OFF
    for step in steps(job.conversation):
        _answer(fake, step)
        windowed = job.way == "sliding window"
        messages = ruler.window(step, job.budget) if windowed else step.messages
        more = {"tools": list(step.tools)} if step.tools else {}
        # `create` would look into every message for keys to rename: most of the time it takes.
        given = {"model": job.model, "messages": list(messages), **body, **more}
        wrapped.post("/chat/completions", body=given, cast_to=ChatCompletion)


def _answer(fake: FakeKimi, step: Step) -> None:
    if step.reply is not None:
        fake.queue_reply(step.reply)


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Return what several conversations came to."""
    found = list(outcomes)
    return Outcome(
        bill=sum((each.bill for each in found), Bill()),
        news=sum(each.news for each in found),
        compactions=sum(each.compactions for each in found),
        problems=tuple(problem for each in found for problem in each.problems),
    )


def run(jobs: Sequence[Job], *, processes: int | None = None) -> list[Outcome]:
    """Return what came of each job, in order.

    Args:
        jobs: What to do.
        processes: How many do it; one is this one, None as many as there are processors.
    """
    workers = min(processes or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        return [paid(job) for job in jobs]
    # A fork would copy locks of the threads that count tokens.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(paid, jobs))
