"""Wire messages: how they are split into parts, and what is in them."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import Wire, assistant, exchange, picture, system, user

from memory.errors import HistoryError
from memory.messages import (
    Part,
    clone,
    content_parts,
    head_length,
    is_media,
    is_partial,
    last_user,
    split,
    text_of,
    tool_calls,
    wire,
)
from memory.testing import strategies

PARTIAL: Wire = {"role": "assistant", "content": "So", "partial": True}
IMAGE = picture("cat")


def spans(messages: list[Wire], *, start: int = 0) -> list[tuple[int, int, str, bool]]:
    """Return the parts as plain tuples."""
    return [(part.start, part.stop, part.kind, part.open) for part in split(messages, start=start)]


def test_what_is_no_mapping_is_named_by_its_index() -> None:
    """What is neither a mapping nor an SDK object is an error that says where it is."""
    with pytest.raises(HistoryError, match="neither a mapping nor an SDK object") as caught:
        wire([user("hi"), SimpleNamespace(role="user")])

    assert 1 == caught.value.index


def test_wire_messages_pass_the_check() -> None:
    """Mappings are taken as they are, whatever they hold."""
    wire([{}, user("hi"), {"role": 7}])


@pytest.mark.parametrize(
    ("messages", "length"),
    [
        ([], 0),
        ([user("hi")], 0),
        ([system("a"), {"role": "developer", "content": "b"}, user("hi"), system("c")], 2),
        ([system("a")], 1),
    ],
)
def test_the_head_is_the_leading_run_of_system_messages(messages: list[Wire], length: int) -> None:
    """System and developer messages count until the first other one."""
    assert length == head_length(messages)


def test_each_plain_message_is_a_part() -> None:
    """User messages and answers stand alone."""
    assert [(0, 1, "user", False), (1, 2, "assistant", False)] == spans([user("a"), assistant("b")])


def test_a_parallel_batch_is_one_part() -> None:
    """An assistant message and all its results are kept or dropped together."""
    messages = [user("a"), *exchange("x", "y"), assistant("b")]

    assert [(0, 1, "user", False), (1, 4, "exchange", False), (4, 5, "assistant", False)] == spans(
        messages
    )


def test_an_exchange_at_the_end_is_open() -> None:
    """Its results were produced for the request being made."""
    assert (1, 3, "exchange", True) == spans([user("a"), *exchange("x")])[-1]


@pytest.mark.parametrize("after", [system("Mind the time."), PARTIAL], ids=["system", "partial"])
def test_results_that_no_reply_followed_are_open(after: Wire) -> None:
    """A reminder or the beginning of the reply after the results does not mean they were read."""
    assert (1, 3, "exchange", True) == spans([user("a"), *exchange("x"), after])[1]


def test_an_exchange_without_all_its_results_is_open() -> None:
    """A result that is not there is still expected."""
    messages = [user("a"), *exchange("x", "y")[:2], user("b")]

    assert (1, 3, "exchange", True) == spans(messages)[1]


def test_tool_call_ids_are_scoped_to_their_exchange() -> None:
    """The result of an earlier call with the same id does not close a later exchange."""
    messages = [*exchange("x"), *exchange("x")[:1], user("b")]

    assert [False, True, False] == [each[3] for each in spans(messages)]


def test_later_system_messages_belong_to_the_part_that_follows() -> None:
    """They stay where they stand, with the message they were put before."""
    messages = [user("a"), system("s"), system("t"), user("b")]

    assert [(0, 1, "user", False), (1, 4, "user", False)] == spans(messages)


def test_system_messages_at_the_end_are_a_part() -> None:
    """There is no message after them to belong to."""
    assert (1, 2, "other", False) == spans([user("a"), system("s")])[-1]


def test_a_result_that_answers_nothing_belongs_to_the_part_before() -> None:
    """It is never the beginning of what is sent."""
    messages = [user("a"), *exchange("x")[1:], assistant("b")]

    assert [(0, 2, "user", False), (2, 3, "assistant", False)] == spans(messages)


def test_splitting_starts_where_it_is_told() -> None:
    """Indexes count from the beginning of the list all the same."""
    assert [(1, 2, "user", False)] == spans([system("a"), user("b")], start=1)


@given(st.lists(strategies.oddities(), max_size=8))
def test_parts_cover_any_list(messages: list[Wire]) -> None:
    """Every message is in exactly one part, in order, whatever the messages are."""
    parts: list[Part] = split(messages)

    covered = [index for part in parts for index in range(part.start, part.stop)]
    assert list(range(len(messages))) == covered


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=4))
def test_parts_never_split_a_batch(messages: list[Wire]) -> None:
    """No part of a valid conversation begins with a tool result."""
    beginnings = [messages[part.start]["role"] for part in split(messages)]

    assert "tool" not in beginnings


@given(strategies.oddities())
def test_odd_messages_can_be_asked(message: Wire) -> None:
    """What no endpoint would take has a text, calls and a place all the same."""
    assert isinstance(text_of(message), str)
    assert isinstance(tool_calls(message), list)
    assert head_length([message]) in (0, 1)
    assert last_user([message]) in (0, None)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, []),
        ("", []),
        ("a", ["a"]),
        ([{"type": "text", "text": "a"}, IMAGE, "b"], ["a", IMAGE, "b"]),
        ({"a": 1}, ['{"a": 1}']),
        ([7], ["7"]),
    ],
)
def test_contents_have_one_form(content: Any, parts: list[Any]) -> None:
    """Texts, lists of parts and what else there is become a list of texts and media."""
    assert parts == content_parts({"role": "user", "content": content})


def test_the_text_of_a_message_names_its_media() -> None:
    """A picture becomes `[image]`, a part without a type `[media]`."""
    content = [{"type": "text", "text": "See "}, IMAGE, {"type": "video_url"}, {}]

    assert "See [image][video][media]" == text_of({"role": "user", "content": content})
    assert [False, True, True, True] == [is_media(p) for p in content_parts({"content": content})]


@pytest.mark.parametrize("calls", [None, "text", 7, {}, [], [None, "x"]])
def test_what_is_no_list_of_calls_is_none(calls: Any) -> None:
    """Only mappings in a list are tool calls."""
    assert [] == tool_calls({"role": "assistant", "tool_calls": calls})


def test_only_the_last_message_can_be_partial() -> None:
    """A `partial` that stayed in the history is history."""
    assert is_partial([user("a"), PARTIAL])
    assert not is_partial([PARTIAL, user("a")])
    assert not is_partial([])


def test_the_last_user_message_is_found() -> None:
    """It is the last one by position; without one there is None."""
    assert 1 == last_user([user("a"), user("b"), assistant("c")])
    assert last_user([assistant("c")]) is None


@given(strategies.values())
def test_a_copy_is_equal_and_shares_nothing(value: Any) -> None:
    """Changing any list or dict of a copy leaves the original alone."""
    before = copy.deepcopy(value)
    copied = clone(value)

    assert before == copied
    spoil(copied)
    assert before == value


def spoil(value: Any) -> None:
    """Change every list and dict in a value."""
    if isinstance(value, dict):
        spoil(list(value.values()))
        value["spoilt"] = True
    if isinstance(value, list):
        for inner in value:
            spoil(inner)
        value.append("spoilt")
