"""Which message is which: what two renderings have in common, and the hash of a run."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage
from workbench import Wire, assistant, call, exchange, picture, user

from memory.identity import ROOT, chain, difference, digest, identity, normal_form, see
from memory.testing import strategies

IMAGE = picture("cat")

REPLY = ChatCompletionMessage.model_validate(
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "They want the weather.",
        "tool_calls": [{"index": 0, **call("look:0", '{"city": "北京", "days": [1, 2]}')}],
    }
)
HAND_MADE: Wire = {
    "role": "assistant",
    "content": None,
    "tool_calls": [call("look:0", '{"days":[1,2],"city":"\\u5317\\u4eac"}')],
}


def as_json(message: Wire) -> str:
    """Return the normal form of a message as a text that differs where JSON differs."""
    return json.dumps(normal_form(message), sort_keys=True, default=str)


@given(strategies.oddities())
def test_odd_messages_have_a_digest(message: Wire) -> None:
    """What no endpoint would take can be hashed all the same."""
    assert 16 == len(digest(message))


@given(strategies.oddities(), strategies.oddities())
def test_a_difference_is_named_where_there_is_one(one: Wire, other: Wire) -> None:
    """Two messages differ in a key exactly when their digests differ."""
    assert (digest(one) == digest(other)) == (difference(one, other) is None)


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        (user("a"), user("b"), "content"),
        (user("a"), assistant("a"), "role"),
        (user("a"), user("a") | {"name": "ann"}, "name"),
        (
            {"role": "assistant", "tool_calls": [call("x", '{"a":1}')]},
            {"role": "assistant", "tool_calls": [call("x", '{"a":1.0}')]},
            "tool_calls",
        ),
    ],
)
def test_the_first_difference_is_named(one: Wire, other: Wire, key: str) -> None:
    """It is the key whose values differ as JSON, though Python may find them equal."""
    assert key == difference(one, other)


@pytest.mark.parametrize(
    "rendered",
    [REPLY.model_dump(), REPLY.model_dump(exclude_unset=True), HAND_MADE],
    ids=["model_dump", "exclude_unset", "hand-made"],
)
def test_renderings_of_one_reply_agree(rendered: Wire) -> None:
    """An SDK object's dumps and a dict made by hand have one digest."""
    assert digest(REPLY.model_dump(exclude_none=True)) == digest(rendered)


@pytest.mark.parametrize(
    "change",
    [
        lambda call: call.update(id="look:1"),
        lambda call: call["function"].update(name="list"),
        lambda call: call["function"].update(arguments='{"city":"上海","days":[1,2]}'),
    ],
    ids=["id", "name", "arguments"],
)
@pytest.mark.parametrize("content", ["", None, "Let me look."])
def test_different_calls_are_different_messages(
    content: str | None, change: Callable[[Wire], None]
) -> None:
    """The content of a message with tool calls says nothing about the calls."""
    message = {**HAND_MADE, "content": content}
    other = copy.deepcopy(message)
    change(other["tool_calls"][0])

    assert identity(message) != identity(other)
    assert digest(message) != digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"role": "user", "content": "", "name": "ann"}, {"role": "user", "name": "bob"}),
        ({"content": "x", "name": "ann"}, {"content": "x", "name": "bob"}),
        ({"role": "", "content": "x", "name": "ann"}, {"content": "x", "name": "bob"}),
        ({"role": "user", "content": 1}, {"role": "user", "content": ["int", "1"]}),
        ({"role": "user", "content": 1}, {"role": "user", "content": True}),
        ({"role": "user", "v": {"a": "b"}}, {"role": "user", "v": [["a", "b"]]}),
        (user("[image]"), {"role": "user", "content": [IMAGE]}),
    ],
)
def test_different_messages_do_not_meet(one: Wire, other: Wire) -> None:
    """Messages with different normal forms have different keys and digests."""
    assert identity(one) != identity(other)
    assert digest(one) != digest(other)


@given(strategies.oddities(), strategies.oddities())
def test_identity_never_conflates(one: Wire, other: Wire) -> None:
    """Messages meet under a key only if they have the same normal form."""
    if identity(one) == identity(other):
        assert as_json(one) == as_json(other)


@given(strategies.oddities(), strategies.oddities())
def test_digests_are_those_of_normal_forms(one: Wire, other: Wire) -> None:
    """Two messages share a digest exactly when they share a normal form."""
    assert (as_json(one) == as_json(other)) == (digest(one) == digest(other))


def test_keys_that_transport_adds_do_not_count() -> None:
    """Thoughts, empty values and what the SDK adds leave the digest alone."""
    added: Wire = {
        "refusal": None,
        "annotations": [],
        "audio": None,
        "reasoning_content": "?",
        "v": {},
    }

    assert digest(assistant("a")) == digest(assistant("a") | added)


def test_any_mapping_is_a_message() -> None:
    """A read-only view of a dict, and a text of a class of its own, mean what they hold."""

    class Text(str):
        __slots__ = ()

    nested = {"role": "user", "content": [MappingProxyType({"type": "text", "text": "a"})]}
    plain = {"role": "user", "content": [{"type": "text", "text": "a"}]}

    assert digest(user("a")) == digest(MappingProxyType(user("a")))
    assert digest(user("a")) == digest(user(Text("a")))
    assert digest(plain) == digest(nested)


def test_the_order_of_keys_does_not_count() -> None:
    """Neither in a message nor in what it holds."""
    one = {"role": "user", "content": "a", "v": {"x": 1, "y": 2}}
    other = {"v": {"y": 2, "x": 1}, "content": "a", "role": "user"}

    assert digest(one) == digest(other)


def test_large_messages_are_told_apart() -> None:
    """Also by a character far inside."""
    large = "x" * 10_000

    assert digest(user(large + "a" + large)) != digest(user(large + "b" + large))
    assert digest(user(large) | {"v": 1}) != digest(user(large) | {"v": 2})


def test_unknown_keys_count() -> None:
    """What a vendor key says may matter to the model."""
    assert digest(user("a")) != digest(user("a") | {"vendor": "x"})


def test_lone_surrogates_can_be_hashed() -> None:
    """Half an emoji, as cut texts have it, is a text like any other."""
    assert digest(user("a\ud83d")) != digest(user("a\ud83e"))


@pytest.mark.parametrize("depth", [900, 950, 980, 990, 2_000])
def test_deeply_nested_arguments_can_be_hashed(depth: int) -> None:
    """Arguments too deep for a JSON parser are taken as the text they are."""
    message = exchange("x")[0] | {"tool_calls": [call("x", "[" * depth + "]" * depth)]}

    assert 16 == len(digest(message))


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=3))
def test_hashing_changes_nothing(messages: list[Wire]) -> None:
    """The messages are the same after they were hashed."""
    before = copy.deepcopy(messages)
    chain(messages)

    assert before == messages


def test_the_chain_begins_at_the_root() -> None:
    """No messages have a hash too, and each message adds one."""
    links = chain([user("a"), user("b")])

    assert [ROOT] == chain([])
    assert ROOT == links[0]
    assert 3 == len(links)


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=4), st.data())
def test_chains_agree_up_to_the_first_difference(messages: list[Wire], data: st.DataObject) -> None:
    """Two runs share an entry exactly when everything up to it is the same."""
    place = data.draw(st.integers(0, len(messages) - 1))
    other = [*messages[:place], user("something else entirely"), *messages[place + 1 :]]
    links, others = chain(messages), chain(other)

    assert links[: place + 1] == others[: place + 1]
    assert not set(links[place + 1 :]) & set(others[place + 1 :])


ANY_MESSAGE = st.one_of(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant", "system", None, 1, True]),
            "content": st.sampled_from(["a", "b", None, 1, True, ["x"]]),
        }
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.just("a"), "name": st.sampled_from(["n", "m"])}
    ),
    st.fixed_dictionaries({"role": st.just("assistant"), "tool_calls": st.just([])}),
)


@given(
    begun=st.lists(ANY_MESSAGE, min_size=1, max_size=6),
    edits=st.lists(st.tuples(st.integers(0, 39), ANY_MESSAGE), max_size=6),
    new=st.lists(ANY_MESSAGE, max_size=4),
)
def test_a_long_list_that_grows_or_changes_is_seen_message_by_message(
    begun: list[dict[str, Any]], edits: list[tuple[int, dict[str, Any]]], new: list[dict[str, Any]]
) -> None:
    """That its beginning was seen before is a short cut and nothing else."""
    messages = (begun * 40)[:40]
    for place, message in [*edits, *((len(messages), each) for each in new)]:
        messages[place : place + 1] = [message]

        one_by_one = [each for message in messages for each in see([message])]

        assert [id(each) for each in one_by_one] == [id(each) for each in see(messages)]
