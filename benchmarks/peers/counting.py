"""Asks, turn after turn, whether a conversation fits, and times that: one library a process.

    python -m benchmarks.peers.counting memory | estimator | langchain | litellm

Reads one order a line as JSON, and answers each with one line. Every process gets the same
messages. They are kept as the library itself would keep them, so what is timed is what a turn of
its users costs: processor time of the thread, without what it takes to read an order.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from time import thread_time
from typing import Any, Final, Protocol
from unittest.mock import patch

from benchmarks.peers.langchain import Spoken
from memory import models
from memory.events import Counted, Event
from memory.hooks import LogHook
from memory.manager import MemoryManager
from memory.messages import WireMessage
from memory.meter import Meter
from memory.vocabulary import warmup

__all__ = ("COUNTING", "FIT", "Langchain", "Litellm", "Memory", "Subject", "answer", "main")

FIT: Final = "MemoryManager.fit"
MODEL: Final = "gpt-4o"
"""What litellm counts for: it knows no vocabulary of Kimi's, and this is its newest."""

Asked = Mapping[str, Callable[[], object]]
"""The ways to ask whether what was taken in fits, by name."""


class Subject(Protocol):
    """A library that is asked whether a conversation fits."""

    def open(self, tools: Sequence[WireMessage], budget: int) -> None:
        """Begin a conversation.

        Args:
            tools: What is declared in each request.
            budget: Tokens; no prompt exceeds them.
        """

    def take(self, messages: Sequence[WireMessage]) -> None:
        """Add what is new to what is kept of the conversation."""

    def asked(self) -> Asked:
        """Return the ways to ask; each raises if the library would not send all as it is."""

    def tokens(self, messages: Sequence[WireMessage], tools: Sequence[WireMessage]) -> int:
        """Return what the library counts for a prompt that it never saw."""


class Memory:
    """This library, with a manager of its own for each conversation.

    Args:
        exact: Whether it has the vocabulary, or is as without the `[exact]` extra.
    """

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._kept: list[WireMessage] = []
        self._seen: list[Event] = []

    def open(self, tools: Sequence[WireMessage], budget: int) -> None:
        """Begin a conversation; see `Subject`."""
        self._kept, self._tools = [], tools
        with self._installed():
            # The default hook, and one to see which way a call went.
            hooks = (LogHook(), self._seen.append)
            self._manager = MemoryManager(budget=budget, hooks=hooks)
        if self._manager.counter.exact != self._exact:
            message = f"it counts by the {self._manager.counter.name}"
            raise RuntimeError(message)

    def _installed(self) -> AbstractContextManager[Any]:
        # What is imported under the patch is forgotten after it, and this can be imported once.
        return nullcontext() if self._exact else patch.dict(sys.modules, {"splintr": None})

    def take(self, messages: Sequence[WireMessage]) -> None:
        """Add messages; see `Subject`."""
        self._kept += messages

    def asked(self) -> Asked:
        """Return the one way to ask."""
        return {FIT: self._fit}

    def _fit(self) -> None:
        if self._manager.fit(self._kept, tools=self._tools) is not self._kept:
            message = "the prompt was changed"
            raise RuntimeError(message)

    def counted(self) -> bool:
        """Return whether a prompt had to be counted since this was last asked."""
        found = any(isinstance(event, Counted) for event in self._seen)
        self._seen.clear()
        return found

    def tokens(self, messages: Sequence[WireMessage], tools: Sequence[WireMessage]) -> int:
        """Return what a meter counts that learnt nothing; see `Subject`."""
        with self._installed():
            meter = Meter(warmup())
        return meter.count(messages, tools=tools or None, thinking=False).total


class Langchain:
    """The middleware that summarises, below its trigger, and the counter that it has by default.

    The state holds message objects, as that of its agents does.
    """

    def __init__(self) -> None:
        self._spoken = Spoken()
        self._count = import_module("langchain_core.messages.utils").count_tokens_approximately
        self._kind = import_module("langchain.agents.middleware").SummarizationMiddleware
        fakes = import_module("langchain_core.language_models")
        self._model = fakes.FakeListChatModel(responses=["It is asked for nothing."])
        self._kept: list[Any] = []

    def open(self, tools: Sequence[WireMessage], budget: int) -> None:
        """Begin a conversation; see `Subject`. Its middleware takes no tools into account."""
        del tools
        self._kept = []
        self._middleware = self._kind(model=self._model, trigger=("tokens", budget))

    def take(self, messages: Sequence[WireMessage]) -> None:
        """Add messages as objects; see `Subject`."""
        self._kept += self._spoken.there(messages)

    def asked(self) -> Asked:
        """Return what an agent calls before its model, and the counter alone."""
        return {
            "SummarizationMiddleware.before_model": self._before_model,
            "count_tokens_approximately": lambda: self._count(self._kept),
        }

    def _before_model(self) -> None:
        if self._middleware.before_model({"messages": self._kept}, None) is not None:
            message = "the prompt was changed"
            raise RuntimeError(message)

    def tokens(self, messages: Sequence[WireMessage], tools: Sequence[WireMessage]) -> int:
        """Return a quarter of the characters, about; see `Subject`."""
        return int(self._count(self._spoken.there(messages), tools=list(tools) or None))


class Litellm:
    """`trim_messages` with more room than there are tokens, and the counter that it calls."""

    def __init__(self) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the network
        utils = import_module("litellm.utils")
        self._trim, self._count = utils.trim_messages, utils.token_counter
        self._kept: list[WireMessage] = []
        self._budget = 0

    def open(self, tools: Sequence[WireMessage], budget: int) -> None:
        """Begin a conversation; see `Subject`. Its function takes no tools into account."""
        del tools
        self._kept, self._budget = [], budget

    def take(self, messages: Sequence[WireMessage]) -> None:
        """Add messages; see `Subject`."""
        self._kept += messages

    def asked(self) -> Asked:
        """Return the function that trims, and the counter alone."""
        return {
            "trim_messages": self._trimmed,
            "token_counter": lambda: self._count(model=MODEL, messages=self._kept),
        }

    def _trimmed(self) -> None:
        sent = self._trim(self._kept, model=MODEL, max_tokens=self._budget)
        if len(sent) != len(self._kept):
            message = "the prompt was changed"
            raise RuntimeError(message)

    def tokens(self, messages: Sequence[WireMessage], tools: Sequence[WireMessage]) -> int:
        """Return the tokens of another model's vocabulary; see `Subject`."""
        return int(self._count(model=MODEL, messages=list(messages), tools=list(tools) or None))


COUNTING: Final[Mapping[str, Callable[[], Subject]]] = {
    "memory": lambda: Memory(exact=True),
    "estimator": lambda: Memory(exact=False),
    "langchain": Langchain,
    "litellm": Litellm,
}
"""How each library is begun, by name."""


def answer(subject: Subject, order: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an order comes to.

    Args:
        subject: Who is asked.
        order: `messages`, and under `op` what to do with them: `open` a conversation with them
            (with `tools` and `budget`), add them as a `turn`, or count their `tokens`.
    """
    if order["op"] == "tokens":
        return {"tokens": subject.tokens(order["messages"], order["tools"])}
    first = order["op"] == "open"
    if first:
        subject.open(order["tools"], order["budget"])
    start = thread_time()
    subject.take(order["messages"])
    # A conversation that comes from outside has to be taken in before it can be counted.
    taken = thread_time() - start if first else 0.0
    seconds = {name: taken + _timed(ask) for name, ask in subject.asked().items()}
    counted = subject.counted() if isinstance(subject, Memory) else True
    return {"seconds": seconds, "counted": counted}


def _timed(ask: Callable[[], object]) -> float:
    start = thread_time()
    ask()
    return thread_time() - start


def main(arguments: Sequence[str]) -> None:
    """Answer orders until there are no more."""
    subject = COUNTING[arguments[0]]()
    subject.tokens([{"role": "user", "content": "Loads what is loaded at the first count."}], [])
    # No model has a window for the longest of the histories.
    with patch.object(models, "window", lambda _model: 1_000_000_000):
        for line in sys.stdin:
            print(json.dumps(answer(subject, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
