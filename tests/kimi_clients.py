"""Clients of the SDK on a fake Kimi server, and conversations to send through them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import openai
import pytest
from fake_kimi_requests import OFF, assistant, user
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from memory import QueueHook, wrap
from memory.events import Event
from memory.testing import FakeKimi, Request

if TYPE_CHECKING:
    import httpx2

    httpx_library = httpx2
else:
    # httpx2 since openai 3, httpx before; the names used here are the same in both.
    httpx_library = import_module(openai.DefaultHttpxClient.__base__.__module__)

MODEL = "kimi-k2.6"
BUDGET = 2_000
NOTES = "<conversation-notes>"
HEAD = {"role": "system", "content": "You keep the books of a warehouse and answer briefly."}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weigh",
            "description": "Weigh a crate and return its weight in kilograms.",
            "parameters": {
                "type": "object",
                "properties": {"crate": {"type": "integer", "description": "Its number."}},
                "required": ["crate"],
            },
        },
    }
]
CLIENT: dict[str, Any] = {"api_key": "sk-test", "base_url": "http://fake/v1", "max_retries": 0}
exactly = pytest.mark.skipif(find_spec("splintr") is None, reason="needs the exact vocabulary")
STREAM_ERRORS = (openai.APIConnectionError, httpx_library.TransportError)
"""What a stream that breaks raises: openai 2 lets the error of its library through."""


def transport(fake: FakeKimi) -> httpx_library.BaseTransport:
    """Return a transport to the server in this process, of the library that the SDK uses."""
    made: httpx_library.BaseTransport = getattr(fake, f"{httpx_library.__name__}_transport")()
    return made


def async_transport(fake: FakeKimi) -> httpx_library.AsyncBaseTransport:
    """Return a transport for asynchronous clients."""
    name = f"async_{httpx_library.__name__}_transport"
    made: httpx_library.AsyncBaseTransport = getattr(fake, name)()
    return made


def http_client(
    server: FakeKimi | httpx_library.BaseTransport, **more: Any
) -> httpx_library.Client:
    """Return what the SDK takes as its `http_client`, on a server in this process."""
    to = transport(server) if isinstance(server, FakeKimi) else server
    return httpx_library.Client(transport=to, **more)


def async_http_client(
    server: FakeKimi | httpx_library.AsyncBaseTransport, **more: Any
) -> httpx_library.AsyncClient:
    """Return what the asynchronous SDK takes as its `http_client`."""
    to = async_transport(server) if isinstance(server, FakeKimi) else server
    return httpx_library.AsyncClient(transport=to, **more)


def connect(fake: FakeKimi, **more: Any) -> OpenAI:
    """Return a client of the SDK that talks to the server in this process."""
    given: dict[str, Any] = CLIENT | more
    return OpenAI(http_client=http_client(fake), **given)


def talk(turns: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Return a head and turns of about 75 tokens each, the last one still to be answered."""
    messages = [dict(HEAD)]
    for turn in range(start, start + turns):
        messages += [
            user(
                f"Crate {turn} came in on shelf {turn * 7 % 50}, code {turn * 7919:06d}. Note it."
            ),
            assistant(
                f"Noted: crate {turn} stands on shelf {turn * 7 % 50} with the code "
                f"{turn * 7919:06d}; it was signed for at the gate, and nothing was broken."
            ),
        ]
    return messages[:-1]


def ask(client: OpenAI, messages: Any, **more: Any) -> Any:
    """Ask for a completion without thinking and return whatever the SDK returns."""
    create: Any = client.chat.completions.create
    return create(messages=messages, **({"model": MODEL, "extra_body": OFF} | more))


def sent(fake: FakeKimi, kind: str = "chat") -> list[Any]:
    """Return the messages of each request of a kind that reached the server."""
    return [request.body["messages"] for request in fake.requests if request.kind == kind]


def is_compacted(messages: Any, given: Any) -> bool:
    """Tell whether messages are a head, one synthetic message and a suffix of those given."""
    tail = messages[2:]
    return (
        len(messages) < len(given)
        and messages[0] == given[0]
        and NOTES in messages[1]["content"]
        and tail == given[len(given) - len(tail) :]
    )


def gateway(fake: FakeKimi) -> Callable[[httpx_library.Request], httpx_library.Response]:
    """Return a handler that serves Azure's routes and keys with the fake server."""

    def handle(request: httpx_library.Request) -> httpx_library.Response:
        assert "/openai/deployments/kimi-k2.6/chat/completions" == request.url.path
        headers = {"Authorization": f"Bearer {request.headers['api-key']}"}
        inner = Request(
            method="POST", path="/v1/chat/completions", headers=headers, body=request.read()
        )
        answer = fake.handle(inner)
        return httpx_library.Response(answer.status, content=b"".join(answer.chunks()))

    return handle


def connect_async(fake: FakeKimi, seen: list[bytes] | None = None, **more: Any) -> AsyncOpenAI:
    """Return an async client that talks to the server in this process; `seen` gets the bodies."""

    async def note(request: httpx_library.Request) -> None:
        if seen is not None:
            seen.append(await request.aread())

    hooks: Any = {"request": [note]}
    http = async_http_client(fake, event_hooks=hooks)
    given: dict[str, Any] = CLIENT | more
    return AsyncOpenAI(http_client=http, **given)


async def ask_async(client: AsyncOpenAI, messages: Any, **more: Any) -> Any:
    """Ask for a completion without thinking and return whatever the SDK returns."""
    create: Any = client.chat.completions.create
    return await create(messages=messages, **({"model": MODEL, "extra_body": OFF} | more))


def exchange(result: str) -> list[dict[str, Any]]:
    """Return a call of a tool and its result."""
    function = {"name": "weigh", "arguments": '{"crate": 1}'}
    call = {"id": "weigh:0", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "weigh:0", "content": result},
    ]


def impatient(fake: FakeKimi) -> Callable[[httpx_library.Request], httpx_library.Response]:
    """Return a handler that serves the fake and asks for waits of next to nothing."""

    def handle(request: httpx_library.Request) -> httpx_library.Response:
        inner = Request(
            method=request.method,
            path=request.url.path,
            headers=dict(request.headers),
            body=request.read(),
        )
        answer = fake.handle(inner)
        headers = dict(answer.headers)
        if "Retry-After" in headers:
            headers["Retry-After"] = "0.01"
        return httpx_library.Response(
            answer.status, headers=headers, content=b"".join(answer.chunks())
        )

    return handle


class Shelf(BaseModel):
    """What `parse` is asked for."""

    crate: int
    shelf: int


def summaries(fake: FakeKimi) -> list[Any]:
    """Return the bodies of the requests for summaries."""
    return [request.body for request in fake.requests if request.kind == "summary"]


def compact(
    fake: FakeKimi, *, messages: Any = None, memory: Any = None, **more: Any
) -> list[Event]:
    """Send one turn over the budget and return the events."""
    hook = QueueHook()
    wrapped = wrap(connect(fake), hooks=(hook,), **({"budget": BUDGET} | (memory or {})))
    ask(wrapped, talk(60) if messages is None else messages, **more)
    return hook.drain()
