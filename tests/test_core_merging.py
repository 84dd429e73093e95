"""Two segments put together word for word, and waiting for what others have to answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from talks import NAME, Talk, calling, result
from workbench import (
    MODEL,
    SPACE,
    SUMMARY,
    Wire,
    assistant,
    chat,
    context,
    play,
    prompt,
    user,
    words,
)

from memory.drive import run
from memory.errors import ConversationBusy
from memory.fences import quoted
from memory.flow import Context, Enter, Load, Log, LogKey, Now, Prompt, Summarize
from memory.flow.conversation import commit, join
from memory.flow.effects import Await, Effect
from memory.flow.merge import merged
from memory.flow.quotes import capped
from memory.flow.state import State
from memory.flow.store_effects import Append
from memory.policy import SEGMENT_FRAME, Plan
from memory.records import Segment, Standing, Turn
from memory.replies import Reply
from memory.view import View

GIVEN: list[Wire] = chat(50, head=10)
KEY = LogKey(namespace=SPACE, name="trip")
SAID = [user("a"), calling("x"), result("x"), assistant("b")]
OPEN = Log(records=(Turn(start=0, messages=(user("a"), calling("x"))),), version=1)
CLOSED = Log(
    records=(*OPEN.records, Turn(start=2, messages=(result("x"), assistant("b")))), version=2
)


def segment(first: int, last: int, **others: Any) -> Segment:
    """Return a segment of ten tokens; what is not given does not matter."""
    given = {"text": words(10, f"s{first}-"), "tokens": 10, "author": MODEL, **others}
    return Segment(first=first, last=last, **given)


def joined(*two: Segment, ctx: Context | None = None) -> tuple[Segment, list[Effect[Any]]]:
    """Merge segments for which there is room but for one frame; return what they became."""
    given, ctx = prompt(GIVEN), ctx or context(10_000)
    todo = Plan(
        action="compact",
        reason="over the trigger",
        tokens=0,
        projected=0,
        limit=10_000,
        share=sum(each.tokens + SEGMENT_FRAME for each in two) - 1,
    )
    state = State.of(given, ctx, View(given.thread()))
    (one,), asked = play(merged(given, ctx, state, todo, two), {})
    return one, asked


class TestWordForWord:
    """Segments that the caller wrote are never written anew."""

    def test_both_texts_stand_there(self) -> None:
        """One line after the other, with all that both stood for; nobody is asked."""
        older = segment(1, 10, own=True, dates=("1 May", ""), prompt="old", depth=2)
        newer = segment(12, 20, dates=("", "3 May"), prompt="new", level=1)
        one, asked = joined(older, newer)
        expected = Segment(
            text=f"{older.text}\n{newer.text}",
            first=1,
            last=20,
            gaps=((11, 11),),
            tokens=20,
            author=MODEL,
            level=2,
            depth=2,
            prompt="new",
            own=True,
            dates=("1 May", "3 May"),
        )

        assert (expected, []) == (one, asked)

    @pytest.mark.parametrize(
        ("older", "newer", "author"),
        [("caller", "caller", "caller"), ("caller", MODEL, f"caller and {MODEL}")],
    )
    def test_who_wrote_it_is_said_once(self, older: str, newer: str, author: str) -> None:
        """Both are named where there are two."""
        one, _ = joined(
            segment(1, 10, own=True, author=older), segment(11, 20, own=True, author=newer)
        )

        assert author == one.author


def test_two_of_three_may_have_what_the_third_leaves() -> None:
    """Up to what they have, less one frame."""
    given, ctx = prompt(GIVEN), context(10_000)
    three = [segment(1, 10, tokens=100), segment(11, 20, tokens=100), segment(21, 30, tokens=100)]
    todo = Plan(action="compact", reason="", tokens=0, projected=0, limit=10_000, share=300)
    state = State.of(given, ctx, View(given.thread()))
    flow = merged(
        given, ctx, state, todo, [replace(each, level=1) for each in three[:1]] + three[1:]
    )
    _, asked = play(flow, {Summarize: [SUMMARY], Now: [0.0]})
    (request, *_) = (each.request for each in asked if isinstance(each, Summarize))

    assert 300 - (100 + SEGMENT_FRAME) - SEGMENT_FRAME == request.cap
    assert tuple(range(11, 31)) == request.numbers


class TestWaiting:
    """A conversation amid somebody else's exchange."""

    def asking(self, **others: Any) -> Prompt:
        """Return a prompt of the conversation."""
        return prompt([user("c")], log=KEY, conversation=NAME, **others)

    def test_a_turn_goes_on_when_the_exchange_is_closed(self) -> None:
        """With what was said meanwhile."""
        flow = join(self.asking(), patience=9.0)
        made, effects = play(flow, {Load: [OPEN, CLOSED], Await: [5.0]})
        (waited,) = (each for each in effects if isinstance(each, Await))
        entered = [each.patience for each in effects if isinstance(each, Enter)]

        assert [*SAID, user("c")] == list(made.messages)
        assert (KEY, 1, 9.0) == (waited.key, waited.version, waited.patience)
        assert [9.0, 5.0] == entered

    def test_when_the_time_is_up_it_is_refused(self) -> None:
        """The refusal names the calls."""
        with pytest.raises(ConversationBusy) as caught:
            play(join(self.asking(), patience=9.0), {Load: [OPEN], Await: [3.0, 0.0]})

        assert ("x",) == caught.value.missing

    def test_what_leaves_no_trace_waits_for_nobody(self) -> None:
        """It enters nothing either."""
        asked: list[Effect[Any]] = []

        def answer(effect: Effect[Any]) -> Any:
            asked.append(effect)
            return OPEN

        with pytest.raises(ConversationBusy):
            run(join(self.asking(record=False), patience=9.0), answer)
        assert [Load] == [type(each) for each in asked]

    def test_a_reply_with_calls_waits_for_room(self) -> None:
        """Amid another exchange its own calls could not be answered."""
        given = play(join(self.asking()), {Load: [CLOSED]})[0]
        others = Turn(start=4, messages=(user("d"), calling("y")))
        amid = Log(records=(*CLOSED.records, others), version=3)
        after = Log(
            records=(*amid.records, Turn(start=6, messages=(result("y"), assistant("e")))),
            version=4,
        )
        flow = commit(given, Reply(message=calling("z")), patience=9.0)
        _, effects = play(flow, {Load: [amid, after], Await: [5.0], Append: [5]})
        (waited,) = (each for each in effects if isinstance(each, Await))
        (wrote,) = (each for each in effects if isinstance(each, Append))

        assert (KEY, 3, 9.0) == (waited.key, waited.version, waited.patience)
        assert (Turn(start=8, messages=(user("c"), calling("z")), replied=True),) == wrote.records


def test_what_others_have_answered_is_answered_once() -> None:
    """The other results of the turn are still waited for."""
    talk = Talk()
    talk.turn(user("a"), reply=calling("x", "y"))
    made = talk.join(result("x"), result("y"))
    talk.add(result("x"))
    talk.commit(made, "Done.")

    expected = [user("a"), calling("x", "y"), result("x"), result("y"), assistant("Done.")]
    assert expected == talk.messages


def test_the_same_sentence_costs_once() -> None:
    """Whoever said it again: there is room for both where there is room for one."""
    said = [Standing("Always in French.", "user"), Standing("Always in French.", "system")]
    cost = context().meter.text(quoted("Always in French.")) + 1

    assert tuple(said) == capped(context(), said, cost)
    assert () == capped(context(), said, cost - 1)


def test_what_only_begins_alike_is_new() -> None:
    """Where the second message is another one, the first says nothing."""
    talk = Talk()
    talk.turn(user("a"), reply="b")
    made = talk.join(user("a"), assistant("other"), user("c"))

    assert made.joined is not None
    assert 3 == len(made.joined.new)
