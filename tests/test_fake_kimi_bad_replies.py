"""Replies that nobody asked for, and replies that never come, as an OpenAI client meets them."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from kimi_clients import async_http_client, http_client
from openai import AsyncOpenAI, OpenAI

from memory.testing import FakeKimi, Fault, serve
from memory.testing.kimi_count import count_text
from memory.testing.kimi_spoiled import ORDER, OVERLONG_TOKENS, REFUSALS

HELLO: Any = [{"role": "user", "content": "Hello"}]
NOTES: Any = [*HELLO, {"role": "user", "content": "[kimi-memory/notes-2]"}]
LOOK: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
OFF = {"thinking": {"type": "disabled"}}


def choice_of(fault: Fault, text: str = "The notes.", **more: Any) -> Any:
    """Return the choice with which a request for notes is answered by a server with a fault."""
    fake = FakeKimi(summarize=lambda _: text)
    fake.fail_next(fault, only="summary")
    client = OpenAI(api_key="sk", base_url="http://fake/v1", http_client=http_client(fake))
    given = {"model": "kimi-k2.6", "messages": NOTES, "extra_body": OFF} | more
    return client.chat.completions.create(**given).choices[0]


@pytest.mark.parametrize(("text", "expected"), [("The notes.", 0), ("笔记。", 1)], ids=("en", "zh"))
def test_notes_can_be_refused(text: str, expected: int) -> None:
    """A refusal is an ordinary text, in the language of the notes."""
    choice = choice_of(Fault.REFUSAL, text)

    assert (REFUSALS[expected], "stop") == (choice.message.content, choice.finish_reason)


@pytest.mark.parametrize(("tools", "expected"), [([LOOK], "look"), (None, "search")])
def test_notes_can_be_a_call(tools: Any, expected: str) -> None:
    """A tool is called although none may be, one that was declared if there is one."""
    more = {} if tools is None else {"tools": tools, "tool_choice": "none"}
    choice = choice_of(Fault.TOOL_CALL, **more)

    assert ("", "tool_calls", expected) == (
        choice.message.content,
        choice.finish_reason,
        choice.message.tool_calls[0].function.name,
    )


@pytest.mark.parametrize("body", [OFF, {}], ids=("off", "on"))
def test_a_thought_can_fill_the_cap(body: dict[str, Any]) -> None:
    """There is no text, whether the model was told to think or not, and the reason is `length`."""
    choice = choice_of(Fault.REASONING_ONLY, extra_body=body, max_completion_tokens=600)

    assert ("", "length") == (choice.message.content, choice.finish_reason)
    assert 400 < count_text(choice.message.reasoning_content) <= 600


def test_a_thought_is_billed_up_to_the_cap() -> None:
    """The usage says that everything was reasoning."""
    fake = FakeKimi(faults=[Fault.REASONING_ONLY])
    client = OpenAI(api_key="sk", base_url="http://fake/v1", http_client=http_client(fake))
    usage: Any = client.chat.completions.create(
        model="kimi-k2.6", messages=HELLO, max_completion_tokens=600
    ).usage

    assert (600, 600) == (
        usage.completion_tokens,
        usage.completion_tokens_details.reasoning_tokens,
    )


@pytest.mark.parametrize("text", ["The notes.", " "])
def test_notes_can_ignore_their_cap(text: str) -> None:
    """They go on for 10,000 tokens and say that they are finished."""
    choice = choice_of(Fault.OVERLONG, text, max_completion_tokens=100)
    length = count_text(choice.message.content)

    assert "stop" == choice.finish_reason
    assert OVERLONG_TOKENS <= length <= OVERLONG_TOKENS * 1.1


def test_notes_can_order_their_reader() -> None:
    """A hijacked summary has the notes after its orders."""
    choice = choice_of(Fault.INJECTED)

    assert (f"{ORDER}\nThe notes.", "stop") == (choice.message.content, choice.finish_reason)


def test_a_server_can_hang() -> None:
    """A client waits as long as it wants to, and nothing comes."""
    slept = list[float]()
    fake = FakeKimi(faults=[Fault.HANG], sleep=slept.append)
    http = http_client(fake, timeout=2.0)
    client = OpenAI(api_key="sk", base_url="http://fake/v1", http_client=http, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="kimi-k2.6", messages=HELLO)

    assert [2.0] == slept


def test_a_server_can_hang_for_tasks() -> None:
    """An asynchronous client gives up on its own, too."""

    async def ask() -> None:
        http = async_http_client(FakeKimi(faults=[Fault.HANG]))
        async with AsyncOpenAI(
            api_key="sk", base_url="http://fake/v1", http_client=http, max_retries=0, timeout=0.01
        ) as client:
            await client.chat.completions.create(model="kimi-k2.6", messages=HELLO)

    with pytest.raises(openai.APITimeoutError):
        asyncio.run(ask())


def test_a_server_on_a_socket_can_hang() -> None:
    """The request is on record, the client gives up, and the next one is answered."""
    fake = FakeKimi(faults=[Fault.HANG])
    with serve(fake) as url:
        client = OpenAI(api_key="sk", base_url=url, max_retries=0, timeout=0.05)
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(model="kimi-k2.6", messages=HELLO)
        client.with_options(timeout=5).chat.completions.create(model="kimi-k2.6", messages=HELLO)

    assert 2 == len(fake.requests)
