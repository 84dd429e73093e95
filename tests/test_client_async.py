"""The drop-in client for `AsyncOpenAI`: it sends exactly what the synchronous one sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from fake_kimi_requests import OFF, user
from kimi_clients import (
    BUDGET,
    MODEL,
    Shelf,
    ask_async,
    async_http_client,
    connect_async,
    exactly,
    gateway,
    http_client,
    httpx_library,
    is_compacted,
    sent,
    talk,
)
from openai import AsyncAzureOpenAI, AsyncOpenAI, AsyncStream, OpenAI
from openai.types.chat import ChatCompletion

import corpora
from memory import AsyncMemoryManager, BudgetError, ConfigError, MemoryManager, QueueHook, wrap
from memory.client import manager_of
from memory.demo import load
from memory.events import Compacted, Failed, FellBack
from memory.replay import NO_THINKING, join, replay, steps
from memory.summary import Draft, SummaryRequest
from memory.testing import FakeKimi, Fault, SummaryJob


async def create(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Call `create`."""
    await client.chat.completions.create(**given)


async def create_streaming(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Call `create(stream=True)` and read the stream."""
    stream = await client.chat.completions.create(**given, stream=True)
    assert isinstance(stream, AsyncStream)
    assert [chunk async for chunk in stream]


async def stream_helper(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Use the `stream` helper."""
    async with client.chat.completions.stream(**given) as stream:
        assert (await stream.get_final_completion()).choices


async def parse(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Call `parse`."""
    reply = await client.chat.completions.parse(**given, response_format=Shelf)
    assert Shelf(crate=1, shelf=7) == reply.choices[0].message.parsed


async def raw_response(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Call `with_raw_response.create`."""
    raw = await client.chat.completions.with_raw_response.create(**given)
    assert raw.parse().choices


async def streaming_response(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Call `with_streaming_response.create`."""
    async with client.chat.completions.with_streaming_response.create(**given) as response:
        assert b"choices" in await response.read()


async def post(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Call the client's bare `post`."""
    body = {"model": MODEL, "messages": given["messages"], **OFF}
    await client.post("/chat/completions", cast_to=ChatCompletion, body=body)


async def extra_body(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Override the messages in `extra_body`."""
    more = {**OFF, "messages": given["messages"]}
    await client.chat.completions.create(**(given | {"messages": [], "extra_body": more}))


async def beta(client: AsyncOpenAI, given: dict[str, Any]) -> None:
    """Call `beta.chat.completions.create`."""
    await client.beta.chat.completions.create(**given)


STYLES = [
    create,
    create_streaming,
    stream_helper,
    parse,
    raw_response,
    streaming_response,
    post,
    extra_body,
    beta,
]


@pytest.mark.parametrize("style", STYLES)
def test_every_call_style_is_compacted(
    style: Callable[[AsyncOpenAI, dict[str, Any]], Awaitable[None]],
) -> None:
    """However the completion is asked for, the request that leaves is a view."""

    async def scenario() -> None:
        fake, hook = FakeKimi(reply=lambda _: '{"crate": 1, "shelf": 7}'), QueueHook()
        given: dict[str, Any] = {"model": MODEL, "messages": talk(60), "extra_body": OFF}
        await style(wrap(connect_async(fake), budget=BUDGET, hooks=(hook,)), given)

        assert is_compacted(sent(fake)[0], talk(60))
        assert talk(60) == given["messages"]
        assert [] == [event for event in hook.drain() if isinstance(event, Failed)]

    asyncio.run(scenario())


def test_under_budget_nothing_is_changed() -> None:
    """A prompt that fits leaves byte for byte as without a memory."""

    async def scenario() -> None:
        plain, wrapped = list[bytes](), list[bytes]()
        await ask_async(connect_async(FakeKimi(), plain), talk(20))
        await ask_async(wrap(connect_async(FakeKimi(), wrapped), budget=BUDGET), talk(20))

        assert plain == wrapped

    asyncio.run(scenario())


def test_a_grown_list_makes_no_second_summary() -> None:
    """The next turns reuse the summary, and each request begins with the one before it."""

    async def scenario() -> None:
        fake = FakeKimi()
        wrapped = wrap(connect_async(fake), budget=BUDGET)
        messages = talk(60)
        for turn in range(4):
            reply = await ask_async(wrapped, messages)
            messages += [reply.choices[0].message.model_dump(), user(f"And crate {turn}?")]
        turns = [json.dumps(each, ensure_ascii=False)[:-1] for each in sent(fake)]

        assert 1 == len(sent(fake, "summary"))
        assert [True] * 3 == [b.startswith(a) for a, b in pairwise(turns)]

    asyncio.run(scenario())


def test_azure_clients_are_compacted() -> None:
    """An Azure client keeps its routes, keys and deployments, for summaries as for turns."""

    async def scenario() -> None:
        fake = FakeKimi(api_key="az")
        http = async_http_client(httpx_library.MockTransport(gateway(fake)))
        where: Any = {"azure_endpoint": "http://fake", "api_version": "2024-10-21"}
        azure = AsyncAzureOpenAI(api_key="az", http_client=http, max_retries=0, **where)
        wrapped = wrap(azure, budget=BUDGET)
        await ask_async(wrapped.with_options(timeout=5.0), talk(60))

        assert isinstance(wrapped, AsyncAzureOpenAI)
        assert ["summary", "chat"] == [request.kind for request in fake.requests]
        assert {200} == {request.status for request in fake.requests}

    asyncio.run(scenario())


@pytest.mark.parametrize("verb", ["with_options", "copy"])
def test_derived_clients_share_the_memory(verb: str) -> None:
    """A client made by `with_options` or `copy` has the same manager, and pays no second time."""

    async def scenario() -> None:
        fake = FakeKimi()
        wrapped = wrap(connect_async(fake), budget=BUDGET)
        derived = getattr(wrapped, verb)(timeout=3.0)
        await ask_async(wrapped, talk(60))
        await ask_async(derived, talk(60))

        assert manager_of(wrapped) is manager_of(derived)
        assert 1 == len(sent(fake, "summary"))

    asyncio.run(scenario())


def test_leaving_the_context_closes_the_connections() -> None:
    """As a context manager a wrapped client yields itself and closes what it shares."""

    async def scenario() -> None:
        client = connect_async(FakeKimi())
        wrapped = wrap(client)
        async with wrapped as entered:
            await ask_async(entered, talk(1))

        assert entered is wrapped
        assert client.is_closed()

    asyncio.run(scenario())


def test_one_manager_serves_both_colours() -> None:
    """A synchronous and an asynchronous client of one manager share its summaries."""

    async def scenario() -> None:
        fake = FakeKimi()
        manager = MemoryManager(budget=BUDGET)
        http = http_client(fake)
        plain = OpenAI(api_key="k", base_url="http://fake/v1", http_client=http)
        request: Any = {"model": MODEL, "messages": talk(60), "extra_body": OFF}
        manager.wrap(plain).chat.completions.create(**request)
        await ask_async(manager.wrap(connect_async(fake)), talk(60))

        assert 1 == len(sent(fake, "summary"))
        assert sent(fake)[0] == sent(fake)[1]

    asyncio.run(scenario())


def test_a_summariser_of_the_other_colour_is_refused() -> None:
    """A summariser that the client could not use is an error and not ignored."""

    class Own:
        def summarize(self, request: SummaryRequest) -> Draft:
            return Draft(text=f"{len(request.slice)} messages about crates.", author="own")

    with pytest.raises(ConfigError, match="summarizer"):
        MemoryManager(budget=BUDGET, summarizer=Own()).wrap(connect_async(FakeKimi()))


def test_an_own_summariser_is_asked() -> None:
    """A summariser given to the manager is asked instead of the client."""

    class Own:
        async def summarize(self, request: SummaryRequest) -> Draft:
            await asyncio.sleep(0)
            return Draft(text=f"{len(request.slice)} messages about crates.", author="own")

    async def scenario() -> None:
        fake = FakeKimi()
        manager = AsyncMemoryManager(budget=BUDGET, summarizer=Own())
        await ask_async(manager.wrap(connect_async(fake)), talk(60))

        assert ["chat"] == [request.kind for request in fake.requests]
        assert "messages about crates." in sent(fake)[0][1]["content"]

    asyncio.run(scenario())


def test_the_turn_succeeds_when_the_summariser_does_not() -> None:
    """A summariser that is down costs the turn nothing but its notes."""

    async def scenario() -> None:
        fake, hook = FakeKimi(), QueueHook()
        fake.fail_always(Fault.CONTENT_FILTER, only="summary")
        await ask_async(wrap(connect_async(fake), budget=BUDGET, hooks=(hook,)), talk(60))

        assert is_compacted(sent(fake)[0], talk(60))
        assert fake.requests[-1].prompt_tokens <= BUDGET
        assert 1 == sum(isinstance(event, FellBack) for event in hook.drain())

    asyncio.run(scenario())


def test_what_does_not_fit_is_raised() -> None:
    """`BudgetError` comes out of the awaited call; nothing is sent."""

    async def scenario() -> None:
        fake = FakeKimi()
        with pytest.raises(BudgetError, match="last user message"):
            await ask_async(wrap(connect_async(fake), budget=BUDGET), [user("word " * 5_000)])

        assert [] == fake.requests

    asyncio.run(scenario())


@exactly
def test_the_next_count_is_the_servers() -> None:
    """After a turn the manager counts the next prompt exactly as the server does."""

    async def scenario() -> None:
        fake = FakeKimi()
        wrapped = wrap(connect_async(fake), budget=BUDGET)
        await ask_async(wrapped, talk(20), extra_body=None)
        counts = manager_of(wrapped).count(talk(20))

        assert fake.requests[-1].prompt_tokens == counts.total
        assert counts.measured == pytest.approx(1.0)

    asyncio.run(scenario())


def test_a_cancelled_turn_records_nothing() -> None:
    """Cancelling a turn while its summary is written leaves no trace; the next one pays."""

    async def scenario() -> None:
        asked, hook = asyncio.Event(), QueueHook()

        def summarize(_job: SummaryJob) -> str:
            asked.set()
            return "Sixty crates came in."

        fake = FakeKimi(slow_seconds=30.0, summarize=summarize)
        fake.fail_next(Fault.SLOW, only="summary")
        wrapped = wrap(connect_async(fake), budget=BUDGET, hooks=(hook,))
        turn = asyncio.ensure_future(ask_async(wrapped, talk(60)))
        await asyncio.wait_for(asked.wait(), timeout=5)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        cancelled = [event for event in hook.drain() if isinstance(event, (Compacted, Failed))]
        await ask_async(wrapped, talk(60))

        assert [] == cancelled
        assert 2 == len(sent(fake, "summary"))
        assert is_compacted(sent(fake)[-1], talk(60))

    asyncio.run(scenario())


def test_many_conversations_at_once_stay_apart() -> None:
    """Turns of different conversations on one client get their own summaries."""

    async def scenario() -> None:
        fake = FakeKimi()
        wrapped = wrap(connect_async(fake), budget=BUDGET)
        talks = [talk(60, start=100 * number) for number in range(8)]
        await asyncio.gather(*(ask_async(wrapped, each) for each in talks))
        turns = sorted(sent(fake), key=lambda each: talks.index(owner(each, talks)))

        assert 8 == len(sent(fake, "summary"))
        assert [True] * 8 == [is_compacted(*pair) for pair in zip(turns, talks, strict=True)]

    asyncio.run(scenario())


def owner(view: Any, talks: Any) -> Any:
    """Return the conversation whose last message a view ends with."""
    return next(each for each in talks if each[-1] == view[-1])


def bodies_of_replay(conversation: dict[str, Any], budget: int) -> list[bytes]:
    """Replay a conversation synchronously and return the bodies that left."""
    seen: list[bytes] = []
    hooks: Any = {"request": [lambda request: seen.append(request.read())]}
    http = http_client(FakeKimi(), event_hooks=hooks)
    client = OpenAI(api_key="k", base_url="http://fake/v1", http_client=http, max_retries=0)
    replay(conversation, client=client, budget=budget, hooks=())
    return seen


async def bodies_of_async_replay(conversation: dict[str, Any], budget: int) -> list[bytes]:
    """Send the same requests through an asynchronous client and return the bodies that left."""
    seen: list[bytes] = []
    wrapped = wrap(connect_async(FakeKimi(), seen), budget=budget, hooks=())
    for step in steps(conversation):
        tools = {"tools": list(step.tools)} if step.tools else {}
        await ask_async(wrapped, step.messages, extra_body=NO_THINKING, **tools)
    return seen


BUDGETS = {
    "locomo": (3_000, 1),
    "beam_100k": (12_000, 1),
    "zh_haystack": (2_000, 1),
    "bfcl_multi_turn": (4_000, 4),
    "swe_agent": (8_000, 1),
    "bfcl_memory": (4_000, 1),
    "tau_airline": (6_000, 4),
}
"""Tokens that the beginning of one conversation of each corpus exceeds, and how many to join."""


@pytest.mark.parametrize(
    ("name", "budget", "chain"),
    [
        pytest.param(None, 6_000, 1, id="demo"),
        *(
            pytest.param(name, *rest, id=name, marks=corpora.requires(name))
            for name, rest in BUDGETS.items()
        ),
    ],
)
def test_both_colours_send_the_same_bytes(name: str | None, budget: int, chain: int) -> None:
    """A conversation replayed with both clients leaves as the same requests, summaries included."""
    found: Any = [load()] if name is None else corpora.load(name, limit=chain)
    conversation = join(found, chain=chain)[0]
    conversation["messages"] = conversation["messages"][:100]
    plain = bodies_of_replay(conversation, budget)

    assert plain == asyncio.run(bodies_of_async_replay(conversation, budget))
    assert any(b"kimi-memory/notes" in body for body in plain)
