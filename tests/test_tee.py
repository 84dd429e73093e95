"""What a reply costs is learnt however it is read, and nobody notices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import openai
import pytest
from fake_kimi_requests import OFF, assistant, user
from kimi_clients import (
    BUDGET,
    MODEL,
    STREAM_ERRORS,
    TOOLS,
    Shelf,
    connect,
    connect_async,
    exactly,
    httpx_library,
    talk,
)
from openai import AsyncOpenAI, OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from piecemeal import Piecemeal
from pydantic import BaseModel

from memory import AsyncMemoryManager, MemoryManager, QueueHook
from memory.events import Failed
from memory.testing import FakeKimi, Fault
from memory.testing.kimi_encoding import Coding

SAID = '{"crate": 1, "shelf": 7}'
GIVEN: Any = {"model": MODEL, "messages": talk(20), "extra_body": OFF}
USAGE: Any = {"stream_options": {"include_usage": True}}
BODY: Any = {"model": MODEL, "messages": talk(20), **OFF}
Ask = Callable[[OpenAI], object]
AskAsync = Callable[[AsyncOpenAI], Awaitable[object]]


def rough(text: str) -> int:
    """Count badly, so that it shows when the server's count was taken over."""
    return len(text) // 3


def speaker(**more: Any) -> FakeKimi:
    """Return a server that always says the same."""
    return Piecemeal(reply=lambda _: SAID, **more)


def learnt(manager: MemoryManager | AsyncMemoryManager, fake: FakeKimi) -> bool:
    """Tell whether a manager counts the last prompt as the server did."""
    return fake.requests[-1].prompt_tokens == manager.count(talk(20), thinking=False).total


def plain(client: OpenAI) -> None:
    """Call `create`."""
    client.chat.completions.create(**GIVEN)


def parsed(client: OpenAI) -> None:
    """Call `parse`."""
    client.chat.completions.parse(**GIVEN, response_format=Shelf)


def raw(client: OpenAI) -> None:
    """Ask for a raw response."""
    client.chat.completions.with_raw_response.create(**GIVEN)


def raw_parsed(client: OpenAI) -> None:
    """Ask for a raw response of `parse`."""
    client.chat.completions.with_raw_response.parse(**GIVEN, response_format=Shelf)


def unread(client: OpenAI) -> None:
    """Ask for a response that is read in the `with` block."""
    with client.chat.completions.with_streaming_response.create(**GIVEN) as response:
        response.read()


def unread_parsed(client: OpenAI) -> None:
    """Ask for a response that is parsed in the `with` block."""
    with client.chat.completions.with_streaming_response.create(**GIVEN) as response:
        response.parse()


def unread_in_pieces(client: OpenAI) -> None:
    """Ask for a response that is read in small pieces."""
    with client.chat.completions.with_streaming_response.create(**GIVEN) as response:
        for _ in response.iter_bytes(7):
            pass


def streamed(client: OpenAI) -> None:
    """Read a stream, with the usage in the chunk that finishes alone."""
    list(client.chat.completions.create(**GIVEN, stream=True))


def streamed_with_usage(client: OpenAI) -> None:
    """Read a stream that ends with the usage once more."""
    list(client.chat.completions.create(**GIVEN, stream=True, **USAGE))


def helped(client: OpenAI) -> None:
    """Use the `stream` helper."""
    with client.chat.completions.stream(**GIVEN) as stream:
        stream.until_done()


def raw_streamed(client: OpenAI) -> None:
    """Read the stream of a raw response."""
    list(client.chat.completions.with_raw_response.create(**GIVEN, stream=True).parse())


def unread_lines(client: OpenAI) -> None:
    """Read the lines of a stream."""
    create = client.chat.completions.with_streaming_response.create
    with create(**GIVEN, stream=True) as response:
        list(response.iter_lines())


def posted(client: OpenAI) -> None:
    """Use the bare `post`."""
    client.post("/chat/completions", cast_to=ChatCompletion, body=BODY)


def posted_as_object(client: OpenAI) -> None:
    """Use the bare `post` for a decoded body."""
    client.post("/chat/completions", cast_to=object, body=BODY)


def posted_as_response(client: OpenAI) -> None:
    """Use the bare `post` for the HTTP response."""
    client.post("/chat/completions", cast_to=httpx_library.Response, body=BODY)


def posted_as_stream(client: OpenAI) -> None:
    """Use the bare `post` for a stream."""
    kind = Stream[ChatCompletionChunk]
    body = {**BODY, "stream": True}
    list(
        client.post(
            "/chat/completions",
            cast_to=ChatCompletionChunk,
            body=body,
            stream=True,
            stream_cls=kind,
        )
    )


STYLES: list[Ask] = [
    plain,
    parsed,
    raw,
    raw_parsed,
    unread,
    unread_parsed,
    unread_in_pieces,
    streamed,
    streamed_with_usage,
    helped,
    raw_streamed,
    unread_lines,
    posted,
    posted_as_object,
    posted_as_response,
    posted_as_stream,
]


@pytest.mark.parametrize("compress", [None, "gzip", "deflate"])
@pytest.mark.parametrize("style", STYLES)
def test_every_reply_teaches(style: Ask, compress: Coding | None) -> None:
    """The next count of the same prompt is the server's."""
    fake = speaker(compress=compress)
    manager = MemoryManager(budget=BUDGET, hooks=(), tokenizer=rough)
    before = manager.count(talk(20), thinking=False)
    style(manager.wrap(connect(fake)))
    after = manager.count(talk(20), thinking=False)

    assert before.total != fake.requests[-1].prompt_tokens == after.total
    assert (0, 1) == (round(before.measured, 1), round(after.measured, 1))


async def plain_async(client: AsyncOpenAI) -> None:
    """Call `create`."""
    await client.chat.completions.create(**GIVEN)


async def raw_async(client: AsyncOpenAI) -> None:
    """Ask for a raw response."""
    await client.chat.completions.with_raw_response.create(**GIVEN)


async def unread_async(client: AsyncOpenAI) -> None:
    """Ask for a response that is read in the `with` block."""
    async with client.chat.completions.with_streaming_response.create(**GIVEN) as response:
        await response.read()


async def streamed_async(client: AsyncOpenAI) -> None:
    """Read a stream."""
    stream = await client.chat.completions.create(**GIVEN, stream=True, **USAGE)
    assert [chunk async for chunk in stream]


async def helped_async(client: AsyncOpenAI) -> None:
    """Use the `stream` helper."""
    async with client.chat.completions.stream(**GIVEN) as stream:
        await stream.until_done()


async def posted_async(client: AsyncOpenAI) -> None:
    """Use the bare `post`."""
    await client.post("/chat/completions", cast_to=ChatCompletion, body=BODY)


ASYNC_STYLES: list[AskAsync] = [
    plain_async,
    raw_async,
    unread_async,
    streamed_async,
    helped_async,
    posted_async,
]


@pytest.mark.parametrize("compress", [None, "gzip", "deflate"])
@pytest.mark.parametrize("style", ASYNC_STYLES)
def test_every_asynchronous_reply_teaches(style: AskAsync, compress: Coding | None) -> None:
    """The same goes for asynchronous clients."""
    fake = speaker(compress=compress)
    manager = AsyncMemoryManager(budget=BUDGET, hooks=(), tokenizer=rough)
    asyncio.run(_run(style, manager.wrap(connect_async(fake))))

    assert learnt(manager, fake)


async def _run(style: AskAsync, client: AsyncOpenAI) -> None:
    await style(client)


@exactly
@pytest.mark.parametrize("more", [{}, USAGE])
def test_after_a_stream_the_next_count_is_the_servers(more: Any) -> None:
    """Reply and tools are known by what the stream said they cost, each once."""
    fake = FakeKimi(reply=lambda _: "Noted: it stands on shelf 7.")
    manager = MemoryManager(budget=BUDGET, hooks=())
    wrapped: Any = manager.wrap(connect(fake))
    given = {**GIVEN, "tools": TOOLS, "stream": True, **more}
    text = "".join(
        chunk.choices[0].delta.content or ""
        for chunk in wrapped.chat.completions.create(**given)
        if chunk.choices
    )
    messages = [*talk(20), assistant(text), user("And the next one?")]
    counted = manager.count(messages, tools=TOOLS, thinking=False)
    list(wrapped.chat.completions.create(**{**given, "messages": messages}))

    assert fake.requests[-1].prompt_tokens == counted.total
    assert counted.measured > 0.95


@exactly
@pytest.mark.parametrize("style", ["parse", "stream"])
def test_a_parsed_call_is_the_message_it_was(style: str) -> None:
    """What the SDK adds to a call for the caller is neither counted nor put on record."""
    call = {"name": "weigh", "arguments": '{"crate": 1}'}
    fake = FakeKimi()
    fake.queue_reply(
        {"content": "", "tool_calls": [{"id": "w:0", "type": "function", "function": call}]}
    )
    tools = [openai.pydantic_function_tool(Weigh, name="weigh")]
    manager = MemoryManager(budget=BUDGET, hooks=(), namespace="n")
    wrapped: Any = manager.with_options(conversation="trip").wrap(connect(fake))
    if style == "parse":
        wrapped.chat.completions.parse(**GIVEN, tools=tools)
    else:
        with wrapped.chat.completions.stream(**GIVEN, tools=tools) as stream:
            stream.until_done()
    said = manager.conversation("trip").history()[-1]

    assert [{"id": "w:0", "type": "function", "function": call}] == said["tool_calls"]
    assert "parsed" not in said


class Weigh(BaseModel):
    """What a tool is called with."""

    crate: int


def stopped(client: OpenAI) -> None:
    """Read a stream as far as it goes."""
    with suppress(*STREAM_ERRORS):
        list(client.chat.completions.create(**GIVEN, stream=True, **USAGE))


def closed_early(client: OpenAI) -> None:
    """Close a stream after its first chunk."""
    with client.chat.completions.create(**GIVEN, stream=True) as stream:
        next(iter(stream))


def never_read(client: OpenAI) -> None:
    """Close a stream that was not looked at."""
    client.chat.completions.create(**GIVEN, stream=True).close()


def forgotten(client: OpenAI) -> None:
    """Do nothing with a stream."""
    client.chat.completions.create(**GIVEN, stream=True)


def unread_and_left(client: OpenAI) -> None:
    """Leave a response unread."""
    with client.chat.completions.with_streaming_response.create(**GIVEN):
        pass


def broken(client: OpenAI) -> None:
    """Read a body that breaks off."""
    with (
        suppress(*STREAM_ERRORS),
        client.chat.completions.with_streaming_response.create(**GIVEN) as response,
    ):
        response.read()


@pytest.mark.parametrize("compress", [None, "gzip", "deflate"])
@pytest.mark.parametrize(
    ("style", "faults"),
    [
        (stopped, [Fault.NO_DONE]),
        (stopped, [Fault.CUT]),
        (stopped, [Fault.RESET]),
        (broken, [Fault.RESET]),
        (closed_early, []),
        (never_read, []),
        (forgotten, []),
        (unread_and_left, []),
    ],
)
def test_what_did_not_arrive_teaches_nothing(
    style: Ask, faults: list[Fault], compress: Coding | None
) -> None:
    """A reply that is not whole says nothing about what anything costs."""
    fake = speaker(compress=compress, faults=faults)
    hook = QueueHook()
    manager = MemoryManager(budget=BUDGET, hooks=(hook,), tokenizer=rough)
    before = manager.count(talk(20), thinking=False)
    style(manager.wrap(connect(fake)))
    after = manager.count(talk(20), thinking=False)

    assert (before.total, before.measured) == (after.total, after.measured)
    assert not any(isinstance(event, Failed) for event in hook.drain())
