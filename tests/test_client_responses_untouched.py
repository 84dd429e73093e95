"""Requests to the Responses API that memory does not change, and what it says about that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from kimi_clients import (
    BUDGET,
    CLIENT,
    MODEL,
    Shelf,
    async_http_client,
    connect,
    http_client,
)
from openai import AsyncOpenAI, OpenAI
from response_items import FLAT_TOOL, asked, call, output, shown, turns

from memory import MemoryManager, QueueHook, wrap
from memory.events import Counted, Skipped
from memory.testing import FakeKimi

SAID = '{"crate": 1, "shelf": 7}'
LARGE: Any = turns(30)
"""Items over the budget."""


class Wire:
    """A fake server, and the bytes of what was sent to it."""

    def __init__(self) -> None:
        """Start with an empty log."""
        self.fake = FakeKimi(reply=lambda _: SAID)
        self.bodies: list[bytes] = []

    def client(self) -> OpenAI:
        """Return a client on this wire."""
        hooks: Any = {"request": [lambda request: self.bodies.append(request.read())]}
        return OpenAI(http_client=http_client(self.fake, event_hooks=hooks), **CLIENT)

    def async_client(self) -> AsyncOpenAI:
        """Return an asynchronous client on this wire."""

        async def note(request: Any) -> None:
            self.bodies.append(await request.aread())

        hooks: Any = {"request": [note]}
        return AsyncOpenAI(http_client=async_http_client(self.fake, event_hooks=hooks), **CLIENT)


def bodies(
    act: Callable[[OpenAI], object], *, hook: QueueHook | None = None, budget: int = BUDGET
) -> tuple[list[bytes], list[bytes]]:
    """Do something with a client and with a wrapped one; return the bytes each has sent."""
    plain, wrapped = Wire(), Wire()
    act(plain.client())
    act(wrap(wrapped.client(), budget=budget, hooks=() if hook is None else (hook,)))
    return plain.bodies, wrapped.bodies


def respond(client: OpenAI, given: Any, **more: Any) -> Any:
    """Ask for a response."""
    create: Any = client.responses.create
    return create(**({"model": MODEL, "input": given} | more))


def begun(client: OpenAI) -> str:
    """Start something that the server keeps, and return its name."""
    return str(respond(client, "Hello").id)


def reasons(hook: QueueHook) -> list[str]:
    """Return why requests were left alone."""
    return [event.reason for event in hook.drain() if isinstance(event, Skipped)]


def create(client: OpenAI) -> None:
    """Call `create` with all kinds of items."""
    items = [*turns(3)[:-1], shown("What is this?"), call("a"), call("b"), output("b"), output("a")]
    respond(client, items, instructions="Be brief.", tools=[FLAT_TOOL], max_output_tokens=500)


def create_streaming(client: OpenAI) -> None:
    """Call `create(stream=True)`."""
    assert list(respond(client, turns(3), stream=True))


def stream_helper(client: OpenAI) -> None:
    """Use the `stream` helper."""
    items: Any = turns(3)
    with client.responses.stream(model=MODEL, input=items) as stream:
        stream.until_done()


def parse(client: OpenAI) -> None:
    """Call `parse`."""
    items: Any = turns(3)
    client.responses.parse(model=MODEL, input=items, text_format=Shelf)


def text(client: OpenAI) -> None:
    """Send a text as the input."""
    respond(client, "Hello, Kimi")


def raw(client: OpenAI) -> None:
    """Ask for a raw response."""
    items: Any = turns(3)
    client.responses.with_raw_response.create(model=MODEL, input=items)


@pytest.mark.parametrize("act", [create, create_streaming, stream_helper, parse, text, raw])
def test_under_the_budget_the_bytes_are_the_same(act: Callable[[OpenAI], None]) -> None:
    """Nothing of the request differs."""
    plain, wrapped = bodies(act, budget=10_000)

    assert plain == wrapped


def test_a_text_is_never_touched() -> None:
    """However long it is: it is one question."""
    plain, wrapped = bodies(lambda client: respond(client, "Hello. " * 3_000))

    assert plain == wrapped


def test_items_may_be_turned_off() -> None:
    """`off` holds for this API as for the other."""
    wire = Wire()
    manager = MemoryManager(budget=BUDGET, hooks=())
    respond(manager.with_options(off=True).wrap(wire.client()), LARGE)

    assert LARGE == wire.fake.requests[-1].body["input"]


class TestStored:
    """The server holds a part of the conversation."""

    def test_what_goes_on_from_a_response_is_left_alone(self) -> None:
        """The bytes are the same, over the budget too, and the reason is told once."""
        hook = QueueHook()

        def act(client: OpenAI) -> None:
            ident = begun(client)
            for _ in range(3):
                respond(client, LARGE, previous_response_id=ident)

        plain, wrapped = bodies(act, hook=hook)
        (reason,) = reasons(hook)

        assert plain == wrapped
        assert "previous_response_id" in reason

    def test_what_goes_on_from_a_conversation_is_left_alone(self) -> None:
        """Its reason is another one, and told once as well."""
        hook = QueueHook()

        def act(client: OpenAI) -> None:
            for conversation in ("conv_1", {"id": "conv_2"}, "conv_3"):
                respond(client, LARGE, conversation=conversation)
            respond(client, LARGE, previous_response_id=begun(client))

        plain, wrapped = bodies(act, hook=hook)

        assert plain == wrapped
        assert ["conversation", "previous_response_id"] == [
            reason.partition("(")[2].rstrip(")") for reason in reasons(hook)
        ]

    @pytest.mark.parametrize("stream", [False, True])
    def test_asynchronous_calls_are_left_alone(self, *, stream: bool) -> None:
        """The same goes for asynchronous clients."""
        hook = QueueHook()

        async def act(client: AsyncOpenAI) -> None:
            first = await client.responses.create(model=MODEL, input="Hello")
            for _ in range(2):
                asked: Any = {"previous_response_id": first.id, "stream": stream}
                reply: Any = await client.responses.create(model=MODEL, input=LARGE, **asked)
                if stream:
                    assert [event async for event in reply]

        plain, wrapped = Wire(), Wire()
        asyncio.run(act(plain.async_client()))
        asyncio.run(act(wrap(wrapped.async_client(), budget=BUDGET, hooks=(hook,))))

        assert plain.bodies == wrapped.bodies
        assert 1 == len(reasons(hook))

    @pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
    def test_a_null_is_none(self, name: str) -> None:
        """Where nothing is named, the input is all there is."""
        wire = Wire()
        hook = QueueHook()
        respond(wrap(wire.client(), budget=BUDGET, hooks=(hook,)), LARGE, **{name: None})

        assert len(wire.fake.requests[-1].body["input"]) < len(LARGE)
        assert [] == reasons(hook)

    def test_it_is_seen_in_the_extra_body(self) -> None:
        """The SDK lays that over everything else."""

        def act(client: OpenAI) -> None:
            respond(client, LARGE, extra_body={"previous_response_id": begun(client)})

        plain, wrapped = bodies(act)

        assert plain == wrapped

    def test_memorys_own_conversation_is_not_for_this_api(self) -> None:
        """A client that goes on from one says so once, and sends what it was given."""
        wire = Wire()
        hook = QueueHook()
        wrapped = wrap(wire.client(), budget=BUDGET, hooks=(hook,), conversation="trip")
        for _ in range(2):
            respond(wrapped, LARGE)

        assert [LARGE] * 2 == [request.body["input"] for request in wire.fake.requests]
        assert 1 == len(reasons(hook))


class TestUnknown:
    """Items that memory does not know."""

    @pytest.mark.parametrize(
        "item",
        [
            {"type": "item_reference", "id": "msg_1"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "compaction", "encrypted_content": "AAAA"},
            {"type": "something_new", "role": "user", "content": "Hi"},
            {"nothing": "known"},
        ],
    )
    def test_an_input_with_one_is_left_alone(self, item: Any) -> None:
        """Nobody can tell what belongs together; the reason is told once."""
        hook = QueueHook()

        def act(client: OpenAI) -> None:
            for place in (0, len(LARGE)):
                with pytest.raises(openai.BadRequestError):
                    respond(client, [*LARGE[:place], item, *LARGE[place:]])

        plain, wrapped = bodies(act, hook=hook)
        (reason,) = reasons(hook)

        assert plain == wrapped
        assert repr(item.get("type")) in reason

    @pytest.mark.parametrize(
        "item",
        [
            {"type": []},
            {"type": {"a": 1}},
            {"role": []},
            {"role": None, "content": None},
            {"role": "user", "content": 5},
            {"role": "user", "content": [5]},
            {"type": "message"},
            {"type": "reasoning"},
            {"type": "function_call"},
            {**call("a"), "call_id": []},
            {**call("a"), "call_id": None, "arguments": None},
            {**output("a"), "call_id": {}},
            output("nobody"),
            {},
        ],
    )
    def test_odd_items_are_the_servers_to_refuse(self, item: Any) -> None:
        """What comes back is what comes back without memory."""

        def outcome(client: OpenAI) -> object:
            try:
                return respond(client, [asked("Hi"), item, asked("Hi")]).output_text
            except Exception as error:  # noqa: BLE001  # compared below
                return type(error), str(error)

        assert outcome(Wire().client()) == outcome(wrap(Wire().client(), hooks=()))

    def test_the_next_request_is_fitted_all_the_same(self) -> None:
        """Only the one with the item is left alone."""
        wire = Wire()
        wrapped = wrap(wire.client(), budget=BUDGET, hooks=())
        with pytest.raises(openai.BadRequestError):
            respond(wrapped, [*LARGE, {"type": "something_new"}])
        respond(wrapped, LARGE)

        assert len(wire.fake.requests[-1].body["input"]) < len(LARGE)


@pytest.mark.parametrize("method", ["create", "parse"])
def test_a_response_teaches(method: str) -> None:
    """The next count of the same input is the server's."""
    fake = FakeKimi(reply=lambda _: SAID)
    hook = QueueHook()
    wrapped = wrap(connect(fake), budget=3_500, hooks=(hook,), tokenizer=rough)
    for _ in range(2):
        ask: Any = getattr(wrapped.responses, method)
        ask(model=MODEL, input=turns(20), **({"text_format": Shelf} if method == "parse" else {}))
    first, second = (event for event in hook.drain() if isinstance(event, Counted))

    assert first.tokens != fake.requests[-1].prompt_tokens == second.tokens
    assert (0, 1) == (round(first.measured, 1), round(second.measured, 1))


def rough(text: str) -> int:
    """Count badly, so that it shows when the server's count was taken over."""
    return len(text) // 3
