"""Streams, faults and the asynchronous SDK on the Responses route of the fake server."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from kimi_clients import STREAM_ERRORS, connect_async
from openai import AsyncOpenAI
from responses_requests import CALLS, TEXT, ask, client_of, refusal

from memory.testing import FakeKimi, Fault


def events_of(fake: FakeKimi, **more: Any) -> list[Any]:
    """Return the events of a streamed response."""
    return list(ask(fake, "Hello", stream=True, **more))


def test_streams_arrive_in_pieces() -> None:
    """A text is announced, told in pieces and told whole; the response comes first and last."""
    events = events_of(FakeKimi(reply=lambda _: TEXT))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))

    assert [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ] == kinds
    assert TEXT == "".join(deltas)
    assert 1 < len(deltas)
    assert list(range(len(events))) == [event.sequence_number for event in events]


def test_the_stream_begins_with_nothing() -> None:
    """The first event has the identifier and no output; the usage is in the last."""
    first, *_, last = events_of(FakeKimi())

    assert ("in_progress", [], None) == (
        first.response.status,
        first.response.output,
        first.response.usage,
    )
    assert first.response.id == last.response.id
    assert 0 < last.response.usage.total_tokens


@pytest.mark.parametrize("more", [{}, {"max_output_tokens": 30}], ids=["whole", "incomplete"])
def test_streams_and_whole_responses_agree(more: dict[str, Any]) -> None:
    """The same request returns the same response, streamed or not."""
    responses = list[dict[str, Any]]()
    for streaming in (False, True):
        fake = FakeKimi(seed="s", clock=lambda: 7.9)
        fake.queue_reply({**CALLS, "content": TEXT})
        reply = ask(fake, "Hello", extra_body={}, stream=streaming, **more)
        responses.append((list(reply)[-1].response if streaming else reply).to_dict())

    assert responses[0] == responses[1]


def test_the_sdk_puts_a_stream_together() -> None:
    """Reasoning, text and call are collected by the stream of the SDK."""
    fake = FakeKimi()
    fake.queue_reply(CALLS)
    with client_of(fake).responses.stream(model="kimi-k2.6", input="Hello") as events:
        response = events.get_final_response()

    assert ["reasoning", "message", "function_call"] == [item.type for item in response.output]
    assert "Look:" == response.output_text


def test_streams_can_be_reset() -> None:
    """The connection breaks half way, and what broke off cannot be continued."""
    fake = FakeKimi(faults=[Fault.RESET])
    events = ask(fake, "Hello", stream=True)
    ident = next(events).response.id
    with pytest.raises(STREAM_ERRORS):
        list(events)

    assert 404 == refusal("Hi", fake, previous_response_id=ident)[0]


def test_the_last_event_can_be_missing() -> None:
    """Where a chat stream would lack `[DONE]`, the response is never completed."""
    events = events_of(FakeKimi(faults=[Fault.NO_DONE]))

    assert "response.output_item.done" == events[-1].type


def test_whole_responses_can_be_reset() -> None:
    """The connection breaks within a response that is not streamed."""
    with pytest.raises(openai.APIConnectionError):
        ask(FakeKimi(faults=[Fault.RESET]), "Hello")


def test_faults_strike_this_route_too() -> None:
    """A fault that refuses does so here as in chat."""
    with pytest.raises(openai.RateLimitError):
        ask(FakeKimi(faults=[Fault.OVERLOADED]), "Hello")


async def both_ways(client: AsyncOpenAI) -> tuple[str, list[str]]:
    """Return the text of a whole response and the events of a streamed one."""
    async with client:
        whole = await client.responses.create(model="kimi-k2.6", input="Hello")
        stream = await client.responses.create(model="kimi-k2.6", input="Hello", stream=True)
        return whole.output_text, [event.type async for event in stream]


def test_the_asynchronous_sdk_is_served() -> None:
    """An asynchronous client gets whole and streamed responses."""
    text, kinds = asyncio.run(both_ways(connect_async(FakeKimi(reply=lambda _: TEXT))))

    assert (TEXT, "response.created", "response.completed") == (text, kinds[0], kinds[-1])
