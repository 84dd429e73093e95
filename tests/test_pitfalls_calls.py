"""What goes wrong with the calls of objects that stand in for a client, and must not go wrong here.

The table in `test_pitfalls` says which test holds what off.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import openai
import pytest
from fake_kimi_requests import OFF
from kimi_clients import (
    BUDGET,
    CLIENT,
    MODEL,
    NOTES,
    ask,
    ask_async,
    connect,
    connect_async,
    http_client,
    httpx_library,
    is_compacted,
    sent,
    summaries,
    talk,
    transport,
)
from openai import AsyncStream, OpenAI, Stream
from openai._models import FinalRequestOptions  # what `request()` takes has no public name
from openai.resources.chat import Completions
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from memory import QueueHook, wrap
from memory.events import Compacted, FellBack
from memory.testing import FakeKimi, Fault

SAID = "All is well."


def fake_that_speaks() -> FakeKimi:
    """Return a server whose replies are known."""
    return FakeKimi(reply=lambda _: SAID)


def objects(messages: list[dict[str, Any]]) -> list[Any]:
    """Return messages with the assistant's as the SDK makes them."""
    return [
        ChatCompletionMessage.model_validate(each) if each["role"] == "assistant" else each
        for each in messages
    ]


class TestReplies:
    """What the caller gets."""

    def test_a_stream_is_a_context_manager(self) -> None:
        """A stream can be entered, read, and is closed when it is left."""
        stream = ask(wrap(connect(fake_that_speaks()), budget=BUDGET), talk(60), stream=True)
        with stream as entered:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in entered)

        assert (Stream, SAID) == (type(stream), text)
        assert entered is stream
        assert stream.response.is_closed

    def test_an_asynchronous_stream_is_a_context_manager(self) -> None:
        """The same goes for the streams of asynchronous clients."""

        async def scenario() -> None:
            wrapped = wrap(connect_async(fake_that_speaks()), budget=BUDGET)
            stream = await ask_async(wrapped, talk(60), stream=True)
            async with stream as entered:
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in entered])

            assert (AsyncStream, SAID) == (type(stream), text)
            assert stream.response.is_closed

        asyncio.run(scenario())

    def test_a_stream_may_be_left_before_its_end(self) -> None:
        """Who stops reading closes the response, and nothing is read on their behalf."""
        wrapped = wrap(connect(fake_that_speaks()), budget=BUDGET)
        with ask(wrapped, talk(60), stream=True) as stream:
            first = next(stream)

        assert "chat.completion.chunk" == first.object
        assert stream.response.is_closed

    def test_a_response_can_be_streamed_piece_by_piece(self) -> None:
        """Lines of a streaming response arrive as the server wrote them."""
        plain, wrapped = fake_that_speaks(), fake_that_speaks()
        clients = connect(plain), wrap(connect(wrapped), budget=BUDGET)
        given: Any = {"model": MODEL, "messages": talk(60), "stream": True}
        kinds = []
        for client in clients:
            method = client.chat.completions.with_streaming_response.create
            with method(**given) as response:
                lines = [line for line in response.iter_lines() if line]
            kinds.append((type(response), len(lines), lines[-1]))

        assert kinds[0] == kinds[1]
        assert "data: [DONE]" == kinds[1][2]


class TestArguments:
    """What the caller gives."""

    @pytest.mark.parametrize(
        "form",
        [tuple, iter, objects, lambda messages: (dict(each) for each in messages)],
        ids=["tuple", "iterator", "objects", "generator"],
    )
    def test_every_form_of_the_messages_makes_the_same_request(
        self, form: Callable[[Any], Any]
    ) -> None:
        """Whatever the SDK takes for messages is compacted as a list of dictionaries is."""
        listed, formed = FakeKimi(), FakeKimi()
        ask(wrap(connect(listed), budget=BUDGET, namespace="one"), talk(60))
        ask(wrap(connect(formed), budget=BUDGET, namespace="one"), form(talk(60)))

        assert is_compacted(sent(formed)[0], talk(60))
        assert [each.body for each in listed.requests] == [each.body for each in formed.requests]

    @pytest.mark.parametrize("nothing", [openai.NOT_GIVEN, openai.omit])
    def test_what_is_not_given_is_not_sent(self, nothing: Any) -> None:
        """The SDK's own marks for nothing are nothing to the memory either."""
        plain, wrapped = FakeKimi(), FakeKimi()
        more = {"tools": nothing, "max_completion_tokens": nothing, "seed": nothing}
        ask(connect(plain), talk(60), **more)
        ask(wrap(connect(wrapped), budget=BUDGET), talk(60), **more)

        assert list(plain.requests[-1].body) == list(wrapped.requests[-1].body)
        assert is_compacted(sent(wrapped)[0], talk(60))

    def test_the_model_in_extra_body_counts(self) -> None:
        """The SDK lets `extra_body` win, so the model in it is the one that summarises."""
        fake = FakeKimi()
        more = {"model": "unheard-of", "extra_body": {**OFF, "model": MODEL}}
        ask(wrap(connect(fake), budget=BUDGET), talk(60), **more)

        assert [MODEL, MODEL] == [request.body["model"] for request in fake.requests]
        assert is_compacted(sent(fake)[0], talk(60))

    def test_create_takes_no_argument_of_the_memorys(self) -> None:
        """An argument that the SDK does not know is refused in the SDK's own words."""
        client = connect(FakeKimi())
        with pytest.raises(TypeError) as expected:
            ask(client, talk(1), budget=10)
        with pytest.raises(TypeError) as actual:
            ask(wrap(client), talk(1), budget=10)

        assert str(expected.value) == str(actual.value)

    def test_the_options_of_a_request_are_not_changed(self) -> None:
        """What is given to the client's public `request` is as it was, and may be used again."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        body = {"model": MODEL, "messages": talk(60), **OFF}
        options = FinalRequestOptions.construct(
            method="post", url="/chat/completions", json_data=body
        )
        given = options.json_data
        for _ in range(2):
            wrapped.request(ChatCompletion, options)

        assert given is options.json_data
        assert {"model": MODEL, "messages": talk(60), **OFF} == given
        assert sent(fake)[0] == sent(fake)[1]
        assert is_compacted(sent(fake)[0], talk(60))


class TestSummaries:
    """How the summary is asked for."""

    def test_a_summary_is_not_summarised(self) -> None:
        """A request for a summary that is itself beyond the budget is sent as it is."""
        fake = FakeKimi()
        ask(wrap(connect(fake), budget=BUDGET), talk(200))
        asking, turn = fake.requests

        assert ("summary", "chat") == (asking.kind, turn.kind)
        assert asking.prompt_tokens > BUDGET >= turn.prompt_tokens
        assert NOTES not in str(summaries(fake)[0]["messages"])

    def test_a_synchronous_client_summarises_inside_a_running_loop(self) -> None:
        """A call from within a coroutine is as good as any: nothing starts a loop."""

        async def scenario() -> None:
            fake, hook = FakeKimi(), QueueHook()
            ask(wrap(connect(fake), budget=BUDGET, hooks=(hook,)), talk(60))

            assert ["summary", "chat"] == [request.kind for request in fake.requests]
            assert [] == [event for event in hook.drain() if isinstance(event, FellBack)]

        asyncio.run(scenario())

    def test_a_summary_does_not_hold_the_loop_up(self) -> None:
        """While an asynchronous client waits for its summary, other tasks go on."""

        async def scenario() -> None:
            fake = FakeKimi(slow_seconds=0.3)
            fake.fail_next(Fault.SLOW, only="summary")
            wrapped = wrap(connect_async(fake), budget=BUDGET)
            turn = asyncio.ensure_future(ask_async(wrapped, talk(60)))
            beats = 0
            while not turn.done():
                await asyncio.sleep(0.01)
                beats += 1

            assert is_compacted(sent(fake)[-1], talk(60))
            assert beats > 5

        asyncio.run(scenario())


class TestOthersInBetween:
    """Signers, tracers and patches that have to go on working."""

    def test_what_is_signed_is_what_is_sent(self) -> None:
        """A signature over the body is made of the body that arrives, of summaries too."""
        checked: list[bool] = []

        def sign(request: Any) -> None:
            request.headers["x-signature"] = hashlib.sha256(request.read()).hexdigest()

        class Verifying(httpx_library.BaseTransport):
            def handle_request(self, request: httpx_library.Request) -> httpx_library.Response:
                digest = hashlib.sha256(request.read()).hexdigest()
                checked.append(digest == request.headers["x-signature"])
                return inner.handle_request(request)

        inner = transport(FakeKimi())
        http = http_client(Verifying(), event_hooks={"request": [sign]})
        ask(wrap(OpenAI(http_client=http, **CLIENT), budget=BUDGET), talk(60))

        assert [True, True] == checked

    def test_a_tracer_on_the_class_sees_the_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A patch of the SDK's class sees what the caller gave and what the server billed."""
        seen: list[tuple[int, int]] = []
        original: Any = Completions.create

        def traced(self: Any, **given: Any) -> Any:
            reply = original(self, **given)
            seen.append((len(given["messages"]), reply.usage.prompt_tokens))
            return reply

        monkeypatch.setattr(Completions, "create", traced)
        fake, hook = FakeKimi(), QueueHook()
        ask(wrap(connect(fake), budget=BUDGET, hooks=(hook,)), talk(60))
        (compacted,) = [event for event in hook.drain() if isinstance(event, Compacted)]

        assert [(len(talk(60)), fake.requests[-1].prompt_tokens)] == seen
        assert compacted.tokens_before > BUDGET >= seen[0][1]

    def test_a_method_put_on_the_wrapped_client_is_called(self) -> None:
        """Who replaces `create` of a wrapped client stands before the memory."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        completions: Any = wrapped.chat.completions
        create = completions.create
        traced: list[int] = []

        def replaced(**given: Any) -> Any:
            traced.append(len(given["messages"]))
            return create(**given)

        completions.create = replaced
        ask(wrapped, talk(60))

        assert [len(talk(60))] == traced
        assert is_compacted(sent(fake)[0], talk(60))
