"""Under the budget a wrapped client is indistinguishable on the wire and to its caller."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kimi_clients import async_http_client, http_client, httpx_library
from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
from pydantic import BaseModel
from wire_requests import MODELS, SERVED, requests

from memory import MemoryManager, QueueHook, wrap
from memory.testing import FakeKimi


class Sent(NamedTuple):
    """One request as it left: nothing of it may differ."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes


class Shelf(BaseModel):
    """What `parse` is asked for."""

    crate: int


class Wire:
    """A transport that remembers what it carries to a fake server."""

    def __init__(self) -> None:
        """Start with an empty log and a server of its own."""
        self.sent: list[Sent] = []
        self.fake = FakeKimi(models=SERVED, reply=lambda _: '{"crate": 1}')

    def client(self, **more: Any) -> OpenAI:
        """Return a client on this wire."""
        hooks: Any = {"request": [self.note]}
        http = http_client(self.fake, event_hooks=hooks)
        return OpenAI(http_client=http, **(CLIENT | more))

    def async_client(self) -> AsyncOpenAI:
        """Return an asynchronous client on this wire."""

        async def note(request: httpx_library.Request) -> None:
            await request.aread()
            self.note(request)

        hooks: Any = {"request": [note]}
        http = async_http_client(self.fake, event_hooks=hooks)
        return AsyncOpenAI(http_client=http, **CLIENT)

    def note(self, request: httpx_library.Request) -> None:
        """Remember a request."""
        headers = list(request.headers.multi_items())
        self.sent.append(Sent(request.method, str(request.url), headers, request.read()))


CLIENT: dict[str, Any] = {"api_key": "sk-test", "base_url": "http://fake/v1", "max_retries": 0}


def create(client: OpenAI, request: dict[str, Any]) -> Any:
    """Call `create`."""
    return client.chat.completions.create(**request)


def create_streaming(client: OpenAI, request: dict[str, Any]) -> Any:
    """Call `create(stream=True)` and read the stream."""
    return list(client.chat.completions.create(**request, stream=True))


def stream_helper(client: OpenAI, request: dict[str, Any]) -> Any:
    """Use the `stream` helper."""
    with client.chat.completions.stream(**request) as stream:
        return stream.get_final_completion()


def parse(client: OpenAI, request: dict[str, Any]) -> Any:
    """Call `parse`."""
    return client.chat.completions.parse(**(request | {"tools": []}), response_format=Shelf)


def raw_response(client: OpenAI, request: dict[str, Any]) -> Any:
    """Call `with_raw_response.create`."""
    return client.chat.completions.with_raw_response.create(**request).parse()


def post(client: OpenAI, request: dict[str, Any]) -> Any:
    """Call the client's bare `post`."""
    return client.post("/chat/completions", cast_to=ChatCompletion, body=request)


def outcome(call: Callable[[OpenAI, Any], Any], client: OpenAI, request: Any) -> str:
    """Return what the caller gets: a reply, or the SDK's error."""
    try:
        reply = call(client, request)
    except openai.OpenAIError as error:
        return f"{type(error).__name__}: {error}"
    except (TypeError, ValueError) as error:  # the SDK's own refusals
        return repr(error)
    return "".join(map(shown, reply if isinstance(reply, list) else [reply]))


def shown(reply: BaseModel) -> str:
    """Return the type of a reply and its fields, without the time at which it was made."""
    return type(reply).__name__ + reply.model_dump_json(exclude={"created"}, warnings=False)


@pytest.mark.parametrize(
    "call", [create, create_streaming, stream_helper, parse, raw_response, post]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=requests)
def test_requests_and_outcomes_are_the_same(
    call: Callable[[OpenAI, Any], Any], request: dict[str, Any]
) -> None:
    """Method, URL, headers, body and what the caller gets equal those of the plain client."""
    plain, wrapped = Wire(), Wire()
    given_before = copy.deepcopy(request)
    expected = outcome(call, plain.client(), request)
    actual = outcome(call, wrap(wrapped.client(), hooks=()), request)

    assert plain.sent == wrapped.sent
    assert expected == actual
    assert given_before == request


@settings(max_examples=30, deadline=None)
@given(request=requests)
def test_prompts_close_to_the_budget_are_the_same(request: dict[str, Any]) -> None:
    """A budget so close that most prompts have to be counted changes nothing while they fit."""
    plain, wrapped = Wire(), Wire()
    count = MemoryManager(hooks=()).count(request["messages"], tools=request.get("tools"))
    expected = outcome(create, plain.client(), request)
    close = wrap(wrapped.client(), budget=count.total * 5 // 4 + 20, hooks=())

    assert expected == outcome(create, close, request)
    assert plain.sent == wrapped.sent


def test_prompts_that_are_counted_are_the_same() -> None:
    """A prompt that its bytes alone do not clear is counted, and leaves as it is."""
    plain, wrapped, hook = Wire(), Wire(), QueueHook()
    messages = [{"role": "user", "content": f"Crate {n} came in. " * 9} for n in range(20)]
    request = {"model": "kimi-k2.6", "messages": messages}
    outcome(create, plain.client(), request)
    outcome(create, wrap(wrapped.client(), budget=2_000, hooks=(hook,)), request)

    assert ["CounterChosen", "Counted"] == [type(event).__name__ for event in hook.drain()]
    assert plain.sent == wrapped.sent


@settings(max_examples=30, deadline=None)
@given(request=requests, stream=st.booleans())
def test_asynchronous_requests_are_the_same(request: dict[str, Any], *, stream: bool) -> None:
    """An asynchronous client sends what it sends without a memory, streaming or not."""
    plain, wrapped = Wire(), Wire()

    async def send(client: AsyncOpenAI) -> str:
        try:
            reply: Any = await client.chat.completions.create(**request, stream=stream)
            return "".join([shown(chunk) async for chunk in reply] if stream else [shown(reply)])
        except openai.OpenAIError as error:
            return f"{type(error).__name__}: {error}"

    expected = asyncio.run(send(plain.async_client()))

    assert expected == asyncio.run(send(wrap(wrapped.async_client(), hooks=())))
    assert plain.sent == wrapped.sent


HELLO: Any = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hello"}]}


def test_replies_are_the_sdks_own() -> None:
    """Each call style returns exactly the type that the SDK returns."""
    completions = wrap(Wire().client()).chat.completions
    stream = completions.create(**HELLO, stream=True)

    assert ChatCompletion is type(completions.create(**HELLO))
    assert (Stream, ChatCompletionChunk) == (type(stream), type(next(iter(stream))))
    assert issubclass(type(completions.parse(**HELLO, response_format=Shelf)), ParsedChatCompletion)


def test_raw_responses_are_the_sdks_own() -> None:
    """A raw response carries the server's bytes and headers."""
    plain, wrapped = Wire(), Wire()
    expected = plain.client().chat.completions.with_raw_response.create(**HELLO)
    actual = wrap(wrapped.client()).chat.completions.with_raw_response.create(**HELLO)

    assert type(expected) is type(actual)
    assert dict(expected.headers) == dict(actual.headers)
    assert expected.http_request.content == actual.http_request.content


def test_asynchronous_replies_are_the_sdks_own() -> None:
    """Each call style of the asynchronous client returns exactly the SDK's type."""

    async def scenario() -> None:
        completions = wrap(Wire().async_client()).chat.completions

        assert ChatCompletion is type(await completions.create(**HELLO))
        assert AsyncStream is type(await completions.create(**HELLO, stream=True))

    asyncio.run(scenario())


def test_the_resources_are_the_sdks_own() -> None:
    """`create` is bound to the SDK's resource, so that signatures and instrumentation hold."""
    plain, wrapped = Wire().client(), wrap(Wire().client())

    assert type(plain.chat.completions) is type(wrapped.chat.completions)
    assert (
        plain.chat.completions.create.__func__  # type: ignore[attr-defined]
        is wrapped.chat.completions.create.__func__  # type: ignore[attr-defined]
    )


def test_missing_arguments_are_the_sdks_to_refuse() -> None:
    """A call without messages fails with the SDK's own error, before anything is sent."""
    wire = Wire()
    incomplete: Any = wrap(wire.client()).chat.completions.create

    with pytest.raises(TypeError, match="messages"):
        incomplete(model="kimi-k2.6")
    assert [] == wire.sent


@pytest.mark.parametrize("model", MODELS)
def test_the_user_agent_is_the_sdks(model: str) -> None:
    """Servers see the user agent of the plain client, for summaries too."""
    plain, wrapped = Wire(), Wire()
    messages = [{"role": "user", "content": f"Crate {n} came in. " * 9} for n in range(90)]
    outcome(create, plain.client(), {"model": model, "messages": messages})
    outcome(
        create,
        wrap(wrapped.client(), budget=2_000, hooks=()),
        {"model": model, "messages": messages},
    )
    agents = {
        value
        for each in (*plain.sent, *wrapped.sent)
        for key, value in each.headers
        if key.lower() == "user-agent"
    }

    assert 1 == len(agents)
    assert 3 <= len(plain.sent) + len(wrapped.sent)
