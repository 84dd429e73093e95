"""What recall costs: recorded runs with tools, billed with recall and without it.

The runs, the server and the prices are those of `benchmarks.cost`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from openai import OpenAI
from openai.types.chat import ChatCompletion

from benchmarks._cost_runs import BUDGET, Ears
from benchmarks._trial import HTTP, KEY, OFF
from memory import wrap
from memory.events import Event, Recalled
from memory.models import thinking
from memory.replay import Step, steps
from memory.testing import FakeKimi
from memory.tuning.bills import Bill, billed
from memory.tuning.prices import TARIFFS, Tariff

__all__ = ("PRICES", "Expense", "expense", "tariff")

PRICES: Final = "k2.6"
"""The price file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expense:
    """What one conversation came to.

    Attributes:
        bill: What was billed.
        compactions: How often summaries were put in place.
        searches: How many requests something was looked for.
        snippets: The tokens of the snippet message of each request that had one.
    """

    bill: Bill
    compactions: int
    searches: int
    snippets: tuple[int, ...]


@dataclass(slots=True)
class _Recalls:
    """Hears what recall adds."""

    tokens: list[int] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Recalled):
            self.tokens.append(event.tokens)


def tariff(name: str = PRICES) -> Tariff:
    """Return the prices."""
    return Tariff.read(TARIFFS / f"{name}.json")


def expense(conversation: Mapping[str, Any], options: Mapping[str, Any], *, model: str) -> Expense:
    """Have a conversation and return what it cost.

    Args:
        conversation: Made by `benchmarks._cost_runs.chains`.
        options: The settings of the memory that are not left at their defaults.
        model: The model.
    """
    fake = FakeKimi()
    ears, recalls = Ears(fake.requests), _Recalls()
    http = HTTP.Client(transport=getattr(fake, f"{HTTP.__name__}_transport")())
    client = OpenAI(api_key=KEY, base_url="http://fake/v1", max_retries=0, http_client=http)
    wrapped = wrap(client, hooks=(ears, recalls), **{"budget": BUDGET, **options})
    for step in steps(conversation):
        if step.reply is not None:
            fake.queue_reply(step.reply)
        wrapped.post("/chat/completions", body=_body(step, model), cast_to=ChatCompletion)
    return Expense(
        bill=billed(fake.requests, ears.asked),
        compactions=ears.compactions,
        searches=len(recalls.tokens),
        snippets=tuple(each for each in recalls.tokens if each),
    )


def _body(step: Step, model: str) -> dict[str, Any]:
    off = {} if thinking(model) != "switchable" else OFF
    tools: Sequence[Mapping[str, Any]] = list(step.tools)
    more = {"tools": tools} if tools else {}
    return {"model": model, "messages": list(step.messages), **off, **more}
