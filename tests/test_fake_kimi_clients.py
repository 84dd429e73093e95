"""The fake server behind real clients: the OpenAI SDK, both HTTP libraries, ASGI and a socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import httpx
import httpx2
import openai
import pytest
from kimi_clients import STREAM_ERRORS, async_http_client, http_client
from openai import AsyncOpenAI, OpenAI

from memory.testing import FakeKimi, Fault, asgi_app, serve

HELLO: Any = [{"role": "user", "content": "Hello"}]
OFF = {"thinking": {"type": "disabled"}}
TEXT = "A reply that is long enough to be streamed in several pieces. " * 5
CALL = {
    "id": "search:0",
    "type": "function",
    "function": {"name": "search", "arguments": json.dumps({"query": "x" * 100})},
}


def client_of(fake: FakeKimi) -> OpenAI:
    """Return a client of the SDK that talks to the server in this process."""
    http = http_client(fake)
    return OpenAI(api_key="sk-test", base_url="http://fake/v1", http_client=http, max_retries=0)


def stream(client: OpenAI, **more: Any) -> list[Any]:
    """Return the chunks of a streamed reply."""
    create: Any = client.chat.completions.create
    return list(create(model="kimi-k2.6", messages=HELLO, stream=True, **more))


def text_of(chunks: list[Any]) -> str:
    """Return the text of a streamed reply."""
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    return "".join(delta.content or "" for delta in deltas)


def usages(chunks: list[Any]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the usage blocks within choices, and those at the top level."""
    within = [c.usage for chunk in chunks for c in chunk.choices if hasattr(c, "usage")]
    return within, [chunk.usage for chunk in chunks if chunk.usage is not None]


def test_the_sdk_reads_a_reply() -> None:
    """A reply is one the SDK understands; it has no request id, for lack of OpenAI's header."""
    reply = client_of(FakeKimi(reply=lambda _: "Hi.")).chat.completions.create(
        model="kimi-k2.6", messages=HELLO
    )
    message = reply.choices[0].message

    assert ("Hi.", "stop", None) == (
        message.content,
        reply.choices[0].finish_reason,
        reply._request_id,  # noqa: SLF001  documented by the SDK under this name
    )
    assert message.model_extra is not None
    assert "reasoning_content" in message.model_extra


def test_the_sdk_lists_models() -> None:
    """The list of models carries the windows as additional fields."""
    models = {model.id: model.model_extra for model in client_of(FakeKimi()).models.list()}

    assert 262_144 == (models["kimi-k2.6"] or {})["context_length"]


def test_the_sdk_posts_to_other_routes() -> None:
    """The estimate is reached through the client's bare `post`."""
    body = {"model": "kimi-k2.6", "messages": HELLO}
    estimate: Any = client_of(FakeKimi()).post(
        "/tokenizers/estimate-token-count", body=body, cast_to=object
    )

    assert {"data": {"total_tokens": 5}} == estimate


def test_streams_arrive_in_pieces() -> None:
    """The role comes first, then the reasoning, then the text, then the reason for the end."""
    chunks = stream(client_of(FakeKimi(reply=lambda _: TEXT)))
    deltas = [chunk.choices[0].delta.model_dump(exclude_none=True) for chunk in chunks]
    fields = list(dict.fromkeys(next(iter(delta)) for delta in deltas[1:-1]))

    assert {"role": "assistant", "content": ""} == deltas[0]
    assert ["reasoning_content", "content"] == fields
    assert TEXT == text_of(chunks)
    assert "stop" == chunks[-1].choices[0].finish_reason
    assert {"fpv0_10a6da87"} == {chunk.system_fingerprint for chunk in chunks}


def test_the_usage_of_a_stream_stands_in_its_last_choice() -> None:
    """Without being asked for, usage is told once, within the choice that finishes."""
    fake = FakeKimi()
    within, above = usages(stream(client_of(fake)))

    assert (1, []) == (len(within), above)
    assert fake.requests[0].prompt_tokens == within[0]["prompt_tokens"]


def test_the_usage_of_a_stream_can_be_asked_for() -> None:
    """When asked for, usage is told twice: in the choice, and in a chunk without choices."""
    chunks = stream(client_of(FakeKimi()), stream_options={"include_usage": True})
    within, above = usages(chunks)

    assert (1, 1, []) == (len(within), len(above), chunks[-1].choices)
    assert within[0]["total_tokens"] == above[0].total_tokens


def test_streams_and_whole_replies_agree() -> None:
    """The same request costs and says the same, streamed or not."""
    whole, streamed = FakeKimi(reply=lambda _: TEXT), FakeKimi(reply=lambda _: TEXT)
    reply = client_of(whole).chat.completions.create(model="kimi-k2.6", messages=HELLO)
    chunks = stream(client_of(streamed))

    assert reply.choices[0].message.content == text_of(chunks)
    assert reply.usage is not None
    assert reply.usage.total_tokens == usages(chunks)[0][0]["total_tokens"]
    assert [False, True] == [fake.requests[0].stream for fake in (whole, streamed)]


def test_calls_are_streamed_in_pieces() -> None:
    """The first piece of a call names it, the others carry arguments; the SDK puts it together."""
    fake = FakeKimi()
    fake.queue_reply({"role": "assistant", "content": None, "tool_calls": [CALL]})
    with client_of(fake).chat.completions.stream(
        model="kimi-k2.6", messages=HELLO, extra_body=OFF
    ) as events:
        message = events.get_final_completion().choices[0].message

    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert (CALL["id"], CALL["function"]) == (
        call.id,
        {"name": call.function.name, "arguments": call.function.arguments},
    )


async def both_ways(client: AsyncOpenAI) -> tuple[str | None, str]:
    """Return the text of a whole and of a streamed reply."""
    async with client:
        reply = await client.chat.completions.create(model="kimi-k2.6", messages=HELLO)
        chunks = await client.chat.completions.create(
            model="kimi-k2.6", messages=HELLO, stream=True
        )
        return reply.choices[0].message.content, text_of([chunk async for chunk in chunks])


def test_the_asynchronous_sdk_is_served() -> None:
    """An asynchronous client gets whole and streamed replies."""
    fake = FakeKimi(reply=lambda _: TEXT)
    http = async_http_client(fake)
    client = AsyncOpenAI(api_key="sk-test", base_url="http://fake/v1", http_client=http)

    assert (TEXT, TEXT) == asyncio.run(both_ways(client))


BODY = {"model": "kimi-k2.6", "messages": HELLO, "stream": True}
HEADERS = {"Authorization": "Bearer sk-test"}
URL = "http://fake/v1/chat/completions"


def test_httpx_is_served() -> None:
    """The library of older SDKs has a transport too, with its own errors."""
    fake = FakeKimi(faults=[Fault.RESET])
    with httpx.Client(transport=fake.httpx_transport(), headers=HEADERS) as client:
        with pytest.raises(httpx.ReadError):
            client.post(URL, json=BODY)
        reply = client.post(URL, json=BODY)

    assert reply.text.endswith("data: [DONE]\n\n")


def test_asynchronous_httpx_is_served() -> None:
    """The library of older SDKs has an asynchronous transport too, with its own errors."""
    fake = FakeKimi(faults=[Fault.SLOW], slow_seconds=9, sleep=lambda _: None)

    async def post() -> str:
        transport = fake.async_httpx_transport()
        async with httpx.AsyncClient(transport=transport, headers=HEADERS) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(URL, json=BODY, timeout=1)
            return (await client.post(URL, json=BODY)).text

    assert asyncio.run(post()).endswith("data: [DONE]\n\n")


def test_asgi_is_spoken() -> None:
    """The application answers any ASGI client."""
    transport = httpx2.ASGITransport(app=asgi_app(FakeKimi()))

    async def get() -> Any:
        async with httpx2.AsyncClient(transport=transport, headers=HEADERS) as client:
            return (await client.get("http://fake/v1/models?limit=9")).json()

    assert "list" == asyncio.run(get())["object"]


def test_asgi_lifespans_are_answered() -> None:
    """A server that starts the application up and shuts it down is told that it may."""
    events = iter(["lifespan.startup", "lifespan.shutdown"])
    sent = list[str]()

    async def receive() -> dict[str, Any]:
        return {"type": next(events)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(asgi_app(FakeKimi())({"type": "lifespan"}, receive, send))

    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == sent


def test_a_socket_is_served() -> None:
    """Over HTTP, replies, streams, refusals and broken connections are what they are in process."""
    fake = FakeKimi(reply=lambda _: TEXT)
    with serve(fake) as url, OpenAI(api_key="sk-test", base_url=url, max_retries=0) as client:
        reply = client.chat.completions.create(model="kimi-k2.6", messages=HELLO)
        streamed = text_of(stream(client))
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="kimi-k2.5", messages=HELLO)
        fake.fail_next(Fault.RESET)
        with pytest.raises(STREAM_ERRORS):
            stream(client)

    assert (TEXT, TEXT) == (reply.choices[0].message.content, streamed)
    assert [200, 200, 404, 200] == [served.status for served in fake.requests]


def test_a_port_is_free_again_afterwards() -> None:
    """Leaving the context stops the server."""
    with serve(FakeKimi()) as url:
        port = int(url.removesuffix("/v1").rpartition(":")[2])
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/v1/models")
    with serve(FakeKimi(), port=port) as again:
        assert again == url


def test_the_server_needs_no_http_library_until_asked() -> None:
    """Importing the fake and handling a request loads no client and no server."""
    code = (
        "import sys; from memory.testing import *; "
        "FakeKimi().handle(Request(method='GET', path='/v1/models')); "
        "print(*sorted(sys.modules.keys() & {'openai', 'httpx', 'httpx2', 'uvicorn', 'starlette'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "" == done.stdout.strip()
