"""Edits of conversations are valid, differ where they say, and renderings mean the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from depth import HARD, examples
from fake_kimi_requests import send
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from kimi_clients import MODEL
from pairs import unpaired
from workbench import Workbench, assistant, exchange, system, user

from memory.identity import chain, digest
from memory.messages import head_length, wire
from memory.testing import FakeKimi, strategies
from memory.testing.strategies import CHANGES, RENDERINGS, Change, Edit, Wire

SMALL = strategies.conversations(most=4, largest=10)
TALK = [
    system("Be brief."),
    user("Where?"),
    *exchange("look:0", "look:1"),
    assistant("Here."),
    user("And now?"),
    assistant("There."),
    user("Thanks."),
]


@examples(80)
@given(SMALL, st.data())
def test_edits_keep_exchanges_whole(conversation: list[Wire], data: st.DataObject) -> None:
    """No edit of a valid conversation tears calls from their results."""
    assert [] == unpaired(wire(data.draw(strategies.edits(conversation)).messages))


@examples(60)
@given(strategies.conversations(strict=True, least=1, most=3, largest=10), st.data())
def test_edits_of_strict_conversations_are_accepted(
    conversation: list[Wire], data: st.DataObject
) -> None:
    """Kimi takes each request that an edit leads to, thinking."""
    changes = [change for change in CHANGES if change != "rerender"]
    edited = data.draw(strategies.edits(conversation, changes=changes)).messages
    status, body = send(FakeKimi(), {"model": MODEL, "messages": edited})

    assert 200 == status, body


@examples(40)
@given(SMALL, st.data())
def test_edits_change_nothing_that_was_given(conversation: list[Wire], data: st.DataObject) -> None:
    """The conversation is as before, and no part of it is in the edited one."""
    before = copy.deepcopy(conversation)
    edit = data.draw(strategies.edits(conversation))

    assert before == conversation
    assert containers(conversation).isdisjoint(containers(edit.messages))


def containers(value: Any) -> set[int]:
    """Return the identities of all lists and dicts in a value, itself included."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = {id(value)} if isinstance(value, (dict, list)) else set[int]()
    return own.union(*map(containers, inner))


@examples(80)
@given(SMALL, st.data())
def test_edits_tell_the_first_difference(conversation: list[Wire], data: st.DataObject) -> None:
    """What comes before the first difference means the same, and what stands there does not."""
    edit = data.draw(strategies.edits(conversation))
    after, head = [*wire(edit.messages)], edit.first

    assert chain(conversation[:head]) == chain(after[:head])
    assert [digest(each) for each in conversation[head : head + 1]] != [
        digest(each) for each in after[head : head + 1]
    ] or head == len(conversation) == len(after)


def test_every_change_occurs() -> None:
    """Among 200 edits of a conversation with a place for each, all changes are made."""
    made = set[Change]()

    @settings(HARD, max_examples=200)
    @given(strategies.edits(TALK))
    def collect(edit: Edit) -> None:
        made.add(edit.change)

    collect()
    assert {*CHANGES} == {*made}


FIRST: list[tuple[Change, set[int]]] = [
    ("reword", {0, 1, 2, 3, 4, 5, 6, 7, 8}),
    ("insert", {1, 2, 5, 6, 7, 8, 9}),
    ("new-head", {0}),
    ("rerender", {9}),
    ("go-back", {2, 5, 7}),
    ("regenerate", {7}),
    ("drop-turn", {8}),
    ("forget-first", {1}),
]


@pytest.mark.parametrize(("change", "places"), FIRST)
def test_each_change_is_made_where_it_belongs(change: Change, places: set[int]) -> None:
    """The places that an edit differs from are those, and all those, that it has."""
    seen = set[int]()

    @settings(HARD, max_examples=400)
    @given(strategies.edits(TALK, changes=[change]))
    def collect(edit: Edit) -> None:
        seen.add(edit.first)

    collect()
    assert places == seen


@examples(60)
@given(strategies.edits(TALK, changes=["new-head"]))
def test_a_new_head_leaves_the_rest(edit: Edit) -> None:
    """Everything after the head is what it was."""
    assert TALK[1:] == edit.messages[head_length(edit.messages) :]
    assert TALK[0] not in edit.messages


def test_what_has_no_place_is_not_done() -> None:
    """A single question has no answer to give again and no turn to take back."""
    possible = set[Change]()

    @settings(HARD, max_examples=100)
    @given(strategies.edits([user("Hello?")]))
    def collect(edit: Edit) -> None:
        possible.add(edit.change)

    collect()
    assert {"reword", "insert", "new-head", "rerender"} == possible
    assert strategies.edits([user("Hello?")], changes=["regenerate"]).is_empty


@examples(40)
@given(strategies.branches(TALK, most=3, changes=["go-back", "reword", "insert"]))
def test_branches_are_edits_one_after_another(made: list[Edit]) -> None:
    """There are as many as asked for, and each is a conversation."""
    assert 1 <= len(made) <= 3
    assert all([] == unpaired(wire(edit.messages)) for edit in made)


@examples(150)
@given(strategies.messages(largest=5), st.data())
def test_renderings_mean_the_same(message: Wire, data: st.DataObject) -> None:
    """Whatever way a message is written down, it is known for the same one."""
    rendered = data.draw(strategies.renderings(message))

    assert digest(message) == digest(wire([rendered])[0])


@examples(100)
@given(strategies.exchanges(largest=5), st.data())
def test_renderings_of_calls_mean_the_same(said: list[Wire], data: st.DataObject) -> None:
    """So is a message that calls tools."""
    rendered = [data.draw(strategies.renderings(message)) for message in said]

    assert chain(said) == chain(wire(rendered))


@examples(15)
@given(strategies.conversations(least=6, most=10, largest=20, without=["huge"]), st.data())
def test_what_is_rendered_anew_is_not_summarised_anew(
    conversation: list[Wire], data: st.DataObject
) -> None:
    """A conversation that means the same is served from what is on record."""
    bench = Workbench(400, oversize="send")
    bench.fit(conversation)
    asked = bench.asked
    bench.fit(wire(data.draw(strategies.edits(conversation, changes=["rerender"])).messages))

    assert asked == bench.asked


CALL: Wire = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"q":1}'}}


def test_every_rendering_occurs() -> None:
    """Each way to write a message down is drawn, and each gives something else."""
    message = {"role": "assistant", "content": "x", "tool_calls": [CALL]}
    seen = set[str]()

    @settings(HARD, max_examples=60)
    @given(strategies.renderings(message))
    def collect(rendered: Any) -> None:
        seen.add(repr(rendered))

    collect()
    assert len(RENDERINGS) == len(seen)


def test_an_edit_shrinks_to_the_smallest() -> None:
    """The edit that is shown is of the kind that matters, with the shortest text."""
    smallest = find(
        strategies.edits(TALK), lambda edit: len(edit.messages) < len(TALK), settings=HARD
    )

    assert ("drop-turn", TALK[:-1]) == (smallest.change, smallest.messages)


WRONG: list[tuple[Any, list[Any], dict[str, Any], str]] = [
    (strategies.edits, [[]], {}, "at least one"),
    (strategies.edits, ["hello"], {}, "str"),
    (strategies.edits, [TALK], {"changes": ["burn"]}, "burn"),
    (strategies.edits, [TALK], {"largest": -1}, "largest=-1"),
    (strategies.branches, [TALK], {"most": 0}, "most=0"),
    (strategies.branches, [TALK], {"changes": []}, "changes"),
    (strategies.renderings, [3], {}, "mapping"),
    (strategies.renderings, [TALK[0]], {"kinds": ["loud"]}, "loud"),
]


@pytest.mark.parametrize(("strategy", "given", "named", "said"), WRONG)
def test_wrong_arguments_are_refused_at_once(
    strategy: Any, given: list[Any], named: dict[str, Any], said: str
) -> None:
    """The call says what is wrong, not the first example."""
    with pytest.raises(InvalidArgument, match=said):
        strategy(*given, **named)
