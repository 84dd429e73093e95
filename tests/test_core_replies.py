"""What follows from a reply, and what is known later: in this process, and in another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from refusals import (
    PICTURES,
    RESPONSE,
    ROOMY,
    SENT,
    WINDOW,
    deliver,
    fail,
    refused,
    sends,
    status_error,
    tokens_of,
)
from talks import NAME, Talk, calling, result
from workbench import (
    LONG,
    MODEL,
    SPACE,
    RoughCounter,
    Workbench,
    answers,
    assistant,
    chat,
    context,
    play,
    prompt,
    system,
    told,
    user,
    words,
)

from memory import events
from memory.errors import StoreError
from memory.flow import Answer, Context, Prompt, Send, Spawn, fit, send
from memory.flow.control import compact
from memory.flow.turn import answered
from memory.identity import see
from memory.meter import Meter
from memory.records import Usage
from memory.replies import Reply
from memory.windows import Windows

ASKED = [user(words(400))]
TOOL = {"type": "function", "function": {"name": "look", "description": words(50)}}


def rough(budget: int = 1_000) -> Context:
    """Return a context that only estimates, for prompts that have to be counted."""
    return replace(context(budget), meter=Meter(RoughCounter()))


def replied(prompt_tokens: int, completion: int = 31, **others: Any) -> Reply:
    """Return a finished reply of thirty tokens and what the server reported of it."""
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=completion)
    given = {"message": assistant(words(20)), "usage": usage, "finish_reason": "stop", **others}
    return Reply(**given)


def after(reply: Reply, *, ctx: Context | None = None, **others: Any) -> tuple[Context, list[Any]]:
    """Send a prompt of 404 tokens that gets this reply; return what is known and the effects."""
    ctx = ctx or rough()
    outcome = Answer(response=RESPONSE, reply=reply)
    _, effects = play(send(prompt(ASKED, **others), ctx), {**answers(), Send: [outcome]})
    return ctx, effects


class TestLearning:
    """What a report teaches."""

    @pytest.mark.parametrize("thinking", [True, False])
    def test_the_prompt_costs_what_was_reported(self, *, thinking: bool) -> None:
        """With the opening that this request had."""
        ctx, _ = after(replied(444), thinking=thinking)

        assert 444 == ctx.meter.count(ASKED, thinking=thinking).total

    def test_the_tools_are_in_it(self) -> None:
        """As they were sent; then nothing of them is a guess any more."""
        ctx, _ = after(replied(480), tools=(TOOL,))
        counts = ctx.meter.count(ASKED, tools=(TOOL,))

        assert (480, 0) == (counts.total, counts.cold_tools)

    @pytest.mark.parametrize("kept", [True, False])
    def test_thoughts_are_in_it_where_they_are_kept(self, *, kept: bool) -> None:
        """Those of turns that are over are rendered only then."""
        thinking = {**assistant(words(10)), "reasoning_content": words(40)}
        messages = [user(words(350)), thinking, user("b")]
        ctx = rough()
        outcome = Answer(response=RESPONSE, reply=replied(460))
        given = prompt(messages, keep_reasoning=kept)
        play(send(given, ctx), {**answers(), Send: [outcome]})

        assert 460 == ctx.meter.count(messages, keep_reasoning=kept).total

    @pytest.mark.parametrize(
        ("changes", "cost"),
        [
            ({}, 36),
            ({"finish_reason": "length"}, 26),
            ({"complete": False}, 26),
            ({"sole": False}, 26),
            ({"finish_reason": None}, 26),
        ],
    )
    def test_the_reply_costs_what_was_generated(self, changes: dict[str, Any], cost: int) -> None:
        """Where it is whole and the only one; else the report is of something else."""
        ctx, _ = after(replied(409, **changes))

        assert [cost] == ctx.meter.count([assistant(words(20))])

    def test_without_a_report_nothing_is_learnt(self) -> None:
        """The estimates stand."""
        ctx, _ = after(replied(409, usage=None))

        assert [404, 26] == ctx.meter.count([*ASKED, assistant(words(20))])

    def test_what_was_not_counted_is_not_learnt(self) -> None:
        """A prompt whose bytes show that it fits needs no vocabulary, afterwards neither."""
        ctx = rough(100_000)
        outcome = Answer(response=RESPONSE, reply=replied(444))
        play(send(prompt(ASKED), ctx), {**answers(known=[None]), Send: [outcome]})

        assert [404] == ctx.meter.count(ASKED)

    def test_what_was_accepted_refutes_a_guess(self) -> None:
        """A window is not smaller than a prompt that the server took."""
        ctx = rough()
        ctx.windows.learn(MODEL, 440, stated=False)
        after(replied(444), ctx=ctx)

        assert ctx.windows.of(MODEL) is None

    def test_what_another_process_was_told_comes_with_the_record(self) -> None:
        """Messages that stay, tools and head cost there what the server said here."""
        store = Workbench(1_000).store
        here = Workbench(1_000, counter=RoughCounter(), store=store)
        first = prompt(LONG, tools=(TOOL,))
        truth = round(here.meter.count(LONG, tools=(TOOL,)).total * 1.2)
        here.meter.observe(
            LONG, usage=Usage(prompt_tokens=truth, completion_tokens=1), tools=[TOOL]
        )
        mine = here.handler.run(fit(first, here.context))
        there = Workbench(1_000, counter=RoughCounter(), store=store)
        theirs = there.handler.run(fit(first, there.context))
        bare = Meter(RoughCounter()).count(mine.messages, tools=[TOOL])

        assert list(mine.messages) == list(theirs.messages)
        assert mine.tokens == theirs.tokens > bare.total
        known, _ = there.meter.residuals(see(mine.messages), [TOOL])
        assert known[0] is not None
        assert None not in known[2:]
        assert 0 == there.meter.count(mine.messages, tools=[TOOL]).cold_tools

    def test_under_another_head_only_the_messages_are_known(self) -> None:
        """What was told of a head is said of that one."""
        store = Workbench(1_000).store
        here = Workbench(1_000, counter=RoughCounter(), store=store)
        truth = round(here.meter.count(LONG).total * 1.2)
        here.meter.observe(LONG, usage=Usage(prompt_tokens=truth, completion_tokens=1))
        here.fit(LONG)
        there = Workbench(1_000, counter=RoughCounter(), store=store)
        other = system(words(50, "other"))
        fitted = there.fit([other, *LONG[1:]])
        known, _ = there.meter.residuals(see(fitted.messages), None)

        assert fitted.record is not None
        assert other == fitted.messages[0]
        assert [None] == known[:1]
        assert None not in known[2:]


class TestRecording:
    """What of a turn is put on record, and what is told where that fails."""

    def given(self, talk: Talk, **others: Any) -> Prompt:
        """Return a prompt in a conversation."""
        mine: dict[str, Any] = {"log": talk.key, "conversation": NAME, "namespace": SPACE}
        return prompt([user("a")], **mine, **others)

    def test_a_turn_that_cannot_be_recorded_is_told(self) -> None:
        """By the class of the error, and that it is not on record; the caller has the reply."""
        talk = Talk()
        joined = talk.join(user("a"))
        failing = answers(append=[StoreError("secret")])
        flow = answered(joined, context(), fit_of(joined), Reply(message=assistant("b")))
        _, effects = play(flow, failing)

        assert [("StoreError", True)] == [
            (each.error, each.unrecorded) for each in told(effects, events.Failed)
        ]

    def test_without_a_conversation_nothing_is_missing(self) -> None:
        """A failure then says that nothing was lost."""
        ctx = replace(context(), ahead=0.5)
        loud = replace(ctx, windows=Refusing())
        _, effects = after(replied(409), ctx=loud)

        assert [("RuntimeError", False)] == [
            (each.error, each.unrecorded) for each in told(effects, events.Failed)
        ]

    def test_a_summary_ahead_is_of_this_prompt(self) -> None:
        """What is spawned compacts the conversation that was answered."""
        bench = Workbench(1_000)
        ctx = replace(bench.context, ahead=0.75)
        long = chat(17)
        outcome = Answer(response=RESPONSE, reply=replied(800, message=assistant("a")))
        _, effects = play(send(prompt(long), ctx), {**answers(), Send: [outcome]})
        (spawned,) = (each for each in effects if isinstance(each, Spawn))
        bench.handler.run(spawned.flow)

        assert 1 == len(bench.compactions(long))

    def test_what_the_store_refused_is_written_when_it_can(self) -> None:
        """The next prompt puts it on record with its originals, and pays nothing."""
        bench, ctx = Workbench(1_000), context()
        play(fit(prompt(LONG), ctx), answers(append=[StoreError("full")]))
        bench.handler.run(fit(prompt(LONG), ctx))
        (record,) = bench.compactions(LONG)

        assert 0 == bench.asked
        assert record.covered == len(bench.log(LONG)) - 1
        bench.handler.run(fit(prompt(LONG), ctx))
        assert [record] == bench.compactions(LONG)

    def test_what_leaves_no_trace_does_not_mend_the_record_either(self) -> None:
        """A prompt that is not to be recorded writes nothing at all."""
        bench, ctx = Workbench(1_000), context()
        play(fit(prompt(LONG), ctx), answers(append=[StoreError("full")]))
        bench.handler.run(fit(prompt(LONG, record=False), ctx))

        assert () == bench.log(LONG)


class Refusing(Windows):
    """Windows that fail whenever they are asked to learn."""

    def accepted(self, model: str, tokens: int) -> None:
        """Fail."""
        raise RuntimeError(model, tokens)


def fit_of(given: Prompt) -> Any:
    """Return the outcome of fitting a prompt that fits."""
    return play(fit(given, context()), answers())[0]


class TestJoining:
    """Where a turn goes on."""

    def test_results_and_a_question_are_no_strangers(self) -> None:
        """They answer what is open, though nothing of what is on record is repeated."""
        talk = Talk()
        talk.turn(user("a"), reply=calling("x"))
        talk.join(result("x"), user("b"))

        assert [] == [each for each in talk.bench.events if isinstance(each, events.Unaligned)]

    def test_a_reminder_amid_what_is_sent_again_is_no_head(self) -> None:
        """As far as more of the rest is known that way."""
        talk = Talk()
        talk.turn(system("Be kind."), user("a"), reply="b")
        talk.turn(system("Be kind."), user("c"), system("Mind the time."), user("d"), reply="e")
        joined = talk.join(system("Mind the time."), user("d"), assistant("e"), user("f"))

        assert [*[system("Be kind.")], *talk.messages, user("f")] == list(joined.messages)

    def test_a_conversation_that_was_compacted_by_hand_is_sent_so(self) -> None:
        """Although all of it would fit."""
        talk = Talk(bench=Workbench(100_000))
        for turn in range(6):
            talk.add(user(words(20, f"q{turn}-")), assistant(words(20, f"a{turn}-")))
        made = talk.run(compact(talk.join(), talk.bench.context, upto=6, summary="Words."))
        fitted = talk.run(fit(talk.join(user("b")), talk.bench.context))

        assert made is not None
        assert [made.synthetic, *talk.messages[6:], user("b")] == list(fitted.messages)


class TestRefusals:
    """What is sent in place of what was refused."""

    def test_a_remedy_is_told(self) -> None:
        """What is different, and what it costs."""
        given = context(budget=ROOMY)
        _, effects = deliver(LONG, refused(5_000, limit=1_500), SENT, given=given)
        (resent,) = told(effects, events.Resent)
        last = sends(effects)[-1]

        assert ("compaction", last.fitted.tokens, SPACE) == (
            resent.change,
            resent.tokens,
            resent.namespace,
        )
        assert (True, None) == (last.fitted.changed, last.completion)
        assert tokens_of(last.fitted.messages, given) == last.fitted.tokens

    def test_less_room_for_the_reply_is_told(self) -> None:
        """The prompt is the same then."""
        given = context(budget=ROOMY)
        counted = tokens_of(LONG, given)
        _, effects = deliver(LONG, refused(counted + 3_000), SENT, given=given, completion=3_000)
        (resent,) = told(effects, events.Resent)
        last = sends(effects)[-1]

        assert ("completion", counted) == (resent.change, resent.tokens)
        assert WINDOW - counted - 120 == last.completion
        assert list(LONG) == list(last.fitted.messages)

    def test_pictures_that_go_are_told(self) -> None:
        """With what the rest costs."""
        given = context(budget=ROOMY)
        error = status_error("Request Entity Too Large", 413)
        _, effects = deliver(PICTURES, error, SENT, given=given)
        (resent,) = told(effects, events.Resent)
        last = sends(effects)[-1]

        assert ("media", tokens_of(last.fitted.messages, given)) == (resent.change, resent.tokens)
        assert last.fitted.messages[-1] == PICTURES[-1]
        assert PICTURES[3] not in last.fitted.messages

    def test_without_pictures_there_is_no_remedy_and_no_failure(self) -> None:
        """The refusal is the caller's; memory has nothing to confess."""
        error = status_error("Request Entity Too Large", 413)
        raised, effects = fail(LONG, error, given=context(budget=ROOMY))

        assert raised is error
        assert [] == told(effects, events.Failed)

    def test_a_window_is_learnt_of_what_was_asked(self) -> None:
        """Prompt and reply together did not fit, if the server names no number."""
        given = context(budget=ROOMY)
        counted = tokens_of(LONG, given)
        error = refused(0, wording="Input token length too long")
        _, effects = deliver(LONG, error, SENT, given=given, completion=500)
        (learned, *_) = told(effects, events.WindowLearned)

        assert (MODEL, counted + 500, False, SPACE) == (
            learned.model,
            learned.window,
            learned.stated,
            learned.namespace,
        )
