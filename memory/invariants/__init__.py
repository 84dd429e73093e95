"""The promises of this library as named checks: used by tests, by `replay`, and on your data.

There are ten. Most can be judged from one request, a `Sending`: what the caller passed, what was
sent, what is on record. The others need several, a `Run`. A check returns None, or a sentence that
says what is wrong and where; `violations` and `run_violations` run all of them, and `describe`
shows the request they are about. docs/explanation/invariants.md says what each promises and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memory.invariants.recalled import (
    recalled_message_is_in_place,
    recalled_passages_are_verbatim,
)
from memory.invariants.requests import (
    absent_messages_are_covered,
    counts_are_as_reported,
    ending_is_sent,
    head_is_first,
    input_is_unchanged,
    kept_messages_are_verbatim,
    last_user_message_is_sent,
    one_synthetic_message,
    pinned_messages_are_sent,
    pins_are_quoted,
    prompt_is_within_limit,
    record_is_of_this_input,
    summaries_are_usable,
    tail_is_a_suffix,
    tool_calls_are_paired,
)
from memory.invariants.runs import (
    Run,
    RunCheck,
    acknowledged_messages_are_on_record,
    corrections_are_few,
    depth_is_bounded,
    exchanges_are_whole,
    failed_summaries_are_not_used,
    merges_are_few,
    one_summary_is_paid,
    repeats_are_identical,
    summaries_are_few,
    turns_do_not_fail,
    views_only_grow,
)
from memory.invariants.sending import Check, Sending, describe

__all__ = (
    "CHECKS",
    "INVARIANTS",
    "RUN_CHECKS",
    "Check",
    "Invariant",
    "Run",
    "RunCheck",
    "Sending",
    "absent_messages_are_covered",
    "acknowledged_messages_are_on_record",
    "corrections_are_few",
    "counts_are_as_reported",
    "depth_is_bounded",
    "describe",
    "ending_is_sent",
    "exchanges_are_whole",
    "failed_summaries_are_not_used",
    "head_is_first",
    "input_is_unchanged",
    "kept_messages_are_verbatim",
    "last_user_message_is_sent",
    "merges_are_few",
    "one_summary_is_paid",
    "one_synthetic_message",
    "pinned_messages_are_sent",
    "pins_are_quoted",
    "prompt_is_within_limit",
    "recalled_message_is_in_place",
    "recalled_passages_are_verbatim",
    "record_is_of_this_input",
    "repeats_are_identical",
    "run_violations",
    "summaries_are_few",
    "summaries_are_usable",
    "tail_is_a_suffix",
    "tool_calls_are_paired",
    "turns_do_not_fail",
    "views_only_grow",
    "violations",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One of the ten promises.

    Attributes:
        number: Its number, from 1.
        name: Its name.
        promise: What holds, in a sentence.
        checks: What can be judged from one request.
        run_checks: What needs several.
    """

    number: int
    name: str
    promise: str
    checks: tuple[Check, ...] = ()
    run_checks: tuple[RunCheck, ...] = ()


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        number=1,
        name="limit",
        promise="A request fits the limit, or there is a typed error or the policy that was "
        "chosen; none goes out without the last user message.",
        checks=(prompt_is_within_limit, last_user_message_is_sent, counts_are_as_reported),
    ),
    Invariant(
        number=2,
        name="place of the notes",
        promise="The head is verbatim and first; at most one synthetic message follows it. What is "
        "recalled stands immediately before the last user message.",
        checks=(head_is_first, one_synthetic_message, recalled_message_is_in_place),
    ),
    Invariant(
        number=3,
        name="verbatim",
        promise="Kept messages and the tail are verbatim and in order, but for tool results whose "
        "clearing a record lists; the tail is a suffix, and the input is never changed.",
        checks=(
            kept_messages_are_verbatim,
            tail_is_a_suffix,
            ending_is_sent,
            input_is_unchanged,
            pinned_messages_are_sent,
            pins_are_quoted,
            recalled_passages_are_verbatim,
        ),
    ),
    Invariant(
        number=4,
        name="pairing",
        promise="No orphan tool result, no unanswered call, no split parallel batch.",
        checks=(tool_calls_are_paired,),
    ),
    Invariant(
        number=5,
        name="coverage",
        promise="What is not sent is covered by a segment of a record of this very input, and is "
        "in the log.",
        checks=(absent_messages_are_covered, record_is_of_this_input),
    ),
    Invariant(
        number=6,
        name="the same again",
        promise="Fitting a view returns it; the same input and the same stored state make the "
        "same view, also after a restart.",
        run_checks=(repeats_are_identical,),
    ),
    Invariant(
        number=7,
        name="growth",
        promise="While no record lies between, a view begins with the one before it.",
        run_checks=(views_only_grow,),
    ),
    Invariant(
        number=8,
        name="failure",
        promise="A summary that failed changes nothing, and no turn fails because of memory.",
        checks=(summaries_are_usable,),
        run_checks=(turns_do_not_fail, failed_summaries_are_not_used),
    ),
    Invariant(
        number=9,
        name="bounded calls",
        promise="Summaries, merges and corrections are few, and nothing is summarised often.",
        run_checks=(summaries_are_few, merges_are_few, corrections_are_few, depth_is_bounded),
    ),
    Invariant(
        number=10,
        name="at once",
        promise="Two turns at once pay for one summary, lose no message and break no exchange.",
        run_checks=(
            acknowledged_messages_are_on_record,
            exchanges_are_whole,
            one_summary_is_paid,
        ),
    ),
)
"""All ten, by number."""

CHECKS: Mapping[str, Check] = {
    check.__name__: check for invariant in INVARIANTS for check in invariant.checks
}
"""All checks of one request, by name."""

RUN_CHECKS: Mapping[str, RunCheck] = {
    check.__name__: check for invariant in INVARIANTS for check in invariant.run_checks
}
"""All checks of several requests, by name."""


def violations(sending: Sending) -> dict[str, str]:
    """Return what is wrong with a request, by the name of the check; empty when all is well."""
    found = {name: check(sending) for name, check in CHECKS.items()}
    return {name: message for name, message in found.items() if message is not None}


def run_violations(run: Run) -> dict[str, str]:
    """Return what is wrong with a run, by the name of the check; empty when all is well.

    Of what is wrong with single requests the first one of each kind is told, with its number.
    """
    told: dict[str, str] = {}
    for number, sending in enumerate(run.sendings, start=1):
        for name, message in violations(sending).items():
            told.setdefault(name, f"request {number}: {message}")
    found = {name: check(run) for name, check in RUN_CHECKS.items()}
    return told | {name: message for name, message in found.items() if message is not None}
