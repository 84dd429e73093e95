"""Measuring combinations of settings on conversations, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from memory.errors import ConfigError
from memory.messages import role_of
from memory.tuning.bench import Bench, Conversation, Job, Progress
from memory.tuning.choice import chosen, knee, pareto
from memory.tuning.grid import AXES, Grid, Point, key_of
from memory.tuning.live import SpendError
from memory.tuning.references import asked_of
from memory.tuning.rehearsal import FULL, LAST, MEMORY
from memory.tuning.study import Reference, Study, Trial

__all__ = ("OFFLINE", "tune")

OFFLINE: Final = (
    "the offline extractor, which stands in for a model: costs and cached tokens are those of real "
    "summaries of the same length, recall is that of extracts"
)
ROUNDS: Final = 3
"""After the first half of the points, how many times neighbours of the best are tried."""


def tune(
    conversations: Sequence[Conversation], *, job: Job, progress: Progress | None = None
) -> Study:
    """Replay conversations with many combinations of settings, and say which to take.

    The same conversations, job and version of the library give the same study, however often it
    was stopped and however many processes there are.

    Args:
        conversations: Made by `memory.replay.join`.
        job: What to measure.
        progress: Called with how many replays are done and how many there will be.

    Raises:
        ConfigError: There is nothing to measure, or a setting is wrong.
        SpendError: No combination could be measured for what may be spent.
    """
    if not conversations:
        msg = "there are no conversations to replay"
        raise ConfigError(msg)
    with ExitStack() as stack:
        bench = Bench(conversations, job, progress, stack)
        return _Search(bench, job).study()


class _Search:
    """Chooses what to measure next.

    Args:
        bench: Measures.
        job: What is wanted.
    """

    def __init__(self, bench: Bench, job: Job) -> None:
        self._bench, self._job = bench, job
        axes: dict[str, Sequence[Any]] = {"budget": list(job.budgets)}
        if job.only is None:
            axes |= {**_axes(bench.conversations), **job.axes}
        else:
            axes |= {name: [value] for name, value in job.only.items()}
        _check(axes, job.model)
        self._grid = Grid(axes)
        self._trials: dict[str, Trial] = {}

    def study(self) -> Study:
        """Measure, and return what follows."""
        job, bench = self._job, self._bench
        budgets = sorted(set(self._grid.axes["budget"]))
        number = min(max(job.points, len(budgets)), self._grid.size)
        bench.expect(number + len(budgets) + 1)
        references = [
            Reference(name=FULL, trial=bench.trial(FULL, {})),
            *(Reference(name=LAST, trial=bench.trial(LAST, {"budget": b})) for b in budgets),
        ]
        try:
            self._walk(number)
        except SpendError:
            if not self._trials:
                raise
        trials = list(self._trials.values())
        if not any(trial.requests for trial in trials):
            msg = (
                f"no turn could be sent with {', '.join(f'{each:,}' for each in budgets)} tokens: "
                "raise the budget, or look whether the conversations have turns at all"
            )
            raise ConfigError(msg)
        floors = {
            each.trial.settings["budget"]: each.trial.recall
            for each in references
            if each.name == LAST
        }
        return Study(
            trials=trials,
            references=references,
            pareto=pareto(trials),
            knee=knee(trials, floors=floors),
            chosen=chosen(trials, job.prefer, floors=floors),
            prefer=job.prefer,
            recall_of=asked_of(bench.conversations),
            summarizer=OFFLINE if job.connect is None else f"{job.model}, live",
            prices=f"{bench.tariff.model}, {bench.tariff.source}",
            files=list(job.files),
            conversations=len(bench.conversations),
            seed=job.seed,
            skipped=max(0, self._grid.size - len(trials)),
            model=job.model,
        )

    def _walk(self, number: int) -> None:
        first = number if number <= len(self._grid.axes) else (number + 1) // 2
        self._measure(self._grid.points(first, seed=self._job.seed))
        for left in range(ROUNDS, 0, -1):
            share = -(-(number - len(self._trials)) // left)
            self._measure(self._next(share))

    def _next(self, number: int) -> list[Point]:
        """Return points next to the best so far: to the knee first, then to all that none beats."""
        points = [trial.settings for trial in self._trials.values()]
        trials = list(self._trials.values())
        order = [knee(trials), chosen(trials, self._job.prefer), *pareto(trials)]
        found: dict[str, Point] = {}
        for point in self._grid.neighbours(points[place] for place in dict.fromkeys(order)):
            if len(found) >= number:
                break
            if key_of(point) not in self._trials:
                found.setdefault(key_of(point), point)
        return list(found.values())

    def _measure(self, points: Iterable[Point]) -> None:
        new = [dict(point) for point in points if key_of(point) not in self._trials]
        for point, trial in zip(new, self._bench.trials(MEMORY, new), strict=False):
            self._trials[key_of(point)] = trial


def _check(axes: Mapping[str, Sequence[Any]], model: str) -> None:
    """Refuse what cannot be measured so that it is the same again, or not be paid for.

    Raises:
        ConfigError: There is something like that.
    """
    if "background" in axes.get("compaction", ()):
        msg = (
            "compaction='background' cannot be tuned: what it costs depends on when replies come; "
            "tune inline, and set it afterwards"
        )
        raise ConfigError(msg)
    if {*axes.get("summarizer_model", ())} - {None, model}:
        msg = f"summarizer_model cannot be tuned: all is paid for at the prices of {model}"
        raise ConfigError(msg)


def _axes(conversations: Sequence[Conversation]) -> dict[str, Sequence[Any]]:
    """Return the axes that matter: tool results can be cleared only where there are some."""
    tools = any(role_of(m) == "tool" for each in conversations for m in each["messages"])
    return {name: values for name, values in AXES.items() if tools or name != "clear_tool_results"}
