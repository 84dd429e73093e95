"""Under the budget what a wrapped client writes to its socket is, byte for byte, what it was.

Nothing is left out of the comparison: request lines, names, order and values of headers, bodies.
The SDK sends no idempotency key and no other value by chance to an OpenAI-compatible server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, cast

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI
from wire_requests import SERVED, requests

from memory import wrap
from memory.testing import FakeKimi, Request

EXAMPLES = 200
drawn_by_hypothesis = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class Ear(ThreadingTCPServer):
    """A fake server on a port of this machine that keeps every byte it hears."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Conversation)
        self.fake = FakeKimi(models=SERVED, reply=lambda _: "Noted.")
        self.heard: list[bytes] = []

    @property
    def client(self) -> dict[str, Any]:
        """The arguments of a client of this server."""
        where = f"http://127.0.0.1:{self.server_address[1]}/v1"
        return {"api_key": "sk-test", "base_url": where, "max_retries": 0}

    def told(self) -> list[bytes]:
        """Return the requests heard since the last time this was asked."""
        told, self.heard = self.heard, []
        return told


class Conversation(StreamRequestHandler):
    """One connection: requests are kept as they came in, and answered."""

    def handle(self) -> None:
        """Answer until the other side hangs up."""
        ear = cast("Ear", self.server)
        while head := self.head():
            request = parsed(head)
            body = self.rfile.read(int(request.header("content-length") or 0))
            ear.heard.append(head + body)
            answer = ear.fake.handle(
                Request(
                    method=request.method, path=request.path, headers=request.headers, body=body
                )
            )
            content = b"".join(answer.chunks())
            headers = {**answer.headers, "Content-Length": str(len(content))}
            lines = [f"HTTP/1.1 {answer.status} Said", *(f"{k}: {v}" for k, v in headers.items())]
            self.wfile.write("\r\n".join([*lines, "", ""]).encode() + content)

    def head(self) -> bytes:
        """Return the next request line and the headers after it; nothing at the end."""
        lines = []
        while line := self.rfile.readline():
            lines.append(line)
            if line == b"\r\n":
                break
        return b"".join(lines)


def parsed(head: bytes) -> Request:
    """Read a request line and headers."""
    first, *rest = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in rest)
    return Request(method=method, path=path, headers=headers)


@pytest.fixture(scope="module")
def ear() -> Iterator[Ear]:
    """Return a server that listens."""
    with Ear() as ear:
        Thread(target=ear.serve_forever, daemon=True).start()
        yield ear
        ear.shutdown()


@pytest.fixture(scope="module")
def clients(ear: Ear) -> Iterator[tuple[OpenAI, OpenAI]]:
    """Return a plain client and a wrapped one, each with connections of its own."""
    made = [OpenAI(http_client=direct(), **ear.client) for _ in range(2)]
    with made[0] as plain, wrap(made[1], hooks=()) as wrapped:
        yield plain, wrapped


def direct(*, asynchronous: bool = False) -> Any:
    """Return the SDK's own HTTP client, blind to the proxies of this machine."""
    kind: Any = openai.DefaultAsyncHttpxClient if asynchronous else openai.DefaultHttpxClient
    return kind(trust_env=False)


def say(client: OpenAI, request: dict[str, Any], *, stream: bool) -> None:
    """Make a call and read its reply, a refusal too."""
    with suppress(openai.APIStatusError):
        reply: Any = client.chat.completions.create(**request, stream=stream)
        assert list(reply) if stream else reply.choices


async def say_async(client: AsyncOpenAI, request: dict[str, Any], *, stream: bool) -> None:
    """As `say`, asynchronously."""
    with suppress(openai.APIStatusError):
        reply: Any = await client.chat.completions.create(**request, stream=stream)
        assert [chunk async for chunk in reply] if stream else reply.choices


def test_the_ear_hears_everything(ear: Ear, clients: tuple[OpenAI, OpenAI]) -> None:
    """What is compared holds the request line, the headers with their values, and the body."""
    request: Any = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hé"}]}
    say(clients[0], {**request, "extra_headers": {"x-team": "books"}}, stream=True)
    (told,) = ear.told()
    head, _, body = told.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")

    assert b"post /v1/chat/completions http/1.1" == lines[0]
    assert {b"authorization: bearer sk-test", b"x-team: books"} <= set(lines)
    assert "Hé".encode() in body
    assert b'"stream":true' in body


@drawn_by_hypothesis
@given(request=requests, stream=st.booleans())
def test_the_bytes_are_the_same(
    ear: Ear, clients: tuple[OpenAI, OpenAI], request: dict[str, Any], *, stream: bool
) -> None:
    """The bytes of each of 200 requests, streaming or not, are those of the plain client."""
    plain, wrapped = clients
    say(plain, request, stream=stream)
    expected = ear.told()
    say(wrapped, request, stream=stream)

    assert 1 == len(expected)
    assert expected == ear.told()


def test_the_bytes_of_asynchronous_clients_are_the_same(ear: Ear) -> None:
    """The bytes of 200 requests of an asynchronous client are those of the plain one too."""
    with asyncio.Runner() as runner:
        plain, bare = (
            AsyncOpenAI(http_client=direct(asynchronous=True), **ear.client) for _ in range(2)
        )
        wrapped = wrap(bare, hooks=())

        @drawn_by_hypothesis
        @given(request=requests, stream=st.booleans())
        def compare(request: dict[str, Any], *, stream: bool) -> None:
            runner.run(say_async(plain, request, stream=stream))
            expected = ear.told()
            runner.run(say_async(wrapped, request, stream=stream))

            assert 1 == len(expected)
            assert expected == ear.told()

        compare()
        runner.run(plain.close())
        runner.run(wrapped.close())
