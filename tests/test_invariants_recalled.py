"""The checks of what is recalled: each finds what it is for, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memory import MemoryManager
from memory.invariants import Sending, violations
from memory.invariants.recalled import (
    parted,
    recalled_message_is_in_place,
    recalled_passages_are_verbatim,
    whole,
)
from memory.recall.rendering import Line, is_snippet, lines_of, snippet
from memory.witness import witness

Wire = dict[str, Any]
QUESTION = "What is the code of crate 3?"
GIVEN: list[Wire] = [
    {"role": "system", "content": "You keep the books."},
    {"role": "user", "content": "The code of crate 3 is 0417. It came in by night."},
    {
        "role": "assistant",
        "content": "Noted.",
        "tool_calls": [
            {"id": "a:0", "type": "function", "function": {"name": "put", "arguments": '{"c": 3}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "a:0", "content": "done"},
    {"role": "assistant", "content": "It is put away."},
    {"role": "user", "content": QUESTION},
]
FIRST = Line(0, "user", "The code of crate 3 is 0417. …")


def sending(*lines: Line, place: int = 5, message: Wire | None = None) -> Sending:
    """Return a request in which messages are shown again."""
    shown = snippet(lines_of(lines or [FIRST])) if message is None else message
    return Sending(given=GIVEN, sent=GIVEN, recalled=(shown, place))


def real() -> tuple[MemoryManager, list[Wire], list[Any]]:
    """Return a manager, what was given to it, and what it sent with something recalled."""
    manager = MemoryManager(hooks=(), budget=1_500, recall="auto", recall_floor=0.0)
    given: list[Wire] = [GIVEN[0]]
    for turn in range(80):
        text = f"Crate {turn} came in by night, and its code is {turn * 7919 % 100_003}."
        given += [{"role": "user", "content": text}, {"role": "assistant", "content": "Noted."}]
    given.append({"role": "user", "content": QUESTION})
    return manager, given, [*manager.fit(given)]


@pytest.mark.parametrize(
    "line",
    [
        FIRST,
        Line(0, "user", "… It came in by night."),
        Line(1, "assistant", 'Noted.\nput({"c": 3})'),
        Line(2, "tool", "done"),
    ],
)
def test_what_stands_there_is_not_reported(line: Line) -> None:
    """Excerpts, calls and results, numbered from 1 without the head."""
    assert recalled_passages_are_verbatim(sending(line)) is None


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(Line(0, "user", "The code of crate 3 is 0418."), id="words"),
        pytest.param(Line(3, "user", FIRST.text), id="number"),
        pytest.param(Line(-1, "system", "You keep the books."), id="head"),
        pytest.param(Line(5, "user", FIRST.text), id="none"),
        pytest.param(Line(0, "assistant", FIRST.text), id="role"),
    ],
)
def test_what_does_not_stand_there_is_reported(line: Line) -> None:
    """Other words, another number, the head, a message that is not there, another role."""
    assert recalled_passages_are_verbatim(sending(line)) is not None


def test_a_message_without_passages_is_reported() -> None:
    """It costs tokens and shows nothing."""
    assert recalled_passages_are_verbatim(sending(message=snippet([]))) is not None


@pytest.mark.parametrize("place", [0, 1, 4, 6])
def test_another_place_is_reported(place: int) -> None:
    """It stands immediately before the last user message."""
    assert recalled_message_is_in_place(sending(place=place)) is not None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"role": "user", "content": '1 user: "The code of"'}, id="no fence"),
        pytest.param({**snippet(lines_of([FIRST])), "role": "system"}, id="role"),
    ],
)
def test_a_message_that_is_not_fenced_is_reported(message: Wire) -> None:
    """A quotation is a user's, between its tags."""
    assert recalled_message_is_in_place(sending(message=message)) is not None


def test_two_messages_are_reported() -> None:
    """One is enough."""
    one = sending()
    two = replace(one, sent=[*GIVEN[:5], snippet(["1"]), *GIVEN[5:]], recalled=(GIVEN[0], 6))
    two = replace(two, recalled=(snippet(lines_of([FIRST])), 6))
    assert "more than one" in str(recalled_message_is_in_place(two))


def test_nothing_recalled_is_not_reported() -> None:
    """Neither by its place nor by its words."""
    assert {} == violations(Sending(given=GIVEN, sent=GIVEN))


def test_what_was_sent_is_parted() -> None:
    """The message and its place go, and come back by `whole`."""
    shown = snippet(lines_of([FIRST]))
    sent = [*GIVEN[:5], shown, *GIVEN[5:]]
    left, recalled = parted(GIVEN, sent)
    one = Sending(given=GIVEN, sent=left, recalled=recalled)
    assert (GIVEN, (shown, 5), sent) == (left, recalled, whole(one))


def test_what_recalls_nothing_is_the_same_object() -> None:
    """Nothing is copied."""
    assert parted(GIVEN, GIVEN)[0] is GIVEN


def test_a_look_alike_of_the_caller_is_text_of_the_caller() -> None:
    """Whoever writes one has written a user message."""
    given = [*GIVEN[:5], snippet(lines_of([FIRST])), *GIVEN[5:]]
    assert parted(given, given)[1] is None


def test_a_real_request_breaks_no_promise() -> None:
    """With something recalled, as the witness sees it."""
    manager, given, sent = real()
    found = witness(manager, given, sent)
    assert (True, {}) == (found.recalled is not None, violations(found))


def test_the_witness_leaves_out_what_was_passed_in_again() -> None:
    """The manager knows its own message, and so does who judges it."""
    manager, _, view = real()
    found = witness(manager, view, [*manager.fit(view)])
    assert (0, 0, {}) == (
        sum(map(is_snippet, found.sent)),
        sum(map(is_snippet, found.given)),
        violations(found),
    )
