"""What the programs of the endurance runs say, and how they tell what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from memory.errors import ConversationBusy
from memory.events import Compacted, Event, Failed

if TYPE_CHECKING:
    import openai

__all__ = (
    "CONVERSATION",
    "HEAD",
    "MODEL",
    "NAME",
    "OFF",
    "TOOLS",
    "USER",
    "Colour",
    "Job",
    "Message",
    "Mode",
    "Reports",
    "aconverse",
    "converse",
    "given",
    "quarters",
)

Message = dict[str, Any]
Mode = Literal["inline", "background"]
Colour = Literal["sync", "async"]
Script = Generator[list[Message], Message, None]
"""Yields what is sent, is given the reply, and is thrown what the call raises."""

MODEL: Final = "kimi-k2.6"
OFF: Final = {"thinking": {"type": "disabled"}}
USER, NAME = "team", "room"
CONVERSATION: Final = f"{USER}/{NAME}"
HEAD: Final[Message] = {"role": "system", "content": "You keep the books of a warehouse."}
TOOLS: Final = [
    {
        "type": "function",
        "function": {
            "name": "weigh",
            "description": "Weigh a crate.",
            "parameters": {"type": "object", "properties": {"crate": {"type": "integer"}}},
        },
    }
]
NUMBERED: Final = "it came in on shelf {0} with the code {0:06d}, sealed and signed for at the gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a program is to do.

    Attributes:
        server: The base URL of the model.
        store: The URL of the store.
        namespace: The namespace in it.
        label: What everything begins with that is said.
        turns: How many turns each caller makes; None for turns until it is killed.
        budget: Tokens a prompt may have.
        mode: When summaries are written.
        colour: Whether callers are threads or tasks.
        callers: How many there are.
        tools: Every how many turns one needs tools; 0 for never.
        streams: Every how many turns one is streamed; 0 for never.
        open: What was said in a conversation without a name, which it goes on with between two
            turns of the one with a name; None for no such conversation.
        pause: Seconds between two turns.
        keys: The keys of a sealed store.
        room: Bytes that a file may have; the write that goes beyond kills the program. None for
            any number.
    """

    server: str
    store: str
    namespace: str
    label: str
    turns: int | None
    budget: int
    mode: Mode = "inline"
    colour: Colour = "sync"
    callers: int = 1
    tools: int = 4
    streams: int = 3
    open: list[Message] | None = None
    pause: float = 0.0
    keys: str = ""
    room: int | None = None


def quarters(text: str) -> int:
    """Count text as the client and the server do here, so that none of them needs a vocabulary."""
    return (len(text) + 3) // 4


class Reports:
    """What a program tells of what it does: a line for each fact, whole or not at all."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._unrecorded = False
        self.events: Counter[str] = Counter()

    def tell(self, **facts: Any) -> None:
        """Write a line."""
        line = json.dumps(facts).encode() + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]

    def acknowledge(self, said: list[Message], seconds: float, *, named: bool) -> None:
        """Tell what is on record now that a call has returned, unless it was said not to be."""
        unrecorded, self._unrecorded = self._unrecorded, False
        self.tell(said=said, seconds=seconds, named=named, recorded=not unrecorded)

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        name = type(event).__name__
        if isinstance(event, Compacted):
            name = "Compacted" if event.paid else "Adopted"
        self.events[name] += 1
        if isinstance(event, Failed):
            self._unrecorded = self._unrecorded or event.unrecorded
            self.tell(event=name, error=event.error)


def turn(label: str, number: int, *, tools: bool) -> Script:
    """Say one thing and see to the calls that the reply makes."""
    verb = f"Weigh {1 + number % 2}" if tools else "Note"
    text = f"{label}-{number} {verb}: {NUMBERED.format(number * 7919 % 1_000_000)}."
    try:
        reply = yield [HEAD, {"role": "user", "content": text}]
    except ConversationBusy as busy:  # whoever had called tools was killed
        yield from answered(f"{label}-{number} late", list(busy.missing))
        reply = yield [HEAD, {"role": "user", "content": text}]
    while calls := reply.get("tool_calls"):
        reply = yield from answered(f"{label}-{number}", [call["id"] for call in calls])


def answered(label: str, calls: list[str]) -> Generator[list[Message], Message, Message]:
    """Send the results of calls and return the reply."""
    results = [
        {"role": "tool", "tool_call_id": name, "content": f"{label} {name} has {place} kg"}
        for place, name in enumerate(calls)
    ]
    return (yield [HEAD, *results])


def open_turn(label: str, number: int, said: list[Message]) -> Script:
    """Go on with a conversation without a name, all of which is sent."""
    text = f"{label}-{number} open: {NUMBERED.format(number * 7907 % 1_000_000)}."
    said.append({"role": "user", "content": text})
    said.append((yield [HEAD, *said]))


def turns(job: Job, caller: int) -> Iterator[tuple[Script, bool, bool]]:
    """Return the turns of a caller, whether each is of the named conversation, and streamed."""
    number, label, said = 0, f"{job.label}.{caller}", list(job.open or ())
    while job.turns is None or number < job.turns:
        tools = bool(job.tools) and number % job.tools == 1
        streamed = bool(job.streams) and number % job.streams == 2
        yield turn(label, number, tools=tools), True, streamed
        if job.open is not None:
            yield open_turn(label, number, said), False, streamed
        number += 1


def given(messages: list[Message], *, named: bool, streamed: bool) -> dict[str, Any]:
    """Return the arguments of `create`."""
    tools = {"tools": TOOLS} if named else {}
    stream = {"stream": True} if streamed else {}
    return {"model": MODEL, "messages": messages, "extra_body": OFF, **tools, **stream}


def message_of(reply: Any) -> Message:
    """Return the message of a whole reply as it will be sent again."""
    whole: Message = reply.choices[0].message.model_dump(exclude_none=True, mode="json")
    return whole


def new_of(messages: list[Message], reply: Message, *, named: bool) -> list[Message]:
    """Return what a call has added to its conversation."""
    return [*(messages[1:] if named else messages[-1:]), reply]


def converse(job: Job, clients: dict[bool, openai.OpenAI], reports: Reports, caller: int) -> None:
    """Make the turns of one caller, in a thread."""

    def ask(messages: list[Message], *, named: bool, streamed: bool) -> Message:
        create: Any = clients[named].chat.completions.create
        reply = create(**given(messages, named=named, streamed=streamed))
        return joined(list(reply)) if streamed else message_of(reply)

    for script, named, streamed in turns(job, caller):
        _play(script, partial(ask, named=named, streamed=streamed), reports, named=named)
        time.sleep(job.pause)


def _play(
    script: Script, ask: Callable[[list[Message]], Message], reports: Reports, *, named: bool
) -> None:
    try:
        sent = next(script)
        while True:
            begun = time.perf_counter()
            try:
                reply = ask(sent)
            except Exception as error:  # noqa: BLE001  # the script may know what to do
                reports.tell(raised=type(error).__name__, text=str(error)[:300])
                sent = script.throw(error)
                continue
            added = new_of(sent, reply, named=named)
            reports.acknowledge(added, time.perf_counter() - begun, named=named)
            sent = script.send(reply)
    except StopIteration:
        return
    except Exception as error:  # noqa: BLE001  # told above; the next turn is another one
        reports.tell(given_up=type(error).__name__)


async def aconverse(
    job: Job, clients: dict[bool, openai.AsyncOpenAI], reports: Reports, caller: int
) -> None:
    """Make the turns of one caller, in a task."""

    async def ask(messages: list[Message], *, named: bool, streamed: bool) -> Message:
        create: Any = clients[named].chat.completions.create
        reply = await create(**given(messages, named=named, streamed=streamed))
        return joined([piece async for piece in reply]) if streamed else message_of(reply)

    for script, named, streamed in turns(job, caller):
        await _aplay(script, partial(ask, named=named, streamed=streamed), reports, named=named)
        await asyncio.sleep(job.pause)


async def _aplay(
    script: Script,
    ask: Callable[[list[Message]], Coroutine[Any, Any, Message]],
    reports: Reports,
    *,
    named: bool,
) -> None:
    try:
        sent = next(script)
        while True:
            begun = time.perf_counter()
            try:
                reply = await ask(sent)
            except Exception as error:  # noqa: BLE001  # as in threads
                reports.tell(raised=type(error).__name__, text=str(error)[:300])
                sent = script.throw(error)
                continue
            added = new_of(sent, reply, named=named)
            reports.acknowledge(added, time.perf_counter() - begun, named=named)
            sent = script.send(reply)
    except StopIteration:
        return
    except Exception as error:  # noqa: BLE001  # told above; the next turn is another one
        reports.tell(given_up=type(error).__name__)


def joined(pieces: list[Any]) -> Message:
    """Return the message that a stream is."""
    deltas = [choice.delta for piece in pieces for choice in piece.choices]
    calls: dict[int, dict[str, Any]] = {}
    for part in (part for delta in deltas for part in delta.tool_calls or ()):
        call = calls.setdefault(part.index, {"type": "function", "function": {"arguments": ""}})
        call |= {"id": part.id} if part.id else {}
        call["function"] |= {"name": part.function.name} if part.function.name else {}
        call["function"]["arguments"] += part.function.arguments or ""
    message = {"role": "assistant", "content": "".join(delta.content or "" for delta in deltas)}
    return {**message, **({"tool_calls": list(calls.values())} if calls else {})}
