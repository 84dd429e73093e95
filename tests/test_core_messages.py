"""Wire messages at their edges: SDK objects, refusals in full, parts at the end of the input."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessage
from workbench import Wire, assistant, call, exchange, picture, system, user

from memory.errors import HistoryError
from memory.messages import (
    content_parts,
    end_of_read,
    head_length,
    is_partial,
    role_of,
    split,
    text_of,
    tool_calls,
    wire,
)

PARTIAL: Wire = {"role": "assistant", "content": "So", "partial": True}


def spans(messages: list[Wire], *, start: int = 0) -> list[tuple[int, int, str, bool]]:
    """Return the parts as plain tuples."""
    return [(part.start, part.stop, part.kind, part.open) for part in split(messages, start=start)]


@pytest.mark.parametrize(
    ("given", "kind"), [("hi", "str"), (user("hi"), "dict"), (7, "int"), (None, "NoneType")]
)
def test_what_is_no_list_is_refused_by_what_it_is(given: Any, kind: str) -> None:
    """A text and a single message could be gone through too, but are no list of messages."""
    with pytest.raises(HistoryError) as caught:
        wire(given)

    assert f"a list of messages is wanted, not a {kind}" == str(caught.value)
    assert 0 == caught.value.index


def test_a_stranger_among_messages_is_told_what_to_do() -> None:
    """The refusal names its place and class, and shows what a message looks like."""
    with pytest.raises(HistoryError) as caught:
        wire([user("hi"), SimpleNamespace(role="user")])

    assert str(caught.value) == (
        "message 1 is a SimpleNamespace, neither a mapping nor an SDK object: "
        'pass wire messages such as {"role": "user", "content": "…"}'
    )


def test_mappings_in_a_list_are_that_list() -> None:
    """Nothing is copied where nothing has to be turned into a mapping."""
    messages = (user("a"), assistant("b"))

    assert wire(messages) is messages


def test_what_can_be_read_once_becomes_a_list() -> None:
    """A generator of messages is read into a list."""
    assert [user("a"), assistant("b")] == wire(iter([user("a"), assistant("b")]))


def test_an_sdk_object_is_what_it_says_on_the_wire() -> None:
    """It is dumped as JSON would have it, without the keys that hold nothing."""
    reply = ChatCompletionMessage.model_construct(
        role="assistant", content="b", refusal=None, at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    expected = {"role": "assistant", "content": "b", "at": "2026-01-02T00:00:00Z"}

    assert [user("a"), expected] == wire([user("a"), reply])


def test_an_sdk_object_with_an_unexpected_value_is_dumped_without_a_warning() -> None:
    """What a vendor put there is passed on; it is not for us to complain about."""
    reply = ChatCompletionMessage.model_construct(role="assistant", content=["b"])

    assert [{"role": "assistant", "content": ["b"]}] == wire([reply])


@pytest.mark.parametrize("message", [{}, {"role": None}, {"role": 7}, {"role": ["user"]}])
def test_a_role_that_is_no_text_is_empty(message: Wire) -> None:
    """Whatever else stands there, it is none of the roles."""
    assert "" == role_of(message)


@pytest.mark.parametrize("flag", [False, None, 0])
def test_a_message_that_says_it_is_whole_is_whole(flag: Any) -> None:
    """`partial` counts by what it says, and is a truth value whatever stands there."""
    assert is_partial([user("a") | {"partial": flag}]) is False
    assert is_partial([user("a") | {"partial": 1}]) is True


def test_only_mappings_are_calls() -> None:
    """What else stands among the calls is left out; the calls stay in order."""
    calls = [call("x"), None, "y", call("z")]

    assert [call("x"), call("z")] == tool_calls({"role": "assistant", "tool_calls": calls})
    assert [call("x")] == tool_calls({"role": "assistant", "tool_calls": (call("x"),)})


def test_results_beside_an_empty_list_of_calls_answer_nothing() -> None:
    """An assistant message whose `tool_calls` are empty is a plain one."""
    messages = [user("a"), assistant("b") | {"tool_calls": []}, user("c")]

    assert [(0, 1, "user", False), (1, 2, "assistant", False), (2, 3, "user", False)] == spans(
        messages
    )


def test_a_result_at_the_start_is_a_part_of_its_own() -> None:
    """There is nothing before it that it could belong to, in the list or where splitting starts."""
    tool = exchange("x")[1]

    assert [(0, 1, "other", False), (1, 2, "user", False)] == spans([tool, user("a")])
    assert [(1, 2, "other", False)] == spans([user("a"), tool], start=1)


def test_a_reminder_goes_with_the_stray_result_that_follows_it() -> None:
    """It belongs to what follows it, and that to the part before."""
    messages = [user("a"), system("s"), exchange("x")[1], user("b")]

    assert [(0, 3, "user", False), (3, 4, "user", False)] == spans(messages)


def test_stray_results_all_belong_to_the_part_before() -> None:
    """However many there are, none of them begins a part."""
    tool = exchange("x")[1]

    assert [(0, 3, "user", False), (3, 4, "user", False)] == spans(
        [user("a"), tool, tool, user("b")]
    )


def test_an_exchange_that_was_read_is_closed() -> None:
    """Whatever the model said next, it had the results before it."""
    assert (0, 2, "exchange", False) == spans([*exchange("x"), assistant("b")])[0]


def test_a_partial_in_the_history_is_an_answer() -> None:
    """Only at the end is it the beginning of the reply; before that it closes the exchange."""
    assert (0, 2, "exchange", False) == spans([*exchange("x"), PARTIAL, user("a")])[0]


def test_ids_that_are_numbers_match_ids_that_are_texts() -> None:
    """A client that wrote the id as a number is understood."""
    messages: list[Wire] = [
        assistant("") | {"tool_calls": [{"id": 7, "type": "function"}]},
        {"role": "tool", "tool_call_id": "7", "content": "a"},
        user("b"),
    ]

    assert (0, 2, "exchange", False) == spans(messages)[0]


@pytest.mark.parametrize(
    ("messages", "end"),
    [
        ([], 0),
        ([user("a")], 1),
        ([user("a"), system("s"), PARTIAL], 1),
        ([user("a"), PARTIAL, system("s")], 1),
        ([system("s"), PARTIAL], 0),
        ([system("s"), user("a"), {"role": "developer", "content": "d"}], 2),
    ],
)
def test_what_trails_the_input_is_not_read_yet(messages: list[Wire], end: int) -> None:
    """Reminders and the beginning of the reply belong to the request being made."""
    assert end == end_of_read(messages)


def test_only_leading_instructions_are_the_head() -> None:
    """A list of nothing but instructions is all head."""
    assert 2 == head_length([system("a"), {"role": "developer", "content": "b"}])
    assert 0 == head_length([user("a"), system("b")])


def test_an_odd_content_keeps_its_script() -> None:
    """What is neither a text nor a list is written as JSON, Chinese as Chinese, anything at all."""
    at = datetime(2026, 1, 2, tzinfo=UTC)

    assert ['{"姓": "李"}'] == content_parts({"role": "user", "content": {"姓": "李"}})
    assert [f'{{"at": "{at}"}}'] == content_parts({"role": "user", "content": {"at": at}})


def test_an_empty_text_among_parts_stays_a_part() -> None:
    """Only a content that is empty as a whole has none."""
    assert ["", "a"] == content_parts({"role": "user", "content": [{"text": ""}, "a"]})


def test_a_part_whose_text_is_no_text_is_media() -> None:
    """It is passed on as it is, and has the placeholder of its type."""
    odd = {"type": "text", "text": 7}

    assert [odd] == content_parts({"role": "user", "content": [odd]})
    assert "[text]" == text_of({"role": "user", "content": [odd]})


def test_a_placeholder_names_the_type_without_its_ending() -> None:
    """Only the ending `_url` goes, and only at the end."""
    parts: list[Any] = [picture("x"), {"type": "url_list"}, {"type": 3}, {"text": None}]

    assert "[image][url_list][3][media]" == text_of({"role": "user", "content": parts})
