"""A place where summaries are written in the background: server, manager, client and a gate.

That a summary was not waited for is seen by where it was asked for: in the background that is a
thread or a task named `kimi-memory`, inline it is the caller's.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, TypeVar

from kimi_clients import BUDGET, ask, ask_async, connect, connect_async, talk

from memory import AsyncMemoryManager, MemoryManager, QueueHook
from memory.events import Event
from memory.records import Compaction
from memory.summary import Draft, SummaryRequest
from memory.testing import FakeKimi, SummaryJob
from memory.view import Thread

E = TypeVar("E", bound=Event)

HERE = threading.main_thread().name
THERE = "kimi-memory"
EARLY = 25
"""Turns that have not reached the mark of 1,600 tokens."""
DUE = 34
"""Turns that have passed it, and are under the limit of 2,000."""
OVER = 44
"""Turns that exceed the limit."""
PATIENCE = 30.0
"""Seconds after which a test that waits in vain fails."""
REPLY = "Noted: it stands there, it was signed for at the gate, and nothing was broken."
NOTES = "Crates came in and stand on their shelves."


def tokens(text: str) -> int:
    """Count a token for every four characters, on both sides: no vocabulary is needed."""
    return -(-len(text) // 4)


def server(**more: Any) -> FakeKimi:
    """Return a server that counts like the managers here."""
    return FakeKimi(**{"count_text": tokens, "reply": lambda _body: REPLY, **more})


def options(**more: Any) -> dict[str, Any]:
    """Return what managers here take: a budget, the background, and the same counter."""
    return {"budget": BUDGET, "compaction": "background", "tokenizer": tokens, **more}


def is_free(manager: MemoryManager | AsyncMemoryManager, messages: Any) -> bool:
    """Tell whether nobody holds the claim on a conversation."""
    flights, links = manager.outside.flights, Thread.of(messages).links
    flight, free = flights.claim(manager.namespace, links)
    if free:
        flights.release(flight)
    return free


class _Desk:
    """What both desks share: a server, events, and where summaries were asked for."""

    manager: MemoryManager | AsyncMemoryManager
    fake: FakeKimi

    def __init__(self) -> None:
        self.where: list[str] = []
        self.hook = QueueHook()

    def told(self, kind: type[E]) -> list[E]:
        """Return the events of one kind since the last look, and forget the others."""
        return [event for event in self.hook.drain() if isinstance(event, kind)]

    def compactions(self, turns: int) -> list[Compaction]:
        """Return what is on record for a conversation of so many turns."""
        return [r for r in self.manager.log(talk(turns)) if isinstance(r, Compaction)]

    @property
    def prompts(self) -> list[int]:
        """What the prompts of turns cost, as the server counts."""
        return [served.prompt_tokens for served in self.fake.requests if served.kind == "chat"]


class Desk(_Desk):
    """A server whose summaries stop at a gate, a manager on it, and a client.

    Args:
        **more: What the manager takes beside or in place of `options`.

    Attributes:
        where: The thread in which each summary was asked for.
        arrived: Set when one was asked for.
        gate: Closed, none is answered; open to begin with.
    """

    def __init__(self, **more: Any) -> None:
        super().__init__()
        self.arrived, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self.fake = server(summarize=self._summarize)
        self.manager: MemoryManager = MemoryManager(hooks=(self.hook,), **options(**more))
        self.client = self.manager.wrap(connect(self.fake))

    def _summarize(self, _job: SummaryJob) -> str:
        self.where.append(threading.current_thread().name)
        self.arrived.set()
        assert self.gate.wait(timeout=PATIENCE)
        return NOTES

    def turn(self, turns: int, **more: Any) -> Any:
        """Send a conversation of so many turns."""
        return ask(self.client, talk(turns), **more)

    def rest(self) -> None:
        """Wait for the background."""
        assert self.manager.flush(timeout=PATIENCE)


class AsyncDesk(_Desk):
    """The same for tasks; the gate is before the server, in a summariser of its own.

    Made, and used, inside an event loop. `where` has the names of tasks.

    Args:
        **more: What the manager takes beside or in place of `options`.
    """

    def __init__(self, **more: Any) -> None:
        super().__init__()
        self.arrived, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.fake = server()
        given = options(**{"summarizer": self, **more})
        self.manager: AsyncMemoryManager = AsyncMemoryManager(hooks=(self.hook,), **given)
        self.client = self.manager.wrap(connect_async(self.fake))

    async def summarize(self, _request: SummaryRequest, /) -> Draft:
        """Note the task, stop at the gate, and answer."""
        task = asyncio.current_task()
        self.where.append(THERE if task and task.get_name() == THERE else HERE)
        self.arrived.set()
        await asyncio.wait_for(self.gate.wait(), timeout=PATIENCE)
        return Draft(text=NOTES, author="desk")

    async def turn(self, turns: int, **more: Any) -> Any:
        """Send a conversation of so many turns."""
        return await ask_async(self.client, talk(turns), **more)

    async def rest(self) -> None:
        """Wait for the background."""
        assert await self.manager.flush(timeout=PATIENCE)
