"""Counting at its edges: what is believed, what is remembered, and how much of a count is known."""

from __future__ import annotations

import json
from math import ceil
from typing import Any

import pytest
from metering import MEDIA, OTHER, PHOTO, THOUGHTFUL, TOOL, meter
from workbench import (
    ByteCounter,
    RoughCounter,
    WordCounter,
    assistant,
    exchange,
    user,
    words,
)

from memory.identity import see
from memory.meter import EOS, FRAME, REPLY, THOUGHT, TOOLS, TOOLS_SHARE, believed
from memory.records import Usage


class Attentive(WordCounter):
    """Counts words and remembers every text that it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def count(self, text: str) -> float:
        """Return the number of words."""
        self.asked.append(text)
        return super().count(text)


def usage(prompt: int, completion: int = 1, *, reasoning: int = 0) -> Usage:
    """Return what a server would report."""
    return Usage(prompt_tokens=prompt, completion_tokens=completion, reasoning_tokens=reasoning)


class TestBelief:
    """Which reports are taken for true."""

    @pytest.mark.parametrize(
        ("reported", "taken"),
        [(40, 40), (39, 100), (250, 250), (251, 100), (100, 100), (0, 100)],
    )
    def test_between_two_fifths_and_two_and_a_half_times(self, reported: int, taken: int) -> None:
        """The bounds themselves are believed."""
        assert taken == believed(reported, 100)

    @pytest.mark.parametrize(
        ("tokens", "believable"), [(37, False), (38, True), (264, True), (265, False)]
    )
    def test_a_message_may_cost_so_much(self, tokens: int, *, believable: bool) -> None:
        """As a text may, and a frame more or less: 104 tokens are 37.6 to 264."""
        exact, message = meter(), user(words(100))
        exact.learn(message, tokens)

        assert [tokens if believable else 104] == exact.count([message])

    @pytest.mark.parametrize(("tokens", "believable"), [(3, False), (4, True), (16, True)])
    def test_a_short_message_costs_its_frame_at_least(
        self, tokens: int, *, believable: bool
    ) -> None:
        """However little was estimated, nothing costs less than what stands around it."""
        exact, message = meter(), user("hi")
        exact.learn(message, tokens)

        assert [tokens if believable else 5] == exact.count([message])

    @pytest.mark.parametrize(
        ("tokens", "believable"), [(3, False), (4, True), (32_068, True), (32_069, False)]
    )
    def test_a_picture_may_cost_next_to_nothing_or_very_much(
        self, tokens: int, *, believable: bool
    ) -> None:
        """Up to sixteen times what it was taken for, and a frame."""
        exact = meter()
        exact.learn(PHOTO, tokens)

        assert [tokens if believable else MEDIA + FRAME] == exact.count([PHOTO])

    @pytest.mark.parametrize(("factor", "bent"), [(0.41, 0.5), (2.4, 2.0)])
    def test_an_estimator_is_bent_so_far_and_no_further(self, factor: float, bent: float) -> None:
        """From half to twice, whatever the texts that were measured say."""
        rough = meter(RoughCounter())
        seen = [user(words(100_000, f"{n}-")) for n in range(3)]
        for message in seen:
            rough.learn(message, 100_000 * factor)
        unseen = user(words(1_000))

        assert ceil(bent * (1_000 + FRAME)) == rough.count([*seen, unseen])[3]

    def test_few_words_bend_it_little(self) -> None:
        """As if 200 tokens had been right before."""
        rough = meter(RoughCounter())
        seen = user(words(196))
        rough.learn(seen, 300)
        unseen = user(words(996))

        assert [300, 1_250] == rough.count([seen, unseen])

    def test_an_exact_counter_is_not_bent(self) -> None:
        """One text that cost more says nothing about others."""
        exact = meter()
        seen = user(words(1_000))
        exact.learn(seen, 2_000)

        assert [2_000, 104] == exact.count([seen, user(words(100, "x"))])


class TestMemory:
    """What is known from before, and from other processes."""

    def test_a_text_is_counted_once(self) -> None:
        """Counting is what costs."""
        counter = Attentive()
        attentive = meter(counter)
        for _ in range(3):
            assert 2 == attentive.text("a b")
            attentive.count([user("c d")], tools=[TOOL])

        assert ["a b", "c d"] == [text for text in counter.asked if text in {"a b", "c d"}]
        assert 3 == len(counter.asked)

    def test_a_suggestion_holds_until_the_server_tells(self) -> None:
        """It is taken like a report, and never in place of one."""
        exact, message = meter(), user(words(100))
        exact.suggest(message, 150)
        assert [150] == exact.count([message])

        exact.suggest(message, 120)
        assert [150] == exact.count([message])

    def test_what_another_process_measured_is_taken_over(self) -> None:
        """Message by message, where this one has not measured for itself."""
        mine, theirs = meter(), meter()
        one, other, tools = user(words(100)), user(words(50)), [TOOL]
        theirs.learn(one, 150)
        theirs.learn(other, 60)
        mine.learn(one, 130)
        costs, declared = theirs.residuals(see([one, other]), tools)
        assert ([150 - 104, 60 - 54], None) == (costs, declared)

        mine.restore(see([one, other]), [cost or 0.0 for cost in costs])
        assert [130, 60] == mine.count([one, other])

    def test_what_another_process_measured_of_tools_is_taken_over(self) -> None:
        """Once; what was measured here counts more."""
        mine = meter()
        guessed = mine.count([], tools=[TOOL]).tools
        mine.restore_tools([TOOL], 7.0)
        mine.restore_tools([TOOL], 9.0)
        counts = mine.count([], tools=[TOOL])

        assert (guessed + 7, 0) == (counts.tools, counts.cold_tools)
        assert ([], 7.0) == mine.residuals([], [TOOL])
        assert guessed == mine.count([], tools=[OTHER]).tools

    def test_what_is_seen_again_is_not_new(self) -> None:
        """Of each mark the first time counts."""
        fresh = meter()

        assert [True, False, True, False] == [fresh.is_first(m) for m in (b"a", b"a", b"b", b"a")]

    def test_other_keys_are_other_declarations(self) -> None:
        """Also where JSON would say the same, and where there is no JSON for them at all."""
        odd = object()
        lists: list[list[Any]] = [[TOOL], [OTHER], [{"a": (1,)}], [{"a": {1}}], [{"a": odd}]]
        for tools in lists:
            exact = meter()
            truth = exact.count([user("a")], tools=tools).total + 3
            exact.observe([user("a")], usage=usage(truth), tools=tools)

            assert truth == exact.count([user("a")], tools=tools).total

    def test_equal_declarations_are_the_same(self) -> None:
        """However many objects they are made of."""
        exact, parameters = meter(), {"type": "object"}
        shared = [{"name": "a", "parameters": parameters}, {"name": "b", "parameters": parameters}]
        exact.observe([user("a")], usage=usage(30), tools=shared)
        apart = json.loads(json.dumps(shared))

        assert 0 == exact.count([user("a")], tools=shared).cold_tools
        assert 0 == exact.count([user("a")], tools=apart).cold_tools

    def test_odd_declarations_are_told_apart(self) -> None:
        """Also those that only JSON can be made of, with half a character in them."""
        exact = meter()
        one, other = ([{"a": f"{tag}\ud800", "b": frozenset, "c": words(9)}] for tag in "xy")
        exact.observe([user("a")], usage=usage(30), tools=one)

        assert 0 == exact.count([user("a")], tools=one).cold_tools
        assert 0 < exact.count([user("a")], tools=other).cold_tools

    def test_declarations_count_as_compact_json(self) -> None:
        """In their own script, without spaces; what has no JSON as the text that it has."""
        exact = meter(ByteCounter())
        tools: list[Any] = [{"a": "李", "b": {1}}]
        size = len('[{"a":"李","b":"{1}"}]'.encode())

        assert ceil(TOOLS + TOOLS_SHARE * size) == exact.count([], tools=tools).tools


class TestShares:
    """How much of a count the server has told."""

    def test_nothing_is_measured_at_first_but_the_frame(self) -> None:
        """The opening of the reply is certain; messages and tools are not."""
        counts = meter().count([user(words(100))], tools=[TOOL])
        whole = 104 + TOOLS + TOOLS_SHARE * 50 + REPLY + 1

        assert (REPLY + 1) / whole == pytest.approx(counts.measured)
        assert ceil(TOOLS + TOOLS_SHARE * 50) == counts.cold_tools

    def test_what_was_reported_is_measured(self) -> None:
        """Message by message, tools among it."""
        exact, first, later = meter(), user(words(100)), user(words(40))
        truth = exact.count([first], tools=[TOOL]).total
        exact.observe([first], usage=usage(truth), tools=[TOOL])
        counts = exact.count([first, later], tools=[TOOL])

        assert (counts.total - 44) / counts.total == pytest.approx(counts.measured, abs=0.01)
        assert 0 == counts.cold_tools

    def test_totals_are_rounded_up_once(self) -> None:
        """Each message is a whole number of tokens, and the whole is not the sum of roundings."""
        rough = meter(RoughCounter())
        messages = [user(words(20, f"{n}-")) for n in range(10)]
        rough.observe(messages, usage=usage(rough.count(messages).total + 5))
        counts = rough.count(messages)

        assert [25] * 10 == counts
        assert 24 * 10 + 5 + REPLY + 1 == counts.total


class TestReports:
    """What a report says, and of what."""

    @pytest.mark.parametrize(("thinking", "opening"), [(True, REPLY + 1), (False, REPLY + THOUGHT)])
    def test_the_opening_of_the_reply_is_not_a_message(
        self, opening: int, *, thinking: bool
    ) -> None:
        """What it costs is known, with thinking and without."""
        rough = meter(RoughCounter())
        messages = [user(words(100))]
        rough.observe(messages, usage=usage(120 + opening), thinking=thinking)

        assert [120] == rough.count(messages)
        assert 120 + opening == rough.count(messages, thinking=thinking).total

    @pytest.mark.parametrize("kept", [True, False])
    def test_thoughts_that_are_not_rendered_are_not_reported(self, *, kept: bool) -> None:
        """A thought of an earlier turn is in the report only where all thoughts are kept."""
        rough = meter(RoughCounter())
        messages = [user(words(50)), THOUGHTFUL, *exchange("x")[1:], assistant("Yes."), user("b")]
        whole = rough.count(messages, keep_reasoning=kept).total
        rough.observe(messages, usage=usage(whole + 10), keep_reasoning=kept)

        assert whole + 10 == rough.count(messages, keep_reasoning=kept).total
        other = rough.count(messages, keep_reasoning=not kept).total
        assert whole + 10 + (-30 if kept else 30) == other

    def test_a_difference_goes_by_size(self) -> None:
        """A message three times as large takes three times as much of it; tools take part."""
        rough = meter(RoughCounter())
        small, large = user(words(96)), user(words(296))
        rough.observe([small, large], usage=usage(400 + 40 + REPLY + 1))

        assert [110, 330] == rough.count([small, large])

    def test_an_estimator_blames_tools_by_their_size_too(self) -> None:
        """They are as uncertain as any text."""
        rough = meter(RoughCounter())
        guessed = TOOLS + TOOLS_SHARE * 50
        message = user(words(88))
        rough.observe([message], usage=usage(92 + 46 + 69 + REPLY + 1), tools=[TOOL])

        assert 46 == guessed
        assert [138] == rough.count([message], tools=[TOOL])
        assert 69 == rough.count([message], tools=[TOOL]).tools

    def test_an_exact_counter_blames_tools_alone(self) -> None:
        """Without media there is nothing else that it could have been wrong by."""
        exact = meter()
        message = user(words(88))
        exact.observe([message], usage=usage(92 + 46 + 20 + REPLY + 1), tools=[TOOL])
        counts = exact.count([message], tools=[TOOL])

        assert (66, 92 + 66 + REPLY + 1) == (counts.tools, counts.total)

    @pytest.mark.parametrize(("completion", "cost"), [(EOS, 8), (EOS + 1, 7), (EOS + 2, 8)])
    def test_an_empty_reply_teaches_nothing(self, completion: int, cost: int) -> None:
        """The end of the turn alone is no text; one token more is."""
        exact = meter()
        reply = assistant("Yes, indeed.")
        exact.observe([user("q")], usage=usage(9, completion), reply=reply)

        assert [cost] == exact.count([reply])

    def test_tools_cannot_cost_anything(self) -> None:
        """Declarations are text: what would be five times their estimate is not believed."""
        exact = meter()
        exact.observe([user("a")], usage=usage(5 + 5 * 46 + REPLY + 1), tools=[TOOL])
        counts = exact.count([user("a")], tools=[TOOL])

        assert (46, 46) == (counts.tools, counts.cold_tools)

    def test_thoughts_are_taken_to_be_dropped(self) -> None:
        """Where nobody says that all of them are rendered."""
        rough = meter(RoughCounter())
        messages = [user(words(50)), THOUGHTFUL, *exchange("x")[1:], assistant("Yes."), user("b")]
        whole = rough.count(messages).total
        rough.observe(messages, usage=usage(whole + 10))

        assert whole + 10 == rough.count(messages).total

    def test_what_was_reported_of_tools_is_not_asked_again(self) -> None:
        """A later difference is that of the messages that are new."""
        rough = meter(RoughCounter())
        first, later = user(words(88)), user(words(96, "x"))
        rough.observe([first], usage=usage(92 + 46 + 69 + REPLY + 1), tools=[TOOL])
        before = rough.count([first, later], tools=[TOOL])
        told = 138 + 69 + 120 + REPLY + 1
        rough.observe([first, later], usage=usage(told), tools=[TOOL])
        after = rough.count([first, later], tools=[TOOL])

        assert (told, 69, 138, 120) == (after.total, after.tools, *after)
        assert before.tools == after.tools
