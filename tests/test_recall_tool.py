"""The search tool by itself: its declaration, its name, and what a call of it asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kimi_clients import TOOLS
from remembering import QUERY, a_call, asking

from memory.recall.tool import NAME, calls_of, declaration, forces, is_whole, named, read


def tools(*names: str) -> list[dict[str, Any]]:
    """Return declarations of tools with these names."""
    return [{"type": "function", "function": {"name": name}} for name in names]


def test_the_declaration_is_the_same_bytes_each_time() -> None:
    """A byte that changed would cost the cache of the whole prompt."""
    assert json.dumps(declaration()) == json.dumps(declaration())


def test_the_declaration_demands_one_text() -> None:
    """There is one parameter, and it has to be given."""
    parameters = declaration()["function"]["parameters"]
    assert (["query"], ["query"]) == ([*parameters["properties"]], parameters["required"])


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ((), NAME),
        (("weigh",), NAME),
        ((NAME,), f"{NAME}_2"),
        ((f"{NAME}_2", NAME), f"{NAME}_3"),
        ((f"{NAME}_2",), NAME),
    ],
)
def test_the_name_is_one_that_no_tool_has(taken: tuple[str, ...], name: str) -> None:
    """It is the plain name, or else the first numbered one that is free."""
    assert name == named(tools(*taken))


@given(st.lists(st.sampled_from([NAME, *(f"{NAME}_{n}" for n in range(2, 9)), "weigh"])))
def test_no_two_tools_have_one_name(names: list[str]) -> None:
    """Whatever the caller's tools are called."""
    assert named(tools(*names)) not in names


def test_what_is_no_declaration_has_no_name() -> None:
    """The server refuses such a list; finding a name for the tool does not fail."""
    odd: list[Any] = [None, 7, {}, {"function": 7}, {"function": {"name": 7}}]
    assert NAME == named(odd)


def test_a_query_is_read_from_the_arguments() -> None:
    """As a model writes them."""
    assert "code of crate 7" == read(QUERY).query


def test_a_query_is_read_from_an_object() -> None:
    """As somebody has it who has decoded the arguments."""
    assert "crate 7" == read({"query": "crate 7"}).query


@pytest.mark.parametrize(
    "arguments",
    ["", "{", "[]", "8", None, 7, '"crate"', b"\xff", pytest.param("[" * 100_000, id="deep")],
)
def test_arguments_that_cannot_be_read_are_told(arguments: object) -> None:
    """The model is told, and nothing is raised."""
    assert read(arguments).problem.startswith("The arguments could not be read.")


@pytest.mark.parametrize("given", [{}, {"query": ""}, {"query": " \n"}, {"query": 7}])
def test_a_query_that_is_none_is_told(given: dict[str, Any]) -> None:
    """The model is told, and nothing is raised."""
    assert read(json.dumps(given)).problem.startswith("There is nothing to search for")


@given(st.text() | st.binary() | st.none() | st.integers())
def test_reading_never_fails(arguments: object) -> None:
    """There is a query, or else something to tell."""
    asked = read(arguments)
    assert bool(asked.query) != bool(asked.problem)


def test_calls_are_told_from_those_of_other_tools() -> None:
    """By the name that the tool has in that request."""
    message = asking(a_call(name="weigh"), a_call(), a_call(name=f"{NAME}_2"))
    assert [a_call()] == calls_of(message, NAME)


@pytest.mark.parametrize("message", [None, {"role": "assistant", "content": "Yes."}])
def test_a_message_without_calls_has_none(message: Any) -> None:
    """Nor has a reply that did not come."""
    assert [] == calls_of(message, NAME)


def test_a_batch_can_be_answered_whose_ids_differ() -> None:
    """Each result names the call that it answers."""
    assert is_whole(asking(a_call(number=0), a_call(number=1)))


@pytest.mark.parametrize(
    "calls",
    [
        [a_call(), a_call()],
        [{**a_call(), "id": ""}],
        [{**a_call(), "id": None}],
        [a_call(), "call"],
    ],
)
def test_a_batch_cannot_be_answered_whose_ids_do_not(calls: list[Any]) -> None:
    """The server would refuse the results."""
    assert not is_whole(asking(*calls))


@pytest.mark.parametrize(
    ("choice", "demanded"),
    [
        (None, False),
        ("auto", False),
        ("none", False),
        ("required", True),
        ({"type": "function", "function": {"name": "weigh"}}, True),
    ],
)
def test_a_choice_of_tools_may_demand_a_call(choice: object, demanded: bool) -> None:  # noqa: FBT001
    """`auto` and `none` do not."""
    assert demanded == forces(choice)


def test_the_tools_of_others_are_left_as_they_are() -> None:
    """Looking for a name changes nothing."""
    before = json.dumps(TOOLS)
    named(TOOLS)
    assert before == json.dumps(TOOLS)
