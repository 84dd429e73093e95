"""Conversations with a name through clients of the SDK, on a fake Kimi server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fake_kimi_requests import OFF, assistant, user
from kimi_clients import BUDGET, HEAD, MODEL, Shelf, ask, connect, connect_async, sent, talk
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion

from memory import (
    AsyncConversation,
    AsyncMemoryManager,
    Conversation,
    MemoryManager,
    VolatileStore,
    wrap,
)
from memory.client import manager_of
from memory.errors import StoreError
from memory.flow import Log, LogKey
from memory.testing import FakeKimi

NAME = "user-42/trip"
SAID = '{"crate": 1, "shelf": 7}'
"""What the server answers in every style; `parse` reads a `Shelf` from it."""
TURN = [user("Where is crate 1?"), assistant(SAID)]

SHARES = {"target": 0.6, "notes": 0.3}

Style = Callable[[OpenAI, Any], object]
AsyncStyle = Callable[[AsyncOpenAI, Any], Awaitable[object]]


def kept(fake: FakeKimi, name: str = NAME, **options: Any) -> tuple[OpenAI, Conversation]:
    """Return a client all of whose calls go on from one conversation, and the conversation."""
    client = wrap(connect(fake), conversation=name, **({"hooks": ()} | options))
    manager = manager_of(client)
    assert isinstance(manager, MemoryManager)
    return client, manager.conversation(name)


def kept_async(
    fake: FakeKimi, name: str = NAME, **options: Any
) -> tuple[AsyncOpenAI, AsyncConversation]:
    """Return an asynchronous client of one conversation, and the conversation."""
    client = wrap(connect_async(fake), conversation=name, **({"hooks": ()} | options))
    manager = manager_of(client)
    assert isinstance(manager, AsyncMemoryManager)
    return client, manager.conversation(name)


def filled(fake: FakeKimi, turns: int = 60, **options: Any) -> tuple[OpenAI, Conversation]:
    """Return a client of a conversation in which so many turns were made, and the conversation.

    Sixty make two compactions.
    """
    client, conversation = kept(fake, **(SHARES | {"budget": BUDGET} | options))
    for message in talk(turns)[1::2]:
        ask(client, [HEAD, message])
    return client, conversation


def contents(messages: Any) -> list[Any]:
    """Return what messages say."""
    return [message["content"] for message in messages]


def last_sent(fake: FakeKimi) -> Any:
    """Return what the last turn said to the server."""
    return contents(sent(fake)[-1])


def echo(body: Any) -> str:
    """Reply with what was asked."""
    return f"Reply to {body['messages'][-1]['content']}"


def speaker() -> FakeKimi:
    """Return a server whose replies say what they reply to."""
    return FakeKimi(reply=echo)


def calling(*identifiers: str) -> dict[str, Any]:
    """Return a reply that weighs crates."""
    function = {"name": "weigh", "arguments": '{"crate": 1}'}
    calls = [{"id": each, "type": "function", "function": function} for each in identifiers]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(identifier: str, text: str = "12 kg") -> dict[str, Any]:
    """Return the result of a call."""
    return {"role": "tool", "tool_call_id": identifier, "content": text}


class Fragile(VolatileStore):
    """A store that can be told to fail.

    Attributes:
        reads: Whether it can be read.
        writes: Whether it can be written.
    """

    reads = True
    writes = True

    def load(self, key: LogKey) -> Log:
        """Return a log, or fail."""
        if not self.reads:
            msg = "the disk is gone"
            raise StoreError(msg)
        return super().load(key)

    def append(self, key: LogKey, records: Any, *, expected: int) -> int:
        """Append records, or fail."""
        if not self.writes:
            msg = "the disk is full"
            raise StoreError(msg)
        return super().append(key, records, expected=expected)


def _given(messages: Any, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": messages, "extra_body": OFF, **more}


def create(client: OpenAI, messages: Any) -> None:
    """Call `create`."""
    client.chat.completions.create(**_given(messages))


def create_streaming(client: OpenAI, messages: Any) -> None:
    """Call `create(stream=True)` and read the stream."""
    assert list(client.chat.completions.create(**_given(messages, stream=True)))


def stream_helper(client: OpenAI, messages: Any) -> None:
    """Use the `stream` helper."""
    with client.chat.completions.stream(**_given(messages)) as stream:
        assert stream.get_final_completion().choices


def parse(client: OpenAI, messages: Any) -> None:
    """Call `parse`."""
    reply = client.chat.completions.parse(**_given(messages), response_format=Shelf)
    assert Shelf(crate=1, shelf=7) == reply.choices[0].message.parsed


def raw_response(client: OpenAI, messages: Any) -> None:
    """Call `with_raw_response.create`."""
    assert client.chat.completions.with_raw_response.create(**_given(messages)).parse().choices


def raw_stream(client: OpenAI, messages: Any) -> None:
    """Call `with_raw_response.create(stream=True)` and read the stream."""
    raw = client.chat.completions.with_raw_response.create(**_given(messages, stream=True))
    assert list(raw.parse())


def streaming_response(client: OpenAI, messages: Any) -> None:
    """Call `with_streaming_response.create` and read the body."""
    with client.chat.completions.with_streaming_response.create(**_given(messages)) as response:
        assert b"choices" in response.read()


def post(client: OpenAI, messages: Any) -> None:
    """Call the client's bare `post`."""
    body = {"model": MODEL, "messages": messages, **OFF}
    client.post("/chat/completions", cast_to=ChatCompletion, body=body)


def post_for_json(client: OpenAI, messages: Any) -> None:
    """Call the client's bare `post` for the decoded body."""
    body = {"model": MODEL, "messages": messages, **OFF}
    client.post("/chat/completions", cast_to=dict[str, Any], body=body)


def beta(client: OpenAI, messages: Any) -> None:
    """Call `beta.chat.completions.create`."""
    client.beta.chat.completions.create(**_given(messages))


STYLES: tuple[Style, ...] = (
    create,
    create_streaming,
    stream_helper,
    parse,
    raw_response,
    raw_stream,
    streaming_response,
    post,
    post_for_json,
    beta,
)


async def acreate(client: AsyncOpenAI, messages: Any) -> None:
    """Call `create`."""
    await client.chat.completions.create(**_given(messages))


async def acreate_streaming(client: AsyncOpenAI, messages: Any) -> None:
    """Call `create(stream=True)` and read the stream."""
    stream = await client.chat.completions.create(**_given(messages, stream=True))
    assert [chunk async for chunk in stream]


async def astream_helper(client: AsyncOpenAI, messages: Any) -> None:
    """Use the `stream` helper."""
    async with client.chat.completions.stream(**_given(messages)) as stream:
        assert (await stream.get_final_completion()).choices


async def aparse(client: AsyncOpenAI, messages: Any) -> None:
    """Call `parse`."""
    await client.chat.completions.parse(**_given(messages), response_format=Shelf)


async def araw_response(client: AsyncOpenAI, messages: Any) -> None:
    """Call `with_raw_response.create`."""
    raw = await client.chat.completions.with_raw_response.create(**_given(messages))
    assert raw.parse().choices


async def astreaming_response(client: AsyncOpenAI, messages: Any) -> None:
    """Call `with_streaming_response.create` and read the body."""
    completions = client.chat.completions.with_streaming_response
    async with completions.create(**_given(messages)) as response:
        assert b"choices" in await response.read()


async def apost(client: AsyncOpenAI, messages: Any) -> None:
    """Call the client's bare `post`."""
    body = {"model": MODEL, "messages": messages, **OFF}
    await client.post("/chat/completions", cast_to=ChatCompletion, body=body)


ASYNC_STYLES: tuple[AsyncStyle, ...] = (
    acreate,
    acreate_streaming,
    astream_helper,
    aparse,
    araw_response,
    astreaming_response,
    apost,
)
