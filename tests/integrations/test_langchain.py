"""LangChain's `ChatOpenAI` with a memory, against a server on a socket."""

from __future__ import annotations

import asyncio
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
from pydantic import BaseModel

from memory import ConfigError, MemoryManager, wrap
from memory.client import is_wrapped, manager_of
from memory.integrations.langchain import wrap_chat_model

langchain_openai = pytest.importorskip("langchain_openai", reason=HOW)

pytestmark = [
    # LangChain keeps its HTTP clients for the life of the process and closes none of them.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    # It dumps the reply of a parsed stream as a completion that holds no parsed object.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]


class Shelf(BaseModel):
    """Where a crate stands."""

    crate: int
    shelf: int


def weigh(crate: int) -> str:
    """Weigh a crate."""
    return f"Crate {crate}: 300 kg"


def plain(kimi: Service, **more: Any) -> Any:
    """Return a chat model as users build it."""
    return langchain_openai.ChatOpenAI(model=MODEL, base_url=kimi.url, api_key=KEY, **more)


def wrapped(kimi: Service, **more: Any) -> Any:
    """Return a chat model with a memory."""
    return wrap_chat_model(plain(kimi, **more), budget=BUDGET)


def invoke(model: Any, kimi: Service) -> None:
    """Call `invoke`."""
    kimi.says(ANSWER)
    assert ANSWER == model.invoke(conversation()).text


def stream(model: Any, kimi: Service) -> None:
    """Call `stream`."""
    kimi.says(ANSWER)
    assert ANSWER == "".join(chunk.text for chunk in model.stream(conversation()))


def structured(model: Any, kimi: Service) -> None:
    """Ask for a type by its schema, which LangChain does through `root_client`."""
    kimi.says(SHELF)
    found = model.with_structured_output(Shelf).invoke(conversation())
    assert Shelf(crate=3, shelf=21) == found


def structured_by_call(model: Any, kimi: Service) -> None:
    """Ask for a type as the arguments of a call."""
    kimi.says(tool_call("Shelf", SHELF))
    typed = model.with_structured_output(Shelf, method="function_calling")
    assert Shelf(crate=3, shelf=21) == typed.bind(extra_body=OFF).invoke(conversation())


def streamed_structure(model: Any, kimi: Service) -> None:
    """Stream a type, which LangChain does through `root_client.beta`."""
    kimi.says(SHELF)
    *_, last = model.with_structured_output(Shelf).stream(conversation())
    assert Shelf(crate=3, shelf=21) == last


def tools(model: Any, kimi: Service) -> None:
    """Bind a tool, make the call that comes back, and send its result."""
    kimi.says(tool_call(), WEIGHT)
    bound = model.bind_tools([weigh]).bind(extra_body=OFF)
    call = bound.invoke(conversation())
    result = {"role": "tool", "tool_call_id": "weigh:0", "content": weigh(3)}
    assert [("weigh", {"crate": 3})] == [(one["name"], one["args"]) for one in call.tool_calls]
    assert WEIGHT == bound.invoke([*conversation(), call, result]).text


async def ainvoke(model: Any, kimi: Service) -> None:
    """Call `ainvoke`."""
    kimi.says(ANSWER)
    assert ANSWER == (await model.ainvoke(conversation())).text


async def astream(model: Any, kimi: Service) -> None:
    """Call `astream`."""
    kimi.says(ANSWER)
    assert ANSWER == "".join([chunk.text async for chunk in model.astream(conversation())])


async def astructured(model: Any, kimi: Service) -> None:
    """Ask for a type by its schema."""
    kimi.says(SHELF)
    found = await model.with_structured_output(Shelf).ainvoke(conversation())
    assert Shelf(crate=3, shelf=21) == found


async def astreamed_structure(model: Any, kimi: Service) -> None:
    """Stream a type."""
    kimi.says(SHELF)
    streamed = model.with_structured_output(Shelf).astream(conversation())
    assert Shelf(crate=3, shelf=21) == [each async for each in streamed][-1]


async def atools(model: Any, kimi: Service) -> None:
    """Bind a tool and call `ainvoke`."""
    kimi.says(tool_call())
    call = await model.bind_tools([weigh]).bind(extra_body=OFF).ainvoke(conversation())
    assert [("weigh", {"crate": 3})] == [(one["name"], one["args"]) for one in call.tool_calls]


def wait_for(style: Style, model: Any, kimi: Service) -> None:
    """Await one style and close the client, which LangChain leaves open."""

    async def main() -> None:
        await style(model, kimi)
        await model.root_async_client.close()

    asyncio.run(main())


STYLES = [invoke, stream, structured, structured_by_call, streamed_structure, tools]
ASYNC_STYLES = [ainvoke, astream, astructured, astreamed_structure, atools]


@pytest.mark.parametrize("responses", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_every_synchronous_call_is_compacted(
    style: Style,
    responses: bool,  # noqa: FBT001
    kimi: Service,
) -> None:
    """However LangChain asks, the request that leaves is compacted, and its own result returns."""
    style(wrapped(kimi, use_responses_api=responses), kimi)

    assert {True} == set(kimi.verdicts())
    assert 1 == kimi.summaries()


@pytest.mark.parametrize("responses", [False, True])
@pytest.mark.parametrize("style", ASYNC_STYLES)
def test_every_asynchronous_call_is_compacted(
    style: Style,
    responses: bool,  # noqa: FBT001
    kimi: Service,
) -> None:
    """The same holds for the asynchronous half."""
    wait_for(style, wrapped(kimi, use_responses_api=responses), kimi)

    assert {True} == set(kimi.verdicts())
    assert 1 == kimi.summaries()


@pytest.mark.parametrize("style", [invoke, stream, structured, tools])
def test_only_the_messages_are_other_than_langchain_sends(style: Style, kimi: Service) -> None:
    """Beside fewer messages the request is what the model without a memory sends."""
    style(plain(kimi), kimi)
    without = kimi.asked()
    style(wrapped(kimi), kimi)
    sent = kimi.asked()[len(without) :]

    assert [True] * len(without) == [is_view(*both) for both in zip(sent, without, strict=True)]


def test_the_half_that_langchain_builds_itself_has_a_memory_too(kimi: Service) -> None:
    """Given a wrapped synchronous client only, LangChain builds the other one without a memory."""
    client = wrap(plain(kimi).root_client, budget=BUDGET)
    half = plain(kimi, client=client.chat.completions, root_client=client)

    async def twice(half: Any, kimi: Service) -> None:
        await ainvoke(half, kimi)
        await ainvoke(wrap_chat_model(half, budget=BUDGET), kimi)

    wait_for(twice, half, kimi)

    assert [False, True] == kimi.verdicts()


def test_both_halves_share_a_memory(kimi: Service) -> None:
    """What was summarised for `invoke()` is not summarised again for `ainvoke()`."""
    model = wrapped(kimi)
    invoke(model, kimi)
    wait_for(ainvoke, model, kimi)

    assert [True, True] == kimi.verdicts()
    assert 1 == kimi.summaries()


def test_a_stream_reports_usage_when_asked(kimi: Service) -> None:
    """The usage is that of the compacted prompt; a model with a URL has to ask for it."""
    chunks = list(wrapped(kimi, stream_usage=True).stream(conversation()))
    (request,) = kimi.asked()
    usages = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]

    assert [True] == kimi.verdicts()
    assert [request.prompt_tokens] == [usage["input_tokens"] for usage in usages]
    assert [] == [c for c in wrapped(kimi).stream(conversation()) if c.usage_metadata]


def test_the_model_that_was_given_is_not_changed(kimi: Service) -> None:
    """It goes on without a memory; the one that is returned is another, of the same class."""
    given = plain(kimi)
    made = wrap_chat_model(given, budget=BUDGET)
    invoke(given, kimi)

    assert type(given) is type(made)
    assert given is not made
    assert [False] == kimi.verdicts()


def test_azure_models_keep_their_clients_class(kimi: Service) -> None:
    """A subclass with clients of its own is wrapped as it is."""
    azure = langchain_openai.AzureChatOpenAI(
        azure_endpoint=kimi.url, azure_deployment=MODEL, api_version="1", api_key=KEY
    )
    made = wrap_chat_model(azure, budget=BUDGET)

    assert isinstance(made, langchain_openai.AzureChatOpenAI)
    assert isinstance(made.root_client, type(azure.root_client))
    assert isinstance(made.root_async_client, type(azure.root_async_client))
    assert manager_of(made.root_client) is manager_of(made.root_async_client)


def test_a_given_manager_serves_both_halves(kimi: Service) -> None:
    """One manager may be shared by several models."""
    manager = MemoryManager(budget=BUDGET)
    made = wrap_chat_model(plain(kimi), manager=manager)

    assert manager is manager_of(made.root_client)
    assert manager is manager_of(made.root_async_client)


def test_a_model_without_a_synchronous_key_keeps_one_half(kimi: Service) -> None:
    """A key that can only be awaited leaves the synchronous client out, and so do we."""

    async def key() -> str:
        return KEY

    model = langchain_openai.ChatOpenAI(model=MODEL, base_url=kimi.url, api_key=key)
    made = wrap_chat_model(model, budget=BUDGET)
    wait_for(ainvoke, made, kimi)

    assert made.root_client is None
    assert is_wrapped(made.root_async_client)
    assert [True] == kimi.verdicts()


def test_a_bound_model_is_refused(kimi: Service) -> None:
    """What `bind_tools()` returns would take the new clients and never use them."""
    bound = plain(kimi).bind_tools([weigh])

    with pytest.raises(ConfigError, match="bind_tools"):
        wrap_chat_model(bound, budget=BUDGET)


def test_a_lone_resource_is_refused(kimi: Service) -> None:
    """A model that was given `client` alone would call it past the memory."""
    half = plain(kimi, client=plain(kimi).client)

    with pytest.raises(ConfigError, match="root_client"):
        wrap_chat_model(half, budget=BUDGET)


def test_the_example_stays_within_its_budget(kimi: Service) -> None:
    """The program of the documentation talks on, and its last requests are compacted."""
    answers = ask_example("with_langchain", kimi, long_questions())

    assert 8 == len(answers)
    assert kimi.verdicts()[-1]
    assert all(request.prompt_tokens <= kimi.budget for request in kimi.asked())
