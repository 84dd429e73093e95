"""What a summariser that fails costs: turns, tokens, facts and requests.

    python -m benchmarks.faults --json

Each row is a conversation of 40 turns of about 280 tokens by the SDK's client, over HTTP on
loopback, with a budget of 3,000 tokens and the settings that the library comes with (shorter
deadlines and pauses where waiting shows nothing; the settings of each row are reported). In every
turn the user says one thing of themselves, amid other talk and without any word that marks it. The
summariser of the healthy row writes down every such fact that it is shown, so what is lost is lost
by the memory; in the other rows something is wrong with it, with the store or with the turns.

Turns follow each other at once, so that a summariser which is left alone for a while is asked less
often than in a conversation of hours. The offline extractor, which stands in for a summariser that
is down, was tuned on conversations with seeds below 10,000, which are not drawn, but of the same
sentences.

A fact is in the view when its names, places, numbers and things all stand within 160 characters of
one message of the last request; it is in reach when they do there or in the originals behind the
notes. Beside the rows stand a floor, what a sliding window of the same budget has of the facts, and
a ceiling, all of them. The seed is drawn at random unless given, and reported.

    python -m benchmarks.faults --peers --json

adds the rows that make sense for every library, for this one and for others in environments of
their own, in the same run: the same conversations, the same budget, the same faults of a summariser
that is asked over HTTP, and the same figures. What passing a row means is stated in the settings of
the report and holds for everybody; of others a row that is not passed is told and fails nothing.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from benchmarks import _faults_peers as peers
from benchmarks._faults_cases import CASES, QUICK, Case
from benchmarks._faults_facts import BUDGET, floor
from benchmarks._faults_run import FACTS, MODEL, Run
from benchmarks._faults_shared import PASSING, QUICK_SHARED, SHARED, Shared, standings
from benchmarks._faults_talk import LANGUAGES, NEAR, Talk, talk
from benchmarks._report import Check, Figure, Op, Report, Row
from benchmarks.peers import COMPARED
from memory.testing.kimi_count import count_text
from memory.vocabulary import warmup

__all__ = ("checks", "main", "measure")

ALIVE: Final = 34
"""Facts that are still in the view where no summary was ever accepted."""
TUNED: Final = 10_000
"""Seeds below this one were looked at when the offline extractor was tuned."""
KNOCKS: Final = 8
"""Requests that a dead summariser may be sent."""
QUICK_TURNS: Final = 20
SHOWN: Final = {
    "row": "row",
    "language": "",
    "way": "way",
    "turns failed": "failed",
    "largest request": "largest",
    "over budget": "over",
    "in view": "view",
    "in reach": "reach",
    "requests to the summariser": "asked",
    "summaries accepted": "accepted",
    "seconds": "s",
}
"""The columns that people see, by their names in JSON."""
SHOWN_PEERS: Final = {
    "peer": "peer",
    "row": "row",
    "language": "",
    "passed": "passed",
    "turns failed": "failed",
    "largest request": "largest",
    "over budget": "over",
    "rejected": "rejected",
    "in view": "view",
    "in reach": "reach",
    "last user message missing": "missing",
    "orders sent": "orders",
    "requests to the summariser": "asked",
    "seconds": "s",
}
"""Those of the rows of all libraries."""


def measure(cases: Sequence[Case], seeds: Sequence[int], turns: int) -> list[Row]:
    """Return the rows of all cases, in both languages, for each seed."""
    return [
        Run(case, language, seed, way, turns).play()
        for case in cases
        for way in case.ways
        for language in LANGUAGES
        for seed in seeds
    ]


def references(seeds: Sequence[int], turns: int) -> list[Row]:
    """Return how many facts a sliding window has, and how many there are."""
    return [
        {
            "language": language,
            "seed": seed,
            "sliding window": floor(made),
            "all": len(made.facts),
            "tokens": _tokens(made),
        }
        for language in LANGUAGES
        for seed in seeds
        for made in (talk(language, seed, turns=turns),)
    ]


def checks(cases: Sequence[Case], rows: Sequence[Row]) -> list[Check]:
    """Return what has to hold: of each case the worst of its rows."""
    return [check for case in cases for check in _of_case(case, rows)]


def _of_case(case: Case, rows: Sequence[Row]) -> Iterator[Check]:
    mine = [row for row in rows if row["row"] == case.name]
    facts = min((row["facts"] for row in mine), default=0)
    least = max(0, facts - (FACTS - ALIVE))

    def worst(column: str, op: Op, bound: float, name: str = "") -> Check:
        values = [row[column] for row in mine]
        value = (min if op == ">=" else max)(values) if values else None
        return Check(name=f"{case.name}: {name or column}", value=value, op=op, bound=bound)

    yield worst("turns failed", "<=", 0)
    yield worst("over budget", "<=", case.budgets, "requests over the budget")
    yield worst("in reach", ">=", facts, "facts in the view or one expand() away")
    if case.refused:
        yield worst("refused by name", ">=", case.refused, "BudgetErrors that name the message")
    if case.name == "healthy":
        yield worst("in view", ">=", facts, "facts in the view")
    if case.sound:
        yield worst("extracted instead", "<=", 0, "summaries of a sound summariser not used")
    if case.hopeless:
        yield worst("in view", ">=", least, "facts in the view")
        yield worst("summaries accepted", "<=", 0)
        yield worst("requests to the summariser", "<=", KNOCKS)
        yield worst("orders sent", "<=", 0, "requests that pass an order on")
    if case.span:
        yield worst("while it was down", "<=", KNOCKS, "requests while it was down")
        yield worst("summaries accepted", ">=", 2)


def _tokens(made: Talk) -> int:
    return sum(count_text(message["content"]) for message in made.messages())


def _arguments(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(description="measure what failing summarisers cost")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--peers", action="store_true", help="other libraries too, by uv")
    parser.add_argument("--seed", type=int, help="the first seed; otherwise a random one")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how many seeds")
    parser.add_argument("--row", action="append", help="only rows whose name contains this")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the matrix; return 1 if a check does not hold."""
    options = _arguments(arguments)
    drawn = TUNED + secrets.randbelow(10**6)
    first = drawn if options.seed is None else options.seed
    seeds = range(first, first + options.seeds)
    turns = QUICK_TURNS if options.quick else FACTS
    wanted = options.row or (QUICK if options.quick else ("",))
    cases = [case for case in CASES if any(part in case.name for part in wanted)]
    chosen = options.row or (QUICK_SHARED if options.quick else ("",))
    shared = [row for row in SHARED if any(part in row.name for part in chosen)]
    counter = warmup().name
    rows, beside = measure(cases, seeds, turns), references(seeds, turns)
    others = peers.measure(shared, seeds, turns) if options.peers else []
    standing = standings(others)
    report = Report(
        benchmark="faults",
        settings={
            "seeds": list(seeds),
            "turns": turns,
            "budget": BUDGET,
            "model": MODEL,
            "counter": counter,
            "near": NEAR,
            "options": {case.name: dict(case.options) for case in cases if case.options},
            **(_compared(shared) if options.peers else {}),
        },
        rows={"faults": rows, "references": beside, "peers": others, "standings": standing},
        checks=[
            *checks(cases, rows),
            *(peers.checks(others, shared) if options.peers else ()),
        ],
        tables={
            "faults": [{new: row[old] for old, new in SHOWN.items()} for row in rows],
            "references": beside,
            "all libraries": [
                {new: row.get(old) for old, new in SHOWN_PEERS.items()} for row in others
            ],
            "rows passed": [
                {**each, "not passed": "; ".join(each["not passed"])} for each in standing
            ],
        },
        figures=[*_figures(rows, beside), *_rows_passed(standing)],
        seed=first,
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


def _compared(shared: Sequence[Shared]) -> Row:
    """Return what was set for the rows of all libraries."""
    return {
        "passing": PASSING,
        "ours": {row.name: dict(row.ours) for row in shared if row.ours},
        "peers": {name: COMPARED[name].matched for name in peers.CONTENDERS},
    }


def _figures(rows: Sequence[Row], beside: Sequence[Row]) -> Iterator[Figure]:
    """Yield the share of facts where the summariser is well and where it never is, at worst."""
    window = min(100 * each["sliding window"] / each["all"] for each in beside)
    for name, column in (("healthy", "in view"), ("500", "in view"), ("500", "in reach")):
        shares = [100 * row[column] / row["facts"] for row in rows if row["row"] == name]
        if shares:
            title = f"{name}: facts {column}"
            yield Figure(name=title, value=min(shares), unit="%", floor=window, ceiling=100)


def _rows_passed(standing: Sequence[Row]) -> Iterator[Figure]:
    """Yield the number of rows that each library passed, and that without one."""
    window = next((row["rows passed"] for row in standing if row["peer"] == peers.LATEST), None)
    for row in standing:
        if row["peer"] != peers.LATEST:
            name = f"{row['peer']}: rows passed"
            yield Figure(name=name, value=row["rows passed"], floor=window, ceiling=row["of"])


if __name__ == "__main__":
    sys.exit(main())
