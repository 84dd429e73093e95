"""What conversations cost under other settings, and where the dollars go.

    python -m benchmarks._grid_cost --set target=0.35,0.5 --set notes=0.1,0.2

Every combination is run on each `--every`th conversation of `benchmarks.cost`, with kimi-k2.6.
Prices of models that always think are put on the same tokens and one thought for each request.
The breakdown is in dollars for one compaction: `break` is what turns right after a summary pay
beyond the price of cached tokens, the rest what summaries and merges read and write.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks._corpora import add_data_argument
from benchmarks._cost_runs import BUDGET, Job, Outcome, chains, run, together
from benchmarks._report import Row
from benchmarks.cost import FULL, PRICES, SLIDING
from memory import ConfigError, Settings
from memory.models import DEFAULT_MODEL, thinking
from memory.testing.kimi_count import count_text
from memory.testing.kimi_reply import REASONING
from memory.tuning.bills import Bill
from memory.tuning.prices import Tariff, Volume

__all__ = ("main",)

GRID: Final = ("target=0.3,0.35,0.4,0.45,0.5,0.55", "notes=0.1,0.15,0.2,0.25")
THOUGHT: Final = count_text(REASONING)


def combinations(given: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield every combination of values that the settings allow."""
    axes = [(name, values.split(",")) for name, _, values in (g.partition("=") for g in given)]
    for values in itertools.product(*(values for _, values in axes)):
        names = [name for name, _ in axes]
        point = dict(zip(names, map(_value, values), strict=True))
        try:
            Settings.resolve({"budget": BUDGET, **point})
        except ConfigError:
            continue
        yield point


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def thought(bill: Bill, tariff: Tariff) -> Bill:
    """Return a bill with the thoughts that a model writes which cannot do without."""
    if thinking(tariff.model) == "switchable":
        return bill
    counts = bill.requests
    return replace(
        bill,
        turns=_longer(bill.turns, counts.turns),
        breaks=_longer(bill.breaks, counts.breaks),
        summaries=_longer(bill.summaries, counts.summaries),
        merges=_longer(bill.merges, counts.merges),
    )


def _longer(volume: Volume, requests: int) -> Volume:
    return replace(volume, completion=volume.completion + requests * THOUGHT)


def line(
    point: Mapping[str, Any], outcome: Outcome, tariff: Tariff, full: float, window: float
) -> Row:
    """Return the figures of one combination at one price."""
    bill = thought(outcome.bill, tariff)
    dollars = tariff.dollars(bill.volume)
    return {
        **point,
        "full": dollars / full,
        "window": dollars / window,
        "cached": bill.cached_share,
        "shared": bill.shared_share,
        "compactions": outcome.compactions,
        "summaries": bill.requests.summaries,
        "merges": bill.requests.merges,
        "mean view": bill.turns.prompt / bill.requests.turns,
        **_breakdown(bill, tariff, outcome.compactions),
        "problems": len(outcome.problems),
    }


def _breakdown(bill: Bill, tariff: Tariff, compactions: int) -> Row:
    """Return thousandths of a dollar for one compaction, then for one turn."""
    prices, each = tariff.prices, max(1, compactions) * 1_000
    breaks = bill.breaks.prompt - bill.breaks.cached
    found = {"break": breaks * (prices.input - prices.cached) / each}
    for name, volume in (("sum", bill.summaries), ("merge", bill.merges)):
        found[f"{name} cached"] = volume.cached * prices.cached / each
        found[f"{name} new"] = (volume.prompt - volume.cached) * prices.input / each
        found[f"{name} out"] = volume.completion * prices.output / each
    turns, each = bill.turns, bill.requests.turns * 1_000
    found["turn cached"] = turns.cached * prices.cached / each
    found["turn new"] = (turns.prompt - turns.cached - breaks) * prices.input / each
    found["turn out"] = turns.completion * prices.output / each
    return found


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a table in plain text."""
    cells = [[_cell(value) for value in row.values()] for row in rows]
    columns = list(rows[0]) if rows else []
    widths = [max(map(len, each)) for each in zip(columns, *cells, strict=True)]
    print(f"\n{title}")
    for each in (columns, *cells):
        print("  ".join(text.rjust(width) for text, width in zip(each, widths, strict=True)))


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for each price file."""
    parser = argparse.ArgumentParser(description="measure what conversations cost by settings")
    add_data_argument(parser)
    parser.add_argument("--set", action="append", metavar="NAME=V,V", help="values to combine")
    parser.add_argument("--every", type=int, default=1, help="one conversation of so many")
    options = parser.parse_args(arguments)
    conversations = chains(options.data)[:: options.every]
    points = [*combinations(options.set or GRID)]
    base = Job(conversation={}, model=DEFAULT_MODEL, way=FULL, checked=False)
    kinds = [base, replace(base, way=SLIDING)]
    kinds += [replace(base, way="memory", options=point) for point in points]
    jobs = [replace(kind, conversation=each) for kind in kinds for each in conversations]
    found = iter(run(jobs))
    totals = [together(itertools.islice(found, len(conversations))) for _ in kinds]
    for tariff in (Tariff.read(path) for path in sorted(PRICES.glob("*.json"))):
        full, window = (tariff.dollars(thought(each.bill, tariff).volume) for each in totals[:2])
        rows = [
            line(point, outcome, tariff, full, window)
            for point, outcome in zip(points, totals[2:], strict=True)
        ]
        turns = totals[0].bill.requests.turns
        show(f"{tariff.name}, {len(conversations)} conversations, {turns} turns", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
