"""What a wrapped client sends once the messages exceed the budget, however it is asked to."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import openai
import pytest
from fake_kimi_requests import OFF, user
from kimi_clients import (
    BUDGET,
    MODEL,
    TOOLS,
    Shelf,
    ask,
    connect,
    http_client,
    httpx_library,
    impatient,
    is_compacted,
    sent,
    talk,
)
from openai import OpenAI
from openai.types.chat import ChatCompletion

from memory import QueueHook, wrap
from memory.events import Accepted, Compacted, Event, Failed, Summarizing
from memory.testing import FakeKimi, Fault


def create(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `create`."""
    client.chat.completions.create(**given)


def create_streaming(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `create(stream=True)` and read the stream."""
    assert list(client.chat.completions.create(**given, stream=True))


def stream_helper(client: OpenAI, given: dict[str, Any]) -> None:
    """Use the `stream` helper."""
    with client.chat.completions.stream(**given) as stream:
        assert stream.get_final_completion().choices


def parse(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `parse`."""
    reply = client.chat.completions.parse(**given, response_format=Shelf)
    assert Shelf(crate=1, shelf=7) == reply.choices[0].message.parsed


def raw_response(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `with_raw_response.create`."""
    assert client.chat.completions.with_raw_response.create(**given).parse().choices


def raw_response_of_the_client(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `create` on the client's own `with_raw_response`."""
    assert client.with_raw_response.chat.completions.create(**given).parse().choices


def streaming_response(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `with_streaming_response.create`."""
    with client.chat.completions.with_streaming_response.create(**given) as response:
        assert b"choices" in response.read()


def post(client: OpenAI, given: dict[str, Any]) -> None:
    """Call the client's bare `post`."""
    body = {key: value for key, value in given.items() if key != "extra_body"}
    client.post("/chat/completions", cast_to=ChatCompletion, body={**body, **OFF})


def post_without_slash(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `post` with a relative path, which the SDK joins to the base URL all the same."""
    body = {key: value for key, value in given.items() if key != "extra_body"}
    client.post("chat/completions", cast_to=ChatCompletion, body={**body, **OFF})


def post_extra_json(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `post` with the messages in the options."""
    messages = {"messages": given["messages"], **OFF}
    options: Any = {"extra_json": messages}
    client.post("/chat/completions", cast_to=ChatCompletion, body={"model": MODEL}, options=options)


def extra_body(client: OpenAI, given: dict[str, Any]) -> None:
    """Override the messages in `extra_body`."""
    more = {**OFF, "messages": given["messages"]}
    client.chat.completions.create(**(given | {"messages": [user("Hi")], "extra_body": more}))


def beta(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `beta.chat.completions.create`."""
    client.beta.chat.completions.create(**given)


def beta_parse(client: OpenAI, given: dict[str, Any]) -> None:
    """Call `beta.chat.completions.parse`."""
    client.beta.chat.completions.parse(**given, response_format=Shelf)


STYLES = [
    create,
    create_streaming,
    stream_helper,
    parse,
    raw_response,
    raw_response_of_the_client,
    streaming_response,
    post,
    post_without_slash,
    post_extra_json,
    extra_body,
    beta,
    beta_parse,
]


class TestCompaction:
    """What is sent once the messages exceed the budget."""

    @pytest.mark.parametrize("style", STYLES)
    def test_every_call_style_is_compacted(self, style: Callable[[OpenAI, Any], None]) -> None:
        """However the completion is asked for, the request that leaves is a view."""
        fake = FakeKimi(reply=lambda _: '{"crate": 1, "shelf": 7}')
        hook = QueueHook()
        given = {"model": MODEL, "messages": talk(60), "extra_body": OFF}
        style(wrap(connect(fake), budget=BUDGET, hooks=(hook,)), given)
        turns = [request for request in fake.requests if request.kind == "chat"]

        assert is_compacted(turns[0].body["messages"], talk(60))
        assert turns[0].prompt_tokens <= BUDGET
        assert [] == [event for event in hook.drain() if isinstance(event, Failed)]

    @pytest.mark.parametrize("style", STYLES)
    def test_callers_messages_are_never_changed(self, style: Callable[[OpenAI, Any], None]) -> None:
        """Neither the list nor any message in it is touched."""
        fake = FakeKimi(reply=lambda _: '{"crate": 1, "shelf": 7}')
        given = {"model": MODEL, "messages": talk(60), "extra_body": OFF}
        identities = [id(message) for message in given["messages"]]
        style(wrap(connect(fake), budget=BUDGET), given)

        assert {"model": MODEL, "messages": talk(60), "extra_body": OFF} == given
        assert identities == [id(message) for message in given["messages"]]

    def test_everything_but_the_messages_is_as_the_caller_set_it(self) -> None:
        """Other parameters, their order in the body, headers and the route are unchanged."""
        plain, wrapped = FakeKimi(), FakeKimi()
        more = {
            "tools": TOOLS,
            "max_completion_tokens": 100,
            "seed": 3,
            "extra_headers": {"x": "1"},
        }
        ask(connect(plain), talk(60), **more)
        ask(wrap(connect(wrapped), budget=BUDGET), talk(60), **more)
        expected, actual = plain.requests[-1], wrapped.requests[-1]

        assert list(expected.body) == list(actual.body)
        assert {**expected.body, "messages": 0} == {**actual.body, "messages": 0}
        assert {**expected.headers, "content-length": 0} == {**actual.headers, "content-length": 0}

    def test_a_grown_list_makes_no_second_summary(self) -> None:
        """The next turns reuse the summary, and each request begins with the one before it."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        messages = talk(60)
        for turn in range(4):
            reply = ask(wrapped, messages)
            messages.append(reply.choices[0].message.model_dump())
            messages.append(user(f"And crate {turn + 60}?"))
        turns = [json.dumps(each, ensure_ascii=False)[:-1] for each in sent(fake)]

        assert 1 == len(sent(fake, "summary"))
        assert [True] * 3 == [b.startswith(a) for a, b in pairwise(turns)]

    def test_sdk_messages_and_their_dumps_are_the_same_history(self) -> None:
        """Appending the SDK's own reply object or its dump finds the same record."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        reply = ask(wrapped, talk(60)).choices[0].message
        for form in (reply, reply.model_dump(), reply.model_dump(exclude_none=True)):
            ask(wrapped, [*talk(60), form, user("Where is crate 3?")])

        assert 1 == len(sent(fake, "summary"))
        assert 4 == len(sent(fake))

    def test_the_budget_holds_over_a_long_conversation(self) -> None:
        """A conversation of any length stays within the budget, with few summaries."""
        fake = FakeKimi()
        hook = QueueHook()
        wrapped = wrap(connect(fake), budget=BUDGET, hooks=(hook,))
        for turns in range(10, 120, 2):
            ask(wrapped, talk(turns))
        told = hook.drain()
        compacted = [event for event in told if isinstance(event, Compacted)]
        purposes = [event.purpose for event in told if isinstance(event, Summarizing)]

        assert BUDGET >= max(each.prompt_tokens for each in fake.requests if each.kind == "chat")
        assert len(purposes) == len(sent(fake, "summary"))
        assert 4 <= len(compacted) == purposes.count("new") <= 10
        assert purposes.count("merge") == len(purposes) - len(compacted) <= len(compacted)

    def test_other_routes_are_left_alone(self) -> None:
        """Models, embeddings and everything else pass through even when they are large."""
        seen: list[httpx_library.Request] = []

        def handle(request: httpx_library.Request) -> httpx_library.Response:
            seen.append(request)
            return httpx_library.Response(200, json={"object": "list", "data": [], "choices": []})

        http = http_client(httpx_library.MockTransport(handle))
        plain = OpenAI(api_key="k", base_url="http://fake/v1", http_client=http)
        for client in (plain, wrap(plain, budget=100)):
            client.models.list()
            client.embeddings.create(model="e", input=["word " * 1_000], encoding_format="float")
            client.completions.create(model=MODEL, prompt="word " * 1_000)
            client.chat.completions.list()
            client.chat.completions.update("c", metadata={"a": "b"})
        half = len(seen) // 2

        assert [bytes(each.content) for each in seen[:half]] == [
            bytes(each.content) for each in seen[half:]
        ]
        assert [str(each.url) for each in seen[:half]] == [str(each.url) for each in seen[half:]]

    def test_failures_of_the_turn_are_the_callers(self) -> None:
        """An error of the turn itself is the SDK's own, and the summary is not lost with it."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        fake.fail_next(Fault.SERVER_ERROR, only="chat")
        with pytest.raises(openai.InternalServerError, match="invalid state transition"):
            ask(wrapped, talk(60))
        ask(wrapped, talk(60))

        assert 1 == len(sent(fake, "summary"))

    def test_retries_of_the_turn_make_no_second_summary(self) -> None:
        """The SDK repeats the turn with the same view."""
        fake = FakeKimi()
        fake.fail_next(Fault.RPM, times=2, only="chat")
        answers = httpx_library.MockTransport(impatient(fake))
        http = http_client(answers)
        ask(wrap(connect(fake, max_retries=2).copy(http_client=http), budget=BUDGET), talk(60))

        assert [429, 429, 200] == [each.status for each in fake.requests if each.kind == "chat"]
        assert 1 == len(sent(fake, "summary"))

    def test_bad_input_is_the_servers_to_refuse(self) -> None:
        """What the API does not take reaches it as it is; memory raises nothing of its own."""
        fake = FakeKimi()
        wrapped = wrap(connect(fake), budget=BUDGET)
        wrongs: list[dict[str, Any]] = [
            {"messages": []},
            {"messages": ["hi"]},
            {"messages": 3},
            {"tools": 5},
        ]
        for wrong in wrongs:
            body = {"model": MODEL, "messages": talk(1), **OFF, **wrong}
            with pytest.raises(openai.BadRequestError):
                wrapped.post("/chat/completions", cast_to=ChatCompletion, body=body)


def test_hooks_see_everything_in_order() -> None:
    """A compaction is told as it happens: asked for, accepted, recorded."""
    seen: list[Event] = []
    ask(wrap(connect(FakeKimi()), budget=BUDGET, hooks=(seen.append,)), talk(60))

    assert [
        "CounterChosen",
        "Counted",
        "Planned",
        "Summarizing",
        "Accepted",
        "Compacted",
    ] == [type(event).__name__ for event in seen]
    assert {manager.namespace for manager in seen} != {""}
    assert MODEL == next(event.author for event in seen if isinstance(event, Accepted))


def test_a_hook_that_raises_costs_the_turn_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An error in a hook is logged; the view is sent all the same."""

    def broken(_event: Event) -> None:
        message = "broken"
        raise RuntimeError(message)

    fake = FakeKimi()
    ask(wrap(connect(fake), budget=BUDGET, hooks=(broken,)), talk(60))

    assert is_compacted(sent(fake)[-1], talk(60))
    assert "a hook failed" in caplog.text
