"""What conversations outlast: programs killed at any moment, a database restarted, a crowd.

    python -m benchmarks.endurance --json

Everything is real: processes talk through wrapped clients of the SDK, over HTTP, to a model that
answers by rule, and keep their conversation in a store.

*Kills*: a program has turns of a conversation, some with tools, some streamed, and of another one
without a name, under a budget so small that summaries are frequent, inline or in the background.
It is killed by `SIGKILL` while it starts, at any moment, just after the model has written a reply
or just after it has written a summary; others die amid a write to the file of SQLite. Then the
store is opened anew: what the program had acknowledged has to be there in order, and everything on
record has to be whole. The next program goes on from that.

*Restarts*: a database of our own is stopped as by a crash and started again under two programs.

*Crowds*: many processes have turns of one conversation at once; those of the volatile store are
threads. Everything said has to be on record once, in an order that every process reads, with no
foreign message amid an exchange, and every compaction has to be paid for once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Final

from benchmarks._endurance_crowd import Crowd, meet
from benchmarks._endurance_kills import WRITES, Killing
from benchmarks._endurance_nursery import Nursery
from benchmarks._endurance_office import Office
from benchmarks._endurance_places import PLACES, Place
from benchmarks._endurance_postgres import server
from benchmarks._endurance_restarts import restarted
from benchmarks._report import Check, Op, Report, Row
from benchmarks._stores_places import POSTGRES, REDIS, unreachable
from memory.testing import serve

__all__ = ("FULL", "QUICK", "Endurance", "Setup", "checks", "main")

SERVERS: Final = {"postgres": POSTGRES, "redis": REDIS}
TORN: Final = "sqlite, amid writes"
LEASE: Final = 15.0
"""Seconds for which a lease outlives a process that nobody knows to be dead."""
Bound = tuple[str, Op, float]
KILLED: Final[tuple[Bound, ...]] = (
    ("lost", "==", 0),
    ("displaced", "==", 0),
    ("wrong", "==", 0),
    ("killed before the append", ">=", 1),
    ("killed in a compaction", ">=", 1),
    ("first reply longest s", "<", LEASE),
)
TORN_OFF: Final[tuple[Bound, ...]] = (
    ("lost", "==", 0),
    ("displaced", "==", 0),
    ("wrong", "==", 0),
    ("killed amid a commit", ">=", 1),
)
RESTARTED: Final[tuple[Bound, ...]] = (
    ("lost", "==", 0),
    ("displaced", "==", 0),
    ("wrong", "==", 0),
    ("acknowledged", ">=", 1),
    ("on record again longest s", "<", 60.0),
)
CROWDED: Final[tuple[Bound, ...]] = (
    ("lost", "==", 0),
    ("unasked", "==", 0),
    ("displaced", "==", 0),
    ("orders", "==", 1),
    ("wrong", "==", 0),
    ("over budget", "==", 0),
    ("compactions", ">=", 1),
    ("summaries beside compactions", "==", 0),
)
"""What has to hold of each row: a column, and how it compares with what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How much is done.

    Attributes:
        kills: How many programs are killed, by kind of store.
        writes: How many more die amid a write to a SQLite file.
        restarts: How often the database is restarted.
        processes: How many processes make a crowd.
        turns: How many turns each of them has.
    """

    kills: Mapping[str, int]
    writes: int
    restarts: int
    processes: int
    turns: int


FULL: Final = Setup(
    kills={"sqlite": 300, "postgres": 100}, writes=60, restarts=10, processes=8, turns=250
)
QUICK: Final = Setup(
    kills={"sqlite": 12, "postgres": 8}, writes=3, restarts=1, processes=3, turns=12
)


@dataclass(slots=True)
class Endurance:
    """One run.

    Attributes:
        setup: How much is done.
        stores: With which kinds of store.
        seed: Decides when programs are killed.
        rows: The figures so far.
        wrong: What was wrong, with where.
    """

    setup: Setup
    stores: Sequence[str]
    seed: int = 0
    rows: dict[str, list[Row]] = field(default_factory=dict)
    wrong: list[Row] = field(default_factory=list)

    def run(self) -> None:
        """Do everything."""
        office, nursery = Office(summary=0.005), Nursery()
        with serve(office.fake) as address, nursery:
            self._kill(office, address, nursery)
            self._restart(address, nursery)
            self._meet(office, address, nursery)
        complaints = nursery.complaints.splitlines()
        self.rows["programs"] = [{"store": "any", "complaints": len(complaints)}]
        self.wrong += [{"where": "programs", "what": line} for line in complaints]

    def _kill(self, office: Office, address: str, nursery: Nursery) -> None:
        for kind, cycles in self.setup.kills.items():
            if kind in self.stores and self._reached(kind):
                killing = Killing(nursery, office, address, _place(kind), seed=self.seed)
                self._note("kills", kind, killing.run(cycles).row(kind))
        if "sqlite" in self.stores:
            killing = Killing(nursery, office, address, _place("sqlite"), aims=WRITES)
            self._note("kills", TORN, killing.run(self.setup.writes).row(TORN))

    def _restart(self, address: str, nursery: Nursery) -> None:
        if "postgres" not in self.stores or not self.setup.restarts:
            return
        with ExitStack() as stack:
            try:
                database = stack.enter_context(server())
            except FileNotFoundError as error:
                self.wrong.append({"where": "restarts", "what": str(error)})
                return
            row = restarted(self.setup.restarts, nursery, address, database, seed=self.seed)
            self._note("restarts", "postgres", row)

    def _meet(self, office: Office, address: str, nursery: Nursery) -> None:
        crowd = Crowd(processes=self.setup.processes, turns=self.setup.turns, patience=1_800)
        for kind in self.stores:
            if self._reached(kind):
                with _place(kind)() as place:
                    self._note("crowds", kind, meet(crowd, nursery, office, address, place))

    def _reached(self, kind: str) -> bool:
        reason = unreachable(kind)
        if reason is not None:
            self.wrong.append({"where": kind, "what": reason})
        return reason is None

    def _note(self, heading: str, kind: str, row: Row) -> None:
        """Keep a row, and what was wrong apart from it."""
        texts = row["wrong"]
        self.wrong += [{"where": f"{heading}, {kind}", "what": text} for text in texts]
        self.rows.setdefault(heading, []).append({**row, "wrong": len(texts)})
        print(f"{heading}, {kind}: done", file=sys.stderr)


def _place(kind: str) -> Callable[[], AbstractContextManager[Place]]:
    name, default = SERVERS.get(kind, ("", ""))
    return partial(PLACES[kind], os.environ.get(name) or default)


def checks(setup: Setup, stores: Sequence[str], rows: Mapping[str, Sequence[Row]]) -> list[Check]:
    """Return what has to hold, of everything that was to be done."""
    killed = [kind for kind in setup.kills if kind in stores]
    restarts = ["postgres"] if "postgres" in stores and setup.restarts else []
    cycles = [
        Check(
            name=f"kills, {kind}: cycles",
            value=_row(rows.get("kills", ()), kind).get("cycles"),
            op="==",
            bound=setup.kills[kind],
        )
        for kind in killed
    ]
    return [
        *cycles,
        *_bounded("kills", killed, rows, KILLED),
        *_bounded("kills", [TORN] if "sqlite" in stores else [], rows, TORN_OFF),
        *_bounded("restarts", restarts, rows, RESTARTED),
        *_bounded("crowds", stores, rows, CROWDED),
        *_bounded("programs", ["any"], rows, [("complaints", "==", 0)]),
    ]


def _bounded(
    heading: str, kinds: Iterable[str], rows: Mapping[str, Sequence[Row]], bounds: Sequence[Bound]
) -> list[Check]:
    return [
        Check(
            name=f"{heading}, {kind}: {column}",
            value=_row(rows.get(heading, ()), kind).get(column),
            op=op,
            bound=bound,
        )
        for kind in kinds
        for column, op, bound in bounds
    ]


def _row(rows: Iterable[Row], kind: str) -> Row:
    return next((row for row in rows if row["store"] == kind), {})


def shown(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Return rows as people read them: the figures below each other, stores side by side."""
    tables = {}
    for heading, found in rows.items():
        names = dict.fromkeys(name for row in found for name in row if name != "store")
        if heading == "wrong":
            tables[heading] = [*found]
            continue
        tables[heading] = [
            {"figure": name, **{row["store"]: row.get(name) for row in found}} for name in names
        ]
    return tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="see what conversations outlast")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--seed", type=int, default=0, help="decides when programs are killed")
    parser.add_argument("--stores", nargs="+", choices=PLACES, default=[*PLACES], metavar="STORE")
    options = parser.parse_args(arguments)
    setup = QUICK if options.quick else FULL
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the server writes to dead clients
    endurance = Endurance(setup, options.stores, options.seed)
    endurance.run()
    rows = {**endurance.rows, "wrong": endurance.wrong}
    report = Report(
        benchmark="endurance",
        settings={**asdict(setup), "stores": options.stores, "seed": options.seed},
        rows=rows,
        tables=shown(rows),
        checks=checks(setup, options.stores, endurance.rows),
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
