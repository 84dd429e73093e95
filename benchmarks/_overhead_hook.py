"""The time that the hook of a wrapped client takes, beside that of the call it is put into."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from time import thread_time
from typing import Any, Final, TypeVar

from openai import OpenAI

from benchmarks._report import Row
from benchmarks._synthetic import TOOLS, Message, Writer
from benchmarks._trial import HTTP
from memory.client import wrap
from memory.events import Counted, Event
from memory.hooks import LogHook
from memory.meter import Meter
from memory.tokens import Counter

__all__ = (
    "LISTS",
    "MODEL",
    "SITUATIONS",
    "Bench",
    "Instant",
    "Probe",
    "Situation",
    "Stamped",
    "Stamps",
)

C = TypeVar("C", bound=OpenAI)

MODEL: Final = "kimi-k2.6"
SAME: Final = "same list"
LISTS: Final = (SAME, "parsed anew")
BARE: Final = "no memory"

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
