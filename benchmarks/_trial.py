"""One call of the SDK on a fake server: the client it is made with, the body, and what came of it.

Clients of either colour come from the classes of the installed SDK, over the HTTP library which
that SDK uses. A call style is written once, as a coroutine; for a synchronous client it is one
that never waits.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from inspect import isawaitable
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import openai
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel

from memory.testing import FakeKimi, Request

__all__ = (
    "BUDGET",
    "HTTP",
    "KEY",
    "MODEL",
    "OFF",
    "REPLY",
    "Memory",
    "Message",
    "Play",
    "Style",
    "Trial",
    "conversation",
    "entered",
    "finished",
    "read",
    "settled",
    "shapes",
)

T = TypeVar("T")
Message = dict[str, Any]

MODEL: Final = "kimi-k2.6"
BUDGET: Final = 2_000
"""Tokens; the conversation below has more than twice as many."""
OFF: Final = {"thinking": {"type": "disabled"}}
REPLY: Final = '{"crate": 1, "shelf": 7}'
"""What the server says to everything: a text, and the structure that `parse` is asked for."""
KEY: Final = "sk-trial"
CHANGING: Final = frozenset({"id", "created", "usage"})
"""What differs between two replies to one question because something was asked in between."""

HTTP: Final[Any] = import_module("httpx2" if int(openai.__version__.split(".")[0]) > 2 else "httpx")
"""The HTTP library of the installed SDK."""


def conversation(turns: int = 60) -> list[Message]:
    """Return a head and turns of about 75 tokens each, the last one still to be answered."""
    messages = [{"role": "system", "content": "You keep the books of a warehouse. Be brief."}]
    for turn in range(turns):
        place = f"crate {turn} stands on shelf {turn * 7 % 50} with the code {turn * 7919:06d}"
        asked = f"In the book, {place}. Check the entry and tell me what else is known of it."
        said = f"Checked: {place}; it was signed for at the gate, and nothing was broken."
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return messages[:-1]


class Memory(Protocol):
    """Puts a memory around a client, or nothing at all."""

    def __call__(self, client: Any, *, inplace: bool = False) -> Any:
        """Return the client to use; with `inplace` it should be `client` itself."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One call of one style.

    Attributes:
        asynchronous: Whether the client is an `AsyncOpenAI`.
        memory: Puts it around a client.
        fake: The server.
    """

    asynchronous: bool
    memory: Memory
    fake: FakeKimi
    messages: list[Message] = field(default_factory=conversation)

    @cached_property
    def client(self) -> Any:
        """The client to call."""
        return self.memory(self.connect())

    @property
    def given(self) -> dict[str, Any]:
        """The arguments of a usual call."""
        return {"model": MODEL, "messages": self.messages, "extra_body": OFF}

    @property
    def body(self) -> dict[str, Any]:
        """What those arguments make of the body of a request."""
        return {"model": MODEL, "messages": self.messages, **OFF}

    def connect(self) -> Any:
        """Return a client of the SDK on the server."""
        kind: Any = AsyncOpenAI if self.asynchronous else OpenAI
        return kind(api_key=KEY, base_url="http://fake/v1", max_retries=0, http_client=self.http())

    def connect_azure(self) -> Any:
        """Return Azure's client on the server, which is told Azure's routes and keys apart."""
        kind: Any = AsyncAzureOpenAI if self.asynchronous else AzureOpenAI
        http = self._http(HTTP.MockTransport(self._behind_azure))
        where = {"azure_endpoint": "http://fake", "api_version": "2024-10-21"}
        return kind(api_key=KEY, max_retries=0, http_client=http, **where)

    def http(self) -> Any:
        """Return a client of the HTTP library on the server."""
        colour = "async_" if self.asynchronous else ""
        return self._http(getattr(self.fake, f"{colour}{HTTP.__name__}_transport")())

    def _http(self, transport: Any) -> Any:
        kind = HTTP.AsyncClient if self.asynchronous else HTTP.Client
        return kind(transport=transport)

    def _behind_azure(self, request: Any) -> Any:
        inner = Request(
            method=request.method,
            path="/v1" + request.url.path.partition(f"/deployments/{MODEL}")[2],
            headers={"Authorization": f"Bearer {request.headers['api-key']}"},
            body=request.read(),
        )
        answer = self.fake.handle(inner)
        return HTTP.Response(answer.status, content=b"".join(answer.chunks()))


Play = Callable[[Trial], Coroutine[Any, Any, list[Any]]]
"""Makes a call and returns everything that the caller gets to see, in order."""


class Style(NamedTuple):
    """One way to ask for a chat completion."""

    name: str
    """As it is written in code."""
    play: Play
    server: Mapping[str, Any] = MappingProxyType({})
    """How the fake server has to be made for it."""
    lacking: Mapping[str, str] = MappingProxyType({})
    """Why the SDK alone may fail at it, by colour; where nothing is said it may not."""


def finished(waiting: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never waits, without an event loop.

    Raises:
        RuntimeError: It did wait.
    """
    try:
        waiting.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    waiting.close()
    message = "a synchronous client waited for something"
    raise RuntimeError(message)


async def settled(value: Any) -> Any:
    """Return `value`, awaited if it can be."""
    return await value if isawaitable(value) else value


async def read(stream: Any) -> list[Any]:
    """Return what a stream of either colour yields, to its end."""
    if hasattr(stream, "__aiter__"):
        return [each async for each in stream]
    return list(stream)


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either colour."""
    if hasattr(manager, "__aenter__"):
        async with manager as inside:
            yield inside
    else:
        with manager as inside:
            yield inside


def shapes(things: Sequence[Any]) -> list[Any]:
    """Return for each thing its exact type, its attributes and what it says.

    Two calls of one style agree in them when nothing stands between the caller and the SDK.
    """
    return [(type(each), sorted(getattr(each, "__dict__", ())), _content(each)) for each in things]


def _content(thing: Any) -> Any:
    if isinstance(thing, BaseModel):
        return _lasting(thing.model_dump(mode="json", warnings=False))
    if isinstance(thing, HTTP.Response):
        return thing.status_code, _lasting(json.loads(thing.content))
    if isinstance(thing, type):
        return thing
    return _lasting(thing) if isinstance(thing, (dict, list, str, int, float)) else None


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in CHANGING}
    if isinstance(value, list):
        return [_lasting(item) for item in value]
    return value
