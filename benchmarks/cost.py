"""What a long conversation with tools costs: with the memory, in full, through a sliding window.

    python -m benchmarks.cost --data ../shared/data --json

Recorded runs of tau-bench airline, eight joined to one conversation, are sent turn by turn at the
library's defaults to a fake server that answers as recorded, writes the summaries with the offline
summariser and bills both, cached tokens included. Dollars are those of the price files. Full
history sends everything. The sliding window sends the head and the latest parts that fit the
budget, chosen anew for each request, calls and their results together.

The server caches whole messages: one that changes at its end is billed as new from its beginning.
`shared` is the stricter look at the same thing, to the token: how much of a prompt the prompt
before began with. A thought is 13 tokens long here, that of a turn and that of a summary alike;
real ones are longer. Waits are computed from the tokens, not measured.

The bounds are for eight runs, three or four compactions. A second table shows 24 runs: there
notes are merged too, from the messages themselves, which nobody has cached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import add_data_argument
from benchmarks._cost_runs import BUDGET, CHAIN, CORPUS, Job, Outcome, Way, chains, run, together
from benchmarks._report import Check, Figure, Op, Report, Row, percentile
from memory import Settings
from memory.tuning.prices import TARIFFS, Tariff
from memory.vocabulary import warmup

__all__ = (
    "FULL",
    "MEMORY",
    "PRICES",
    "SLIDING",
    "Table",
    "allowed",
    "checks",
    "figures",
    "main",
    "rows",
)

PRICES: Final = TARIFFS
BOUNDS: Final = {"k2.6": 0.70, "k3": 0.75}
"""What the memory may cost, as a share of full history, by price file."""
WINDOW: Final = 0.47
"""What it may cost as a share of the sliding window."""
CACHED: Final = 0.92
"""The share of prompt tokens that has to be cached."""
LONG: Final = 24
"""How many make one that goes on for three times as long: shown beside, and held to nothing."""
QUICK: Final = 3
"""How many recorded runs make the conversation that only shows that everything runs."""
CLEARING: Final = ("before-summary", "off", "only")
"""The values of the setting `clear_tool_results`."""
FULL: Final[Way] = "full history"
SLIDING: Final[Way] = "sliding window"
MEMORY: Final[Way] = "memory"
SHOWN: Final = (
    "prices",
    "way",
    "USD / 1,000",
    "of full history",
    "of sliding window",
    "cached",
    "shared",
    "summaries",
    "merges",
    "added wait p95 s",
    "added wait max s",
)
"""The columns that people see; JSON has more."""

Table = Mapping[tuple[str, str], Sequence[Outcome]]
"""What came of each conversation, by price file and way."""


def ways() -> dict[str, tuple[Way, dict[str, Any]]]:
    """Return the ways to send a conversation, each with the settings of the memory."""
    found: dict[str, tuple[Way, dict[str, Any]]] = {
        FULL: (FULL, {}),
        SLIDING: (SLIDING, {}),
        MEMORY: (MEMORY, {}),
    }
    default = getattr(Settings(), "clear_tool_results", None)
    for value in CLEARING if default is not None else ():
        if value != default:
            found[f"{MEMORY}, clear_tool_results={value}"] = (
                MEMORY,
                {"clear_tool_results": value},
            )
    return found


def measure(
    conversations: Sequence[Mapping[str, Any]],
    tariffs: Sequence[Tariff],
    *,
    only: Sequence[str] = (),
    checked: bool = True,
    processes: int | None = None,
) -> Table:
    """Return what came of every conversation in every way at every price.

    Args:
        conversations: Made by `chains`.
        tariffs: The price files.
        only: The ways; empty for all.
        checked: Whether the promises of the memory are checked.
        processes: How many do it; None for as many as there are processors.
    """
    chosen = {name: how for name, how in ways().items() if not only or name in only}
    keys = [(tariff, name, *how) for tariff in tariffs for name, how in chosen.items()]
    jobs = [
        Job(conversation=each, model=tariff.model, way=way, options=options, checked=checked)
        for tariff, _, way, options in keys
        for each in conversations
    ]
    found = iter(run(jobs, processes=processes))
    return {(tariff.name, name): [next(found) for _ in conversations] for tariff, name, *_ in keys}


def rows(table: Table, tariffs: Sequence[Tariff]) -> list[Row]:
    """Return one row for each price file and way, over all conversations."""
    return [
        _row(table, tariff, name)
        for tariff in tariffs
        for price, name in table
        if price == tariff.name
    ]


def _row(table: Table, tariff: Tariff, name: str) -> Row:
    total, full, sliding = (together(table[tariff.name, each]) for each in (name, FULL, SLIDING))
    bill, dollars = total.bill, tariff.dollars(total.bill.volume)
    turns, _, summaries, merges = bill.requests
    return {
        "prices": tariff.name,
        "way": name,
        "requests": turns,
        "USD": dollars,
        "USD / 1,000": 1_000 * dollars / turns,
        "of full history": dollars / tariff.dollars(full.bill.volume),
        "of sliding window": dollars / tariff.dollars(sliding.bill.volume),
        "cached": bill.cached_share,
        "shared": bill.shared_share,
        "prompt tokens": bill.volume.prompt,
        "completion tokens": bill.volume.completion,
        "compactions": total.compactions,
        "summaries": summaries,
        "merges": merges,
        "USD of summaries": tariff.dollars(bill.summaries) + tariff.dollars(bill.merges),
        "largest prompt": bill.largest,
        "refused": bill.refused,
        "problems": len(total.problems),
        **_waits(bill.waits, full.bill.waits),
    }


def _waits(waits: Sequence[float], full: Sequence[float]) -> Row:
    """Return the seconds before a first token beyond those of full history."""
    added = [mine - theirs for mine, theirs in zip(waits, full, strict=False)]
    return {
        "added wait p50 s": percentile(added, 0.5),
        "added wait p95 s": percentile(added, 0.95),
        "added wait max s": percentile(added, 1.0),
    }


def figures(table: Table, tariffs: Sequence[Tariff]) -> list[Figure]:
    """Return what the benchmark is run for: what other ways cost stands beside what ours does.

    The floor is full history, which everybody can send; no way that answers costs less than the
    head and the last messages from a cache would, so there is no ceiling.
    """
    found: list[Figure] = []
    for tariff in tariffs:
        ours, full, sliding = (_row(table, tariff, way) for way in (MEMORY, FULL, SLIDING))
        found += [
            Figure(
                name=f"cost of 1,000 requests, {tariff.name}",
                value=ours["USD / 1,000"],
                unit="USD",
                floor=full["USD / 1,000"],
            ),
            Figure(
                name=f"cost as a share of full history, {tariff.name}",
                value=100 * ours["of full history"],
                unit="%",
                floor=100.0,
            ),
            Figure(
                name=f"cost as a share of a sliding window, {tariff.name}",
                value=100 * ours["of sliding window"],
                unit="%",
            ),
            Figure(
                name=f"prompt tokens billed as cached, {tariff.name}",
                value=100 * ours["cached"],
                unit="%",
                floor=100 * sliding["cached"],
                ceiling=100 * full["cached"],
            ),
        ]
    return found


def allowed(news: int, settings: Settings, model: str) -> int:
    """Return how many summaries of messages a conversation may ask for: invariant 9.

    Args:
        news: Tokens by which it grows.
        settings: Those of the memory.
        model: The model.
    """
    policy = settings.policy()
    budget = policy.thresholds(limit=policy.limit(model=model), measured=1.0, exact=True)
    return ceil(news / (budget.trigger - budget.target)) + 1


def checks(table: Table, tariffs: Sequence[Tariff]) -> list[Check]:
    """Return what has to hold at the library's defaults."""
    found: list[Check] = []
    for tariff in tariffs:
        if tariff.name in BOUNDS:
            found += _of_price(table, tariff)
        found += _of_calls(table[tariff.name, MEMORY], tariff)
    kept = {key: each for key, each in table.items() if key[1] != FULL}
    found += [
        _check("requests refused, all rows", _sum(e.bill.refused for e in _all(table)), "==", 0),
        _check("largest prompt within the budget", _largest(kept), "<=", BUDGET),
        _check("promises broken", _sum(len(e.problems) for e in _all(table)), "==", 0),
    ]
    return found


def _of_price(table: Table, tariff: Tariff) -> list[Check]:
    row = _row(table, tariff, MEMORY)
    figures: list[tuple[str, float, Op, float]] = [
        ("USD of full history", row["of full history"], "<=", BOUNDS[tariff.name]),
        ("USD of a sliding window", row["of sliding window"], "<=", WINDOW),
        ("cached share as billed", row["cached"], ">=", CACHED),
        ("share of prompts that the prompt before began with", row["shared"], ">=", CACHED),
    ]
    return [
        _check(f"{tariff.name}: {name}", value, op, bound) for name, value, op, bound in figures
    ]


def _of_calls(outcomes: Sequence[Outcome], tariff: Tariff) -> list[Check]:
    settings = Settings(budget=BUDGET)
    over, merges, least = list[float](), list[float](), list[float]()
    for each in outcomes:
        _, _, first, again = each.bill.requests
        over.append(first - allowed(each.news, settings, tariff.model))
        merges.append(again - first)
        least.append(each.compactions)
    return [
        _check(f"{tariff.name}: summaries beyond invariant 9, worst", max(over), "<=", 0),
        _check(f"{tariff.name}: merges beyond summaries, worst", max(merges), "<=", 0),
        _check(f"{tariff.name}: compactions of a conversation, fewest", min(least), ">=", 1),
    ]


def _check(name: str, value: float, op: Op, bound: float) -> Check:
    return Check(name=name, value=value, op=op, bound=bound)


def _all(table: Table) -> list[Outcome]:
    return [each for outcomes in table.values() for each in outcomes]


def _sum(values: Iterable[int]) -> int:
    return sum(values)


def _largest(table: Table) -> int:
    return max(each.bill.largest for each in _all(table))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure what conversations cost")
    add_data_argument(parser)
    parser.add_argument("--prices", type=Path, default=PRICES, help="directory of price files")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    tariffs = [Tariff.read(path) for path in sorted(options.prices.glob("*.json"))]
    length = QUICK if options.quick else CHAIN
    conversations = chains(options.data, length=length, limit=1 if options.quick else None)
    table = measure(conversations, tariffs, processes=1 if options.quick else None)
    found = {"cost": rows(table, tariffs)}
    if not options.quick:
        longer = chains(options.data, length=LONG)
        basic = measure(longer, tariffs, only=(FULL, SLIDING, MEMORY), checked=False)
        found[f"{LONG} runs a conversation"] = rows(basic, tariffs)
    report = Report(
        benchmark="cost",
        settings={
            "corpus": CORPUS,
            "chain": length,
            "conversations": len(conversations),
            "longer chain": None if options.quick else LONG,
            "counter": warmup().name,
            "memory": asdict(Settings(budget=BUDGET)),
            "prices": {tariff.name: tariff.row() for tariff in tariffs},
        },
        rows=found,
        checks=checks(table, tariffs),
        figures=figures(table, tariffs),
        quick=options.quick,
        tables={
            heading: [{name: row[name] for name in SHOWN} for row in each]
            for heading, each in found.items()
        },
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
