"""Replaying conversations for `demo`: against the fake, and what the real API would charge."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openai import OpenAI, OpenAIError

from memory.cli.endpoint import Endpoint, fake_client, fake_kimi
from memory.errors import KimiMemoryError
from memory.replay import Report, Step, Turn, joint, replay
from memory.testing.kimi_call import Call
from memory.testing.kimi_count import count_text
from memory.testing.kimi_prompt import Prompts
from memory.testing.kimi_rules import check
from memory.testing.kimi_structure import STRUCTURE_RULES
from memory.testing.kimi_wire import ApiError
from memory.tuning.prices import NOTHING, Volume

if TYPE_CHECKING:
    from memory.stores import Store
    from memory.testing import Model

__all__ = (
    "CHECKS",
    "LIVE_NAMESPACE",
    "NAMESPACE",
    "Outcome",
    "Run",
    "rehearse",
    "run_live",
    "sent_digest",
    "total_volume",
)

NO_THINKING = {"type": "disabled"}
NAMESPACE = "demo"
"""Where a store has what was summarised against the fake."""
LIVE_NAMESPACE = "demo-live"
"""Where it has what the real model wrote: neither run is to use the summaries of the other."""

CHECKS: Mapping[str, Callable[[Report], bool]] = {
    "over_budget": lambda report: not report.over_budget,
    "rejected": lambda report: not report.rejected,
    "input_mutated": lambda report: not report.input_mutated,
    "summary_position_ok": lambda report: report.summary_position_ok,
    "covered": lambda report: report.covered,
    "tail_exact": lambda report: report.tail_exact,
}
"""What must hold of a replay, by the name of the figure that shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the replay of one conversation ended.

    Attributes:
        id: Which conversation.
        report: What came of it; None where it could not be finished.
        error: Why it could not.
        volume: What the fake counted; nothing for a live replay.
    """

    id: str
    report: Report | None = None
    error: str | None = None
    volume: Volume = NOTHING

    @property
    def failed(self) -> list[str]:
        """The checks that did not hold, by name; `error` where it ended early."""
        if self.report is None:
            return ["error"]
        return [name for name, holds in CHECKS.items() if not holds(self.report)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How to replay.

    Attributes:
        model: The model to ask for.
        budget: Prompt tokens allowed.
        after: Called after each request.
        store: Where summaries are found and kept; None for memory only.
        namespace: Under which name, there.
        settings: A file with the other settings, or None.
    """

    model: str
    budget: int
    after: Callable[[Step, Turn], None]
    store: Store | None = None
    namespace: str = NAMESPACE
    settings: Path | None = None

    def replay(self, conversation: Mapping[str, Any], client: OpenAI, **options: Any) -> Outcome:
        """Replay one conversation; what ends it early is part of the outcome."""
        name = conversation["id"]
        if self.store is not None:
            options |= {"store": self.store, "namespace": self.namespace}
        try:
            report = replay(
                conversation,
                client=client,
                model=self.model,
                budget=self.budget,
                after=self.after,
                hooks=(),
                settings_file=self.settings,
                **options,
            )
        except (KimiMemoryError, OpenAIError) as error:
            return Outcome(id=name, error=f"{type(error).__name__}: {error}")
        return Outcome(id=name, report=report)


def rehearse(conversations: Sequence[Mapping[str, Any]], *, run: Run) -> list[Outcome]:
    """Replay conversations against a fake over HTTP, each against a new one; costs nothing.

    The fake gives the recorded replies and writes the summaries with the offline summariser.
    """
    return [_rehearsed(each, run) for each in conversations]


def _rehearsed(conversation: Mapping[str, Any], run: Run) -> Outcome:
    fake = fake_kimi(run.model)

    def before(step: Step) -> None:
        if step.reply is not None:
            fake.queue_reply(step.reply)

    measure = _measure(fake.models[run.model])
    with fake_client(fake) as client:
        outcome = run.replay(conversation, client, before=before, measure=measure)
    return dataclasses.replace(outcome, volume=Volume.of(fake.requests))


def run_live(
    conversations: Sequence[Mapping[str, Any]], *, run: Run, endpoint: Endpoint
) -> list[Outcome]:
    """Replay conversations against the real API; the replies it gives are not used."""
    with endpoint.client() as client:
        return [run.replay(each, client) for each in conversations]


def total_volume(outcomes: Iterable[Outcome]) -> Volume:
    """Return the tokens of all outcomes."""
    volumes = [outcome.volume for outcome in outcomes]
    return Volume(
        prompt=sum(each.prompt for each in volumes),
        cached=sum(each.cached for each in volumes),
        completion=sum(each.completion for each in volumes),
    )


def sent_digest(reports: Iterable[Report]) -> str:
    """Return what is the same for two runs that sent the same requests in the same order."""
    return joint(report.digest for report in reports).hex()


def _measure(model: Model) -> Callable[[Step], int]:
    """Return the count that the fake makes of a prompt: 0 for one that it would refuse."""
    prompts = Prompts(count_text)

    def measure(step: Step) -> int:
        body = {"messages": step.messages, "tools": list(step.tools), "thinking": NO_THINKING}
        call = Call(body=body, model=model)
        try:
            check(call, STRUCTURE_RULES)
        except ApiError:
            return 0
        return sum(part.tokens for part in prompts.prompt(call))

    return measure
