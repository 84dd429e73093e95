"""Replaying conversations with given settings: in processes, here, or live; once and no more."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memory.errors import ConfigError, KimiMemoryError
from memory.models import DEFAULT_MODEL, thinking
from memory.recording import with_thoughts
from memory.replay import joint
from memory.tuning.averages import interval_of_sums, percentile
from memory.tuning.bills import Bill
from memory.tuning.kept import Kept, fingerprint
from memory.tuning.live import Purse, live
from memory.tuning.prices import Tariff
from memory.tuning.references import Recalled, asked_of, wanted
from memory.tuning.rehearsal import MEMORY, Outcome, Way, rehearse, sent
from memory.tuning.study import Prefer, Trial

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ("Bench", "Conversation", "Job", "Progress")

Conversation = Mapping[str, Any]
"""One made by `memory.replay.join`."""
Progress = Callable[[int, int], None]
"""Is told how many replays are done, and how many there will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be measured, and what is preferred.

    Attributes:
        budgets: Prompt tokens; several are an axis of the grid.
        prefer: What matters most.
        points: How many combinations are tried at most.
        seed: What the choice of combinations follows from.
        axes: Values by setting, in place of those in `AXES`, or in addition.
        only: The one combination that is measured; None for the grid.
        model: The model that prompts are counted and paid for.
        tariff: The prices; None for those the library has for the model.
        processes: How many measure at once; None for as many as there are processors.
        folder: Where outcomes are kept, so that a run that was stopped goes on; None for nowhere.
        connect: Returns a client of the real API, for `spend`; None for the fake.
        spend: US dollars that may be spent there.
        files: The names of the files, for the report.
    """

    budgets: Sequence[int]
    prefer: Prefer = "balanced"
    points: int = 40
    seed: int = 0
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    only: Mapping[str, Any] | None = None
    model: str = DEFAULT_MODEL
    tariff: Tariff | None = None
    processes: int | None = None
    folder: Path | None = None
    connect: Callable[[], OpenAI] | None = None
    spend: float | None = None
    files: Sequence[str] = ()


class _Task(NamedTuple):
    """One conversation in one way, with all that a process needs; `place` is that among others."""

    place: int
    conversation: Conversation
    way: Way
    settings: dict[str, Any]
    model: str
    recalled: Recalled


class Bench:
    """Replays all conversations, in processes or here, and remembers what came of it.

    Args:
        conversations: All of them.
        job: With which model, where outcomes are kept, and where requests go.
        progress: Is told.
        stack: Closes what is opened.

    Attributes:
        conversations: As they are sent.
        tariff: What they are paid by.
    """

    def __init__(
        self,
        conversations: Sequence[Conversation],
        job: Job,
        progress: Progress | None,
        stack: ExitStack,
    ) -> None:
        thinks = thinking(job.model) != "switchable"
        self.conversations = [with_thoughts(c) if thinks else c for c in conversations]
        self.tariff = job.tariff or Tariff.of(job.model)
        self._job, self._progress, self._stack = job, progress, stack
        self._kept = Kept(job.folder / "trials.jsonl" if job.folder else None)
        self._prints = [fingerprint(c) for c in self.conversations]
        self._asked = asked_of(self.conversations)
        self._done = self._total = 0
        self._pool: ProcessPoolExecutor | None = None
        self._purse = Purse(job.spend or 0.0, self.tariff)
        self._where = "fake"
        if job.connect is not None:
            with job.connect() as client:
                self._where = str(client.base_url)

    def expect(self, points: int) -> None:
        """Tell how many points there will be."""
        self._total = points * len(self.conversations)
        self._tell(0)

    def trial(self, way: Way, settings: Mapping[str, Any]) -> Trial:
        """Return what all conversations came to in one way."""
        (found,) = self.trials(way, [settings])
        return found

    def trials(self, way: Way, points: Sequence[Mapping[str, Any]]) -> Iterator[Trial]:
        """Yield what all conversations came to with each of several settings.

        Raises:
            SpendError: What may be spent is spent.
        """
        number = len(self.conversations)
        tasks = [self._task(n, way, point) for point in points for n in range(number)]
        outcomes = self._outcomes(tasks)
        for point in points:
            yield _trial(point, [next(outcomes) for _ in range(number)], self.tariff)

    def _outcomes(self, tasks: Sequence[_Task]) -> Iterator[Outcome]:
        keys = [self._key(task) for task in tasks]
        missing = {k: t for k, t in zip(keys, tasks, strict=True) if self._kept.get(k) is None}
        fresh = self._run([*missing.values()])
        for key in keys:
            known = self._kept.get(key)
            if known is None:
                known = next(fresh)
                self._kept.put(key, known)
            self._tell(1)
            yield known

    def _run(self, tasks: Sequence[_Task]) -> Iterator[Outcome]:
        job = self._job
        if job.connect is not None:
            for task in tasks:
                yield self._live(task, job.connect)
            return
        workers = min(job.processes or os.cpu_count() or 1, len(tasks))
        if workers > 1 or self._pool is not None:
            yield from self._measured(tasks)
            return
        for task in tasks:
            yield _replayed(task)

    def _task(self, place: int, way: Way, settings: Mapping[str, Any]) -> _Task:
        conversation = self.conversations[place]
        asked = wanted(conversation, self.conversations)
        return _Task(place, conversation, way, dict(settings), self._job.model, asked)

    def _live(self, task: _Task, connect: Callable[[], OpenAI]) -> Outcome:
        if task.way != MEMORY:  # what they would cost is known without paying for it
            return _replayed(task)
        with live(connect, self._purse) as line:
            return sent(
                task.conversation,
                line=line,
                way=task.way,
                model=task.model,
                settings=task.settings,
                recalled=task.recalled,
            )

    def _measured(self, tasks: Sequence[_Task]) -> Iterator[Outcome]:
        try:
            yield from self._processes().map(_replayed, tasks)
        except BrokenProcessPool as error:
            msg = (
                "a process that was measuring ended without a word, perhaps for want of memory; "
                "measure with fewer processes, or below `if __name__ == '__main__':` in a script"
            )
            raise KimiMemoryError(msg) from error

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # A fork would copy locks of the threads that count tokens.
            self._pool = ProcessPoolExecutor(
                self._job.processes or os.cpu_count() or 1,
                mp_context=get_context("spawn"),
                initializer=_deaf,
            )
            self._stack.callback(self._pool.shutdown, cancel_futures=True)
        return self._pool

    def _key(self, task: _Task) -> str:
        where = self._where if task.way == MEMORY else "fake"
        return fingerprint(
            [self._prints[task.place], task.way, task.settings, self._job.model, self._asked, where]
        )

    def _tell(self, more: int) -> None:
        self._done += more
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done))


def _deaf() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _replayed(task: _Task) -> Outcome:
    """Replay a conversation offline.

    Raises:
        ConfigError: It is none that can be sent.
    """
    try:
        return rehearse(
            task.conversation,
            way=task.way,
            model=task.model,
            settings=task.settings,
            recalled=task.recalled,
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        msg = f"conversation {task.conversation['id']!r} cannot be replayed: {error!r}"
        raise ConfigError(msg) from error


def _trial(settings: Mapping[str, Any], outcomes: Sequence[Outcome], tariff: Tariff) -> Trial:
    bill = sum((each.bill for each in outcomes), Bill())
    sums = [(each.found, each.wanted) for each in outcomes]
    number = sum(n for _, n in sums)
    low, high = interval_of_sums(sums) if number else (0.0, 0.0)
    longest = max(outcomes, key=lambda each: len(each.course))
    return Trial(
        settings=dict(settings),
        requests=bill.requests.turns,
        usd=tariff.dollars(bill.volume),
        recall=sum(found for found, _ in sums) / number if number else 0.0,
        recall_low=low,
        recall_high=high,
        wanted=number,
        wait_p50=percentile(bill.waits, 0.5) or 0.0,
        wait_p95=percentile(bill.waits, 0.95) or 0.0,
        cached_share=bill.cached_share,
        tokens=bill.turns.prompt / max(1, bill.requests.turns),
        largest=bill.largest,
        over_budget=sum(each.over_budget for each in outcomes),
        rejected=bill.refused,
        too_large=sum(each.too_large for each in outcomes),
        summaries=bill.requests.summaries,
        merges=bill.requests.merges,
        digest=joint(bytes.fromhex(each.digest) for each in outcomes).hex(),
        course=longest.course,
    )
