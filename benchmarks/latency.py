"""What a turn waits for a summary: written inline, or in the background.

    python -m benchmarks.latency --json

The same conversation is sent turn by turn with summaries inline and with summaries in the
background, by the synchronous and by the asynchronous client, to a server in this process that
takes a moment for a reply and ten times as long for a summary. The added wait of a turn is wall
time: that of the wrapped client's `request()` less that of the SDK's own, within it, for the same
turn. So what the SDK and the server need for the turn is left out, be the machine busy or not, and
everything that the memory does or waits for is in. What is left out is reported as `bare`: there
it would show if work in the background slowed the call itself down.

Then twenty identical calls over the budget are made at once, by threads and by tasks: the server
says how many summaries they asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from benchmarks._report import Check, Figure, Op, Report, Row, percentile
from benchmarks._synthetic import MEAN, Message, Writer
from benchmarks._timed import Clock, async_client, sync_client
from memory import AsyncMemoryManager, MemoryManager
from memory.events import Compacted, Event, Summarizing
from memory.testing import FakeKimi
from memory.vocabulary import warmup

__all__ = ("CALLERS", "COLOURS", "FULL", "MODES", "QUICK", "Setup", "Talk", "checks", "main")

Mode = Literal["inline", "background"]
Colour = Literal["sync", "async"]

MODEL: Final = "kimi-k2.6"
OFF: Final = {"thinking": {"type": "disabled"}}
MODES: Final[tuple[Mode, ...]] = ("inline", "background")
COLOURS: Final[tuple[Colour, ...]] = ("sync", "async")
CALLERS: Final = 20
SIZE: Final = 110.0
"""Bytes of a message: short ones, so that many turns lie between the mark and the limit."""
SHOWN: Final = (
    "client",
    "mode",
    "turns",
    "compactions",
    "fell back inline",
    "p50 ms",
    "p95 ms",
    "max ms",
    "bare p50 ms",
    "bare p95 ms",
)
"""The columns that people see; JSON has more."""
WAITED: Final = 0.5
"""Share of a summary's duration from which a turn counts as one that waited for it."""
ASIDE: Final = "kimi-memory"
"""The name of the threads and tasks in which summaries are written in the background."""
NO_WAIT: Final = 0.05
"""Share of a summary's duration that the added wait of a turn in the background stays below."""
WHOLE_WAIT: Final = 0.9
"""Share of a summary's duration that the longest added wait inline reaches, or nothing is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is sent, and how long the server takes.

    Attributes:
        budget: Tokens a prompt may have.
        history: Messages before the first turn.
        turns: How many turns follow.
        reply: Seconds the server takes for a reply.
        summary: Seconds it takes for a summary.
        think: Seconds between a reply and the next turn.
    """

    budget: int
    history: int
    turns: int
    reply: float
    summary: float
    think: float = 0.0


FULL: Final = Setup(budget=5_000, history=125, turns=80, reply=0.1, summary=1.0)
QUICK: Final = Setup(budget=3_000, history=75, turns=25, reply=0.01, summary=0.1)


@dataclass(slots=True)
class Talk:
    """A conversation in one mode, and what came of it.

    Attributes:
        setup: What is sent.
        colour: By which client.
        mode: When it is summarised.
        waits: The added wait of each turn in seconds.
        bare: What the SDK itself took for each, in seconds.
        compactions: How many summaries were put in place.
        asked: How many summaries turns asked for themselves.
        aside: How many were asked for beside the turns.
        fake: The server.
    """

    setup: Setup
    colour: Colour
    mode: Mode
    waits: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    compactions: int = 0
    asked: int = 0
    aside: int = 0
    fake: FakeKimi = field(init=False)
    _clock: Clock = field(default_factory=Clock)
    _answers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put up the server."""
        setup = self.setup
        self.fake = FakeKimi(
            reply=lambda body: self._answers[body["messages"][-1]["content"]],
            delay=lambda kind: setup.summary if kind == "summary" else setup.reply,
        )

    def play(self) -> None:
        """Have the conversation."""
        if self.colour == "sync":
            self._converse()
        else:
            asyncio.run(self._aconverse())

    def _converse(self) -> None:
        manager = MemoryManager(**self._options())
        client = sync_client(self.fake, manager, self._clock)
        messages, questions = self._script()
        for question in questions:
            messages.append(question)
            self._note(client.chat.completions.create(**given(messages)), messages)
            time.sleep(self.setup.think)
        manager.flush()

    async def _aconverse(self) -> None:
        manager = AsyncMemoryManager(**self._options())
        client = async_client(self.fake, manager, self._clock)
        messages, questions = self._script()
        for question in questions:
            messages.append(question)
            self._note(await client.chat.completions.create(**given(messages)), messages)
            await asyncio.sleep(self.setup.think)
        await manager.flush()

    def _options(self) -> dict[str, Any]:
        return {"budget": self.setup.budget, "compaction": self.mode, "hooks": (self._hear,)}

    def _script(self) -> tuple[list[Message], list[Message]]:
        """Return the history and the questions; the server learns what to say to each."""
        writer = Writer("latency")
        history: list[Message] = [{"role": "system", "content": writer.text(SIZE)}]
        for place in range(self.setup.history):
            role = "assistant" if place % 2 else "user"
            history.append({"role": role, "content": f"{place}: {writer.text(SIZE)}"})
        texts = [f"Turn {turn}: {writer.text(SIZE)}" for turn in range(self.setup.turns)]
        self._answers = {text: writer.text(SIZE) for text in texts}
        return history, [{"role": "user", "content": text} for text in texts]

    def _note(self, reply: Any, messages: list[Message]) -> None:
        self.waits.append(self._clock.total - self._clock.bare)
        self.bare.append(self._clock.bare)
        messages.append({"role": "assistant", "content": reply.choices[0].message.content})

    def _hear(self, event: Event) -> None:
        self.compactions += isinstance(event, Compacted) and event.paid
        if isinstance(event, Summarizing):
            aside = is_aside()
            self.aside += aside
            self.asked += not aside

    def row(self) -> Row:
        """Return the figures; times in milliseconds, shares of the duration of a summary."""
        prompts = [each.prompt_tokens for each in self.fake.requests if each.kind == "chat"]
        summary = self.setup.summary
        p50, p95 = (percentile(self.waits, share) or 0.0 for share in (0.5, 0.95))
        longest = max(self.waits)
        bare = (percentile(self.bare, share) or 0.0 for share in (0.5, 0.95))
        return {
            "client": self.colour,
            "mode": self.mode,
            "turns": len(self.waits),
            "compactions": self.compactions,
            "written aside": self.aside,
            "fell back inline": self.asked if self.mode == "background" else None,
            "turns that waited": sum(wait >= WAITED * summary for wait in self.waits),
            "p50 ms": p50 * 1e3,
            "p95 ms": p95 * 1e3,
            "max ms": longest * 1e3,
            "p95 share": p95 / summary,
            "max share": longest / summary,
            **{
                f"bare {name} ms": value * 1e3
                for name, value in zip(("p50", "p95"), bare, strict=True)
            },
            "largest prompt": max(prompts),
            "over budget": sum(tokens > self.setup.budget for tokens in prompts),
        }


def is_aside() -> bool:
    """Return whether this is a thread or a task in which summaries are written."""
    if threading.current_thread().name == ASIDE:
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return False
    return task is not None and task.get_name() == ASIDE


def given(messages: Sequence[Message]) -> dict[str, Any]:
    """Return what `create` takes."""
    return {"model": MODEL, "messages": list(messages), "extra_body": OFF}


def by_threads(setup: Setup, messages: Sequence[Message]) -> FakeKimi:
    """Make identical calls at once, each in a thread of its own; return the server."""
    fake = slow(setup)
    client = sync_client(fake, MemoryManager(budget=setup.budget, hooks=()), Clock())
    barrier = threading.Barrier(CALLERS)

    def call(_index: int) -> None:
        barrier.wait()
        client.chat.completions.create(**given(messages))

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(call, range(CALLERS)))
    return fake


def by_tasks(setup: Setup, messages: Sequence[Message]) -> FakeKimi:
    """Make identical calls at once, each in a task of one event loop; return the server."""
    fake = slow(setup)

    async def calls() -> None:
        client = async_client(fake, AsyncMemoryManager(budget=setup.budget, hooks=()), Clock())
        made = (client.chat.completions.create(**given(messages)) for _ in range(CALLERS))
        await asyncio.gather(*made)

    asyncio.run(calls())
    return fake


def slow(setup: Setup) -> FakeKimi:
    """Return a server that takes its time for summaries and none for replies."""
    return FakeKimi(delay=lambda kind: setup.summary if kind == "summary" else 0.0)


WAYS: Final[dict[str, Callable[[Setup, Sequence[Message]], FakeKimi]]] = {
    "threads": by_threads,
    "tasks": by_tasks,
}


def at_once(setup: Setup) -> list[Row]:
    """Return what identical calls over the budget asked for, by how they were made at once."""
    writer = Writer("at once")
    messages: list[Message] = [{"role": "user", "content": writer.text(MEAN)}]
    while len(messages) < setup.budget // 100:  # a message has more than 100 tokens
        messages += writer.turn()
    return [together(setup, way, messages) for way in WAYS]


def together(setup: Setup, way: str, messages: Sequence[Message]) -> Row:
    """Return what one way of calling at once asked for."""
    begun = time.perf_counter()
    requests = WAYS[way](setup, messages).requests
    prompts = [each.prompt_tokens for each in requests if each.kind == "chat"]
    return {
        "at once by": way,
        "calls": len(prompts),
        "summaries": sum(each.kind == "summary" for each in requests),
        "over budget": sum(tokens > setup.budget for tokens in prompts),
        "seconds": time.perf_counter() - begun,
    }


def measure(setup: Setup) -> list[Row]:
    """Return one row for each client and mode."""
    talks = [Talk(setup, colour, mode) for colour in COLOURS for mode in MODES]
    for talk in talks:
        talk.play()
    return [talk.row() for talk in talks]


def checks(turns: Sequence[Row], single: Sequence[Row]) -> list[Check]:
    """Return what has to hold: of each client, and of calls at once."""
    found = [check for colour in COLOURS for check in _of_client(turns, colour)]
    summaries = {row["at once by"]: row["summaries"] for row in single}
    return found + [
        Check(
            name=f"{CALLERS} concurrent identical calls by {way}: summaries",
            value=summaries.get(way),
            op="==",
            bound=1,
        )
        for way in WAYS
    ]


def _of_client(turns: Sequence[Row], colour: Colour) -> list[Check]:
    of = {row["mode"]: row for row in turns if row["client"] == colour}
    inline, background = (of.get(mode, {}) for mode in MODES)
    over = [row["over budget"] for row in of.values()]
    figures: list[tuple[str, float | None, Op, float]] = [
        ("background: p95 of added wait / summary", background.get("p95 share"), "<", NO_WAIT),
        ("inline: longest added wait / summary", inline.get("max share"), ">=", WHOLE_WAIT),
        ("inline: compactions", inline.get("compactions"), ">=", 1),
        ("background: compactions", background.get("compactions"), ">=", 1),
        ("prompts over the budget", sum(over) if over else None, "==", 0),
    ]
    return [
        Check(name=f"{colour}, {name}", value=value, op=op, bound=bound)
        for name, value, op, bound in figures
    ]


def figures(turns: Sequence[Row]) -> list[Figure]:
    """Return what the benchmark is run for; the floor is what turns wait inline."""
    of = {(row["client"], row["mode"]): row for row in turns}
    return [
        Figure(
            name=f"added wait, {rank}, {colour} client",
            value=of[colour, "background"][f"{rank} ms"],
            unit="ms",
            floor=of[colour, "inline"][f"{rank} ms"],
            ceiling=0.0,
        )
        for colour in COLOURS
        for rank in ("p50", "p95", "max")
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure what turns wait for summaries")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument(
        "--think", type=float, default=0.0, metavar="SECONDS", help="between reply and next turn"
    )
    options = parser.parse_args(arguments)
    setup = replace(QUICK if options.quick else FULL, think=options.think)
    counter = warmup().name
    for colour in COLOURS:  # what is loaded once a process is not a wait of a turn
        Talk(QUICK, colour, "inline").play()
    turns, single = measure(setup), at_once(setup)
    report = Report(
        benchmark="latency",
        settings={"counter": counter, "model": MODEL, "callers": CALLERS, **asdict(setup)},
        rows={"turns": turns, "at once": single},
        checks=checks(turns, single),
        figures=figures(turns),
        quick=options.quick,
        tables={
            "turns": [{name: row[name] for name in SHOWN} for row in turns],
            "at once": single,
        },
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
