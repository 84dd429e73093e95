"""What recall costs: recorded runs with tools, billed with recall and without it.

The runs, the server and the prices are those of `benchmarks.cost`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from openai import OpenAI
from openai.types.chat import ChatCompletion

from benchmarks._cost_runs import BUDGET, Ears
from benchmarks._report import Check, Figure, Op, Row
from benchmarks._trial import HTTP, KEY, OFF
from memory import wrap
from memory.events import Event, Recalled
from memory.models import thinking
from memory.replay import Step, steps
from memory.testing import FakeKimi
from memory.tuning.bills import Bill, billed
from memory.tuning.prices import TARIFFS, Tariff

__all__ = ("PRICES", "RECALL", "Expense", "checks", "expense", "figures", "rows", "tariff")

PRICES: Final = "k2.6"
"""The price file."""
POINTS: Final = 3.0
"""Percentage points of the prompt tokens by which the cached share may fall."""
DEARER: Final = 1.08
"""What it may cost, as a share of what it costs without."""
OFF_LABEL: Final = "off"
ON_LABEL: Final = "auto"
RECALL: Final[Mapping[str, Mapping[str, Any]]] = {
    OFF_LABEL: {},
    ON_LABEL: {"recall": "auto"},
}
"""The settings by the value of `recall`."""


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


def rows(found: Mapping[str, Sequence[Expense]]) -> list[Row]:
    """Return what conversations cost, by the value of the setting `recall`."""
    return [_row(label, each) for label, each in found.items()]


def _row(label: str, found: Sequence[Expense]) -> Row:
    bill = sum((each.bill for each in found), Bill())
    turns, _, summaries, merges = bill.requests
    snippets = [tokens for each in found for tokens in each.snippets]
    dollars = tariff().dollars(bill.volume)
    return {
        "recall": label,
        "conversations": len(found),
        "requests": turns,
        "USD": dollars,
        "USD / 1,000": 1_000 * dollars / turns,
        "cached": 100 * bill.cached_share,
        "shared": 100 * bill.shared_share,
        "prompt tokens": bill.volume.prompt,
        "searches": sum(each.searches for each in found),
        "with a snippet": len(snippets),
        "tokens of a snippet": fmean(snippets) if snippets else None,
        "compactions": sum(each.compactions for each in found),
        "summaries": summaries,
        "merges": merges,
        "largest prompt": bill.largest,
        "refused": bill.refused,
    }


def checks(found: Mapping[str, Sequence[Expense]]) -> list[Check]:
    """Return what has to hold of the costs."""
    on, off = _row(ON_LABEL, found[ON_LABEL]), _row(OFF_LABEL, found[OFF_LABEL])
    name = f"tau-bench chained, {BUDGET:,} tokens, {PRICES}"
    figures: tuple[tuple[str, float, Op, float], ...] = (
        ("points by which the cached share falls", off["cached"] - on["cached"], "<=", POINTS),
        ("USD of those without recall", on["USD"] / off["USD"], "<=", DEARER),
        ("tokens of the largest prompt", on["largest prompt"], "<=", BUDGET),
        ("requests refused", on["refused"], "==", 0),
        ("requests that something was looked for", on["searches"], ">=", 1),
    )
    return [
        Check(name=f"{name}: {what}", value=value, op=op, bound=bound)
        for what, value, op, bound in figures
    ]


def figures(found: Mapping[str, Sequence[Expense]]) -> list[Figure]:
    """Return what the costs are measured for; the floor is recall off."""
    on, off = _row(ON_LABEL, found[ON_LABEL]), _row(OFF_LABEL, found[OFF_LABEL])
    units = {"USD / 1,000": "USD", "cached": "%"}
    beside = [
        Figure(name=f"tau-bench, {name}", value=on[name], unit=unit, floor=off[name])
        for name, unit in units.items()
    ]
    share = 100 * on["USD"] / off["USD"]
    return [
        *beside,
        Figure(name="tau-bench, USD of those without recall", value=share, unit="%", floor=100.0),
        Figure(
            name="tau-bench, requests with a snippet",
            value=100 * on["with a snippet"] / on["requests"],
            unit="%",
        ),
    ]


def _body(step: Step, model: str) -> dict[str, Any]:
    off = {} if thinking(model) != "switchable" else OFF
    tools: Sequence[Mapping[str, Any]] = list(step.tools)
    more = {"tools": tools} if tools else {}
    return {"model": model, "messages": list(step.messages), **off, **more}
