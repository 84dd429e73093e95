"""The promises of this library, asked of three others by the same judge.

    python -m benchmarks.violations --json
    python -m benchmarks.violations --page

LangChain's `SummarizationMiddleware`, langmem's `summarize_messages` and litellm's `trim_messages`
are run as their documentation says, each in an environment of its own that uv makes, and so is
this library. All get the same conversations with the same limits, request by request, and ask the
same summariser, which behaves well or badly. What they send is judged by `memory.invariants`, and
for each promise that one breaks hypothesis looks for a small conversation that shows it.

`--page` writes docs/explanation/promises-elsewhere.md from the figures, or from those of an earlier
run with `--read FILE`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from benchmarks._report import Check, Report, Row
from benchmarks.peers import PEERS
from benchmarks.peers.environments import ROOT, python, reported
from benchmarks.peers.page import PAGE, page, table
from benchmarks.peers.summariser import WELL

__all__ = ("checks", "main", "measure", "report")

CONVERSATIONS: Final = 200
SEED: Final = 20_261_123
ROUNDS: Final = 60
OURS: Final = "memory"
REQUIREMENTS: Final = Path(__file__).parent / "peers" / "requirements"


def measure(name: str, *, number: int, chance: int, rounds: int) -> Row:
    """Run a peer in its own environment and return what it did; what it prints goes to stderr.

    Args:
        name: One of `PEERS`.
        number: How many conversations.
        chance: The seed.
        rounds: How many conversations are looked at to make an example small.
    """
    found, code = reported(
        python(REQUIREMENTS / f"{name}.txt"),
        *("-m", "benchmarks.peers.child", name),
        *("--conversations", str(number), "--seed", str(chance), "--rounds", str(rounds)),
    )
    return {"peer": name, **found, "exit code": code}


def checks(found: Sequence[Mapping[str, Any]], *, number: int = CONVERSATIONS) -> list[Check]:
    """Return what has to hold; what was not measured fails.

    What the others break has no bound: it is told, and each way has to have its example.

    Args:
        found: What `measure` returned for each peer.
        number: How many conversations there should be.
    """
    made: list[Check] = []
    for each in found:
        name, rows = each["peer"], each.get("rows", [])
        well: Mapping[str, Any] = next((r for r in rows if r["summariser"] == WELL), {})
        fewest, cut = well.get("conversations"), well.get("conversations cut")
        ways = {check for row in rows for check in row["checks"]}
        shown = {e["check"] for e in each.get("examples", ()) if e["sentence"]}
        made += [
            Check(name=f"{name}: conversations", value=fewest, op=">=", bound=number),
            Check(name=f"{name}: conversations cut", value=cut, op=">=", bound=1),
            Check(
                name=f"{name}: ways to break a promise without an example",
                value=len(ways - shown) if rows else None,
                op="==",
                bound=0,
            ),
        ]
        if name == OURS:
            broken = sum(sum(row["broken"].values()) for row in rows) if rows else None
            made.append(Check(name=f"{name}: promises broken", value=broken, op="==", bound=0))
    digests = {each.get("digest") for each in found}
    made.append(Check(name="sets of conversations", value=len(digests - {None}), op="==", bound=1))
    return made


def report(found: Sequence[Mapping[str, Any]], *, number: int, chance: int) -> Report:
    """Return the figures of all peers.

    Args:
        found: What `measure` returned for each.
        number: How many conversations were asked for.
        chance: The seed.
    """
    peers = [{k: v for k, v in each.items() if k not in {"rows", "examples"}} for each in found]
    promises = {each["peer"]: _broken(each) for each in found}
    return Report(
        benchmark="violations",
        settings={"conversations": number, "seed": chance},
        rows={
            "peers": [{**peer, "invariants broken": promises[peer["peer"]]} for peer in peers],
            "violations": [
                {"peer": each["peer"], **row} for each in found for row in each.get("rows", ())
            ],
            "examples": [example for each in found for example in each.get("examples", ())],
        },
        checks=checks(found, number=number),
        tables={"conversations in which a promise was broken": table(found)},
    )


def _broken(each: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the invariants that a peer breaks."""
    return sorted({int(number) for row in each.get("rows", ()) for number in row["broken"]})


def _measured(names: Sequence[str], **options: int) -> list[Row]:
    """Run peers side by side, as many at once as there are processors."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        waiting = [pool.submit(measure, each, **options) for each in names]
        return [each.result() for each in waiting]


def _read(files: Sequence[Path]) -> tuple[list[Row], int, int]:
    """Return what earlier runs measured, from their JSON, in the order of `PEERS`."""
    wholes = [json.loads(file.read_text(encoding="utf-8").splitlines()[-1]) for file in files]
    found = {}
    for rows in (whole["rows"] for whole in wholes):
        for peer in rows["peers"]:
            name = peer["peer"]
            found[name] = {
                **{key: value for key, value in peer.items() if key != "invariants broken"},
                "rows": [row for row in rows["violations"] if row["peer"] == name],
                "examples": [each for each in rows["examples"] if each["peer"] == name],
            }
    settings = wholes[-1]["settings"]
    ordered = [found[name] for name in PEERS if name in found]
    return ordered, settings["conversations"], settings["seed"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="ask other libraries what this one promises")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"{', '.join(PEERS)}; none: all")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="to make an example small")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument(
        "--read", type=Path, nargs="+", metavar="FILE", help="the JSON of earlier runs instead"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.peers) - set(PEERS):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    number, chance = options.conversations, options.seed
    if options.read:
        found, number, chance = _read(options.read)
    else:
        found = _measured(
            options.peers or list(PEERS), number=number, chance=chance, rounds=options.rounds
        )
    if options.page:
        PAGE.write_text(page(found, chance=chance), encoding="utf-8")
    return report(found, number=number, chance=chance).finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
