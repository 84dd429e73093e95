"""What is sent in place of a thread, and which record an input follows."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench import Wire, assistant, exchange, picture, system, user, words

from memory.identity import ROOT, chain, digest
from memory.records import Compaction, Segment, Shortened
from memory.testing import strategies
from memory.view import Thread, View, adopted, covering, revealing, shorten

HEAD = system("Be kind.")
NOTES: Wire = {"role": "user", "content": "<conversation-notes>…</conversation-notes>"}
PARTIAL: Wire = {"role": "assistant", "content": "So", "partial": True}
REST = [user("a"), assistant("b"), user("c"), assistant("d"), user("e")]


def record(
    rest: Sequence[Mapping[str, Any]], *, covered: int, adopted: int | None = None, **others: Any
) -> Compaction:
    """Return a record that covers the beginning of a thread."""
    links = chain(rest)
    made_for = len(rest) if adopted is None else adopted
    last = Segment(text="b", first=1, last=covered, tokens=1, author="stub")
    return Compaction(
        covered=covered,
        coverage=links[covered],
        adopted=made_for,
        adoption=links[made_for],
        segments=(last,),
        synthetic=NOTES,
        mark=digest(NOTES),
        **others,
    )


def thread(rest: list[Wire]) -> Thread:
    """Return the hashed thread of a head and the rest."""
    return Thread.of([HEAD, *rest])


def test_a_thread_is_a_head_and_a_rest() -> None:
    """The leading system messages are the head; only the rest is hashed."""
    made = thread(REST)

    assert (1, REST, chain(REST)) == (made.start, made.rest, made.links)
    assert [HEAD, *REST] == made.messages


def test_a_head_may_be_told() -> None:
    """A synthetic message in the role of a system message does not belong to it."""
    made = Thread.of([HEAD, system("notes"), *REST], start=1)

    assert [system("notes"), *REST] == made.rest


@pytest.mark.parametrize(
    ("rest", "settled"), [(REST, 5), ([*REST, PARTIAL], 5), ([PARTIAL], 0), ([], 0)]
)
def test_a_trailing_partial_is_not_settled(rest: list[Wire], settled: int) -> None:
    """The next input will have something else in its place."""
    assert settled == thread(rest).settled


def test_without_a_record_everything_is_sent() -> None:
    """The view is the thread."""
    view = View(thread(REST))

    assert [HEAD, *REST] == view.messages()
    assert list(range(5)) == view.loose
    assert [] == view.synthetic


def test_a_record_puts_notes_in_place_of_what_it_covers() -> None:
    """Head, notes, what was kept and the tail follow each other."""
    view = View(thread(REST), record(REST, covered=3, kept=(2,)))

    assert [HEAD, NOTES, REST[2], REST[3], REST[4]] == view.messages()
    assert [2, 3, 4] == view.loose


def test_a_record_that_covers_nothing_sends_everything() -> None:
    """A record that only shortens has no notes."""
    made = replace(record(REST, covered=0), synthetic=None, mark=None, segments=())

    assert [HEAD, *REST] == View(thread(REST), made).messages()


def test_shortened_results_are_sent_short() -> None:
    """Kept or in the tail, a result that a record shortens is cut, and no other message is."""
    rest = [user("q"), *exchange("x", result="0123456789"), *exchange("y", result="0123456789")]
    cuts = (Shortened(index=2, head=2, tail=1), Shortened(index=4, head=1, tail=0))
    made = record(rest, covered=3, kept=(0, 2), shortened=cuts)
    sent = View(thread(rest), made).messages()

    assert [HEAD, NOTES, rest[0]] == sent[:3]
    assert sent[3]["content"].startswith("01\n[… 7 characters")
    assert rest[3] == sent[4]
    assert sent[5]["content"].startswith("0\n[… 9 characters")


def test_the_last_user_message_is_protected() -> None:
    """And no other plain message."""
    view = View(thread([*REST, assistant("f")]))

    assert [4] == [index for indexes, held in view.parts() if held for index in indexes]


def test_the_open_exchange_is_protected() -> None:
    """Closed exchanges of the same turn are not."""
    view = View(thread([user("q"), *exchange("x"), *exchange("y", "z")]))

    assert [([0], True), ([1, 2], False), ([3, 4, 5], True)] == view.parts()


def test_a_trailing_partial_is_protected() -> None:
    """The model is to continue it."""
    view = View(thread([user("q"), assistant("a"), user("r"), PARTIAL]))

    assert [False, False, True, True] == [held for _, held in view.parts()]


def test_a_trailing_system_message_is_protected() -> None:
    """The newest instruction is meant for the reply that is asked for."""
    view = View(thread([user("q"), assistant("a"), user("r"), system("Answer in French.")]))

    assert [False, False, True, True] == [held for _, held in view.parts()]


def test_results_before_a_partial_are_protected() -> None:
    """The reply that was begun is about them."""
    view = View(thread([user("q"), *exchange("x"), PARTIAL]))

    assert [True, True, True] == [held for _, held in view.parts()]


def test_a_message_kept_once_may_be_dropped_later() -> None:
    """When there is a newer user message the older one is like any other."""
    rest = [*REST, assistant("f"), user("g")]
    view = View(thread(rest), record(rest, covered=4, kept=(2,)))

    assert ([2], False) == view.parts()[0]


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=5), st.data())
def test_parts_cover_what_is_sent_verbatim(messages: list[Wire], data: st.DataObject) -> None:
    """Every message after the notes is in one part, in order, whatever the record covers."""
    made = Thread.of(messages)
    covered = data.draw(st.integers(0, len(made.rest)))
    view = View(made, record(made.rest, covered=covered))

    assert view.loose == [index for indexes, _ in view.parts() for index in indexes]


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=5), st.data())
def test_a_view_changes_no_message(messages: list[Wire], data: st.DataObject) -> None:
    """The caller's messages are in it as the objects they are, and stay as they were."""
    before = copy.deepcopy(messages)
    made = Thread.of(messages)
    covered = data.draw(st.integers(0, len(made.rest)))
    sent = View(made, record(made.rest, covered=covered)).messages()
    tail = sent[len(sent) - len(made.rest) + covered :]

    assert before == messages
    assert all(map(operator.is_, tail, made.rest[covered:]))


def test_the_record_made_for_the_longest_input_is_adopted() -> None:
    """Of the records made for a beginning of the input the latest speaks for it."""
    short, long = record(REST, covered=1, adopted=2), record(REST, covered=2, adopted=4)

    assert adopted([long, short], chain(REST)) is long


def test_of_two_records_for_one_input_the_later_is_adopted() -> None:
    """Records are given oldest first."""
    first, second = record(REST, covered=1), record(REST, covered=2)

    assert adopted([first, second], chain(REST)) is second


def test_a_record_for_another_or_a_longer_input_is_not_adopted() -> None:
    """Only a beginning of this very input counts."""
    other = record([user("x"), *REST[1:]], covered=1)
    longer = record([*REST, assistant("f")], covered=1)

    assert adopted([other, longer], chain(REST)) is None
    assert adopted([], [ROOT]) is None


def test_the_shallowest_covering_record_comes_first() -> None:
    """Records for other continuations of the same beginning are of use, least first."""
    other = [*REST[:4], user("else")]
    deep, shallow = record(REST, covered=3, adopted=5), record(REST, covered=1, adopted=5)

    assert [shallow, deep] == covering([deep, shallow], thread(other))


def test_a_record_that_covers_something_else_is_not_covering() -> None:
    """What it stands for must be a beginning of the input."""
    assert [] == covering([record(REST, covered=3)], thread([user("x"), *REST[1:]]))


def test_a_record_that_shortens_its_tail_speaks_for_others_without_that() -> None:
    """What was cut to fit one request may be needed whole in another; what is covered stays."""
    cuts = (Shortened(index=1, head=0, tail=0), Shortened(index=3, head=1, tail=1))
    made = record(REST, covered=2, kept=(1,), shortened=cuts)
    other = [*REST[:4], user("else")]

    assert [replace(made, shortened=cuts[:1], origin=made.content)] == covering(
        [made], thread(other)
    )


@pytest.mark.parametrize("length", [2, 3])
def test_a_record_that_covers_the_last_question_is_not_covering(length: int) -> None:
    """The caller went back to an earlier question, which has to be sent."""
    rest = [user("a"), assistant("b"), user("c"), assistant("d"), user("e")]
    made = record(rest, covered=length)

    assert [] == covering([made], thread(rest[:length]))


def test_a_record_that_covers_unread_results_is_not_covering() -> None:
    """The caller went back to where the results had just come in."""
    rest = [user("q"), *exchange("x"), *exchange("y"), assistant("done")]
    made = record(rest, covered=3, kept=(0,))

    assert [] == covering([made], thread(rest[:3]))
    assert [made] == covering([made], thread(rest[:5]))


def test_a_text_is_cut_in_the_middle() -> None:
    """Beginning, a note of how much is gone, end; every other key stays."""
    message = {"role": "tool", "tool_call_id": "x", "content": "abcdefghij", "vendor": 1}
    cut = shorten(message, Shortened(index=0, head=3, tail=2))

    assert cut["content"].startswith("abc\n[… 5 characters left out")
    assert cut["content"].endswith("…]\nij")
    assert {key: value for key, value in message.items() if key != "content"} == {
        key: value for key, value in cut.items() if key != "content"
    }


def test_a_cut_may_leave_no_end() -> None:
    """With nothing kept at the end the text stops at the note."""
    cut = shorten(user("abcdef"), Shortened(index=0, head=2, tail=0))

    assert cut["content"].startswith("ab\n[… 4 characters")
    assert cut["content"].endswith("…]\n")


def test_a_text_that_is_short_enough_is_not_cut() -> None:
    """A cut never makes a text longer by its note alone."""
    assert user("abc") == shorten(user("abc"), Shortened(index=0, head=2, tail=1))


def test_a_cut_text_names_its_pictures() -> None:
    """Content in parts becomes one text."""
    message = {"role": "tool", "content": [{"type": "text", "text": words(30)}, picture("x")]}

    assert "[image]" in shorten(message, Shortened(index=0, head=5, tail=10))["content"]


def test_a_text_may_be_left_out_altogether() -> None:
    """With nothing kept at either end one line says how much there was and where it is."""
    message = {"role": "tool", "tool_call_id": "x", "content": "a" * 12_345, "vendor": 1}
    cut = shorten(message, Shortened(index=0, head=0, tail=0))

    line = "[12,345 characters of this result are not shown any more; they are in the log]"
    assert {**message, "content": line} == cut


def pinning(rest: list[Wire], *places: int) -> Thread:
    """Return a thread in which messages are pinned."""
    return Thread.of([HEAD, *rest], pinned=frozenset(digest(rest[place]) for place in places))


def test_what_is_pinned_is_protected() -> None:
    """Nothing else is, the last question aside."""
    made = pinning([*REST, assistant("f")], 1)

    assert [1, 4] == [i for indexes, held in View(made).parts() if held for i in indexes]


def test_a_pinned_result_protects_its_exchange() -> None:
    """A call and its results stay together."""
    made = pinning([user("q"), *exchange("x", "y"), assistant("a"), user("r")], 2)

    assert [([0], False), ([1, 2, 3], True), ([4], False), ([5], True)] == View(made).parts()


def test_a_record_leaves_out_nothing_that_is_pinned() -> None:
    """What was pinned since, with the exchange it belongs to, is sent again, in its place."""
    rest = [user("q"), *exchange("x"), assistant("a"), user("r"), assistant("s"), user("t")]
    made = record(rest, covered=5, kept=(4,))
    shown = revealing(made, pinning(rest, 2))

    assert (1, 2, 4) == shown.kept
    assert replace(made, kept=(1, 2, 4), origin=made.content) == shown
    assert made.content == shown.content
    assert [HEAD, NOTES, rest[1], rest[2], *rest[4:]] == View(thread(rest), shown).messages()


def test_a_record_that_hides_nothing_pinned_stays_as_it_is() -> None:
    """Without pins, or with pins on what is sent already, it is the same object."""
    made = record(REST, covered=3, kept=(2,))

    assert revealing(made, thread(REST)) is made
    assert revealing(made, pinning(REST, 2)) is made
    assert revealing(made, pinning(REST, 3)) is made


def test_a_record_that_covers_what_is_pinned_is_not_covering() -> None:
    """Another input has to send that; with it revealed the record is of use again."""
    made, other = record(REST, covered=2, adopted=5), pinning([*REST[:4], user("else")], 1)

    assert [] == covering([made], other)
    assert [replace(made, kept=(1,), origin=made.content)] == covering(
        [revealing(made, other)], other
    )
