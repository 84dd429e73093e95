"""LiteLLM's functions given a client with a memory, against a server on a socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
from integrations.kimi_service import (
    ANSWER,
    BUDGET,
    HOW,
    KEY,
    MODEL,
    OFF,
    SHELF,
    WEIGHT,
    Service,
    Style,
    ask_example,
    conversation,
    is_view,
    long_questions,
    tool_call,
)
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from memory import wrap

# Otherwise it looks for a list of prices on the network before it does anything.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
litellm = pytest.importorskip("litellm", reason=HOW)

pytestmark = [
    # Pydantic warns of LiteLLM's types when it first reads them, and of how its streams are copied.
    pytest.mark.filterwarnings("ignore:Item .* using the `ReadOnly`:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]
NAMES = [f"openai/{MODEL}", f"moonshot/{MODEL}"]
WEIGH = {
    "type": "function",
    "function": {
        "name": "weigh",
        "description": "Weigh a crate.",
        "parameters": {
            "type": "object",
            "properties": {"crate": {"type": "integer"}},
            "required": ["crate"],
        },
    },
}


class Shelf(BaseModel):
    """Where a crate stands."""

    crate: int
    shelf: int


@pytest.fixture(autouse=True)
def event_loop_of_the_thread() -> Iterator[None]:
    """Close the event loop that LiteLLM takes from the thread; it would make one and leave it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()


@pytest.fixture
def client(kimi: Service) -> Iterator[OpenAI]:
    """Return a client with a memory."""
    with OpenAI(base_url=kimi.url, api_key=KEY) as plain:
        yield wrap(plain, budget=BUDGET)


def text(reply: Any) -> str:
    """Return the text of a reply."""
    return str(reply.choices[0].message.content)


def joined(chunks: list[Any]) -> str:
    """Return the text of a stream."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def completion(given: dict[str, Any], kimi: Service) -> None:
    """Call `completion`."""
    kimi.says(ANSWER)
    assert ANSWER == text(litellm.completion(messages=conversation(), **given))


def stream(given: dict[str, Any], kimi: Service) -> None:
    """Call `completion(stream=True)`."""
    kimi.says(ANSWER)
    chunks = litellm.completion(messages=conversation(), stream=True, **given)
    assert ANSWER == joined(list(chunks))


def structured(given: dict[str, Any], kimi: Service) -> None:
    """Ask for a type by its schema."""
    kimi.says(SHELF)
    reply = litellm.completion(messages=conversation(), response_format=Shelf, **given)
    assert Shelf(crate=3, shelf=21) == Shelf.model_validate_json(text(reply))


def tool(given: dict[str, Any], kimi: Service) -> None:
    """Get a call and send what the tool returned; LiteLLM sends the thought back with it."""
    kimi.says(tool_call(), WEIGHT)
    more = {**given, "tools": [WEIGH]}
    call = litellm.completion(messages=conversation(), **more).choices[0].message
    result = {"role": "tool", "tool_call_id": "weigh:0", "content": "300 kg"}
    assert ["weigh"] == [each.function.name for each in call.tool_calls]
    assert WEIGHT == text(litellm.completion(messages=[*conversation(), call, result], **more))


STYLES: list[Style] = [completion, stream, structured, tool]


async def acompletion(given: dict[str, Any], kimi: Service) -> None:
    """Call `acompletion`."""
    kimi.says(ANSWER)
    assert ANSWER == text(await litellm.acompletion(messages=conversation(), **given))


async def astream(given: dict[str, Any], kimi: Service) -> None:
    """Call `acompletion(stream=True)`."""
    kimi.says(ANSWER)
    chunks = await litellm.acompletion(messages=conversation(), stream=True, **given)
    assert ANSWER == joined([chunk async for chunk in chunks])


async def atool(given: dict[str, Any], kimi: Service) -> None:
    """Get a call."""
    kimi.says(tool_call())
    reply = await litellm.acompletion(messages=conversation(), tools=[WEIGH], **given)
    assert ["weigh"] == [each.function.name for each in reply.choices[0].message.tool_calls]


ASYNC_STYLES: list[Style] = [acompletion, astream, atool]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", STYLES)
def test_every_synchronous_call_is_compacted(
    style: Style, name: str, client: OpenAI, kimi: Service
) -> None:
    """However LiteLLM asks, the request that leaves is compacted, and its own reply returns."""
    style({"model": name, "client": client}, kimi)

    assert {True} == set(kimi.verdicts())
    assert 1 == kimi.summaries()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", ASYNC_STYLES)
def test_every_asynchronous_call_is_compacted(style: Style, name: str, kimi: Service) -> None:
    """The same holds for the asynchronous functions, given an `AsyncOpenAI`."""

    async def main() -> None:
        async with AsyncOpenAI(base_url=kimi.url, api_key=KEY) as plain:
            await style({"model": name, "client": wrap(plain, budget=BUDGET)}, kimi)

    asyncio.run(main())

    assert {True} == set(kimi.verdicts())
    assert 1 == kimi.summaries()


@pytest.mark.parametrize("style", STYLES)
def test_only_the_messages_are_other_than_litellm_sends(
    style: Style, client: OpenAI, kimi: Service
) -> None:
    """Beside fewer messages the requests are what a client without a memory sends."""
    plain = OpenAI(base_url=kimi.url, api_key=KEY)
    style({"model": NAMES[0], "client": plain}, kimi)
    plain.close()
    without = kimi.asked()
    style({"model": NAMES[0], "client": client}, kimi)
    sent = kimi.asked()[len(without) :]

    assert [True] * len(without) == [is_view(*both) for both in zip(sent, without, strict=True)]


def test_other_parameters_arrive(client: OpenAI, kimi: Service) -> None:
    """What only Kimi knows goes through `extra_body`, as without a memory."""
    litellm.completion(model=NAMES[0], messages=conversation(), client=client, extra_body=OFF)

    assert [True] == kimi.verdicts()
    assert OFF["thinking"] == kimi.asked()[0].body["thinking"]


def test_usage_is_that_of_the_compacted_prompt(client: OpenAI, kimi: Service) -> None:
    """What LiteLLM reports is what the server counted."""
    reply = litellm.completion(model=NAMES[0], messages=conversation(), client=client)
    (request,) = kimi.asked()

    assert request.prompt_tokens == reply.usage.prompt_tokens


def test_the_example_stays_within_its_budget(kimi: Service) -> None:
    """The program of the documentation talks on, and its last requests are compacted."""
    answers = ask_example("with_litellm", kimi, long_questions())

    assert 8 == len(answers)
    assert kimi.verdicts()[-1]
    assert all(request.prompt_tokens <= kimi.budget for request in kimi.asked())
