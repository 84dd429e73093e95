"""The checks of a view: each says when its promise is broken, and nothing when all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from workbench import Wire, Workbench, assistant, chat, exchange, system, user, words

from memory.identity import digest
from memory.invariants import (
    CHECKS,
    Sending,
    absent_messages_are_covered,
    head_is_first,
    kept_messages_are_verbatim,
    last_user_message_is_sent,
    one_synthetic_message,
    prompt_is_within_limit,
    tail_is_a_suffix,
    tool_calls_are_paired,
    violations,
)
from memory.testing import strategies

LONG = chat(40)


def sending(given: list[Wire] | None = None, **policy: Any) -> Sending:
    """Return what a real compaction made of a long conversation."""
    messages = LONG if given is None else given
    bench = Workbench(1_000, **policy)
    fitted = bench.fit(messages)
    return Sending(
        given=messages,
        sent=list(fitted.messages),
        record=fitted.record,
        log=bench.log(messages),
        tokens=bench.tokens(fitted.messages),
        limit=1_000,
    )


def test_there_is_a_check_for_each_promise() -> None:
    """By its own name, each with a sentence that says what it promises."""
    assert [check.__name__ for check in CHECKS.values()] == list(CHECKS)
    assert all(check.__doc__ for check in CHECKS.values())


def test_a_compaction_breaks_no_promise() -> None:
    """Nothing is reported for what `fit` makes."""
    assert {} == violations(sending())


@settings(max_examples=25, deadline=None)
@given(strategies.conversations(most=8))
def test_a_prompt_sent_as_it_is_breaks_no_promise(messages: list[Wire]) -> None:
    """Without a record nothing may differ, and nothing does."""
    assert {} == violations(Sending(given=messages, sent=list(messages)))


def test_too_many_tokens_are_reported() -> None:
    """One above the limit is too many; unknown figures are not judged."""
    assert prompt_is_within_limit(replace(sending(), tokens=1_000)) is None
    assert "the prompt has 1001 tokens and may have 1000" == prompt_is_within_limit(
        replace(sending(), tokens=1_001)
    )
    assert prompt_is_within_limit(replace(sending(), tokens=None)) is None
    assert prompt_is_within_limit(replace(sending(), limit=None)) is None


def test_a_changed_head_is_reported() -> None:
    """Also when it merely comes later."""
    made = sending()
    first, second, *others = made.sent

    assert head_is_first(made) is None
    assert head_is_first(replace(made, sent=[system("Be rude."), second, *others])) is not None
    assert head_is_first(replace(made, sent=[second, first, *others])) is not None


def test_a_second_synthetic_message_is_reported() -> None:
    """So is one in another place, and one that is missing."""
    made = sending()
    head, notes, *others = made.sent
    wrong: list[list[Any]] = [
        [head, notes, notes, *others],
        [head, *others, notes],
        [head, *others],
    ]

    assert one_synthetic_message(made) is None
    assert [True] * 3 == [
        one_synthetic_message(replace(made, sent=sent)) is not None for sent in wrong
    ]


def test_a_missing_last_question_is_reported() -> None:
    """By its index in the input; an input without a question has none."""
    made = sending()

    assert "the last user message, 81, is not sent" == last_user_message_is_sent(
        replace(made, sent=made.sent[:-1])
    )
    assert last_user_message_is_sent(Sending(given=[assistant("a")], sent=[])) is None


@pytest.mark.parametrize("index", [-1, -2])
def test_a_changed_message_is_reported(index: int) -> None:
    """By its place after the head."""
    made = sending()
    sent = [*made.sent]
    sent[index] = {**sent[index], "content": "changed"}
    place = len(LONG) - 1 + index

    assert kept_messages_are_verbatim(made) is None
    assert f"message {place} after the head is not sent as it was given" == (
        kept_messages_are_verbatim(replace(made, sent=sent))
    )


def test_other_keys_and_another_order_of_keys_are_a_change() -> None:
    """Byte for byte is what verbatim means; `==` sees neither 1 for True nor another order."""
    given: list[Wire] = [{"role": "user", "content": "a", "vendor": True}]
    turned: list[Wire] = [{"content": "a", "role": "user", "vendor": True}]
    other: list[Wire] = [{"role": "user", "content": "a", "vendor": 1}]

    assert given == turned == other
    assert [None, False, False] == [
        check
        if (check := kept_messages_are_verbatim(Sending(given=given, sent=sent))) is None
        else False
        for sent in (given, turned, other)
    ]


def test_changed_notes_are_reported() -> None:
    """Then no message is the one on record, and there is one message too many."""
    made = sending()
    sent = [made.sent[0], {**made.sent[1], "content": "changed"}, *made.sent[2:]]
    found = violations(replace(made, sent=sent))

    assert "synthetic messages at [], expected [1]" == found["one_synthetic_message"]
    assert "of the caller's messages are sent" in found["kept_messages_are_verbatim"]


def test_a_missing_end_is_reported() -> None:
    """The view is as long as the record makes it."""
    made = sending()

    size = len(made.sent) - 2

    assert (
        f"{size - 1} of the caller's messages are sent, and the record says {size}"
        == kept_messages_are_verbatim(replace(made, sent=made.sent[:-1]))
    )


@pytest.mark.parametrize("extra", [{"vendor": 2}, {"content": "changed"}])
def test_a_changed_tail_is_reported(extra: Wire) -> None:
    """Keys that the API does not know count too."""
    given = [*LONG[:-1], {**LONG[-1], "vendor": 1}]
    made = sending(given)
    changed = [*made.sent[:-1], {**made.sent[-1], **extra}]

    assert tail_is_a_suffix(made) is None
    assert "the tail is not the end of the input" == tail_is_a_suffix(replace(made, sent=changed))


def test_a_prompt_changed_without_a_record_is_reported() -> None:
    """There is nothing on record that could explain it."""
    assert "sent differs from given, and no record says why" == tail_is_a_suffix(
        Sending(given=LONG, sent=LONG[1:])
    )


def test_shortened_results_are_no_changed_tail() -> None:
    """As long as they are what the record makes of them."""
    messages = [user("q"), *exchange("x", result=words(2_000))]
    made = sending(messages, oversize="shorten-tool-results")
    spoilt = [*made.sent[:-1], {**made.sent[-1], "content": "spoilt"}]

    assert {} == violations(made)
    assert {"kept_messages_are_verbatim"} == set(violations(replace(made, sent=spoilt)))


@pytest.mark.parametrize(
    "sent",
    [
        [user("q"), *exchange("x", "y")[1:]],
        [user("q"), *exchange("x", "y")[:2], user("r")],
        [user("q"), *exchange("x", "y")[:2], *exchange("z")],
        [user("q"), exchange("x")[0], user("r"), *exchange("x")[1:]],
        [user("q"), *exchange("x"), *exchange("x")[1:]],
        [user("q"), *exchange("x")[:1], *exchange("y")[1:]],
    ],
    ids=["orphans", "unanswered", "interrupted", "apart", "twice", "another"],
)
def test_broken_pairs_are_reported(sent: list[Wire]) -> None:
    """A result without its call, a call without its result, a batch torn apart."""
    assert "breaks the pairing" in str(tool_calls_are_paired(Sending(given=[], sent=sent)))


@pytest.mark.parametrize(
    "sent",
    [
        [user("q"), *exchange("x", "y")],
        [user("q"), *exchange("x"), *exchange("x")],
        [user("q"), *exchange("x", "y")[:2]],
        [user("q"), exchange("x", "y")[0]],
    ],
    ids=["whole", "same id again", "half open", "open"],
)
def test_pairs_that_the_api_takes_are_not_reported(sent: list[Wire]) -> None:
    """The last batch may still be waiting for results."""
    assert tool_calls_are_paired(Sending(given=[], sent=sent)) is None


def test_pairs_that_the_caller_broke_are_not_reported() -> None:
    """A view cannot be better than its input."""
    broken = [user("q"), *exchange("x")[1:]]

    assert tool_calls_are_paired(Sending(given=broken, sent=broken)) is None


def test_a_message_without_a_segment_is_reported() -> None:
    """What is not sent must be summarised."""
    made = sending()
    assert made.record is not None
    (segment,) = made.record.segments
    record = replace(made.record, segments=(replace(segment, first=2),))

    assert "message 0 is neither sent nor covered by a segment" == absent_messages_are_covered(
        replace(made, record=record)
    )


def test_a_message_that_is_not_logged_is_reported() -> None:
    """What is not sent must be in the log."""
    made = sending()
    log = [*(made.log or ())]

    assert "message 3 is neither sent nor in the log" == absent_messages_are_covered(
        replace(made, log=[*log[:3], *log[4:]])
    )


def test_a_kept_message_need_not_be_covered() -> None:
    """It is sent, so nothing has to stand for it."""
    messages = [user("q")]
    for number in range(60):
        messages += exchange(f"look:{number}", result=words(20))
    made = sending(messages)
    assert made.record is not None

    assert (0,) == made.record.kept
    assert absent_messages_are_covered(made) is None


def test_all_that_is_wrong_is_reported_at_once() -> None:
    """By the name of the check."""
    made = sending()
    found = violations(replace(made, sent=made.sent[2:-1], log=[], tokens=2_000))

    assert {
        "prompt_is_within_limit",
        "head_is_first",
        "one_synthetic_message",
        "last_user_message_is_sent",
        "kept_messages_are_verbatim",
        "tail_is_a_suffix",
        "absent_messages_are_covered",
    } == set(found)


def test_a_batch_torn_after_another_break_is_reported() -> None:
    """What the caller broke elsewhere hides nothing."""
    batch = exchange("x", "y")
    given = [*exchange("w")[1:], user("q"), *batch, user("r")]
    torn = [*exchange("w")[1:], user("q"), *batch[:2], user("r")]
    orphan = [*exchange("w")[1:], user("q"), *batch[1:], user("r")]

    assert tool_calls_are_paired(Sending(given=given, sent=given)) is None
    assert "message 2 has 1 results, and had 2" == tool_calls_are_paired(
        Sending(given=given, sent=torn)
    )
    assert "3 tool results without their call, of 1" == tool_calls_are_paired(
        Sending(given=given, sent=orphan)
    )


def test_an_equal_message_does_not_stand_for_the_last_one() -> None:
    """Nor for one that is pinned."""
    given = [user("yes"), user("no"), user("yes")]
    found = violations(Sending(given=given, sent=given[:2], pinned={digest(user("yes"))}))

    assert {"last_user_message_is_sent", "pinned_messages_are_sent"} <= set(found)


def test_ids_that_are_no_texts_can_be_judged() -> None:
    """Nothing breaks on them."""
    given = [user("q"), {"role": "assistant", "tool_calls": [{"id": ["x"], "function": {}}]}]

    assert {} == violations(Sending(given=given, sent=given))


def test_notes_that_were_passed_in_and_replaced_are_no_question() -> None:
    """Where nobody asked anything else, they are the last user message of the input."""
    bench = Workbench(1_000, check="raise")
    view: list[Any] = [system("Run.")]
    for number in range(60):
        view += exchange(f"look:{number}", result=words(30, f"{number}-"))
        view = [*bench.fit(view).messages]

    assert bench.asked > 2


def test_notes_that_somebody_quotes_are_a_message() -> None:
    """Only the one after the head is ours."""
    made = sending()
    quoted = [*LONG, assistant("ok"), dict(made.sent[1])]
    sent = [*made.sent, assistant("ok"), dict(made.sent[1])]

    assert {} == violations(replace(made, given=quoted, sent=sent))
