"""What a benchmark reports: figures, the rows behind them, checks, and where they were measured.

A check compares one figure with one bound and says so in full, so that a reader of the JSON can
do the comparison again. A figure that could not be measured is `None`, and its check fails.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, Literal

from benchmarks._report_environment import environment, revision
from memory.tuning.averages import percentile

__all__ = ("SCHEMA", "Check", "Figure", "Op", "Report", "Row", "percentile")

SCHEMA: Final = 1
"""The version of the JSON that every benchmark prints; `benchmarks._suite_schema` checks it."""

Row = dict[str, Any]
"""One line of a table: figures and words by column."""

Op = Literal["<", "<=", "==", ">="]
"""How a figure is compared with its bound."""

_COMPARE: Final[Mapping[Op, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the few figures that a benchmark is run for.

    Attributes:
        name: What was measured, unique in its benchmark; it is quoted by pages.
        value: The figure as measured, not rounded; None where there was nothing to measure.
        unit: In what: `%`, `ms`, `USD`, `tokens`, `x` for a ratio, empty for a count.
        low: Where the 95 % interval of the value begins; None where none was computed.
        high: Where it ends.
        floor: The same figure, from the same run, of the simplest thing to do instead.
        ceiling: The same figure, from the same run, of the best there can be.
    """

    name: str
    value: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    ceiling: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure and what it has to be.

    Attributes:
        name: What was measured, unit included.
        value: The figure as measured, not rounded; None where there was nothing to measure.
        op: How it is compared.
        bound: With what.
    """

    name: str
    value: float | None
    op: Op
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the figure is as it has to be; one that is missing or no number is not."""
        if self.value is None or not isfinite(self.value):
            return False
        return _COMPARE[self.op](self.value, self.bound)

    def row(self) -> Row:
        """Return the check as a JSON object."""
        return {
            "name": self.name,
            "value": self.value,
            "op": self.op,
            "bound": self.bound,
            "holds": self.holds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one run of a benchmark.

    Attributes:
        benchmark: Its name.
        settings: What was run: sizes, numbers of conversations, of repeats.
        rows: The figures by heading.
        checks: What has to hold.
        tables: What people see in place of `rows`; empty for `rows` themselves.
        figures: The few that it is run for; pages and plots quote them by name.
        seed: What chance was seeded with; None where nothing is drawn, or always the same.
        quick: Whether this was only to see that everything runs.
        environment: Where it ran, without names or paths of the machine.
        revision: The commit in git, and whether what was measured differs from it; None outside a
            checkout.
        date: When it ended, in UTC.
    """

    benchmark: str
    settings: Row
    rows: Mapping[str, Sequence[Row]]
    checks: Sequence[Check]
    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    seed: int | None = None
    quick: bool = False
    environment: Row = field(default_factory=environment)
    revision: Row | None = field(default_factory=revision)
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    @property
    def exit_code(self) -> int:
        """0 if every check holds, else 1."""
        return 0 if all(check.holds for check in self.checks) else 1

    def json(self) -> str:
        """Return the whole report as one line of JSON."""
        whole = {
            "schema": SCHEMA,
            "benchmark": self.benchmark,
            "date": self.date,
            "quick": self.quick,
            "seed": self.seed,
            "revision": self.revision,
            "environment": self.environment,
            "settings": self.settings,
            "figures": [asdict(figure) for figure in self.figures],
            "rows": self.rows,
            "checks": [check.row() for check in self.checks],
        }
        return json.dumps(whole, ensure_ascii=False, allow_nan=False)

    def show(self) -> None:
        """Print the tables for people, by rich where it is installed."""
        for heading, rows in (self.tables or self.rows).items():
            _show(heading, rows)
        _show("checks", [check.row() for check in self.checks])

    def finish(self, *, as_json: bool) -> int:
        """Print the report, as tables or as one line of JSON, and return the exit code."""
        if as_json:
            print(self.json())
        else:
            self.show()
        return self.exit_code


def _show(heading: str, rows: Sequence[Row]) -> None:
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [[_cell(row.get(column)) for column in columns] for row in rows]
    try:
        from rich import box  # noqa: PLC0415  # optional
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
    except ImportError:
        _plain(heading, columns, lines)
        return
    console = Console()
    console.width = max(console.width, 132)  # a pipe has no width, and 80 is too narrow
    table = Table(*columns, title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def _plain(heading: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, each)) for each in zip(columns, *lines, strict=True)]
    print(f"\n{heading}")
    for line in (columns, *lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
