"""The checks of several requests: each says when its promise is broken, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from workbench import Wire, Workbench, assistant, chat, exchange, user

from memory import events
from memory.errors import BudgetError, StoreError
from memory.invariants import INVARIANTS, RUN_CHECKS, Run, Sending, run_violations
from memory.policy import Budget
from memory.records import Compaction, Identifier, Segment

LONG = chat(40)
MORE = [*LONG, assistant("Yes."), user("And?")]
ASKED = events.Summarizing(messages=4, tokens=100, cap=50, form="shared")
PAID = events.Compacted(messages=4, tokens_before=100, tokens_after=50, paid=True)


def sendings(*inputs: list[Wire]) -> list[Sending]:
    """Return what fitting these inputs one after another came to."""
    bench = Workbench(1_000)
    made = []
    for given in inputs:
        fitted = bench.fit(given)
        log = bench.log(given)
        made.append(Sending(given=given, sent=fitted.messages, record=fitted.record, log=log))
    return made


def changed(sending: Sending, **fields: Any) -> Sending:
    """Return a request with another record."""
    assert sending.record is not None
    return replace(sending, record=replace(sending.record, **fields))


def test_there_are_ten_invariants() -> None:
    """By number, each with a promise and at least one check; no check belongs to two."""
    names = [c.__name__ for i in INVARIANTS for c in (*i.checks, *i.run_checks)]

    assert [*range(1, 11)] == [invariant.number for invariant in INVARIANTS]
    assert len(names) == len(set(names))
    assert all(i.promise and (i.checks or i.run_checks) for i in INVARIANTS)
    assert all(check.__doc__ for check in RUN_CHECKS.values())


def test_a_run_of_real_requests_breaks_no_promise() -> None:
    """Nothing is reported for two requests, the same again, and what is on record."""
    one, other = sendings(LONG, MORE)
    said = [[user("hello"), assistant("hi")]]
    run = Run(
        sendings=[one, other],
        repeats=[(one, one)],
        events=[ASKED, PAID],
        said=said,
        history=said[0],
        alike=True,
    )

    assert {} == run_violations(run)


def test_an_empty_run_breaks_no_promise() -> None:
    """Nothing happened."""
    assert {} == run_violations(Run())


def test_what_is_wrong_with_a_request_is_told_with_its_number() -> None:
    """Of the first request that breaks a promise."""
    one, other = sendings(LONG, MORE)
    wrong = replace(other, tokens=2, limit=1)

    assert {
        "prompt_is_within_limit": "request 2: the prompt has 2 tokens and may have 1"
    } == run_violations(Run(sendings=[one, wrong, wrong]))


def test_another_view_for_the_same_input_is_reported() -> None:
    """By the first message that differs, or the end."""
    (made,) = sendings(LONG)
    changed_notes = [made.sent[0], user("other notes"), *made.sent[2:]]
    pairs = [(made, replace(made, sent=sent)) for sent in (changed_notes, made.sent[:-1])]

    assert ["message 1", "the end"] == [
        run_violations(Run(repeats=[pair]))["repeats_are_identical"].split(" at ")[1]
        for pair in pairs
    ]


def test_a_view_that_does_not_grow_is_reported() -> None:
    """Its record did nothing more than the one before, and yet its notes differ."""
    one, other = sendings(LONG, MORE)
    sent = [other.sent[0], user("other notes"), *other.sent[2:]]

    assert (
        "request 2 does not begin with what was sent before it"
        == run_violations(Run(sendings=[one, replace(other, sent=sent)]))["views_only_grow"]
    )


def test_a_view_may_change_with_a_compaction() -> None:
    """Or when the input does not begin with the one before, or identifiers had to go."""
    one, other = sendings(LONG, MORE)
    sent = [other.sent[0], user("other notes"), *other.sent[2:]]
    listed = (Identifier("id", "A-1"), Identifier("id", "A-2"))
    compacted = changed(replace(other, sent=sent), covered=70)
    elsewhere = replace(other, sent=sent, given=[user("hello"), *other.given])
    shorter = changed(replace(other, sent=sent), identifiers=listed[:1])
    runs = [
        Run(sendings=[one, compacted]),
        Run(sendings=[one, elsewhere]),
        Run(sendings=[changed(one, identifiers=listed), shorter]),
    ]

    assert [False] * 3 == ["views_only_grow" in run_violations(run) for run in runs]


def test_a_partial_message_is_no_part_of_what_grows() -> None:
    """The next request has the whole reply in its place."""
    partial: Wire = {"role": "assistant", "content": "So", "partial": True}
    one, other = sendings([*LONG, partial], [*LONG, assistant("So be it."), user("Thanks")])

    assert {} == run_violations(Run(sendings=[one, other]))


@pytest.mark.parametrize(
    ("error", "is_reported"),
    [(StoreError("gone"), True), (BudgetError(tokens=2, limit=1, culprits={}), False)],
)
def test_a_turn_that_memory_failed_is_reported(error: Exception, is_reported: bool) -> None:  # noqa: FBT001
    """Not so an error that tells the caller of something they chose."""
    assert is_reported == ("turns_do_not_fail" in run_violations(Run(errors=[error])))


def test_a_summary_that_had_to_be_refused_is_reported() -> None:
    """Wherever it is in use: in the record of a request or in its log."""
    (made,) = sendings(LONG)
    assert made.record is not None
    text = made.record.segments[0].text
    found = [
        run_violations(Run(sendings=[each], unusable=[f" {text}\n"]))
        for each in (made, replace(made, record=None, sent=LONG))
    ]

    assert [
        {"failed_summaries_are_not_used": "a summary that had to be refused is in use"}
    ] * 2 == (found)
    assert {} == run_violations(Run(sendings=[made], unusable=["", "something else"]))


@pytest.mark.parametrize(("asked", "is_reported"), [(3, False), (4, True)])
def test_too_many_summaries_are_reported(asked: int, is_reported: bool) -> None:  # noqa: FBT001
    """900 tokens, 450 of which a compaction makes room for, may cost three."""
    thresholds = Budget(limit=1_000, trigger=900, target=450)
    run = Run(events=[ASKED] * asked, new=900, thresholds=thresholds)

    assert is_reported == ("summaries_are_few" in run_violations(run))


def test_more_merges_than_summaries_are_reported() -> None:
    """Each first-level summary pays for one at most."""
    merge = replace(ASKED, purpose="merge")

    assert {} == run_violations(Run(events=[ASKED, merge]))
    assert {"merges_are_few": "2 merges and 1 summaries of new messages"} == run_violations(
        Run(events=[ASKED, merge, merge])
    )


def test_more_than_one_correction_is_reported() -> None:
    """A summary is asked for twice at most."""
    refused = events.Rejected(author="kimi", reason="it is blank")

    assert {} == run_violations(Run(events=[ASKED, refused, refused]))
    assert ["corrections_are_few"] == list(run_violations(Run(events=[ASKED, *[refused] * 3])))


def test_messages_that_were_summarised_too_often_are_reported() -> None:
    """2 + log2(compactions) times is the bound: twice for a single one."""

    def deep(depth: int) -> Sending:
        segment = Segment(text="Much.", first=1, last=1, tokens=1, author="m", depth=depth)
        link = bytes(16)
        record = Compaction(covered=1, coverage=link, adopted=1, adoption=link, segments=(segment,))
        return Sending(given=[], sent=[], record=record)

    found = [run_violations(Run(sendings=[deep(depth)])) for depth in (2, 3)]

    assert [False, True] == ["depth_is_bounded" in each for each in found]


def test_an_acknowledged_turn_that_is_not_on_record_is_reported() -> None:
    """As a whole and in one piece; other turns may stand before and after it."""
    turn, other = [user("a"), assistant("b")], [user("c"), assistant("d")]
    torn = [turn[0], *other, turn[1]]
    found = [
        run_violations(Run(said=[turn, other], history=history))
        for history in ([*other, *turn], torn, other)
    ]

    assert [None, *["turn 1 was acknowledged and is not on record in one piece"] * 2] == [
        each.get("acknowledged_messages_are_on_record") for each in found
    ]


def test_an_exchange_that_is_broken_on_record_is_reported() -> None:
    """Whoever wrote in between."""
    batch = exchange("x", "y")

    assert {} == run_violations(Run(history=[user("q"), *batch]))
    assert {"exchanges_are_whole": "message 3 on record breaks an exchange"} == run_violations(
        Run(history=[user("q"), *batch[:2], user("in between"), batch[2]])
    )


@pytest.mark.parametrize(("alike", "is_reported"), [(True, True), (False, False)])
def test_a_second_summary_for_the_same_is_reported(alike: bool, is_reported: bool) -> None:  # noqa: FBT001
    """Where one had served."""
    run = Run(events=[PAID, PAID], alike=alike)

    assert is_reported == ("one_summary_is_paid" in run_violations(run))
