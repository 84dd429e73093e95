"""What a memory adds to a call, beside what the call costs without one.

    python -m benchmarks.overhead --json

The hook is everything that `wrap()` adds: from the call of `request()` to where the SDK's own takes
over, and from where that returns to where the caller has the response. It is divided by the time
of the same `create()` on the client that was wrapped. Both talk to a transport in this process that
answers at once, so nothing waits, and what is measured is the processor time of the thread: what
else the machine does stays out. Calls with and without a memory alternate, and every call ends in
messages that no call had before; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import thread_time
from typing import Any, Final, TypeVar
from unittest.mock import patch

from openai import OpenAI

from benchmarks._report import Check, Report, Row
from benchmarks._synthetic import TOOLS, Message, Writer
from benchmarks._trial import HTTP
from memory import models
from memory.client import wrap
from memory.events import Counted, Event
from memory.hooks import LogHook
from memory.meter import Meter
from memory.tokens import Counter
from memory.vocabulary import warmup

__all__ = ("main", "measure")

C = TypeVar("C", bound=OpenAI)

MODEL: Final = "kimi-k2.6"
WINDOW: Final = 1_000_000_000
"""Tokens. Ten thousand messages exceed the window of every model there is; here they must not."""
ROUNDS: Final = {10: 100, 100: 50, 1_000: 15, 10_000: 5}
"""How many calls of each kind are made for a history of so many messages."""
QUICK: Final = {10: 3, 20: 3}
SAME: Final = "same list"
LISTS: Final = (SAME, "parsed anew")
BARE: Final = "no memory"
RATIO: Final = 0.02
"""Share of a bare call that the hook may cost, where histories are long."""
LONG: Final = 1_000
"""Messages from which a history is long."""
GROWTH: Final = 1.5
"""How much faster than the history the time of the hook may grow."""
IMPORTS: Final = 15

SUMMARY: Final = (
    "The user plans a release, asked for two refunds and prefers short answers in English. "
    "Invoice 4711 is open, the flight is booked, the hotel is not."
)


class Instant:
    """A server that answers every request at once with the same reply.

    Attributes:
        prompt_tokens: What it says that the next prompt counts.
    """

    def __init__(self, counter: Counter) -> None:
        # Its own meter and copies of the messages: neither a cache nor the hash that a string
        # remembers may be warm because the server has counted.
        self._meter = Meter(counter)
        self._completion = round(self._meter.text(SUMMARY)) + 1
        self.prompt_tokens = 0

    def count(self, messages: Sequence[Any]) -> int:
        """Return what a prompt counts."""
        return self._meter.count(json.loads(json.dumps(messages)), tools=TOOLS).total

    def client(self, kind: type[C]) -> C:
        """Return a client of this server."""
        transport = HTTP.MockTransport(self._answer)
        return kind(
            api_key="sk-test",
            base_url="http://instant/v1",
            http_client=HTTP.Client(transport=transport),
        )

    def _answer(self, _request: Any) -> Any:
        usage = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self._completion,
            "total_tokens": self.prompt_tokens + self._completion,
        }
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": SUMMARY},
            "finish_reason": "stop",
        }
        whole = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [choice],
            "usage": usage,
        }
        return HTTP.Response(200, json=whole)


@dataclass(slots=True)
class Stamps:
    """When control reached the SDK and when it left it, and how many messages it was given."""

    server: Instant
    reached: float = 0.0
    left: float = 0.0
    sent: int = 0


class Stamped(OpenAI):
    """A client that notes in `stamps` when the SDK's own `request()` begins and ends."""

    stamps: Stamps

    def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a request, as `OpenAI` does."""
        self.stamps.reached = thread_time()
        messages = options.json_data["messages"]
        self.stamps.sent = len(messages)
        self.stamps.server.prompt_tokens = self.stamps.server.count(messages)
        response: Any = super().request(cast_to, options, *args, **kwargs)
        self.stamps.left = thread_time()
        return response


class Probe:
    """A wrapped client whose hook is timed."""

    def __init__(self, server: Instant, *, budget: int) -> None:
        self._stamps = Stamps(server)
        self._seen: list[Event] = []
        self._entered = self._finished = 0.0
        # A class of its own, so that `wrap` makes one of its own too, whose method can be timed.
        stamped: Stamped = server.client(type("OpenAI", (Stamped,), {}))
        stamped.stamps = self._stamps
        # The default hook, and one to see which way a call went.
        self._client = wrap(stamped, budget=budget, hooks=(LogHook(), self._seen.append))
        self._time(type(self._client))

    def _time(self, wrapped: Any) -> None:
        request = wrapped.request

        def timed(*args: Any, **kwargs: Any) -> Any:
            self._entered = thread_time()
            response = request(*args, **kwargs)
            self._finished = thread_time()
            return response

        wrapped.request = timed

    def hook(self, messages: Sequence[Message]) -> float:
        """Make a call and return the seconds that the hook took."""
        self._seen.clear()
        create(self._client, messages)
        return self._stamps.reached - self._entered + self._finished - self._stamps.left

    def way(self, messages: Sequence[Message]) -> tuple[bool, tuple[type[Event], ...]]:
        """Return whether the last call was sent with fewer messages, and its events."""
        return self._stamps.sent < len(messages), tuple(map(type, self._seen))


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a call finds.

    Attributes:
        name: What it is called.
        budget: The budget as a multiple of what the whole prompt counts.
        way: What `Probe.way` has to say, or something else was measured.
    """

    name: str
    budget: float
    way: tuple[bool, tuple[type[Event], ...]]


SITUATIONS: Final = (
    Situation(name="fits by its bytes", budget=100.0, way=(False, ())),
    Situation(name="fits when counted", budget=1.25, way=(False, (Counted,))),
    Situation(name="over, summary known", budget=0.6, way=(True, (Counted,))),
)


def create(client: Any, messages: Sequence[Message]) -> None:
    """Make the call that is measured."""
    client.chat.completions.create(messages=messages, model=MODEL, tools=TOOLS)


def bare(client: OpenAI, messages: Sequence[Message]) -> float:
    """Make a call without a memory and return the seconds that it took."""
    start = thread_time()
    create(client, messages)
    return thread_time() - start


@dataclass(slots=True)
class Bench:
    """Histories of one length, and what calls with them took.

    Attributes:
        length: Messages, about.
        server: What answers.
        seconds: Of the calls in each situation, or without a memory, and with each kind of list.
    """

    length: int
    server: Instant
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    """Seconds of the very first call in a situation, when nothing was counted before."""
    size: float = 0.0
    """Bytes of a message as JSON, on average."""

    def run(self, rounds: int) -> None:
        """Make so many rounds of calls."""
        writer = Writer(f"history of {self.length}")
        history = writer.history(self.length)
        tokens = self.server.count([*history, *writer.turn()])
        client = self.server.client(OpenAI)
        probes = {each: Probe(self.server, budget=int(tokens * each.budget)) for each in SITUATIONS}
        for situation, probe in probes.items():
            self.first[situation.name] = probe.hook(history)
        self.size = len(json.dumps(history, ensure_ascii=False).encode()) / len(history)
        grown = list(history)
        for _ in range(rounds):
            for kind in LISTS:
                self._note(BARE, kind, bare(client, turned(grown, len(history), writer, kind)))
                for situation, probe in probes.items():
                    messages = turned(grown, len(history), writer, kind)
                    self._note(situation.name, kind, probe.hook(messages))
                    if (way := probe.way(messages)) != situation.way:
                        message = f"{situation.name}: the call went another way, {way}"
                        raise RuntimeError(message)

    def _note(self, situation: str, kind: str, seconds: float) -> None:
        self.seconds.setdefault((situation, kind), []).append(seconds)

    def rows(self) -> list[Row]:
        """Return one row for each situation and kind of list; times in milliseconds."""
        return [self._row(each.name, kind) for each in SITUATIONS for kind in LISTS]

    def _row(self, situation: str, kind: str) -> Row:
        hook, call = (median(self.seconds[name, kind]) for name in (situation, BARE))
        return {
            "messages": self.length,
            "situation": situation,
            "list": kind,
            "calls": len(self.seconds[situation, kind]),
            "bare ms": call * 1e3,
            "hook ms": hook * 1e3,
            "ratio": hook / call,
            "first hook ms": self.first[situation] * 1e3,
            "bytes": round(self.size),
        }


def turned(grown: list[Message], length: int, writer: Writer, kind: str) -> list[Message]:
    """Replace what follows the history in `grown` by a turn that nothing has seen before.

    Returns:
        `grown` itself, or a list with the same messages and no string in common.
    """
    grown[length:] = writer.turn()
    messages: list[Message] = grown if kind == SAME else json.loads(json.dumps(grown))
    return messages


def measure(rounds: Mapping[int, int]) -> list[Row]:
    """Return the rows for each length of history, measured in so many rounds."""
    counter = warmup()
    rows = []
    with patch.object(models, "window", lambda _model: WINDOW):
        for length, times in rounds.items():
            bench = Bench(length, Instant(counter))
            bench.run(times)
            rows += bench.rows()
    return rows


def checks(rows: Sequence[Row]) -> list[Check]:
    """Return what has to hold in each situation, for the worse of the two kinds of list."""
    lengths = sorted({row["messages"] for row in rows})
    long = [length for length in lengths if length >= LONG] or lengths[-2:]
    found = []
    for situation in SITUATIONS:
        of = {
            (row["messages"], row["list"]): row
            for row in rows
            if row["situation"] == situation.name
        }
        found += [
            Check(
                name=f"{situation.name}, {length:,} messages: hook / bare call",
                value=max(of[length, kind]["ratio"] for kind in LISTS),
                op="<=",
                bound=RATIO,
            )
            for length in long
        ]
        found.append(
            Check(
                name=f"{situation.name}: hook at {long[-1]:,} / hook at {long[0]:,} messages",
                value=max(
                    of[long[-1], kind]["hook ms"] / of[long[0], kind]["hook ms"] for kind in LISTS
                ),
                op="<=",
                bound=GROWTH * long[-1] / long[0],
            )
        )
    return found


def seconds_to_import(module: str) -> float:
    """Return the seconds that importing a module takes in a fresh interpreter."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    made = subprocess.run(  # noqa: S603  # this interpreter, and a text of our own
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return float(made.stdout)


def imports(times: int) -> Row:
    """Return the median milliseconds that `memory` and `asyncio` take to import, in turns."""
    taken: dict[str, list[float]] = {"memory": [], "asyncio": []}
    for _ in range(times):
        for module, seconds in taken.items():
            seconds.append(seconds_to_import(module))
    ours, theirs = (median(seconds) * 1e3 for seconds in taken.values())
    return {"runs": times, "memory ms": ours, "asyncio ms": theirs, "ratio": ours / theirs}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure what a memory adds to a call")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    options = parser.parse_args(arguments)
    rounds = QUICK if options.quick else ROUNDS
    rows = measure(rounds)
    started = imports(3 if options.quick else IMPORTS)
    importing = Check(
        name="import memory / import asyncio", value=started["ratio"], op="<=", bound=1.0
    )
    report = Report(
        benchmark="overhead",
        settings={"counter": warmup().name, "rounds": rounds, "model": MODEL},
        rows={"calls": rows, "imports": [started]},
        checks=[*checks(rows), importing],
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
