"""Agents of Pydantic AI with a memory, against a server on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from integrations.kimi_service import (
    ANSWER,
    BUDGET,
    HOW,
    KEY,
    MODEL,
    OFF,
    QUESTION,
    SHELF,
    SYSTEM,
    WEIGHT,
    Service,
    ask_example,
    is_view,
    long_questions,
    tool_call,
    turns,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

from memory import wrap

pydantic_ai = pytest.importorskip("pydantic_ai", reason=HOW)
messages: Any = pytest.importorskip("pydantic_ai.messages", reason=HOW)
models: Any = pytest.importorskip("pydantic_ai.models.openai", reason=HOW)
moonshot: Any = pytest.importorskip("pydantic_ai.providers.moonshotai", reason=HOW)
openai: Any = pytest.importorskip("pydantic_ai.providers.openai", reason=HOW)

MODELS = [
    (models.OpenAIChatModel, openai.OpenAIProvider),
    (models.OpenAIChatModel, moonshot.MoonshotAIProvider),
    (models.OpenAIResponsesModel, openai.OpenAIProvider),
]
Style = Callable[[Any, Service], Awaitable[None]]


class Shelf(BaseModel):
    """Where a crate stands."""

    crate: int
    shelf: int


def weigh(crate: int) -> str:
    """Weigh a crate."""
    return f"Crate {crate}: 300 kg"


def history() -> list[Any]:
    """Return past turns as Pydantic AI keeps them."""
    return [
        message
        for asked, said in turns()
        for message in (
            messages.ModelRequest(parts=[messages.UserPromptPart(asked)], instructions=SYSTEM),
            messages.ModelResponse(parts=[messages.TextPart(said)]),
        )
    ]


def agent(model: Any, **more: Any) -> Any:
    """Return an agent that uses a model."""
    return pydantic_ai.Agent(model, instructions=SYSTEM, **more)


async def run(model: Any, kimi: Service) -> None:
    """Call `run`."""
    kimi.says(ANSWER)
    assert ANSWER == (await agent(model).run(QUESTION, message_history=history())).output


async def run_stream(model: Any, kimi: Service) -> None:
    """Call `run_stream`."""
    kimi.says(ANSWER)
    async with agent(model).run_stream(QUESTION, message_history=history()) as result:
        assert ANSWER == "".join([text async for text in result.stream_text(delta=True)])


async def tool(model: Any, kimi: Service) -> None:
    """Let the library call a tool and send its result."""
    kimi.says(tool_call(), WEIGHT)
    result = await agent(model, tools=[weigh]).run(QUESTION, message_history=history())
    assert WEIGHT == result.output


async def tool_streamed(model: Any, kimi: Service) -> None:
    """Do the same in a run that is streamed."""
    kimi.says(tool_call(), WEIGHT)
    clerk = agent(model, tools=[weigh])
    async with clerk.run_stream(QUESTION, message_history=history()) as result:
        assert WEIGHT == await result.get_output()


async def typed(model: Any, kimi: Service) -> None:
    """Ask for a type, which the library makes a tool."""
    kimi.says(tool_call("final_result", SHELF))
    clerk = agent(model, output_type=Shelf, model_settings={"extra_body": OFF})
    result = await clerk.run(QUESTION, message_history=history())
    assert Shelf(crate=3, shelf=21) == result.output


STYLES: list[Style] = [run, run_stream, tool, tool_streamed, typed]


def with_model(
    kimi: Service, style: Style, *, model: Any = MODELS[0], budget: int | None = BUDGET
) -> None:
    """Run one style with a client that is closed afterwards; without a budget it has no memory."""
    kind, provider = model

    async def main() -> None:
        async with AsyncOpenAI(base_url=kimi.url, api_key=KEY) as plain:
            client = plain if budget is None else wrap(plain, budget=budget)
            await style(kind(MODEL, provider=provider(openai_client=client)), kimi)

    asyncio.run(main())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", STYLES)
def test_every_run_is_compacted(style: Style, model: Any, kimi: Service) -> None:
    """However an agent is run, what leaves is compacted, and the run ends as it should."""
    with_model(kimi, style, model=model)

    assert {True} == set(kimi.verdicts())
    assert 1 == kimi.summaries()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", STYLES)
def test_only_the_messages_are_other_than_the_library_sends(
    style: Style, model: Any, kimi: Service
) -> None:
    """Beside fewer messages the requests are what a client without a memory sends."""
    with_model(kimi, style, model=model, budget=None)
    without = kimi.asked()
    with_model(kimi, style, model=model)
    sent = kimi.asked()[len(without) :]

    assert [True] * len(without) == [is_view(*both) for both in zip(sent, without, strict=True)]


def test_the_provider_for_moonshot_gets_types_while_the_model_thinks(kimi: Service) -> None:
    """It does not force the tool that carries the type, which Kimi refuses while it thinks."""

    async def thinking(model: Any, kimi: Service) -> None:
        kimi.says(tool_call("final_result", SHELF))
        result = await agent(model, output_type=Shelf).run(QUESTION, message_history=history())
        assert Shelf(crate=3, shelf=21) == result.output

    with_model(kimi, thinking, model=MODELS[1])

    assert [True] == kimi.verdicts()


def test_thoughts_go_back_with_the_result_of_a_tool(kimi: Service) -> None:
    """Kimi refuses a call without its thought, so the thought has to survive the compaction."""
    with_model(kimi, tool)
    call, result = kimi.asked()[-1].body["messages"][-2:]

    assert call["reasoning_content"]
    assert "Crate 3: 300 kg" == result["content"]


def test_usage_is_that_of_the_compacted_prompt(kimi: Service) -> None:
    """What the library reports is what the server counted."""

    async def main(model: Any, kimi: Service) -> None:
        result = await agent(model).run(QUESTION, message_history=history())
        (request,) = kimi.asked()
        assert request.prompt_tokens == result.usage.input_tokens

    with_model(kimi, main)

    assert [True] == kimi.verdicts()


def test_the_example_stays_within_its_budget(kimi: Service) -> None:
    """The program of the documentation talks on, and its last requests are compacted."""
    answers = ask_example("with_pydantic_ai", kimi, long_questions())

    assert 8 == len(answers)
    assert kimi.verdicts()[-1]
    assert all(request.prompt_tokens <= kimi.budget for request in kimi.asked())
