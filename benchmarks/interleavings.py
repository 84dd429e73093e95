"""Whether anything is lost, broken or paid for twice when things are done at once, in any order.

    python -m benchmarks.interleavings --json

Every scenario of `memory.testing.interleavings` is run in every order in which the effects of its
flows can come, or, where those are too many, in all orders in which actors stop a few times though
they could go on. No thread runs and nothing sleeps, so the orders are counted, not hoped for.

The same scenarios are then run with something planted: a store that does not look at versions, one
that lets the last writer win, claims that are always granted. What is found there shows that
something can be found.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks._report import Check, Report, Row
from memory.events import Compacted
from memory.flights import Flight, Flights
from memory.records import Log, LogKey, Record
from memory.stores import VolatileStore
from memory.testing.interleavings import SCENARIOS, Scenario, Stage, usual

__all__ = ("PLANTED", "Planted", "main", "run")

KINDS: Final = {
    "acknowledged_messages_are_on_record": "messages lost",
    "exchanges_are_whole": "exchanges broken",
    "no_version_is_overwritten": "versions overwritten",
    "one_summary_is_paid": "summaries paid twice",
    "somebody_can_go_on": "waiting for each other",
}
"""What can be wrong, by the check that tells it; all else is counted as another violation."""
ELSE: Final = "other violations"
LEAST: Final = 500
"""Orders that have to be run in all."""
QUICK: Final = 1


class _Unversioned(VolatileStore):
    """A store that does not look at versions."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:  # noqa: ARG002
        return super().append(key, records, expected=self.load(key).version)


class _LastWins(VolatileStore):
    """A store in which the last of two writers overwrites what the first one wrote."""

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        log = self.load(key)
        if log.version > expected:
            self._logs[key] = Log(records=log.records[:expected], version=expected)
        return super().append(key, records, expected=expected)


class _Generous(Flights):
    """Claims that are always granted."""

    def claim(
        self, namespace: str, links: Sequence[bytes], loop: Any = None
    ) -> tuple[Flight, bool]:
        return Flight(namespace, links, loop), True


def _with_store(kind: type[VolatileStore]) -> Callable[[bool], Stage]:
    return lambda impatient: Stage(usual(kind()), impatient=impatient)


def _with_claims(impatient: bool) -> Stage:  # noqa: FBT001  # as `schedules` calls it
    manager = usual()
    manager.outside = replace(manager.outside, flights=_Generous())
    return Stage(manager, impatient=impatient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Something that is wrong on purpose.

    Attributes:
        name: What.
        scenario: The name of the scenario in which it shows.
        caught_by: The checks of which one has to find it.
        stage: Makes the stage.
    """

    name: str
    scenario: str
    caught_by: frozenset[str]
    stage: Callable[[bool], Stage]


PLANTED: Final = (
    Planted(
        name="store without a version check",
        scenario="two turns without patience",
        caught_by=frozenset({"acknowledged_messages_are_on_record"}),
        stage=_with_store(_Unversioned),
    ),
    Planted(
        name="store in which the last writer wins",
        scenario="two turns without patience",
        caught_by=frozenset({"no_version_is_overwritten"}),
        stage=_with_store(_LastWins),
    ),
    Planted(
        name="claims that are always granted",
        scenario="two identical fits",
        caught_by=frozenset({"one_summary_is_paid"}),
        stage=_with_claims,
    ),
)


def run(*, switches: int | None = None, scenarios: Iterable[Scenario] = SCENARIOS) -> Report:
    """Run all scenarios, and what is planted, in every order.

    Args:
        switches: How often an actor may stop; None for what each scenario says.
        scenarios: Which ones.
    """
    chosen = [_at_most(each, switches) for each in scenarios]
    rows = [_row(each, each.name) for each in chosen]
    by_name = {each.name: _at_most(each, 2) for each in SCENARIOS}
    planted = [_row(by_name[each.scenario], each.name, each) for each in PLANTED]
    return Report(
        benchmark="interleavings",
        settings={"scenarios": len(rows), "switches": switches},
        rows={"scenarios": rows, "planted": planted},
        checks=_checks(rows, planted),
    )


def _at_most(scenario: Scenario, switches: int | None) -> Scenario:
    return scenario if switches is None else replace(scenario, switches=switches)


def _row(scenario: Scenario, name: str, planted: Planted | None = None) -> Row:
    """Return how many orders there are, and in how many of them what is wrong."""
    wrong: Counter[str] = Counter()
    orders = conflicts = paid = 0
    for schedule in scenario.schedules(planted.stage if planted else None):
        orders += 1
        found = schedule.violations()
        wrong.update({KINDS.get(check, ELSE) for check in found})
        wrong["caught"] += bool(planted and planted.caught_by & found.keys())
        conflicts += schedule.stage.conflicts
        told = (event for event in schedule.stage.events if isinstance(event, Compacted))
        paid = max(paid, sum(event.paid for event in told))
    row: Row = {
        "scenario": name,
        "orders": orders,
        "switches": "any" if scenario.switches is None else scenario.switches,
        "one summary promised": scenario.pays_once,
        "most summaries paid": paid,
        "late writes": conflicts,
        **{kind: wrong[kind] for kind in (*KINDS.values(), ELSE)},
    }
    return row | ({"orders in which it is found": wrong["caught"]} if planted else {})


def _checks(rows: Sequence[Row], planted: Sequence[Row]) -> list[Check]:
    orders = sum(row["orders"] for row in rows)
    promised = [row["most summaries paid"] for row in rows if row["one summary promised"]]
    return [
        Check(name="orders run", value=orders, op=">=", bound=LEAST),
        *(
            Check(
                name=f"orders with {kind}", value=sum(row[kind] for row in rows), op="==", bound=0
            )
            for kind in (*KINDS.values(), ELSE)
        ),
        Check(
            name="most summaries paid where one is promised",
            value=max(promised, default=None),
            op="==",
            bound=1,
        ),
        *(
            Check(
                name=f"orders in which is found: {row['scenario']}",
                value=row["orders in which it is found"],
                op=">=",
                bound=1,
            )
            for row in planted
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its report."""
    parser = argparse.ArgumentParser(prog="benchmarks.interleavings", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--quick", action="store_true", help="few switches only, to try it out")
    given = parser.parse_args(arguments)
    return run(switches=QUICK if given.quick else None).finish(as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
