"""What comes of tuning: one trial for each combination of settings, and which of them to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ("Prefer", "Reference", "Study", "Trial")

Prefer = Literal["cost", "recall", "latency", "balanced"]
"""What matters most to whoever chooses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What all conversations came to with one combination of settings.

    Attributes:
        settings: Those that are set, by their names in `memory.Settings`; the rest are defaults.
        requests: Turns that were sent, without requests for summaries.
        usd: US dollars for all of them, summaries included.
        recall: How much of what is referred to later is in front of the model, 0 to 1.
        recall_low: The lower end of its 95 % interval, drawn by conversation.
        recall_high: The upper end.
        wanted: How many things recall is an average of; where it is 0, there was nothing to recall.
        wait_p50: Seconds before the first token, the summary before it included: the median.
        wait_p95: The 95th percentile.
        cached_share: The share of prompt tokens that the server had cached, 0 to 1.
        tokens: Prompt tokens of a turn, on average.
        largest: Prompt tokens of the largest turn.
        over_budget: Turns larger than the budget.
        rejected: Requests that the server refused.
        too_large: Turns that were not sent, because what may not be dropped exceeds the budget.
        summaries: Requests for summaries of messages newly dropped.
        merges: Requests for one text in place of two earlier ones.
        digest: Stands for every prompt that was sent, byte for byte and in order; hexadecimal.
        course: Prompt tokens of each turn of the longest conversation.
    """

    settings: Mapping[str, Any]
    requests: int
    usd: float
    recall: float
    recall_low: float
    recall_high: float
    wait_p50: float
    wait_p95: float
    cached_share: float
    tokens: float
    largest: int
    over_budget: int
    rejected: int
    too_large: int
    summaries: int
    merges: int
    digest: str
    wanted: int = 0
    course: Sequence[int] = ()

    @property
    def usd_per_1000(self) -> float:
        """US dollars for 1,000 turns."""
        return 1_000 * self.usd / max(1, self.requests)

    def row(self) -> dict[str, Any]:
        """Return the figures as a JSON object, without the course."""
        whole = asdict(self)
        del whole["course"]
        return {**whole, "usd_per_1000": self.usd_per_1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the same conversations come to without a memory: the ends of the scale.

    Attributes:
        name: `"full history"`, which is the ceiling of recall, or `"last messages"`, which send
            the head and as many of the latest messages as the budget holds: the floor.
        trial: Its figures; no settings.
    """

    name: str
    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Everything that was measured, and what follows from it.

    Attributes:
        trials: Every combination, in the order of the grid; the first is that of the defaults.
        references: What the conversations cost and recall without a memory.
        pareto: The places of the trials that none beats in dollars, recall and wait at once, by
            rising dollars.
        knee: The place of the one where more dollars begin to buy little recall.
        chosen: The place of the one that is best for what is preferred.
        prefer: What is preferred.
        recall_of: What recall was measured of, in words.
        summarizer: Who wrote the summaries, in words.
        prices: The prices in words: whose, of when.
        files: The names of the files.
        conversations: How many there are.
        seed: What the choice of combinations follows from.
        skipped: Combinations of the grid that were not tried.
        model: The model that prompts were counted and paid for.
    """

    trials: Sequence[Trial]
    references: Sequence[Reference]
    pareto: Sequence[int]
    knee: int
    chosen: int
    prefer: Prefer
    recall_of: str
    summarizer: str
    prices: str
    files: Sequence[str]
    conversations: int
    seed: int
    skipped: int = 0
    model: str = ""

    def row(self) -> dict[str, Any]:
        """Return all of it as a JSON object; `pareto` has whole rows, cheapest first."""
        return {
            "prefer": self.prefer,
            "chosen": self.trials[self.chosen].row(),
            "knee": self.trials[self.knee].row(),
            "pareto": [self.trials[place].row() for place in self.pareto],
            "references": [{"name": each.name, **each.trial.row()} for each in self.references],
            "trials": [trial.row() for trial in self.trials],
            "recall_of": self.recall_of,
            "summarizer": self.summarizer,
            "prices": self.prices,
            "files": list(self.files),
            "conversations": self.conversations,
            "seed": self.seed,
            "skipped": self.skipped,
            "model": self.model,
        }
