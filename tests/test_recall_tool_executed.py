"""Searches of the model are answered before its reply reaches the caller, in every style."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from fake_kimi_requests import OFF
from kimi_clients import MODEL, TOOLS, Shelf, ask, httpx_library
from openai.types.chat import ChatCompletion
from remembering import (
    FACT,
    LONG,
    SAID,
    a_call,
    asking,
    bodies,
    offered,
    remembering,
    remembering_async,
    searching,
    server,
    text_of,
)

from memory.events import Failed
from memory.recall.tool import FAILED, LAST, NAME, WAITING

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

GIVEN: Any = {"model": MODEL, "messages": LONG, "extra_body": OFF}
BODY: Any = {"model": MODEL, "messages": LONG, **OFF}


def created(client: OpenAI) -> str:
    """Call `create`."""
    return str(client.chat.completions.create(**GIVEN).choices[0].message.content)


def parsed(client: OpenAI) -> str:
    """Call `parse`."""
    reply = client.chat.completions.parse(**GIVEN, response_format=Shelf)
    assert Shelf(crate=1, shelf=7) == reply.choices[0].message.parsed
    return str(reply.choices[0].message.content)


def streamed(client: OpenAI) -> str:
    """Read a stream."""
    return text_of(client.chat.completions.create(**GIVEN, stream=True))


def helped(client: OpenAI) -> str:
    """Use the `stream` helper."""
    with client.chat.completions.stream(**GIVEN) as stream:
        return str(stream.get_final_completion().choices[0].message.content)


def raw(client: OpenAI) -> str:
    """Ask for a raw response."""
    reply = client.chat.completions.with_raw_response.create(**GIVEN).parse()
    return str(reply.choices[0].message.content)


def raw_streamed(client: OpenAI) -> str:
    """Read the stream of a raw response."""
    return text_of(client.chat.completions.with_raw_response.create(**GIVEN, stream=True).parse())


def unread(client: OpenAI) -> str:
    """Ask for a response that is read later."""
    with client.chat.completions.with_streaming_response.create(**GIVEN) as response:
        return str(response.parse().choices[0].message.content)


def unread_streamed(client: OpenAI) -> str:
    """Ask for a response whose stream is read later."""
    create = client.chat.completions.with_streaming_response.create
    with create(**GIVEN, stream=True) as response:
        return text_of(response.parse())


def posted(client: OpenAI) -> str:
    """Use the bare `post`."""
    reply = client.post("/chat/completions", cast_to=ChatCompletion, body=BODY)
    return str(reply.choices[0].message.content)


def posted_as_object(client: OpenAI) -> str:
    """Use the bare `post` for a decoded body."""
    reply: Any = client.post("/chat/completions", cast_to=object, body=BODY)
    return str(reply["choices"][0]["message"]["content"])


def posted_as_response(client: OpenAI) -> str:
    """Use the bare `post` for the HTTP response."""
    reply: Any = client.post("/chat/completions", cast_to=httpx_library.Response, body=BODY)
    return str(reply.json()["choices"][0]["message"]["content"])


async def created_async(client: AsyncOpenAI) -> str:
    """Call `create`."""
    return str((await client.chat.completions.create(**GIVEN)).choices[0].message.content)


async def parsed_async(client: AsyncOpenAI) -> str:
    """Call `parse`."""
    reply = await client.chat.completions.parse(**GIVEN, response_format=Shelf)
    return str(reply.choices[0].message.content)


async def text_of_async(stream: Any) -> str:
    """Return the text of a stream."""
    return "".join([each.choices[0].delta.content or "" async for each in stream if each.choices])


async def streamed_async(client: AsyncOpenAI) -> str:
    """Read a stream."""
    return await text_of_async(await client.chat.completions.create(**GIVEN, stream=True))


async def helped_async(client: AsyncOpenAI) -> str:
    """Use the `stream` helper."""
    async with client.chat.completions.stream(**GIVEN) as stream:
        return str((await stream.get_final_completion()).choices[0].message.content)


async def raw_async(client: AsyncOpenAI) -> str:
    """Ask for a raw response."""
    reply = await client.chat.completions.with_raw_response.create(**GIVEN)
    return str(reply.parse().choices[0].message.content)


async def unread_async(client: AsyncOpenAI) -> str:
    """Ask for a response that is read later."""
    async with client.chat.completions.with_streaming_response.create(**GIVEN) as response:
        return str((await response.parse()).choices[0].message.content)


async def unread_streamed_async(client: AsyncOpenAI) -> str:
    """Ask for a response whose stream is read later."""
    create = client.chat.completions.with_streaming_response.create
    async with create(**GIVEN, stream=True) as response:
        return await text_of_async(await response.parse())


STYLES: list[Callable[[OpenAI], str]] = [
    created,
    parsed,
    streamed,
    helped,
    raw,
    raw_streamed,
    unread,
    unread_streamed,
    posted,
    posted_as_object,
    posted_as_response,
]
ASYNC_STYLES: list[Callable[[AsyncOpenAI], Awaitable[str]]] = [
    created_async,
    parsed_async,
    streamed_async,
    helped_async,
    raw_async,
    unread_async,
    unread_streamed_async,
]


@pytest.mark.parametrize("style", STYLES)
def test_the_caller_gets_the_reply_that_follows(style: Callable[[OpenAI], str]) -> None:
    """In the type of the SDK, whatever that is."""
    assert SAID == style(remembering(server())[0])


@pytest.mark.parametrize("style", ASYNC_STYLES)
def test_an_asynchronous_caller_gets_it_too(style: Callable[[AsyncOpenAI], Awaitable[str]]) -> None:
    """With the same loop."""

    async def main() -> str:
        return await style(remembering_async(server())[0])

    assert SAID == asyncio.run(main())


@pytest.mark.parametrize("style", STYLES)
def test_the_model_gets_what_was_found(style: Callable[[OpenAI], str]) -> None:
    """The message that was left out, word for word, in the result of its call."""
    fake = server()
    style(remembering(fake)[0])
    last = bodies(fake)[-1]["messages"][-1]
    assert (f"{NAME}:0", True) == (last["tool_call_id"], FACT in last["content"])


def test_the_thought_of_a_search_is_sent_back() -> None:
    """A thinking model refuses its own calls without it."""
    fake = server(
        lambda body: {**searched, "reasoning_content": "I look."} if first(body) else SAID
    )
    ask(remembering(fake)[0], LONG, extra_body={})
    assert "I look." == bodies(fake)[-1]["messages"][-2]["reasoning_content"]


searched = asking(a_call())


def first(body: Any) -> bool:
    """Tell whether nothing was searched yet."""
    return all(message["role"] != "tool" for message in body["messages"])


def test_a_model_that_does_not_think_needs_no_thought() -> None:
    """None is made up."""
    fake = server()
    ask(remembering(fake)[0], LONG)
    assert "reasoning_content" not in bodies(fake)[-1]["messages"][-2]


def test_what_was_sent_stays_before_what_is_added() -> None:
    """So that the server has it in its cache."""
    fake = server(searching(3))
    ask(remembering(fake)[0], LONG)
    sent = [body["messages"] for body in bodies(fake)]
    assert [sent[0], sent[1]] == [sent[1][: len(sent[0])], sent[2][: len(sent[1])]]


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_the_rounds_are_bounded(rounds: int) -> None:
    """Then the model has to reply, and the tool stays declared for the cache."""
    fake = server(searching(99))
    ask(remembering(fake, recall_rounds=rounds)[0], LONG)
    choices = [body.get("tool_choice") for body in bodies(fake)]
    assert ([None] * rounds + ["none"], [NAME]) == (choices, offered(bodies(fake)[-1]))


def test_a_model_with_tools_of_the_caller_is_told_first() -> None:
    """A choice of no tool would forbid these too."""
    fake = server(searching(99))
    ask(remembering(fake, recall_rounds=2)[0], LONG, tools=TOOLS)
    last = bodies(fake)[-1]
    told = last["messages"][-1]["content"].endswith(LAST)
    assert (4, True, ["weigh"], None) == (
        len(bodies(fake)),
        told,
        offered(last),
        last.get("tool_choice"),
    )


def test_the_caller_gets_calls_of_its_own_after_a_search() -> None:
    """They are nobody else's to answer."""
    weigh = asking(a_call('{"crate": 1}', name="weigh"))
    fake = server(lambda body: searched if first(body) else weigh)
    reply = ask(remembering(fake)[0], LONG, tools=TOOLS)
    assert ["weigh"] == [call.function.name for call in reply.choices[0].message.tool_calls]


@pytest.mark.parametrize("style", [{}, {"stream": True}])
@pytest.mark.parametrize("order", [1, -1])
def test_a_mixed_batch_is_answered_whole(style: dict[str, Any], order: int) -> None:
    """The caller's calls wait: the model is to call again with what was found."""
    mixed = asking(*[a_call(), a_call('{"crate": 1}', name="weigh")][::order])
    fake = server(lambda body: mixed if first(body) else SAID)
    reply = ask(remembering(fake)[0], LONG, tools=TOOLS, **style)
    text_of(reply) if style else None
    results = {m["tool_call_id"]: m["content"] for m in bodies(fake)[-1]["messages"][-2:]}
    assert (WAITING, True) == (results["weigh:0"], FACT in results[f"{NAME}:0"])


def test_several_searches_at_once_are_all_answered() -> None:
    """Each by its id."""
    two = asking(a_call(), a_call('{"query": "code of crate 8"}', number=1))
    fake = server(lambda body: two if first(body) else SAID)
    ask(remembering(fake)[0], LONG)
    results = [message["tool_call_id"] for message in bodies(fake)[-1]["messages"][-2:]]
    assert [f"{NAME}:0", f"{NAME}:1"] == results


def test_calls_with_one_id_are_the_callers() -> None:
    """The server would refuse their results."""
    fake = server(lambda _: asking(a_call(), a_call()))
    reply = ask(remembering(fake)[0], LONG)
    assert 2 == len(reply.choices[0].message.tool_calls)


@pytest.mark.parametrize("arguments", ["{", '{"query": ""}'])
def test_arguments_that_make_no_sense_are_answered(arguments: str) -> None:
    """The model can try again."""
    fake = server(lambda body: asking(a_call(arguments)) if first(body) else SAID)
    reply = ask(remembering(fake)[0], LONG)
    assert SAID == reply.choices[0].message.content


class Broken:
    """A retriever that fails in a way that no retriever should."""

    def retrieve(self, *_args: Any, **_more: Any) -> Any:
        """Return what is no ranking."""
        return 7


def test_a_search_that_fails_is_told_to_the_model() -> None:
    """The turn goes on."""
    fake = server()
    reply = ask(remembering(fake, retrievers=[Broken()])[0], LONG)
    said = (reply.choices[0].message.content, bodies(fake)[-1]["messages"][-1]["content"])
    assert (SAID, FAILED) == said


def test_a_search_that_fails_is_told_to_the_hooks() -> None:
    """By the type of the error."""
    client, hook = remembering(server(), retrievers=[Broken()])
    ask(client, LONG)
    assert ["TypeError"] == [event.error for event in hook.drain() if isinstance(event, Failed)]
