"""Items as messages and back: nothing is lost, and what belongs together is one message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from fake_kimi_requests import OFF, send
from hypothesis import given, settings
from hypothesis import strategies as st
from kimi_clients import MODEL
from response_items import (
    FLAT_TOOL,
    Item,
    asked,
    call,
    output,
    pairs,
    said,
    shown,
    thought,
    turns,
)
from workbench import WordCounter, Workbench, words

from memory.messages import is_media
from memory.responses import Items, SkippedError
from memory.testing import FakeKimi


def roles(items: Sequence[Item], **more: Any) -> list[str]:
    """Return the roles of the messages that items become."""
    return [str(message.get("role")) for message in Items.of(items, **more).messages]


def custom(ident: str) -> Item:
    """Return a call of a tool that takes free text."""
    return {"type": "custom_tool_call", "call_id": ident, "name": "write", "input": "a b c"}


def written(ident: str, result: str = "done") -> Item:
    """Return the result of such a call."""
    return {
        "id": f"ctco_{ident}",
        "type": "custom_tool_call_output",
        "call_id": ident,
        "output": result,
    }


class TestMessages:
    """What items become."""

    def test_every_kind_of_item_has_a_message(self) -> None:
        """Texts, calls, results and thoughts are where a chat completion has them."""
        items = [
            asked("Be brief.", role="developer"),
            asked("Weigh."),
            call("a", '{"crate": 1}'),
            output("a", "12 kg"),
            said("Noted."),
        ]
        function = {"name": "weigh", "arguments": '{"crate": 1}'}
        head, question, calling, result, answer = Items.of(items).messages

        assert {"role": "developer", "content": "Be brief."} == head
        assert {"role": "user", "content": "Weigh."} == question
        assert ("assistant", [{"id": "a", "type": "function", "function": function}]) == (
            calling["role"],
            calling["tool_calls"],
        )
        assert ("tool", "a", "12 kg") == tuple(
            result[key] for key in ("role", "tool_call_id", "content")
        )
        assert ("assistant", [{"type": "text", "text": "Noted."}]) == (
            answer["role"],
            answer["content"],
        )

    @pytest.mark.parametrize(
        ("items", "expected"),
        [
            ([asked("a"), said("b"), asked("c")], ["user", "assistant", "user"]),
            ([thought("a"), said("b"), call("c"), call("d")], ["assistant"]),
            ([call("a"), thought("b"), call("c")], ["assistant"]),
            ([call("a"), output("a"), call("b"), output("b")], ["assistant", "tool"] * 2),
            ([call("a"), call("b"), output("b"), output("a")], ["assistant", "tool", "tool"]),
            ([call("a"), said("b"), output("a")], ["assistant", "tool"]),
            ([custom("a"), written("a"), said("b")], ["assistant", "tool", "assistant"]),
            ([thought("a")], ["assistant"]),
            ([output("a")], ["tool"]),
            ([], []),
        ],
    )
    def test_what_is_said_in_one_go_is_one_message(
        self, items: list[Item], expected: list[str]
    ) -> None:
        """Whatever stands between a call and its result belongs to one of them."""
        assert expected == roles(items)

    def test_ids_may_come_again(self) -> None:
        """A call is answered by the result that follows it."""
        turn = [asked("q"), call("a"), output("a"), said("b")]

        assert ["user", "assistant", "tool", "assistant"] * 3 == roles(turn * 3)

    @pytest.mark.parametrize("instructions", [None, "", 5, []])
    def test_instructions_that_say_nothing_are_no_message(self, instructions: object) -> None:
        """As the server sees it."""
        assert ["user"] == roles([asked("q")], instructions=instructions)

    def test_instructions_come_first_and_are_no_item(self) -> None:
        """They are the head of the prompt, and are not sent twice."""
        items = Items.of([asked("q")], instructions="Be brief.")

        assert ["system", "user"] == [message["role"] for message in items.messages]
        assert [asked("q")] == items.back(items.messages)

    def test_pictures_are_media(self) -> None:
        """They are neither text nor lost."""
        (message,) = Items.of([shown("What is this?")]).messages

        assert [False, True] == [is_media(part.get("text", part)) for part in message["content"]]

    def test_a_refusal_is_a_text(self) -> None:
        """It costs what it says."""
        part = {"type": "refusal", "refusal": "No."}
        (message,) = Items.of([{"role": "assistant", "content": [part]}]).messages

        assert [{"type": "text", "text": "No."}] == message["content"]

    def test_tools_are_those_of_a_chat_completion(self) -> None:
        """Functions are nested; any other tool is counted as the text it is."""
        function, search = Items.of([], tools=[FLAT_TOOL, {"type": "web_search"}]).tools

        assert {k: v for k, v in FLAT_TOOL.items() if k != "type"} == function["function"]
        assert "web_search" in str(search)

    @pytest.mark.parametrize(
        "item", [{"type": "item_reference", "id": "x"}, {"type": None}, {"id": "x"}, {"type": 3}]
    )
    def test_an_unknown_item_is_a_reason_to_skip(self, item: Item) -> None:
        """The reason names its type."""
        with pytest.raises(SkippedError, match=repr(item.get("type"))):
            Items.of([asked("q"), item])

    def test_the_input_is_not_changed(self) -> None:
        """It is the caller's."""
        items = turns(3)
        before = json.dumps(items)
        Items.of(items, instructions="Be brief.", tools=[FLAT_TOOL])

        assert before == json.dumps(items)


class TestBack:
    """What messages become."""

    def test_notes_become_an_item(self) -> None:
        """A message that memory made is a message with a role."""
        items = Items.of([asked("q")])
        notes = {"role": "user", "content": "<notes>"}

        assert [notes, asked("q")] == items.back([notes, *items.messages])

    @pytest.mark.parametrize(
        ("asking", "result"), [(call("a"), output("a", "w")), (custom("a"), written("a", "w"))]
    )
    def test_a_shortened_result_is_of_the_kind_it_was(self, asking: Item, result: Item) -> None:
        """All its other keys are kept."""
        items = Items.of([asking, result])
        shortened = {**items.messages[1], "content": "…"}

        assert [asking, {**result, "output": "…"}] == items.back([items.messages[0], shortened])

    def test_a_shortened_result_is_the_one_it_was(self) -> None:
        """Also where its id came before."""
        first, second = ({**output("a", text), "id": text} for text in ("one", "two"))
        items = Items.of([call("a"), first, asked("q"), call("a"), second])
        shortened = [
            {**message, "content": "…"} if message["role"] == "tool" else message
            for message in items.messages
        ]
        back = [item for item in items.back(shortened) if item.get("output")]

        assert [{**first, "output": "…"}, {**second, "output": "…"}] == back

    def test_what_stands_beside_a_shortened_result_stays(self) -> None:
        """A message between two results is part of one of them, and not of what is cut."""
        given_items = [call("a"), call("b"), output("a"), said("Wait."), output("b")]
        items = Items.of(given_items)
        shortened = [
            {**message, "content": "…"} if message["role"] == "tool" else message
            for message in items.messages
        ]

        assert said("Wait.") in items.back(shortened)


names = st.sampled_from(["a", "b", "c"])
anything: st.SearchStrategy[Item] = st.one_of(
    st.builds(asked, st.just("q"), role=st.sampled_from(["user", "system", "assistant"])),
    st.builds(said, st.just("s")),
    st.builds(thought, st.just("t")),
    st.builds(call, names),
    st.builds(output, names),
    st.builds(custom, names),
    st.builds(written, names),
    st.builds(shown, st.just("p")),
)


@given(st.lists(anything, max_size=20), st.sampled_from([None, "Be brief."]))
def test_untouched_messages_are_the_very_items(items: list[Item], instructions: str | None) -> None:
    """In order, each once, and the same objects: for any input, also one that makes no sense."""
    read = Items.of(items, instructions=instructions)
    back = read.back(read.messages)

    assert [id(item) for item in items] == [id(item) for item in back]


@st.composite
def conversations(draw: st.DrawFn) -> list[Item]:
    """Return a valid input: batches of calls, answered in any order, ids that come again."""
    items: list[Item] = []
    if draw(st.booleans()):
        items.append(asked("Be brief.", role=draw(st.sampled_from(["system", "developer"]))))
    for number in range(draw(st.integers(0, 8))):
        items.append(asked(words(draw(st.integers(1, 60)), f"u{number}-")))
        for _ in range(draw(st.integers(0, 2))):
            items += draw(exchanges())
        if draw(st.booleans()):
            items.append(said(words(draw(st.integers(1, 60)), f"s{number}-")))
    return [*items, asked(words(10, "last"))]


@st.composite
def exchanges(draw: st.DrawFn) -> list[Item]:
    """Return what a model says in one go, calls among it, and the results in any order."""
    idents = draw(st.lists(names, unique=True, max_size=3))
    speech = [call(ident) for ident in idents]
    asides: st.SearchStrategy[Item] = st.sampled_from([thought("hm"), said("so")])
    for more in draw(st.lists(asides, max_size=2)):
        speech.insert(draw(st.integers(0, len(speech))), more)
    sizes = st.integers(1, 40)
    results = [output(ident, words(draw(sizes), "r")) for ident in draw(st.permutations(idents))]
    interrupted = draw(st.booleans())
    if results and interrupted:
        results.insert(draw(st.integers(0, len(results) - 1)), said("wait"))
    return [*speech, *results]


def answered(items: Sequence[Mapping[str, Any]]) -> tuple[int, Any]:
    """Return how a strict server answers an input, and why."""
    counter = WordCounter()
    fake = FakeKimi(count_text=lambda text: int(counter.count(text)))
    status, reply = send(fake, {"model": MODEL, "input": [*items], **OFF}, "/v1/responses")
    return status, reply.get("error")


@given(conversations())
def test_conversations_are_accepted(items: list[Item]) -> None:
    """The strategy makes what it says."""
    assert (200, None) == answered(items)


@given(conversations(), st.integers(250, 600))
@settings(deadline=None)
def test_what_is_sent_is_accepted(items: list[Item], budget: int) -> None:
    """Wherever the cut is, every call has its result and every result its call."""
    read = Items.of(items)
    bench = Workbench(budget, oversize="send")
    fitted = bench.fit(read.messages)
    sent = read.back(fitted.messages)
    calls, results = pairs(sent)

    assert (200, None) == answered(sent)
    assert calls == results
    assert {} == bench.wrong(read.messages, fitted)
    assert [id(item) for item in sent if any(item is one for one in items)] == [
        id(item) for item in items if any(item is one for one in sent)
    ]
