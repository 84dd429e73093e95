"""Agents of the OpenAI Agents SDK with a memory, against a server on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
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
    conversation,
    is_view,
    long_questions,
    tool_call,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

from memory import wrap

agents = pytest.importorskip("agents", reason=HOW)

Style = Callable[[Any, Service], Awaitable[None]]
HISTORY = conversation()[1:]
CHAT = agents.OpenAIChatCompletionsModel
RESPONSES = agents.OpenAIResponsesModel


class Shelf(BaseModel):
    """Where a crate stands."""

    crate: int
    shelf: int


@pytest.fixture(autouse=True)
def without_traces() -> Iterator[None]:
    """Send no traces: they would go to OpenAI."""
    agents.set_tracing_disabled(disabled=True)
    yield
    agents.set_tracing_disabled(disabled=False)


def agent(model: Any, **more: Any) -> Any:
    """Return an agent that uses a model."""
    return agents.Agent(name="Clerk", instructions=SYSTEM, model=model, **more)


def weigher(model: Any, **settings: Any) -> Any:
    """Return an agent with a tool."""

    def weigh(crate: int) -> str:
        """Weigh a crate."""
        return f"Crate {crate}: 300 kg"

    tools = [agents.function_tool(weigh)]
    return agent(model, tools=tools, model_settings=agents.ModelSettings(**settings))


async def streamed(result: Any) -> Any:
    """Read a run to its end and return what it came to."""
    async for _ in result.stream_events():
        pass
    return result.final_output


async def run(model: Any, kimi: Service) -> None:
    """Call `Runner.run`."""
    kimi.says(ANSWER)
    assert ANSWER == (await agents.Runner.run(agent(model), HISTORY)).final_output


async def run_streamed(model: Any, kimi: Service) -> None:
    """Call `Runner.run_streamed`."""
    kimi.says(ANSWER)
    assert ANSWER == await streamed(agents.Runner.run_streamed(agent(model), HISTORY))


async def tool(model: Any, kimi: Service) -> None:
    """Let the SDK call a tool and send its result."""
    kimi.says(tool_call(), WEIGHT)
    assert WEIGHT == (await agents.Runner.run(weigher(model, extra_body=OFF), HISTORY)).final_output


async def tool_streamed(model: Any, kimi: Service) -> None:
    """Do the same in a run that is streamed."""
    kimi.says(tool_call(), WEIGHT)
    assert WEIGHT == await streamed(
        agents.Runner.run_streamed(weigher(model, extra_body=OFF), HISTORY)
    )


async def typed(model: Any, kimi: Service) -> None:
    """Ask for a type."""
    kimi.says(SHELF)
    result = await agents.Runner.run(agent(model, output_type=Shelf), HISTORY)
    assert Shelf(crate=3, shelf=21) == result.final_output


STYLES: list[Style] = [run, run_streamed, tool, tool_streamed, typed]


def with_client(kimi: Service, act: Style, *, budget: int | None = BUDGET) -> None:
    """Do something with a client, and close it; without a budget it has no memory."""

    async def main() -> None:
        async with AsyncOpenAI(base_url=kimi.url, api_key=KEY) as client:
            await act(client if budget is None else wrap(client, budget=budget), kimi)

    asyncio.run(main())


def with_model(
    kimi: Service, style: Style, *, api: Any = CHAT, budget: int | None = BUDGET, **more: Any
) -> None:
    """Do something with a model on a client."""

    async def main(client: Any, kimi: Service) -> None:
        await style(api(model=MODEL, openai_client=client, **more), kimi)

    with_client(kimi, main, budget=budget)


@pytest.mark.parametrize("api", [CHAT, RESPONSES])
@pytest.mark.parametrize("style", STYLES)
def test_every_run_is_compacted(style: Style, api: Any, kimi: Service) -> None:
    """However an agent is run, what leaves is compacted, and the run ends as it should."""
    with_model(kimi, style, api=api)

    assert {True} == set(kimi.verdicts())
    assert 1 == kimi.summaries()


@pytest.mark.parametrize("api", [CHAT, RESPONSES])
@pytest.mark.parametrize("style", STYLES)
def test_only_the_messages_are_other_than_the_sdk_sends(
    style: Style, api: Any, kimi: Service
) -> None:
    """Beside fewer messages the requests are what a client without a memory sends."""
    with_model(kimi, style, api=api, budget=None)
    without = kimi.asked()
    with_model(kimi, style, api=api)
    sent = kimi.asked()[len(without) :]

    assert [True] * len(without) == [is_view(*both) for both in zip(sent, without, strict=True)]


def test_the_result_of_a_tool_is_sent_with_its_call(kimi: Service) -> None:
    """The last two messages of the second request are the call and what the tool returned."""
    with_model(kimi, tool)
    call, result = kimi.asked()[-1].body["messages"][-2:]

    assert "weigh:0" == call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert "Crate 3: 300 kg" == result["content"]


def test_thoughts_go_back_when_the_model_is_told_so(kimi: Service) -> None:
    """Kimi refuses a call without its thought, so an agent that thinks has to send it back."""

    async def thinking(model: Any, kimi: Service) -> None:
        kimi.says(tool_call(), WEIGHT)
        assert WEIGHT == (await agents.Runner.run(weigher(model), HISTORY)).final_output

    with_model(kimi, thinking, should_replay_reasoning_content=lambda _: True)

    assert [True, True] == kimi.verdicts()
    assert kimi.asked()[-1].body["messages"][-2]["reasoning_content"]


def test_a_session_keeps_what_was_compacted(kimi: Service) -> None:
    """The session holds every original, and every later run is compacted from them."""

    async def main(model: Any, kimi: Service) -> None:
        session = agents.SQLiteSession("clerk")
        await session.add_items(HISTORY[:-1])
        for _ in range(3):
            kimi.says(ANSWER)
            await agents.Runner.run(agent(model), QUESTION, session=session)
        assert HISTORY[:-1] == (await session.get_items())[: len(HISTORY) - 1]
        session.close()

    with_model(kimi, main)

    assert [True] * 3 == kimi.verdicts()
    assert 1 == kimi.summaries()


@pytest.mark.parametrize(
    ("api", "path"),
    [("responses", "/v1/responses"), ("chat_completions", "/v1/chat/completions")],
)
def test_the_default_client_may_have_a_memory(api: str, path: str, kimi: Service) -> None:
    """Agents that name only a model use the default client, by whichever API is the default."""

    async def main(client: AsyncOpenAI, kimi: Service) -> None:
        agents.set_default_openai_client(client, use_for_tracing=False)
        agents.set_default_openai_api(api)
        await run(MODEL, kimi)

    with_client(kimi, main)

    assert [True] == kimi.verdicts()
    assert [path] == [request.path for request in kimi.asked()]


def test_a_streamed_run_reports_usage_when_asked(kimi: Service) -> None:
    """The usage of a run is that of the compacted prompt; a streamed run has to ask for it."""

    async def main(model: Any, kimi: Service) -> None:
        settings = agents.ModelSettings(include_usage=True)
        result = agents.Runner.run_streamed(agent(model, model_settings=settings), HISTORY)
        await streamed(result)
        (request,) = kimi.asked()
        assert request.prompt_tokens == result.context_wrapper.usage.input_tokens

    with_model(kimi, main)

    assert [True] == kimi.verdicts()


def test_the_example_stays_within_its_budget(kimi: Service) -> None:
    """The program of the documentation talks on, and its last requests are compacted."""
    answers = ask_example("with_openai_agents", kimi, long_questions())

    assert 8 == len(answers)
    assert kimi.verdicts()[-1]
    assert all(request.prompt_tokens <= kimi.budget for request in kimi.asked())
