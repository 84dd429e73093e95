"""Writing a summary before it is needed: when, for which budget, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from workbench import (
    LONG,
    SPACE,
    SUMMARY,
    Workbench,
    answers,
    appended,
    assistant,
    chat,
    context,
    kinds_of,
    play,
    prompt,
    told,
    user,
    words,
)

from memory import events
from memory.errors import StoreError, SummaryError
from memory.flow import Claim, Context, Fitted, Prompt
from memory.flow.ahead import is_due, summarize_ahead
from memory.records import Usage
from memory.replies import Reply

AHEAD = 0.75
HALFWAY = chat(17)
"""762 words and more in 36 messages: over three quarters of 1,000, and within it."""


def reply(tokens: int = 0, *, reasoning: int = 0, complete: bool = True) -> Reply:
    """Return a reply of so many tokens, thoughts included."""
    usage = Usage(prompt_tokens=1, completion_tokens=tokens, reasoning_tokens=reasoning)
    return Reply(message=assistant("a"), usage=usage, complete=complete)


def early(budget: int = 1_000, *, share: float | None = AHEAD, **policy: Any) -> Context:
    """Return a context that summarises ahead."""
    return replace(context(budget, **policy), ahead=share)


def due(tokens: int, answer: Reply, *, given: Context | None = None, **others: Any) -> bool:
    """Tell whether a summary is due after a prompt of so many tokens."""
    fitted = Fitted(messages=(), tokens=tokens)
    return is_due(prompt([user("a")], **others), given or early(), fitted, answer)


class TestWhen:
    """Whether one is due."""

    @pytest.mark.parametrize(
        ("tokens", "written", "expected"), [(750, 0, False), (751, 0, True), (700, 50, False)]
    )
    def test_past_the_mark_it_is(self, tokens: int, written: int, *, expected: bool) -> None:
        """The mark is a share of the limit; prompt and reply count together."""
        assert expected == due(tokens, reply(written))

    def test_the_reply_counts(self) -> None:
        """Since the next prompt holds it; its thoughts are not in there."""
        assert due(700, reply(51))
        assert not due(700, reply(151, reasoning=101))
        assert not due(750, Reply(message=assistant("a")))

    def test_only_after_a_whole_reply_that_is_recorded(self) -> None:
        """What broke off may be asked again, and what leaves no trace needs no room."""
        assert not due(900, reply(complete=False))
        assert not due(900, reply(), record=False)
        assert not due(900, reply(), given=early(share=None))


class TestWhat:
    """What is done about it."""

    def run(
        self, given: Prompt, ctx: Context, answer: Reply | None = None, **answered: Any
    ) -> list[Any]:
        """Run the flow; return what it asked for."""
        table = {**answers(**answered), Claim: answered.get("claim", [True])}
        return play(summarize_ahead(given, ctx, answer or reply()), table)[1]

    def test_a_compaction_is_put_on_record(self) -> None:
        """For the prompt as it is, below three quarters of the limit, and told as paid."""
        effects = self.run(prompt(HALFWAY), early())
        (compacted,) = told(effects, events.Compacted)
        (wrote,) = appended(effects)

        assert 762 < compacted.tokens_before < 970
        assert compacted.tokens_after < 450 + 200
        assert (True, SPACE) == (compacted.paid, compacted.namespace)
        assert wrote.records[-1].tokens_after == compacted.tokens_after  # type: ignore[union-attr]
        assert "Release" == kinds_of(effects)[-1]

    @pytest.mark.parametrize("share", [0.6, 0.75, 0.95])
    def test_it_is_as_deep_as_the_one_it_stands_in_for(self, share: float) -> None:
        """The target is that of the whole budget, in tokens, wherever the mark is."""
        long = chat(200)
        bench = Workbench(10_000)
        ahead = replace(bench.context, ahead=share)
        bench.handler.run(summarize_ahead(prompt(long), ahead, reply()))
        (planned,) = (each for each in bench.events if isinstance(each, events.Planned))

        assert 4_500 - 48 < planned.projected <= 4_500

    def test_below_the_mark_nothing_happens(self) -> None:
        """The claim is given back, and nothing else was touched."""
        effects = self.run(prompt(chat(3)), early())

        assert [] == appended(effects)
        assert ["Claim", "Release"] == [kinds_of(effects)[0], kinds_of(effects)[-1]]
        assert "Summarize" not in kinds_of(effects)

    def test_the_reply_lowers_the_mark(self) -> None:
        """It will be in the next prompt, which is not there yet."""
        below = chat(13)
        assert [] == appended(self.run(prompt(below), early()))
        assert 1 == len(appended(self.run(prompt(below), early(), reply(200))))
        assert [] == appended(self.run(prompt(below), early(), reply(200, reasoning=200)))

    def test_a_reply_larger_than_the_mark_is_no_obstacle(self) -> None:
        """There is no room at all then, and nothing is summarised for nothing."""
        effects = self.run(prompt(chat(2)), early(), reply(5_000))

        assert [] == told(effects, events.Failed)
        assert "Release" == kinds_of(effects)[-1]

    def test_whoever_is_at_it_already_is_left_alone(self) -> None:
        """Nobody is waited for, and nothing is given back that was not had."""
        effects = self.run(prompt(HALFWAY), early(), claim=[False])
        (claim,) = effects

        assert isinstance(claim, Claim)
        assert 0.0 == claim.patience
        assert prompt(HALFWAY).thread().links == claim.links

    def test_nobody_stands_in(self) -> None:
        """A summary that cannot be had is not needed yet: the view stays as it is."""
        effects = self.run(prompt(HALFWAY), early(), summarize=[SummaryError("down")])

        assert ["down"] == [event.reason for event in told(effects, events.Rejected)]
        assert ([], [], []) == (
            appended(effects),
            told(effects, events.FellBack),
            told(effects, events.Failed),
        )
        assert "Release" == kinds_of(effects)[-1]

    def test_what_else_goes_wrong_is_told(self) -> None:
        """By its class; nobody waits for this, so nobody can be raised at."""
        effects = self.run(prompt(HALFWAY), early(), find=[StoreError("secret")])

        assert [events.Failed(namespace=SPACE, error="StoreError")] == told(effects, events.Failed)
        assert "Release" == kinds_of(effects)[-1]

    def test_all_requests_share_one_deadline(self) -> None:
        """A second attempt has the time that the first one left."""
        blank = replace(SUMMARY, text="")
        effects = self.run(
            prompt(HALFWAY), early(), summarize=[blank, SUMMARY], now=[100.0, 100.0, 110.0, 130.0]
        )
        deadlines = [e.request.deadline for e in effects if "Summarize" == type(e).__name__]

        assert 2 == len(deadlines)
        assert deadlines[1] < deadlines[0] <= 60.0

    def test_what_may_not_go_is_left_to_the_turn(self) -> None:
        """Only a turn can raise what has to be raised."""
        effects = self.run(prompt([user(words(900)), assistant("a"), user(words(20))]), early(200))

        assert [] == told(effects, events.Overflowed)


def test_what_was_written_ahead_is_adopted() -> None:
    """The next prompt of the conversation begins with it and pays nothing."""
    bench = Workbench(1_000)
    ahead = replace(bench.context, ahead=AHEAD)
    bench.handler.run(summarize_ahead(prompt(HALFWAY), ahead, reply()))
    asked = bench.asked
    later = [*HALFWAY, assistant(words(20)), user(words(20, "more"))]
    fitted = bench.fit(later)

    assert (1, 1) == (asked, bench.asked)
    assert fitted.record is not None
    assert bench.compactions(HALFWAY)[-1].segments == fitted.record.segments
    assert len(LONG) > len(later) > len(fitted.messages)
