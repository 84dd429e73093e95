"""What flows tell and ask, field by field: figures in events are what operators have."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from workbench import (
    LONG,
    MODEL,
    OFFLINE,
    SPACE,
    SUMMARY,
    RoughCounter,
    Workbench,
    answers,
    appended,
    assistant,
    chat,
    context,
    exchange,
    play,
    prompt,
    system,
    told,
    user,
    words,
)

from memory import events
from memory.breaker import FAILURES
from memory.errors import BudgetError, ConflictError, StoreError, SummaryError
from memory.flow import Context, Effect, Extract, Flow, Now, Summarize, fit, fit_or_pass
from memory.flow.draft import drafted
from memory.meter import Meter
from memory.notes import ELIDED
from memory.summary import Draft, SummaryRequest

DOWN = SummaryError("the summariser answered 500")
BLANK = replace(SUMMARY, text=" ")
REQUEST = SummaryRequest(
    form="rendered", model=MODEL, slice=(user("a"),), cap=50, source_tokens=90, deadline=60.0
)
TOLD = {"namespace": SPACE}


def draft(
    ctx: Context, *given: Any, now: float = 0.0, **others: Any
) -> tuple[tuple[Draft, float], list[Effect[Any]]]:
    """Have a text written at a time by a summariser that gives these answers."""
    flow: Flow[tuple[Draft, float]] = drafted(
        prompt(LONG), ctx, REQUEST, **{"purpose": "new", "messages": 3, **others}
    )
    return play(flow, {Summarize: given or [SUMMARY], Extract: [OFFLINE], Now: [now]})


def all_told(effects: list[Effect[Any]]) -> list[events.Event]:
    """Return every event, in order."""
    return told(effects, events.Event)


def requests(effects: list[Effect[Any]]) -> list[SummaryRequest]:
    """Return what the summariser was asked."""
    return [effect.request for effect in effects if isinstance(effect, Summarize)]


class TestDrafts:
    """Having one text written."""

    def test_a_draft_is_announced_and_accepted(self) -> None:
        """With what it is for, what it stands for, how long it may be and who wrote it."""
        _, effects = draft(context(), purpose="merge")

        assert [
            events.Summarizing(
                messages=3, tokens=90, cap=50, form="rendered", purpose="merge", **TOLD
            ),
            events.Accepted(author=MODEL, tokens=4, cap=50, **TOLD),
        ] == all_told(effects)

    def test_one_that_is_refused_is_told_by_author_and_reason(self) -> None:
        """Each of the two, and why somebody stands in."""
        other = replace(SUMMARY, author="another", finish_reason="length")
        _, effects = draft(context(), BLANK, other)
        reason = "finish_reason is 'length'"

        assert [
            events.Rejected(author=MODEL, reason="it is blank", **TOLD),
            events.Rejected(author="another", reason=reason, **TOLD),
            events.FellBack(reason=reason, **TOLD),
            events.Accepted(author="extractive", tokens=3, cap=50, **TOLD),
        ] == all_told(effects)[1:]

    def test_a_failure_is_told_by_model_and_error(self) -> None:
        """In 200 characters at most: the text of an error may be long."""
        _, effects = draft(context(), SummaryError("x" * 201))
        reason = "x" * 200

        assert [
            events.Rejected(author=MODEL, reason=reason, **TOLD),
            events.FellBack(reason=reason, **TOLD),
        ] == all_told(effects)[1:3]

    def test_what_stands_in_may_be_longer(self) -> None:
        """By what there is to spare; it reads what it is given to read."""
        whole = replace(REQUEST, slice=(user("b"),))
        _, effects = draft(context(), DOWN, spare=7, offline=whole)
        (extract,) = [effect.request for effect in effects if isinstance(effect, Extract)]

        assert replace(whole, cap=57) == extract
        assert [57] == [event.cap for event in told(effects, events.Accepted)]

    def test_without_something_else_it_reads_the_same(self) -> None:
        """And a correction that was asked for is not its business."""
        _, effects = draft(context(), BLANK, BLANK)
        (extract,) = [effect.request for effect in effects if isinstance(effect, Extract)]

        assert REQUEST == extract

    def test_where_nothing_was_written_the_messages_are_counted(self) -> None:
        """By the number that the text stands for."""
        empty = replace(OFFLINE, text=" ", tokens=77)
        flow: Flow[tuple[Draft, float]] = drafted(
            prompt(LONG), context(), REQUEST, purpose="new", messages=3
        )
        (made, tokens), _ = play(flow, {Summarize: [DOWN], Extract: [empty], Now: [0.0]})
        text = ELIDED.format(count=3)

        assert (replace(empty, text=text, tokens=None), float(len(text.split()))) == (made, tokens)

    def test_an_obstacle_is_told_and_nobody_is_asked(self) -> None:
        """Not even the time."""
        _, effects = draft(context(), obstacle="there is no room")

        assert [
            events.Rejected(author=MODEL, reason="there is no room", **TOLD),
            events.FellBack(reason="there is no room", **TOLD),
        ] == all_told(effects)[1:3]
        assert [] == [each for each in effects if isinstance(each, (Now, Summarize))]

    def test_without_a_stand_in_the_reason_is_raised(self) -> None:
        """As it was told."""
        with pytest.raises(SummaryError, match=r"^the summariser answered 500$"):
            draft(replace(context(), stands_in=False), DOWN)

    @pytest.mark.parametrize(
        ("until", "deadline"), [(math.inf, 60.0), (130.0, 30.0), (159.9, 59.9), (161.0, 60.0)]
    )
    def test_a_request_has_the_time_that_is_left(self, until: float, deadline: float) -> None:
        """No more than it would have by itself."""
        _, effects = draft(replace(context(), until=until), now=100.0)

        assert [deadline] == [pytest.approx(each.deadline) for each in requests(effects)]

    @pytest.mark.parametrize(("left", "asked"), [(0.04, 0), (0.05, 1), (0.06, 1), (-5.0, 0)])
    def test_without_time_nobody_is_asked(self, left: float, asked: int) -> None:
        """A twentieth of a second is the least."""
        _, effects = draft(replace(context(), until=left), now=0.0)
        reason = "there is no time left for it in this compaction"

        assert asked == len(requests(effects))
        assert [reason] * (not asked) == [e.reason for e in told(effects, events.FellBack)]

    def test_a_pause_is_told_with_its_length(self) -> None:
        """When it begins, and whenever somebody would be asked."""
        ctx = context()
        failed = [effect for _ in range(FAILURES) for effect in draft(ctx, DOWN)[1]]
        (pause,) = told(failed, events.SummarizerPaused)
        _, later = draft(ctx, now=pause.seconds / 2)
        wait = f"{pause.seconds / 2:.0f}"

        assert (MODEL, SPACE) == (pause.model, pause.namespace)
        assert [f"it failed before and is left alone for {wait} s more"] == [
            event.reason for event in told(later, events.FellBack)
        ]
        assert [] == requests(later)

    def test_another_key_is_not_paused(self) -> None:
        """One that fails says nothing of another one."""
        ctx = context()
        for _ in range(10):
            draft(ctx, DOWN)
        flow = drafted(prompt(LONG, asker="k2:"), ctx, REQUEST, purpose="new", messages=3)
        _, effects = play(flow, {Summarize: [SUMMARY], Now: [0.0]})

        assert 1 == len(requests(effects))

    def test_what_a_server_counted_is_believed(self) -> None:
        """As long as it can be true, and where the texts are only estimated here."""
        rough = replace(context(), meter=Meter(RoughCounter()))
        answer = replace(SUMMARY, text=words(20), tokens=30)
        (_, believed), effects = draft(rough, answer)
        (_, counted), _ = draft(context(), answer)
        (_, doubted), _ = draft(rough, replace(answer, tokens=900))

        assert (30, 20.0, 20.0) == (believed, counted, doubted)
        assert [30] == [event.tokens for event in told(effects, events.Accepted)]


class TestFits:
    """Fitting a prompt."""

    def test_a_count_is_told_with_its_thresholds(self) -> None:
        """What the view costs, of how many messages, and how much of that was measured."""
        bench = Workbench(10_000)
        bench.fit([user(words(9_000)), assistant("a"), user("b")])
        (counted,) = (each for each in bench.events if isinstance(each, events.Counted))

        assert (9_004 + 7 + 5 + 4, 3, 9_700, 10_000, SPACE) == (
            counted.tokens,
            counted.messages,
            counted.trigger,
            counted.limit,
            counted.namespace,
        )
        assert 4 / 9_020 == pytest.approx(counted.measured)

    def test_a_short_prompt_is_not_counted(self) -> None:
        """Its bytes say that it fits: nothing is told, and what it costs at most is known."""
        bench, messages = Workbench(10_000), [user("a")]
        fitted = bench.fit(messages)

        assert [] == bench.events
        assert fitted.messages is messages
        assert (False, False, None, 1) == (
            fitted.changed,
            fitted.counted,
            fitted.record,
            len(fitted.seen),
        )
        assert bench.tokens(messages) <= fitted.tokens <= bench.tokens(messages) + 50

    def test_what_is_too_large_is_told_and_raised(self) -> None:
        """How much the least is, and what takes it, to the token."""
        bench = Workbench(1_000)
        with pytest.raises(BudgetError) as caught:
            bench.fit([system(words(700)), user(words(500)), assistant("a"), user(words(400))])
        error = caught.value
        (overflowed,) = (each for each in bench.events if isinstance(each, events.Overflowed))

        assert (error.tokens, 1_000, "raise", SPACE) == (
            overflowed.tokens,
            overflowed.limit,
            overflowed.policy,
            overflowed.namespace,
        )
        assert error.tokens == sum(error.culprits.values()) + 4
        assert 176 == error.culprits["room for notes"]

    def test_an_outlook_names_what_would_go(self) -> None:
        """By place in the prompt, head included; the last question is not among it."""
        bench = Workbench(1_000)
        looked = bench.outlook(LONG)
        fitted = bench.fit(LONG)
        assert fitted.record is not None

        assert "compact" == looked.plan.action
        assert tuple(range(1, 1 + fitted.record.covered)) == looked.dropped
        assert (bench.tokens(LONG), None) == (looked.counts.total, looked.record)
        assert fitted.record == bench.outlook(LONG).record

    def test_a_view_is_told_as_changed(self) -> None:
        """With its record and its cost; a second look is the same."""
        bench = Workbench(1_000)
        one, other = bench.fit(LONG), bench.fit(LONG)

        assert (True, True, bench.tokens(one.messages)) == (one.changed, one.counted, one.tokens)
        assert (one.record, one.tokens, one.changed) == (other.record, other.tokens, other.changed)
        assert len(one.seen) == len(one.messages)
        assert one.record is not None
        assert (bench.tokens(LONG), one.tokens) == (
            one.record.tokens_before,
            one.record.tokens_after,
        )

    def test_a_compaction_is_told_in_figures(self) -> None:
        """What was planned, and what came of it."""
        bench = Workbench(1_000)
        fitted = bench.fit(LONG)
        assert fitted.record is not None
        (planned,) = (each for each in bench.events if isinstance(each, events.Planned))
        (done,) = (each for each in bench.events if isinstance(each, events.Compacted))
        gone = fitted.record.covered

        assert (bench.tokens(LONG), gone, SPACE) == (
            planned.tokens,
            planned.dropped,
            planned.namespace,
        )
        assert planned.projected < planned.tokens
        assert events.Compacted(
            messages=gone,
            tokens_before=bench.tokens(LONG),
            tokens_after=fitted.tokens,
            paid=True,
            **TOLD,
        ) == replace(done, conversation=None)

    def test_cleared_results_are_told_in_figures(self) -> None:
        """How many, and what that saves."""
        bench = Workbench(6_000, identifiers=0, target=0.5, notes=0.3)
        messages = [system("a"), user("b")]
        for number in range(20):
            messages += exchange(f"look:{number}", result=words(300, f"{number}-"))
        fitted = bench.fit(messages)
        (cleared,) = (each for each in bench.events if isinstance(each, events.ResultsCleared))
        (done,) = (each for each in bench.events if isinstance(each, events.Compacted))
        saved = bench.tokens(messages) - fitted.tokens

        assert (14, saved, SPACE) == (cleared.messages, cleared.tokens, cleared.namespace)
        assert (0, False, bench.tokens(messages), fitted.tokens) == (
            done.messages,
            done.paid,
            done.tokens_before,
            done.tokens_after,
        )

    @pytest.mark.parametrize(("size", "cleared"), [(195, 0), (196, 1)])
    def test_small_results_stay(self, size: int, cleared: int) -> None:
        """What costs less than 200 tokens, frame and id included, is not worth a line."""
        bench = Workbench(2_000, identifiers=0, clear_tool_results="only")
        messages = [system("a"), user("b"), *exchange("x", result=words(size - 4))]
        for number in range(6):
            messages += exchange(f"look:{number}", result=words(280, f"{number}-"))
        bench.fit(messages)
        found = [e.messages for e in bench.events if isinstance(e, events.ResultsCleared)]

        assert [1] * cleared == found

    def test_a_conversation_that_differs_is_told_where(self) -> None:
        """By place and key, where most of it is the same."""
        bench = Workbench(1_000)
        bench.fit(LONG)
        edited = [*LONG]
        edited[4] = {**LONG[4], "content": "Something else."}
        bench.fit(edited)
        found = [each for each in bench.events if isinstance(each, events.PrefixDiverged)]

        assert [(3, "content", SPACE)] == [(e.index, e.key, e.namespace) for e in found]

    def test_another_conversation_with_the_same_greeting_is_not_told(self) -> None:
        """Most of it is different: it is not the same one edited."""
        bench = Workbench(1_000)
        bench.fit(LONG)
        bench.fit([*LONG[:2], *chat(40, head=0, tag="other")])

        assert [] == [each for each in bench.events if isinstance(each, events.PrefixDiverged)]


class TestFailures:
    """What is told when memory itself fails."""

    def test_a_store_that_cannot_be_read_is_told_once(self) -> None:
        """By the class of the error; the prompt is made to fit without it, and not recorded."""
        failing = answers(known=[StoreError("secret")])
        fitted, effects = play(fit_or_pass(prompt(LONG), context()), failing)
        failures = told(effects, events.Failed)

        assert [events.Failed(error="StoreError", unrecorded=False, **TOLD)] == failures
        assert len(fitted.messages) < len(LONG)
        assert [] == appended(effects)
        assert [] == requests(effects)

    def test_nobody_is_asked_for_what_cannot_be_kept(self) -> None:
        """The next call would have to pay again, so the offline summariser stands in."""
        failing = answers(known=[StoreError("secret")])
        _, effects = play(fit_or_pass(prompt(LONG), context()), failing)

        assert ["the store failed, so the summary could not be kept"] == [
            event.reason for event in told(effects, events.FellBack)
        ]

    def test_a_conflict_after_another_is_kept_here(self) -> None:
        """The view holds in this process, and what could not be written is told."""
        conflict = ConflictError(expected=0, actual=1)
        ctx = context()
        fitted, effects = play(fit(prompt(LONG), ctx), answers(append=[conflict]))

        assert len(fitted.messages) < len(LONG)
        assert ["ConflictError"] == [event.error for event in told(effects, events.Failed)]
        assert [] == told(effects, events.Compacted)

    def test_a_log_that_was_deleted_is_not_written_again(self) -> None:
        """A version that went back means that somebody forgot the conversation."""
        conflict = ConflictError(expected=5, actual=0)
        fitted, effects = play(fit(prompt(LONG), context()), answers(append=[conflict]))

        assert len(fitted.messages) < len(LONG)
        assert 1 == len(appended(effects))
        assert [] == told(effects, events.Failed)
