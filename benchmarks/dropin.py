"""Whether a wrapped client is a drop-in: every call style of the SDK, of both colours.

    python -m benchmarks.dropin --json

Each style makes one call to a fake server, with a conversation of twice the budget: once with the
SDK's client alone, once with the client that `wrap()` made of it, and once with a proxy as most
published wrappers are. A style holds if the request that arrived was compacted, and what the
caller got is what the SDK alone gives: the same types exactly, the same attributes, the same
contents, streams read to their end. What fails with the SDK alone is left out and listed.

The table is made with the installed SDK, and in an environment of its own with the oldest one that
the project allows, which takes `uv`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, NamedTuple

import openai

from benchmarks._call_styles import CALL_STYLES
from benchmarks._client_styles import CLIENT_STYLES
from benchmarks._proxy import Proxy
from benchmarks._report import Check, Report, Row
from benchmarks._trial import BUDGET, REPLY, Memory, Message, Style, Trial, finished, shapes
from memory import wrap
from memory.testing import FakeKimi, Served

__all__ = ("main", "measure")

ROOT: Final = Path(__file__).parents[1]
STYLES: Final = (*CALL_STYLES, *CLIENT_STYLES)
Colour = Literal["sync", "async"]
COLOURS: Final[tuple[Colour, ...]] = ("sync", "async")
LEGS: Final = ("oldest", "installed")
WRAPPED: Final = "wrapped"
PROXY: Final = "proxy"
NOTES: Final = "<conversation-notes>"


def bare(client: Any, *, inplace: bool = False) -> Any:
    """Leave a client as the SDK made it."""
    del inplace
    return client


def wrapped(client: Any, *, inplace: bool = False) -> Any:
    """Wrap a client."""
    return wrap(client, budget=BUDGET, hooks=(), inplace=inplace)


def proxied(client: Any, *, inplace: bool = False) -> Any:
    """Put a proxy around a client; it cannot be put into it."""
    del inplace
    return Proxy.around(client, budget=BUDGET)


CONTESTANTS: Final[dict[str, Memory]] = {WRAPPED: wrapped, PROXY: proxied}


class Outcome(NamedTuple):
    """What came of one call."""

    things: list[Any]
    """What the caller got, as `shapes` tells it; nothing if it was an error."""
    error: Exception | None
    compacted: bool
    prompt_tokens: int | None


def outcome(style: Style, colour: Colour, memory: Memory) -> Outcome:
    """Make the call of a style with a client that something was put around."""
    fake = FakeKimi(reply=lambda _: REPLY, **style.server)
    trial = Trial(asynchronous=colour == "async", memory=memory, fake=fake)
    things, error = list[Any](), None
    try:
        played = style.play(trial)
        things = asyncio.run(played) if trial.asynchronous else finished(played)
    except Exception as raised:  # noqa: BLE001  # which one is what is measured
        error = raised
    turns = [each for each in fake.requests if each.kind == "chat"]
    return Outcome(
        things=shapes(things),
        error=error,
        compacted=bool(turns) and all(is_compacted(each, trial.messages) for each in turns),
        prompt_tokens=turns[-1].prompt_tokens if turns else None,
    )


def is_compacted(turn: Served, given: Sequence[Message]) -> bool:
    """Tell whether what arrived is the head, one synthetic message and the end of what was given.

    And within the budget, by the server's count.
    """
    head, *rest = turn.body["messages"]
    tail = rest[1:]
    return (
        turn.status == 200
        and turn.prompt_tokens <= BUDGET
        and head == given[0]
        and len(tail) < len(given) - 1
        and NOTES in str(rest[0]["content"])
        and tail == list(given[len(given) - len(tail) :])
    )


def measure(styles: Sequence[Style] = STYLES) -> list[Row]:
    """Return one row for each style and colour, with the installed SDK."""
    return [_row(style, colour) for style in styles for colour in COLOURS]


def _row(style: Style, colour: Colour) -> Row:
    alone = outcome(style, colour, bare)
    row: Row = {"openai": openai.__version__, "style": style.name, "colour": colour}
    if alone.error is not None:
        return row | {"left out": _reason(style, colour, alone.error)}
    if alone.compacted or (alone.prompt_tokens or 0) <= BUDGET:
        message = f"{style.name}: the conversation is no longer than the budget"
        raise RuntimeError(message)
    for name, memory in CONTESTANTS.items():
        made = outcome(style, colour, memory)
        row |= {
            f"{name}: compacted": made.compacted,
            f"{name}: as the SDK's": made.error is None and made.things == alone.things,
            f"{name}: error": None if made.error is None else type(made.error).__name__,
        }
    return row


def _reason(style: Style, colour: Colour, error: Exception) -> str:
    """Return why a style is left out.

    Raises:
        Exception: The error itself, where nobody expects the SDK alone to fail.
    """
    if colour not in style.lacking:
        raise error
    return style.lacking[colour]


def oldest() -> str:
    """Return the oldest version of the SDK that the project allows."""
    found = [re.match(r"openai>=([\d.]+)", each) for each in requires("kimi-memory") or ()]
    return next(match[1] for match in found if match)


def measure_oldest() -> list[Row]:
    """Return the rows made in an environment with the oldest SDK; none where there can be none."""
    uv = shutil.which("uv")
    if uv is None:
        print("the oldest SDK takes uv, which is not installed", file=sys.stderr)
        return []
    apart = ["--isolated", "--no-project", "--python", sys.executable]
    package = ["--with", f"openai=={oldest()}", "--with-editable", f"{ROOT}[exact]"]
    module = ["python", "-m", "benchmarks.dropin", "--leg-only", "--json"]
    with TemporaryDirectory() as elsewhere:  # where the constraints of the project do not hold
        done = subprocess.run(  # noqa: S603  # uv, and arguments of our own
            [uv, "run", "--quiet", *apart, *package, *module],
            cwd=elsewhere,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    sys.stderr.write(done.stderr)
    if not done.stdout.startswith("{"):
        return []
    rows: list[Row] = json.loads(done.stdout)["rows"]["styles"]
    return rows


def totals(rows: Sequence[Row], leg: str) -> Row:
    """Return how many styles of a leg held, of both colours together."""
    tried = [row for row in rows if "left out" not in row]
    return {
        "leg": leg,
        "openai": rows[0]["openai"] if rows else None,
        "styles": len({row["style"] for row in rows}),
        "calls": len(tried),
        "left out": len(rows) - len(tried),
        **{name: sum(held(row, name) for row in tried) for name in CONTESTANTS},
        f"{PROXY} compacted": sum(row[f"{PROXY}: compacted"] for row in tried),
    }


def held(row: Row, name: str) -> bool:
    """Tell whether a contestant compacted and gave its caller what the SDK gives."""
    return bool(row[f"{name}: compacted"] and row[f"{name}: as the SDK's"])


def checks(totals: Row) -> list[Check]:
    """Return what has to hold of one leg."""
    sdk = f"{totals['leg']} openai"
    what = "calls compacted, with the SDK's own result"
    ours, proxy = (totals[name] if totals["calls"] else None for name in (WRAPPED, PROXY))
    expected = len(STYLES) * len(COLOURS) - totals["left out"]
    return [
        Check(name=f"{sdk}, wrapped client: {what}", value=ours, op="==", bound=expected),
        Check(name=f"{sdk}, proxy: {what}", value=proxy, op="<", bound=ours or 0),
    ]


def table(rows: Sequence[Row]) -> list[Row]:
    """Return the rows for people: one line a style."""
    lines: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row["openai"], row["style"])
        line = lines.setdefault(key, {"openai": key[0], "style": key[1]})
        for name in CONTESTANTS:
            line[f"{name}, {row['colour']}"] = _word(row, name)
    return list(lines.values())


def _word(row: Row, name: str) -> str | None:
    if "left out" in row:
        return None
    if held(row, name):
        return "yes"
    compacted = "compacted" if row[f"{name}: compacted"] else "NOT COMPACTED"
    return row[f"{name}: error"] or (
        compacted if row[f"{name}: as the SDK's"] else f"{compacted}, another result"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="call a wrapped client in every way there is")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--legs", choices=("both", *LEGS), default="both", help="which SDKs")
    parser.add_argument(
        "--leg-only", action="store_true", help="the installed SDK and nothing else, as a child"
    )
    options = parser.parse_args(arguments)
    chosen = LEGS if options.legs == "both" else (options.legs,)
    legs = ("installed",) if options.leg_only else chosen
    made = {leg: measure() if leg == "installed" else measure_oldest() for leg in legs}
    rows = [row for leg in made.values() for row in leg]
    summed = [totals(leg, name) for name, leg in made.items()]
    report = Report(
        benchmark="dropin",
        settings={"budget": BUDGET, "styles": len(STYLES), "colours": COLOURS},
        rows={
            "styles": rows,
            "left out": [row for row in rows if "left out" in row],
            "totals": summed,
        },
        checks=[check for each in summed for check in checks(each)],
        tables={
            "call styles": table(rows),
            "left out": [row for row in rows if "left out" in row],
            "totals": summed,
        },
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
