"""Write docs/reference/effects.md: what callers see when an effect fails, measured by running it.

python -m scripts.effect_table            write the page
python -m scripts.effect_table --check    exit with 1 where the page is not what is measured
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from memory.stores import VolatileStore
from memory.testing.effect_faults import (
    FAULTS,
    OPERATIONS,
    Case,
    Operation,
    Outcome,
    Place,
    effect_faults,
    usual,
)

__all__ = ("PAGE", "main", "page")

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "effects.md"
INTRODUCTION: Final = """\
<!-- Written by scripts/effect_table.py; do not edit. -->
# Faults

What a caller sees when anything that an operation needs from outside fails.
Every operation of this library is a flow that asks for effects: to read or write a log, to ask for a summary, to send a request, to tell a hook.
For each effect, in the order in which the operation asks for them, the operation was run with one fault at that effect, and this page says what came of it.
No cell is written by hand: `scripts/effect_table.py` runs {cases:,} cases and writes the page, and a test fails when it is not current.

Of every case it is checked that what was sent keeps the [invariants](../explanation/invariants.md), that what is on record is what was there before or what a whole run leaves, that nothing acknowledged is missing, that the next call does not have to wait, and that the same operation once more does what it should.
`memory.testing.effect_faults` does the same with your store and your summariser.

The faults:

| fault | what happens at the effect |
| --- | --- |
| error | it raises what such an effect raises: `StoreError` for the store, `SummaryError` for the summariser, the client's error for a request |
| conflict | a write is refused because somebody else was first |
| foreign | it raises a `RuntimeError`; where a hook is told of an event, the hook does |
| lost | it is performed, and then the error is raised: the answer was lost on the way |
| cancelled before, after | the caller is interrupted, or its task is cancelled |
| crashed before, after | the process ends, and another one opens the store |

What came of it:

| word | meaning |
| --- | --- |
| as ever | the caller has the result, and all is on record |
| `SomeError` | the caller has this error |
| offline | the result is there; its notes were written without the summariser |
| `Failed` | the event `Failed` told of it |
| nothing, all | what is on record then |
| the compaction, all but the compaction | what is on record of a turn that was compacted |

A read has nothing to put on record, so nothing is said of that.
"""  # noqa: E501  # one sentence a line, as in all pages


def page(measured: Callable[[Operation], Sequence[Outcome]] | None = None) -> str:
    """Return the page.

    Args:
        measured: Returns the outcomes of an operation; None to measure them now.

    Raises:
        RuntimeError: One of the cases ends wrongly.
    """
    logging.disable(logging.CRITICAL)  # of hooks that fail, on purpose
    try:
        found = {each.name: (measured or _measured)(each) for each in OPERATIONS}
    finally:
        logging.disable(logging.NOTSET)
    for outcomes in found.values():
        _check(outcomes)
    cases = sum(map(len, found.values()))
    tables = [_table(operation, found[operation.name]) for operation in OPERATIONS]
    return "\n".join([INTRODUCTION.replace("{cases:,}", f"{cases:,}"), *tables])


def _measured(operation: Operation) -> Sequence[Outcome]:
    return list(effect_faults(operation, _place))


def _place() -> Place:
    store = VolatileStore()
    return lambda: usual(store)


def _check(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.wrong:
            msg = f"{outcome.operation}, {outcome.case}: {outcome.wrong}"
            raise RuntimeError(msg)


def _table(operation: Operation, outcomes: Sequence[Outcome]) -> str:
    """Return the table of one operation; neighbours that are the same stand in one row."""
    rows = [
        [_effect(case), *_cells(list(group))]
        for case, group in groupby(outcomes, key=lambda outcome: _where(outcome.case))
    ]
    used = [i for i in range(1, len(FAULTS) + 1) if any(row[i] for row in rows)]
    head = ["effect", *(FAULTS[i - 1] for i in used)]
    lines = [_line(head), _line(["---"] * len(head))]
    for cells, same in groupby(rows):
        lines.append(_line([_times(cells[0], len(list(same))), *(cells[i] for i in used)]))
    return "\n".join([f"## {operation.name}", "", *lines, ""])


def _where(case: Case) -> tuple[int, str]:
    return case.place, case.effect


def _effect(where: tuple[int, str]) -> str:
    return f"`{where[1]}`"


def _times(effect: str, times: int) -> str:
    return effect if times == 1 else f"{effect} × {times}"


def _cells(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what came of each fault at one effect, in their order; empty for none."""
    found = {outcome.case.fault: _cell(outcome) for outcome in outcomes}
    return [found.get(fault, "") for fault in FAULTS]


def _cell(outcome: Outcome) -> str:
    """Return what came of one case, in words."""
    record = outcome.record
    parts = [f"`{outcome.result}`"] if outcome.result not in {"", "result"} else []
    parts += ["offline"] if outcome.offline else []
    parts += ["`Failed`"] if outcome.told else []
    if outcome.result == "result" and record in {"", "all"}:
        return ", ".join(parts) or "as ever"
    parts += [record] if record else []
    return ", ".join(parts) or "-"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or say whether it is current."""
    parser = argparse.ArgumentParser(prog="scripts.effect_table", description="write the page")
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if not current")
    given = parser.parse_args(arguments)
    text = page()
    if given.check:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("current" if current else f"{PAGE.name} is not current: run scripts/effect_table.py")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
