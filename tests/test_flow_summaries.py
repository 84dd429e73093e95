"""Asking for a summary, doing without one, and a store or a caller that gives up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from workbench import (
    LONG,
    OFFLINE,
    SPACE,
    SUMMARY,
    RoughCounter,
    Workbench,
    answers,
    assistant,
    context,
    exchange,
    kinds_of,
    picture,
    play,
    prompt,
    system,
    told,
    user,
    words,
)

from memory import events
from memory.errors import BudgetError, StoreError, SummaryError
from memory.flow import Emit, fit, fit_or_pass
from memory.meter import Meter


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (SummaryError("the summariser answered 500"), "the summariser answered 500"),
        (SummaryError(""), "the summariser failed"),
        (replace(SUMMARY, tool_calls=True), "it calls a tool"),
        (replace(SUMMARY, finish_reason="length"), "finish_reason is 'length'"),
        (replace(SUMMARY, finish_reason=None), "finish_reason is None"),
        (replace(SUMMARY, text=" \n "), "it is blank"),
        (replace(SUMMARY, text=words(600)), "it has 600 tokens and may have "),
    ],
)
def test_without_a_summary_the_offline_one_stands_in(failure: Any, reason: str) -> None:
    """Whatever is wrong with it, twice, it is told, and the view is made all the same."""
    fitted, asked = play(fit(prompt(LONG), context()), answers(summarize=[failure]))
    assert fitted.record is not None
    (segment,) = fitted.record.segments
    attempts = 1 if isinstance(failure, SummaryError) else 2

    assert (OFFLINE.text, "extractive", "") == (segment.text, segment.author, segment.prompt)
    (started,) = told(asked, events.Summarizing)
    reason += str(started.cap) if reason.endswith("may have ") else ""
    assert [reason] * attempts == [event.reason for event in told(asked, events.Rejected)]
    assert [reason] == [event.reason for event in told(asked, events.FellBack)]
    assert ["extractive"] == [event.author for event in told(asked, events.Accepted)]


@pytest.mark.parametrize("claimed", [0, 1, 10])
def test_a_summary_is_not_as_short_as_a_server_says(claimed: int) -> None:
    """A count that cannot be is not believed: what is too long is refused."""
    draft = replace(SUMMARY, text=words(5_000), tokens=claimed)
    _, asked = play(fit(prompt(LONG), context()), answers(summarize=[draft]))

    assert 1 == len(told(asked, events.FellBack))


def test_a_summary_costs_what_the_server_said() -> None:
    """A plausible count is believed over an estimate, for the segment and for its message."""
    answer = replace(SUMMARY, tokens=6)
    bench = Workbench(1_000, write=lambda _request: answer, counter=RoughCounter())
    fitted = bench.fit(LONG)
    assert fitted.record is not None
    assert fitted.record.synthetic is not None
    bare = Meter(RoughCounter()).count([fitted.record.synthetic])[0]

    assert 6 == fitted.record.segments[0].tokens
    assert bare + 2 == fitted.record.cost


def test_a_failed_store_changes_nothing() -> None:
    """The view needs no record: it is sent, the failure is told, and the next call pays again."""
    failing = answers(append=[StoreError("disk full")])
    fitted, effects = play(fit(prompt(LONG), context()), failing)

    assert len(fitted.messages) < len(LONG)
    assert ["StoreError"] == [
        effect.event.error
        for effect in effects
        if isinstance(effect, Emit) and isinstance(effect.event, events.Failed)
    ]


def test_pictures_alone_can_be_dropped() -> None:
    """Where there is nothing to quote the notes say that something was there."""
    bench = Workbench(3_000, write=lambda _request: replace(SUMMARY, text=""))
    messages = [{"role": "user", "content": [picture(str(n))]} for n in range(4)] + [user("Which?")]
    fitted = bench.fit(messages)
    assert fitted.record is not None

    assert fitted.record.segments[0].text.strip()
    assert {} == bench.wrong(messages, fitted)


def test_messages_without_a_word_can_be_dropped() -> None:
    """Where there is nothing at all to quote, the notes say how many messages there were."""
    bench = Workbench(1_000, write=lambda _request: replace(SUMMARY, text=""))
    messages = [*[user(""), assistant(" ")] * 100, user("Still there?")]
    fitted = bench.fit(messages)
    assert fitted.record is not None
    (segment,) = fitted.record.segments

    assert str(fitted.record.covered) in segment.text
    assert {} == bench.wrong(messages, fitted)


def test_without_the_store_the_offline_summariser_keeps_the_budget() -> None:
    """The user's turn does not fail, nothing is paid or written; what failed is told by type."""
    table = answers(find=[StoreError("the disk with the secret word is full")])
    fitted, asked = play(fit_or_pass(prompt(LONG), context()), table)
    assert fitted.record is not None

    assert ["extractive"] == [segment.author for segment in fitted.record.segments]
    assert [events.Failed(namespace=SPACE, error="StoreError")] == told(asked, events.Failed)
    assert not {"Append", "Summarize", "Compacted"} & set(kinds_of(asked))


def test_fit_or_pass_sends_a_prompt_that_cannot_be_read() -> None:
    """Even when it is not memory that is wrong."""
    broken: Any = [user("q"), "not a message"]
    fitted, asked = play(fit_or_pass(prompt(broken), context()), answers())

    assert fitted.messages is broken
    assert 1 == len(told(asked, events.Failed))


def test_fit_or_pass_raises_what_was_asked_for() -> None:
    """A prompt that cannot fit is an error under `oversize="raise"`."""
    with pytest.raises(BudgetError):
        play(fit_or_pass(prompt([user(words(2_000))]), context()), answers())


def test_an_interrupt_is_not_swallowed() -> None:
    """Closing a flow that waits ends it, and emits nothing."""
    flow = fit_or_pass(prompt(LONG), context())
    next(flow)
    flow.close()

    with pytest.raises(StopIteration):
        next(flow)


def test_the_shared_form_repeats_what_the_server_has_cached() -> None:
    """Head, notes and messages as they were sent, what is kept among them included."""
    bench = Workbench(1_000, target=0.5, notes=0.4, identifiers=0)
    messages = [system(words(50)), user("Count all the ships.")]
    previous: Sequence[Any] = []
    while bench.asked < 3:
        messages += exchange(f"look:{len(messages)}", result=words(15, f"{len(messages)}-"))
        sent, asked = bench.fit(messages).messages, bench.asked
        if asked > 1 and len(sent) < len(previous):
            request = bench.scribe.requests[-1]
            prefix = [*request.prefix, *request.slice]
            assert prefix == list(previous[: len(prefix)])
            assert "shared" == request.form
        previous = sent


def test_another_summarizer_gets_only_what_is_dropped() -> None:
    """In the rendered form, with its own model."""
    bench = Workbench(1_000)
    bench.context = replace(bench.context, summarizer_model="kimi-k2.5")
    fitted = bench.fit(LONG)
    (request,) = bench.scribe.requests
    assert fitted.record is not None

    assert ("rendered", "kimi-k2.5") == (request.form, request.model)
    assert LONG[1 : 1 + fitted.record.covered] == list(request.slice)
    assert tuple(range(1, 1 + fitted.record.covered)) == request.numbers


def test_a_request_for_a_summary_inherits_what_it_needs() -> None:
    """Tools, cache key and deadline; the cap and what it stands for."""
    bench = Workbench(1_000)
    bench.context = replace(bench.context, deadline=7.0)
    tool = {"type": "function", "function": {"name": "f"}}
    fitted = bench.fit(LONG, tools=(tool,), cache_key="trip-1")
    (request,) = bench.scribe.requests
    assert fitted.record is not None

    assert ((tool,), "trip-1") == (request.tools, request.cache_key)
    assert 6.9 < request.deadline <= 7.0
    assert sum(bench.meter.count(LONG)[1 : fitted.record.covered + 1]) == request.source_tokens
    assert ((), (), "", "") == (
        request.numbers,
        request.previous,
        request.task,
        request.correction,
    )
