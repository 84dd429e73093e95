"""What a turn costs that only asks whether all fits, for this library and for others.

Each turn appends two messages and asks; no prompt exceeds its budget. The counters of LangChain
and litellm look at every message each time, whatever the budget. This library need not count while
the bytes of a prompt are below it, so it is asked twice: with a budget far away, and with one so
close that it has to count. Only the latter is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks._overhead_process import GoneError, Process
from benchmarks._report import Check, Figure, Row
from benchmarks._synthetic import TOOLS, Writer
from benchmarks.peers.counting import FIT
from memory.meter import Meter
from memory.vocabulary import warmup

__all__ = (
    "CLOSE",
    "FAR",
    "OURS",
    "PEERS",
    "Contender",
    "checks",
    "figures",
    "measure",
    "with_errors",
)

CLOSE: Final = "close"
FAR: Final = "far"
ROOM: Final[Mapping[str, float]] = {CLOSE: 1.25, FAR: 100.0}
"""The budget as a multiple of what the last prompt counts: with the first it has to be counted."""
RATIO: Final = 10.0
"""How many times longer litellm has to take."""
BESIDE: Final = 1_000
"""Messages at which libraries are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One process that is asked.

    Attributes:
        name: The library, as `benchmarks.peers.counting` names it.
        title: What it is called in tables.
        budget: `close` or `far`.
    """

    name: str
    title: str
    budget: str = CLOSE


OURS: Final = tuple(
    Contender(name=name, title=title, budget=budget)
    for name, title in (("memory", "memory, exact vocabulary"), ("estimator", "memory, estimator"))
    for budget in (CLOSE, FAR)
)
PEERS: Final = (
    Contender(name="langchain", title="LangChain", budget=FAR),
    Contender(name="litellm", title="litellm", budget=FAR),
)
_CHECKED: Final[Mapping[str, str]] = {
    "langchain": "SummarizationMiddleware.before_model",
    "litellm": "trim_messages",
}
"""What a user of a library calls before each request."""


def measure(
    rounds: Mapping[int, int], contenders: Sequence[Contender]
) -> tuple[list[Row], list[Row]]:
    """Return a row for each length, library and way to ask; and who could not be asked.

    Args:
        rounds: How many turns there are after a history of so many messages.
        contenders: Who is asked, by turns.
    """
    rows: list[Row] = []
    skipped: list[Row] = []
    with ExitStack() as stack:
        # All begin at once, and what takes long is not waited for in turn.
        begun = {each: stack.enter_context(closing(Process(each.name))) for each in contenders}
        asked = {}
        for each, process in begun.items():
            try:  # before anybody's clock runs: what has to be installed is installed here
                process.ask("tokens", messages=[], tools=[])
            except GoneError as error:
                skipped.append({"library": each.title, "reason": str(error)})
            else:
                asked[each] = process
        for length, times in rounds.items():
            rows += _turns(asked, length, times)
    return rows, skipped


def _turns(asked: Mapping[Contender, Process], length: int, times: int) -> list[Row]:
    writer = Writer(f"turns after {length}")
    history, turns = writer.history(length), [writer.turn() for _ in range(times)]
    whole = [*history, *(message for turn in turns for message in turn)]
    total = Meter(warmup()).count(whole, tools=TOOLS).total
    first: dict[Contender, Mapping[str, float]] = {}
    taken: dict[tuple[Contender, str], list[float]] = {}
    for each, process in asked.items():
        budget = int(total * ROOM[each.budget])
        opened = process.ask("open", messages=history, tools=TOOLS, budget=budget)
        first[each] = opened["seconds"]
    for turn in turns:
        for each, process in asked.items():
            answer = process.ask("turn", messages=turn)
            if answer["counted"] != (each.budget == CLOSE or each in PEERS):
                message = f"{each.title}, {each.budget}: the call went another way"
                raise RuntimeError(message)
            for function, seconds in answer["seconds"].items():
                taken.setdefault((each, function), []).append(seconds)
    return [
        {
            "messages": length,
            "library": each.title,
            "function": function,
            "budget": each.budget if each in OURS else "any",
            "turns": len(seconds),
            "turn ms": median(seconds) * 1e3,
            "first ms": first[each][function] * 1e3,
        }
        for (each, function), seconds in taken.items()
    ]


def with_errors(rows: Sequence[Row], errors: Mapping[str, Row]) -> list[Row]:
    """Return rows with the error of the counter behind each, in percent; None where unknown.

    Args:
        rows: Those of `measure`.
        errors: The row of all corpora together for each library.
    """
    columns = ("signed p50", "absolute p50", "absolute p95")
    found = []
    for row in rows:
        known: Mapping[str, Any] = {}
        if row["budget"] != FAR:  # the bytes of a prompt are a bound and no estimate
            known = errors.get(row["library"], {})
        found.append(row | {f"error {each} %": known.get(each) for each in columns})
    return found


def _compared(rows: Sequence[Row]) -> tuple[int, float | None, Mapping[str, float | None]]:
    """Return at how many messages libraries are compared, our slower time and those of others."""
    lengths = {row["messages"] for row in rows}
    at = BESIDE if BESIDE in lengths else max(lengths, default=BESIDE)
    here = [row for row in rows if row["messages"] == at]
    ours = [row["turn ms"] for row in here if row["function"] == FIT and row["budget"] == CLOSE]
    others = {
        name: next((row["turn ms"] for row in here if row["function"] == function), None)
        for name, function in _CHECKED.items()
    }
    return at, max(ours, default=None), others


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or below is None else above / below


def checks(rows: Sequence[Row]) -> list[Check]:
    """Return what has to hold beside others, for the slower of our counters, which has to count.

    Each library is asked as its users do it: count all, and decide.
    """
    at, ours, others = _compared(rows)
    return [
        Check(
            name=f"a turn at {at:,} messages: litellm trim_messages / memory fit, counted",
            value=_ratio(others["litellm"], ours),
            op=">=",
            bound=RATIO,
        ),
        Check(
            name=f"a turn at {at:,} messages: memory fit, counted / LangChain before_model",
            value=_ratio(ours, others["langchain"]),
            op="<=",
            bound=1.0,
        ),
    ]


def figures(rows: Sequence[Row]) -> list[Figure]:
    """Return what a turn costs at each length, and how that compares."""
    at, ours, others = _compared(rows)
    slower: dict[int, list[Any]] = {}
    for row in rows:
        if row["function"] == FIT and row["budget"] == CLOSE:
            slower.setdefault(row["messages"], []).append(row["turn ms"])
    found = [
        Figure(name=f"a turn at {length:,} messages, counted", value=max(times), unit="ms")
        for length, times in slower.items()
    ]
    beside = [
        Figure(name=f"a turn at {at:,} messages, {name}", value=value, unit="ms")
        for name, value in others.items()
        if value is not None
    ]
    ratios = {name: _ratio(value, ours) for name, value in others.items()}
    factors = [
        Figure(name=f"{name} / memory at {at:,} messages", value=value, unit="x")
        for name, value in ratios.items()
        if value is not None
    ]
    return [*found, *beside, *factors]
