"""Counting prompts: what every field costs, and the bound that needs no counting."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metering import CALLING, MEDIA, THINKING, TOOL, meter
from workbench import (
    ByteCounter,
    Wire,
    assistant,
    call,
    exchange,
    picture,
    system,
    user,
)

from memory.counts import Counts
from memory.meter import (
    CALL,
    CALLS,
    FRAME,
    REPLY,
    THOUGHT,
    TOOLS,
    TOOLS_SHARE,
)
from memory.records import Usage
from memory.testing import strategies


def usage(prompt: int, completion: int = 1, *, reasoning: int = 0) -> Usage:
    """Return what a server would report."""
    return Usage(prompt_tokens=prompt, completion_tokens=completion, reasoning_tokens=reasoning)


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        (user("a b c"), FRAME + 3),
        (system("a b c"), FRAME + 3),
        (assistant("a b c"), FRAME + THOUGHT + 3),
        (user(""), FRAME),
        ({"role": "user", "content": None}, FRAME),
        ({"role": "user", "content": [{"type": "text", "text": "a b"}, "c"]}, FRAME + 2),
        (user("a b") | {"name": "the reviewer from Paris"}, FRAME + 2 + 4 - 1),
        ({"role": "tool", "tool_call_id": "look:0", "content": "a b"}, FRAME + 2 + 4),
        (exchange("one two", "three")[0], FRAME + THOUGHT + CALLS + 2 * CALL + 2 + 1 + 2),
        ({"role": "user", "content": [picture("x")]}, FRAME + MEDIA),
        ({"role": "user", "content": ["a b", picture("x"), "c"]}, FRAME + MEDIA + 3),
        (user("a b") | {"vendor": "c d e", "refusal": "f"}, FRAME + 2),
    ],
)
def test_what_a_message_costs(message: Wire, tokens: int) -> None:
    """Texts, names, calls, the line above a result and media count; other keys do not."""
    assert [tokens] == meter().count([message])


def test_arguments_count_as_they_are_written() -> None:
    """The template renders the text of the arguments, spaces and all."""
    message = exchange("id")[0] | {"tool_calls": [call("id", '{ "a" : [1, 2] }')]}

    assert [FRAME + THOUGHT + CALLS + CALL + 1 + 6] == meter().count([message])


@pytest.mark.parametrize(
    ("after", "counted"),
    [
        ([], True),
        (exchange("x")[1:], True),
        ([*exchange("x")[1:], *exchange("y")], True),
        ([*exchange("x")[1:], assistant("done")], False),
        ([*exchange("x")[1:], assistant("done"), user("more")], False),
        ([*exchange("x")[1:], user("stop")], True),
    ],
)
def test_thoughts_count_in_the_open_tool_loop(after: list[Wire], *, counted: bool) -> None:
    """A thought is rendered until an assistant turn without tool calls ends its loop."""
    plain = {key: value for key, value in CALLING.items() if key != "reasoning_content"}
    without = meter().count([user("q"), plain, *after])
    counts = meter().count([user("q"), CALLING, *after])

    assert counts[1] - without[1] == 3 * counted


def test_all_thoughts_count_where_they_are_kept() -> None:
    """Under `thinking.keep = "all"` every thought of the history is rendered."""
    messages = [user("q"), THINKING, user("r")]

    assert FRAME + THOUGHT + 2 == meter().count(messages)[1]
    assert FRAME + THOUGHT + 2 + 3 == meter().count(messages, keep_reasoning=True)[1]


def test_counts_are_a_list_of_whole_numbers_with_totals() -> None:
    """One `int` a message; `total` is the messages, the tools and the opening of the reply."""
    counts = meter().count([system("a b"), user("c")], tools=[TOOL])

    assert isinstance(counts, list)
    assert [FRAME + 2, FRAME + 1] == counts
    assert all(type(each) is int for each in counts)
    assert counts.total == sum(counts) + counts.tools + counts.reply
    assert counts.exact
    assert counts.cold_tools == counts.tools


def test_tools_cost_a_share_of_their_json() -> None:
    """The declarations are rendered shorter than their JSON, within a frame."""
    assert ceil(TOOLS + TOOLS_SHARE * 50) == meter().count([], tools=[TOOL]).tools


def test_no_tools_cost_nothing() -> None:
    """An empty list of declarations is none."""
    assert 0 == meter().count([user("a")], tools=[]).tools
    assert 0 == meter().count([user("a")]).tools


@pytest.mark.parametrize(("thinking", "opening"), [(True, REPLY + 1), (False, REPLY + THOUGHT)])
def test_the_reply_is_opened(opening: int, *, thinking: bool) -> None:
    """With thinking off an empty thought opens the reply."""
    counts = meter().count([], thinking=thinking)

    assert (opening, opening) == (counts.reply, counts.total)


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=5))
def test_totals_add_up(messages: list[Wire]) -> None:
    """With an exact counter the total is the sum of its parts."""
    counts = meter().count(messages)

    assert counts.total == sum(counts) + counts.tools + counts.reply
    assert len(messages) == len(counts)


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=5))
def test_counting_again_counts_the_same(messages: list[Wire]) -> None:
    """What is remembered changes no count."""
    one, other = meter(), meter()
    one.count(messages[::-1])

    assert list(one.count(messages)) == list(other.count(messages)) == list(one.count(messages))


@given(st.lists(strategies.oddities(), max_size=5))
def test_odd_messages_can_be_counted(messages: list[Wire]) -> None:
    """Whatever the messages hold, there is a count and a bound."""
    counts = meter(ByteCounter()).count(messages, tools=[{"odd": {1, 2}}])

    assert len(messages) == len(counts)
    assert meter(ByteCounter()).bound(messages) >= 0


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=5))
def test_the_bound_is_above_the_count(messages: list[Wire]) -> None:
    """Not even a counter that makes a token of every byte counts more than the bound."""
    worst = meter(ByteCounter())

    assert worst.bound(messages) >= worst.count(messages).total


def test_the_bound_is_above_a_count_with_tools_and_names() -> None:
    """Declarations are bounded too, and names of 64 characters."""
    worst = meter(ByteCounter())
    messages = [user("hi") | {"name": "n" * 64}, system("hi") | {"name": "李" * 64}]

    assert worst.bound(messages) >= worst.count(messages).total
    assert worst.bound([], tools=[TOOL]) >= worst.count([], tools=[TOOL]).total


def test_counts_can_be_made_bare() -> None:
    """Without figures a `Counts` is a list whose totals are nothing."""
    counts: Any = Counts([1, 2])

    assert [1, 2] == counts
    assert (0, 0, 0) == (counts.total, counts.tools, counts.reply)
