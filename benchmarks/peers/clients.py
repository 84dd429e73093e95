"""HTTP clients for peers that bring a client of their own for the summariser.

Each is a client of the `openai` package that the peer's own class for a model takes. Where a
server is named it goes there, and what it asks for is told; else it is answered by the summariser
of the conversation, in the form of the API. `Recorder` answers a peer's agent instead of a model,
so that what the agent would send can be read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from importlib import import_module
from typing import Any, Final
from weakref import finalize

from benchmarks.peers.contract import Setting, Teller
from memory.events import Event, Summarizing
from memory.messages import WireMessage, text_of
from memory.models import DEFAULT_MODEL

__all__ = (
    "KEY",
    "MODEL",
    "NOTES",
    "NOWHERE",
    "SPARE",
    "UNTHINKING",
    "Loop",
    "Recorder",
    "Summaries",
    "notes_room",
)

KEY: Final = "sk-fake"
MODEL: Final = DEFAULT_MODEL
NOWHERE: Final = "http://127.0.0.1:9/v1"
"""The address of those who are answered without a connection."""

UNTHINKING: Final = {"thinking": {"type": "disabled"}}
"""What a request says beside what OpenAI knows, so that the model does not think."""

NOTES: Final = 0.35
"""The share of the limit that a summary may have, at most."""
MOST: Final = 0.75
"""The share that a summary may have of what the system prompt leaves, at most."""
SPARE: Final = 0.2
"""The share of the limit left free by peers that do not count what a run adds, where tools are."""

Wire = dict[str, Any]


def notes_room(setting: Setting) -> int:
    """Return the tokens that a summary may have, so that something is left for messages."""
    left = (1 - SPARE) * setting.limit - setting.count(setting.head)
    return max(1, int(min(NOTES * setting.limit, MOST * left)))


class Summaries:
    """The way to the summariser, and what was asked on it.

    Args:
        setting: Of the conversation.
        package: The HTTP package that the peer's version of `openai` is made for.

    Attributes:
        events: One for every summary that was asked for.
        url: The address for the peer's client.
    """

    def __init__(self, setting: Setting, package: str) -> None:
        self.events: list[Event] = []
        self.url = setting.url or NOWHERE
        self._setting, self._teller = setting, Teller(setting)
        self._http: Any = import_module(package)

    def client(self) -> Any:
        """Return a client for calls that wait."""
        hooks = {"request": [self._tell]}
        return self._http.Client(trust_env=False, event_hooks=hooks, **self._transport())

    def async_client(self) -> Any:
        """Return a client for coroutines."""

        async def tell(request: Any) -> None:
            self._tell(request)

        hooks = {"request": [tell]}
        return self._http.AsyncClient(trust_env=False, event_hooks=hooks, **self._transport())

    def _transport(self) -> Wire:
        if self._setting.url is not None:
            return {"timeout": 600}
        return {"transport": self._http.MockTransport(self._answer)}

    def _tell(self, request: Any) -> None:
        tokens = self._setting.cost(json.loads(request.content)["messages"])
        cap = self._setting.limit
        self.events.append(Summarizing(messages=0, tokens=tokens, cap=cap, form="rendered"))

    def _answer(self, request: Any) -> Any:
        messages = json.loads(request.content)["messages"]
        text = self._teller.write("\n".join(map(text_of, messages)))
        return self._http.Response(200, json=_completion(text))


class Recorder:
    """Answers every chat request of an agent with the same short text, and keeps the last one.

    Args:
        package: The HTTP package that the peer's version of `openai` is made for.

    Attributes:
        messages: Those of the last request.
    """

    def __init__(self, package: str) -> None:
        self.messages: list[WireMessage] = []
        self._http: Any = import_module(package)

    def client(self) -> Any:
        """Return a client for calls that wait."""
        return self._http.Client(transport=self._http.MockTransport(self._answer))

    def async_client(self) -> Any:
        """Return a client for coroutines."""
        return self._http.AsyncClient(transport=self._http.MockTransport(self._answer))

    def _answer(self, request: Any) -> Any:
        self.messages = json.loads(request.content)["messages"]
        return self._http.Response(200, json=_completion("."))


class Loop:
    """An event loop of one conversation; a client for coroutines stays with its first loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        finalize(self, self._loop.close)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Return what a coroutine returns."""
        return self._loop.run_until_complete(work)


def _completion(text: str) -> Mapping[str, Any]:
    """Return the answer of the API that says a text."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
