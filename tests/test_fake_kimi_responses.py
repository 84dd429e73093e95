"""The Responses route of the fake server, through the OpenAI SDK, which checks what it reads."""

from __future__ import annotations

from typing import Any

import pytest
from fake_kimi_requests import CALL, OFF, chat, send, user
from responses_requests import CALLS, ask, refusal

from memory.testing import FakeKimi
from memory.testing.kimi_reply import REASONING
from memory.testing.kimi_responses import STORED

TOOL = {
    "type": "function",
    "name": "search",
    "description": "Search.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
    "strict": None,
}
NESTED = {"type": "function", "function": {k: v for k, v in TOOL.items() if k != "type"}}
UNKNOWN_ITEM = (
    "Invalid value: 'item_reference'. Supported values are: 'message', 'function_call', "
    "'function_call_output' and 'reasoning'."
)
PNG = "data:image/png;base64,AAAA"


def seen(given: Any, **more: Any) -> list[dict[str, Any]]:
    """Return the messages an input is read as."""
    bodies = list[Any]()

    def reply(body: Any) -> str:
        bodies.append(body)
        return "Hi."

    ask(FakeKimi(reply=reply), given, **more)
    messages: list[dict[str, Any]] = bodies[0]["messages"]
    return messages


def call(ident: str = "a:0", name: str = "search") -> dict[str, Any]:
    """Return an item that calls a tool."""
    return {"type": "function_call", "call_id": ident, "name": name, "arguments": "{}"}


def output(ident: str = "a:0", said: Any = "found") -> dict[str, Any]:
    """Return an item with the result of a call."""
    return {"type": "function_call_output", "call_id": ident, "output": said}


def calls_of(*idents: str, **more: Any) -> dict[str, Any]:
    """Return the message that calls become."""
    function = {"name": "search", "arguments": "{}"}
    made = [{"id": one, "type": "function", "function": function} for one in idents]
    message = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": made}
    return message | more


def result_of(ident: str, content: Any = "found") -> dict[str, Any]:
    """Return the message that the result of a call becomes."""
    return {"role": "tool", "tool_call_id": ident, "content": content}


def test_the_sdk_reads_a_response() -> None:
    """A response has a text, a status and an identifier of its kind."""
    response = ask(FakeKimi(reply=lambda _: "Hi."), "Hello")

    assert ("Hi.", "completed", "response", "resp_") == (
        response.output_text,
        response.status,
        response.object,
        response.id[:5],
    )
    assert ["message"] == [item.type for item in response.output]


def test_a_response_costs_what_a_chat_completion_costs() -> None:
    """Both routes count the same prompt and the same reply."""
    usage = chat(FakeKimi(), user("Hello"), tools=[NESTED])["usage"]
    response = ask(FakeKimi(), "Hello", tools=[TOOL], extra_body={})

    assert {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": usage["completion_tokens_details"],
        "total_tokens": usage["total_tokens"],
    } == response.usage.to_dict()


def test_the_routes_share_a_cache() -> None:
    """A prompt that was sent to one route is cached for the other."""
    fake = FakeKimi()
    chat(fake, user("Hello"), **OFF)
    details = ask(fake, "Hello").usage.input_tokens_details

    assert fake.requests[0].prompt_tokens == details.cached_tokens
    assert details.cached_tokens == fake.requests[1].cached_tokens


def test_reasoning_is_an_item() -> None:
    """A model that thinks returns its reasoning before its text."""
    response = ask(FakeKimi(), "Hello", extra_body={})

    assert ["reasoning", "message"] == [item.type for item in response.output]
    assert REASONING == response.output[0].content[0].text


def test_calls_are_items() -> None:
    """A recorded reply with a call becomes a message and a call."""
    fake = FakeKimi()
    fake.queue_reply(CALLS)
    response = ask(fake, "Hello", tools=[TOOL])
    made = response.output[1]

    assert "Look:" == response.output_text
    assert (CALL["id"], CALL["function"]) == (
        made.call_id,
        {"name": made.name, "arguments": made.arguments},
    )


def test_a_response_can_be_incomplete() -> None:
    """A text that reaches the cap says so in three places."""
    fake = FakeKimi(reply=lambda _: "0123456789", count_text=len)
    response = ask(fake, "Hello", max_output_tokens=4)

    assert ("0123", "incomplete", "max_output_tokens", "incomplete") == (
        response.output_text,
        response.status,
        response.incomplete_details.reason,
        response.output[0].status,
    )


def test_reasoning_can_eat_the_whole_cap() -> None:
    """Nothing but reasoning is returned where it fills the cap."""
    response = ask(FakeKimi(), "Hello", extra_body={}, max_output_tokens=5)

    assert ["reasoning"] == [item.type for item in response.output]
    assert 5 == response.usage.output_tokens_details.reasoning_tokens


def test_instructions_are_the_system_message() -> None:
    """They stand before everything, the messages of a developer included."""
    given = [{"role": "developer", "content": "Be brief."}, user("Hello")]
    system = [{"role": "system", "content": text} for text in ("Be kind.", "Be brief.")]

    assert [*system, user("Hello")] == seen(given, instructions="Be kind.")


def test_content_may_stand_in_parts() -> None:
    """Text and images are read as the parts of a chat message, by role."""
    parts = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": PNG},
        {"type": "input_image", "file_id": "f1"},
    ]
    said = [{"type": "output_text", "text": "A", "annotations": []}]
    given = [
        {"type": "message", "role": "user", "content": parts},
        {"type": "message", "role": "assistant", "content": said, "status": "completed"},
        user("And?"),
    ]
    images = [{"type": "image_url", "image_url": url} for url in (PNG, "ms://f1")]

    assert [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, *images]},
        {"role": "assistant", "content": [{"type": "text", "text": "A"}]},
        user("And?"),
    ] == seen(given)


@pytest.mark.parametrize(
    "items",
    [
        [call("a:0"), call("a:1"), output("a:0"), output("a:1")],
        [call("a:0"), call("a:1"), output("a:1"), output("a:0")],
    ],
    ids=["in order", "out of order"],
)
def test_calls_side_by_side_are_one_message(items: list[Any]) -> None:
    """A parallel batch is one assistant message, and its results follow."""
    wanted = [user("Hi"), calls_of("a:0", "a:1"), result_of("a:0"), result_of("a:1")]

    assert wanted == seen([user("Hi"), *items])


def test_calls_one_after_the_other_are_two_messages() -> None:
    """A call after a result is a new turn, also where it has the same identifier."""
    items = [user("Hi"), call(), output("a:0", "one"), call(), output("a:0", "two")]
    turns = [[calls_of("a:0"), result_of("a:0", text)] for text in ("one", "two")]

    assert [user("Hi"), *turns[0], *turns[1]] == seen(items)


def test_a_result_may_stand_further_down() -> None:
    """A result that does not follow its call is moved to it."""
    items = [user("Hi"), call(), user("Well?"), output()]

    assert [user("Hi"), calls_of("a:0"), result_of("a:0"), user("Well?")] == seen(items)


def test_a_result_may_stand_in_parts() -> None:
    """A result is a text or a list of parts."""
    items = [user("Hi"), call(), output(said=[{"type": "input_text", "text": "found"}])]

    assert [{"type": "text", "text": "found"}] == seen(items)[-1]["content"]


def test_what_belongs_to_one_turn_is_one_message() -> None:
    """Reasoning, text and calls that follow each other are one assistant message."""
    content = [{"type": "reasoning_text", "text": "Hm."}]
    thoughts = {"type": "reasoning", "id": "rs_1", "summary": [], "content": content}
    said = {"role": "assistant", "content": "Look:"}
    items = [user("Hi"), thoughts, said, call(), output()]

    message = calls_of("a:0", content="Look:", reasoning_content="Hm.")
    assert [user("Hi"), message, result_of("a:0")] == seen(items, extra_body={})


def test_a_summary_of_the_reasoning_will_do() -> None:
    """Where reasoning has no content, its summary is read."""
    summary = [{"type": "summary_text", "text": "Hm."}]
    items = [user("Hi"), {"type": "reasoning", "id": "rs_1", "summary": summary}, call(), output()]

    assert "Hm." == seen(items)[1]["reasoning_content"]


def test_a_response_can_be_sent_back() -> None:
    """What one response returned is the input of the next, reasoning included."""
    fake = FakeKimi()
    fake.queue_reply(CALLS)
    first = ask(fake, "Hello", extra_body={}, tools=[TOOL])
    items = [user("Hello"), *first.output, output("search:0")]

    assert "completed" == ask(fake, items, extra_body={}, tools=[TOOL]).status


def test_a_response_can_be_continued() -> None:
    """A response that is named brings its input and its output with it, not its instructions."""
    fake = FakeKimi(reply=lambda body: str(len(body["messages"])))
    fake.queue_reply(CALLS)
    first = ask(fake, "Hello", instructions="Be brief.")
    second = ask(fake, [output("search:0")], previous_response_id=first.id)
    third = ask(fake, "And?", previous_response_id=second.id)

    assert ["3", "5"] == [second.output_text, third.output_text]
    assert first.id == second.previous_response_id


@pytest.mark.parametrize("store", [False, None])
def test_only_what_was_stored_can_be_continued(store: Any) -> None:
    """A response that is unknown, or was not to be stored, is not found."""
    fake = FakeKimi()
    ident = "resp_0" if store is None else ask(fake, "Hello", store=store).id

    message = f"Previous response with id '{ident}' not found."
    assert (404, message) == refusal("Hi", fake, previous_response_id=ident)


def test_the_oldest_responses_are_forgotten() -> None:
    """The store has an end."""
    fake = FakeKimi(count_text=len)
    body = {"model": "kimi-k2.6", "input": "Hello"}
    replies = [send(fake, body, "/v1/responses")[1]["id"] for _ in range(STORED + 1)]
    statuses = [
        send(fake, {**body, "previous_response_id": ident}, "/v1/responses")[0]
        for ident in replies[:2]
    ]

    assert [404, 200] == statuses


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [user("Hi"), output()],
            "No tool call found for function call output with call_id a:0.",
        ),
        (
            [user("Hi"), output(), call()],
            "No tool call found for function call output with call_id a:0.",
        ),
        ([user("Hi"), call("a:1")], "No tool output found for function call a:1."),
        (
            [user("Hi"), call(), call("a:1"), output(), user("So?")],
            "No tool output found for function call a:1.",
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            "Invalid value: 'text'. Supported values are: 'input_text' and 'input_image'.",
        ),
        (
            [{"role": "assistant", "content": [{"type": "input_text", "text": "Hi"}]}],
            "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
        ),
        (
            [{"type": "item_reference", "id": "msg_1"}],
            UNKNOWN_ITEM,
        ),
        (
            [user("")],
            "Invalid request: the message at position 0 with role 'user' must not be empty",
        ),
        ([result_of("a:0")], "invalid request: unsupported role ROLE_UNSPECIFIED"),
    ],
)
def test_inputs_are_refused(items: list[Any], message: str) -> None:
    """What no model could make sense of is a 400, worded as OpenAI does or as chat does."""
    assert (400, message) == refusal(items)


def test_the_window_is_that_of_chat() -> None:
    """Prompt and explicit cap together may not exceed it, worded as it was set."""
    fake = FakeKimi(context_length=100, count_text=len, overflow="limit")

    message = "Your request exceeded model token limit : 100"
    assert (400, message) == refusal("Hi", fake, max_output_tokens=99)


@pytest.mark.parametrize(
    ("given", "more", "words"),
    [
        ("Hi", {"temperature": 0.1}, "invalid temperature: only 0.6 is allowed for this model"),
        ("Hi", {"tools": [NESTED]}, "function name is invalid"),
        ("Hi", {"tools": [{"type": "web_search"}]}, "unknown tool type: web_search"),
        ("Hi", {"instructions": ["Be brief."]}, "the `instructions` field in the request"),
        (3, {}, "the `input` field in the request"),
    ],
)
def test_parameters_obey_the_rules_of_chat(given: Any, more: Any, words: str) -> None:
    """What chat refuses is refused here too, and so is what has the wrong type."""
    status, message = refusal(given, **more)

    assert 400 == status
    assert words in message


def test_the_model_comes_first() -> None:
    """A model that is not served is not found, before the input is looked at."""
    message = "Not found the model gpt-4o or Permission denied"

    assert (404, message) == refusal(None, model="gpt-4o")


@pytest.mark.parametrize(
    "given",
    [
        "[kimi-memory/notes v1]",
        [user("Hi"), user("[kimi-memory/notes v1]")],
        [{"role": "user", "content": [{"type": "input_text", "text": "[kimi-memory/notes v1]"}]}],
    ],
    ids=["text", "messages", "parts"],
)
def test_requests_for_notes_are_recognised(given: Any) -> None:
    """An input that asks for notes gets them."""
    fake = FakeKimi(summarize=lambda _: "notes")

    assert ("notes", "summary") == (ask(fake, given).output_text, fake.requests[0].kind)


def test_requests_are_logged_as_received() -> None:
    """The log has the input as it was sent, and the route."""
    fake = FakeKimi()
    ask(fake, [user("Hi")], instructions="Be brief.")
    served = fake.requests[0]

    assert ("chat", "/v1/responses", 200) == (served.kind, served.path, served.status)
    assert {
        "model": "kimi-k2.6",
        "input": [user("Hi")],
        "instructions": "Be brief.",
        **OFF,
    } == served.body
