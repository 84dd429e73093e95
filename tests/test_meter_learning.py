"""What the meter learns from the counts that a server reports."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metering import MEDIA, TOOL, meter
from workbench import (
    RoughCounter,
    Wire,
    WordCounter,
    assistant,
    chat,
    exchange,
    picture,
    system,
    user,
    words,
)

from memory.meter import (
    EOS,
    FRAME,
    REPLY,
    THOUGHT,
)
from memory.records import Usage
from memory.testing import strategies
from memory.tokens import ByteClassEstimator, Counter


def usage(prompt: int, completion: int = 1, *, reasoning: int = 0) -> Usage:
    """Return what a server would report."""
    return Usage(prompt_tokens=prompt, completion_tokens=completion, reasoning_tokens=reasoning)


def test_the_bound_knows_what_pictures_were_measured_at() -> None:
    """A prompt whose pictures were reported dearer than taken for is not bounded by the guess."""
    learnt = meter()
    asking = [{"role": "user", "content": [picture("cat")]}]
    learnt.observe(asking, usage=usage(4_500))

    assert 4_500 == learnt.count(asking).total
    assert learnt.bound(asking) >= 4_500


def test_one_message_with_two_thoughts_is_corrected_twice() -> None:
    """Equal but for their thoughts, two messages share one correction; the sum still is right."""
    rough = meter(RoughCounter())
    loop = exchange("x", result=words(30))
    messages = [user(words(20)), *loop, {**loop[0], "reasoning_content": words(40)}, *loop[1:]]
    reported = rough.count(messages).total + 40
    rough.observe(messages, usage=usage(reported))

    assert reported == rough.count(messages).total


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=3), st.floats(1.0, 1.6))
def test_a_count_agrees_with_what_was_reported(messages: list[Wire], scale: float) -> None:
    """After a plausible report the same prompt counts as the server said."""
    rough = meter(RoughCounter())
    reported = round(rough.count(messages, tools=[TOOL]).total * scale)
    rough.observe(messages, usage=usage(reported), tools=[TOOL])

    assert reported == rough.count(messages, tools=[TOOL]).total


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(8, 80), st.floats(0.7, 1.6)), min_size=2, max_size=12))
def test_counts_agree_request_after_request(turns: list[tuple[int, float]]) -> None:
    """In a growing conversation every report holds from then on, however rough the counter."""
    rough = meter(RoughCounter())
    messages: list[Wire] = []
    truth = 0
    for index, (size, factor) in enumerate(turns):
        messages.append(user(words(size, f"m{index}-")))
        truth += FRAME + round(size * factor)
        rough.observe(messages, usage=usage(truth + REPLY + 1))

        assert truth + REPLY + 1 == rough.count(messages).total


def test_the_next_prompt_is_exact_with_an_exact_counter() -> None:
    """Once the tools were measured nothing is left to guess in a text conversation."""
    exact = meter()
    first = [system(words(30)), user("q")]
    truth = exact.count(first, tools=[TOOL]).total + 17
    exact.observe(first, usage=usage(truth), tools=[TOOL])
    reply = assistant(words(12))

    expected = truth + (FRAME + THOUGHT + 12) + (FRAME + 3)
    assert expected == exact.count([*first, reply, user("a b c")], tools=[TOOL]).total


def test_a_reply_costs_what_was_generated() -> None:
    """`completion_tokens` without the thought and the end of the turn is what a reply costs."""
    rough = meter(RoughCounter())
    reply = assistant(words(100))
    reported = usage(FRAME + 1 + REPLY + 1, 130 + 40 + EOS, reasoning=40)
    rough.observe([user("q")], usage=reported, reply=reply)

    assert 130 + FRAME + THOUGHT == rough.count([user("q"), reply])[1]


def test_a_reply_without_tokens_teaches_nothing() -> None:
    """A server that reports no completion leaves the estimate of the reply alone."""
    rough = meter(RoughCounter())
    reply = assistant(words(100))
    rough.observe([user("q")], usage=usage(FRAME + 1 + REPLY + 1, 0), reply=reply)

    assert 100 + FRAME + THOUGHT == rough.count([user("q"), reply])[1]


def test_what_was_learnt_survives_a_compaction() -> None:
    """The cost of a message stays known when the messages before it are gone."""
    rough = meter(RoughCounter())
    messages = chat(10)
    before = rough.count(messages)
    rough.observe(messages, usage=usage(round(before.total * 1.3)))
    learnt = rough.count(messages)
    kept = [messages[0], *messages[-5:]]

    assert [learnt[0], *learnt[-5:]] == rough.count(kept)
    assert learnt[5] > before[5]


def test_only_what_is_new_is_corrected() -> None:
    """A later report leaves what was measured before as it was."""
    rough = meter(RoughCounter())
    first = chat(3)
    rough.observe(first, usage=usage(rough.count(first).total + 20))
    learnt = list(rough.count(first))
    later = [*first, assistant(words(40)), user(words(40, "more"))]
    rough.observe(later, usage=usage(rough.count(later).total + 10))

    assert learnt == rough.count(later)[: len(first)]


@pytest.mark.parametrize("reported", [0, 1, 10**9])
@pytest.mark.parametrize("counter", [WordCounter(), RoughCounter()], ids=["exact", "rough"])
def test_implausible_reports_are_not_believed(reported: int, counter: Counter) -> None:
    """A server that counts nonsense changes no count."""
    doubting = meter(counter)
    messages = chat(5, size=50)
    before = doubting.count(messages, tools=[TOOL])
    doubting.observe(messages, usage=usage(reported), tools=[TOOL])

    assert list(before) == list(doubting.count(messages, tools=[TOOL]))


def test_a_message_that_occurs_twice_is_corrected_twice() -> None:
    """Each occurrence takes its share, so that the sum is what was reported."""
    rough = meter(RoughCounter())
    messages = [user(words(20)), assistant("yes indeed"), user(words(20))]
    reported = rough.count(messages).total + 12
    rough.observe(messages, usage=usage(reported))
    counts = rough.count(messages)

    assert reported == counts.total
    assert counts[0] == counts[2]


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=3), st.integers(0, 3_000))
def test_no_message_is_free(messages: list[Wire], reported: int) -> None:
    """A message costs something, whatever was reported."""
    rough = meter(RoughCounter())
    rough.observe(messages, usage=usage(reported))

    assert [] == [each for each in rough.count(messages) if each <= 0]


@pytest.mark.parametrize("tokens", [9, 300, 20_000])
def test_media_are_learnt_whatever_they_cost(tokens: int) -> None:
    """A tiny picture costs 9 tokens and a video tens of thousands; neither is near the guess."""
    exact = meter()
    messages = [system(words(30)), {"role": "user", "content": ["look", picture("cat")]}]
    reported = exact.count(messages).total - MEDIA + tokens
    exact.observe(messages, usage=usage(reported))

    assert reported == exact.count(messages).total


def test_an_exact_counter_blames_media_and_tools() -> None:
    """Text is known, so a difference is booked on what is not."""
    exact = meter()
    messages = [user(words(500)), {"role": "user", "content": ["look", picture("cat")]}]
    before = exact.count(messages)
    exact.observe(messages, usage=usage(before.total - 800))
    counts = exact.count(messages)

    assert before[0] == counts[0]
    assert before[1] - 800 == pytest.approx(counts[1], abs=1)


@settings(max_examples=30, deadline=None)
@given(strategies.conversations(most=5), st.booleans())
def test_the_measured_share_is_a_share(messages: list[Wire], seen: bool) -> None:  # noqa: FBT001
    """It lies between 0 and 1, and is 1 when everything was measured."""
    rough = meter(RoughCounter())
    if seen:
        rough.observe(
            messages, usage=usage(rough.count(messages, tools=[TOOL]).total), tools=[TOOL]
        )
    counts = rough.count(messages, tools=[TOOL])

    assert 0 <= counts.measured <= 1 + 1e-9
    assert not seen or (counts.measured > 1 - 1e-9 and not counts.cold_tools)


def test_an_estimator_is_bent_towards_what_was_reported() -> None:
    """When the server counts more than estimated, unseen text is taken to be dearer too."""
    rough = meter(RoughCounter())
    seen = [user(words(2_000))]
    rough.observe(seen, usage=usage(round(rough.count(seen).total * 1.4)))

    assert 1_350 < rough.count([*seen, user(words(1_000, "x"))])[1] < 1_400


def test_pictures_say_nothing_about_texts() -> None:
    """A picture that turned out cheap does not make words cheaper."""
    rough = meter(RoughCounter())
    seen = {"role": "user", "content": [picture("cat")]}
    rough.learn(seen, 300)

    assert 1_000 + FRAME == rough.count([seen, user(words(1_000))])[1]


def test_texts_say_nothing_about_pictures() -> None:
    """Words that turned out dear do not make a picture dearer."""
    rough = meter(RoughCounter())
    rough.learn(user(words(2_000)), 2_800)
    asking = {"role": "user", "content": [picture("cat")]}

    assert MEDIA + FRAME == pytest.approx(rough.count([user(words(2_000)), asking])[1], abs=2)


def test_a_taught_message_costs_what_was_said() -> None:
    """`learn` takes a cost, framing included, and drops one that cannot be."""
    exact = meter()
    exact.learn(user(words(100)), 150)
    exact.learn(user(words(50)), 10_000)

    assert [150, 50 + FRAME] == exact.count([user(words(100)), user(words(50))])


@settings(max_examples=25, deadline=None)
@given(strategies.conversations(most=5), st.floats(1.0, 1.5))
def test_the_estimator_is_anchored_too(messages: list[Wire], scale: float) -> None:
    """With fractions of tokens the count still is the report, to the token."""
    assume(messages)
    rough = meter(ByteClassEstimator())
    reported = round(rough.count(messages).total * scale)
    rough.observe(messages, usage=usage(reported))

    assert reported == rough.count(messages).total


@pytest.mark.parametrize("thinking", [True, False])
def test_a_partial_message_is_the_opening_of_the_reply(thinking: bool) -> None:  # noqa: FBT001
    """Nothing else opens it, and its own end is missing."""
    exact, messages = meter(), chat(3)
    partial: Wire = {**assistant("So the"), "partial": True}
    open_ended = exact.count([*messages, partial], thinking=thinking)
    closed = exact.count([*messages, assistant("So the")], thinking=thinking)

    assert REPLY + (1 if thinking else THOUGHT) == closed.reply
    assert closed.total - closed.reply - 1 == open_ended.total


def test_a_partial_message_teaches_nothing_wrong() -> None:
    """What the server counts for it is what we count, so nothing is booked elsewhere."""
    exact, messages = meter(), chat(3)
    plain = exact.count(messages, tools=[TOOL]).total
    with_partial = [*messages, {**assistant("So the"), "partial": True}]
    reported = exact.count(with_partial, tools=[TOOL]).total
    exact.observe(with_partial, usage=usage(reported), tools=[TOOL])

    assert plain == exact.count(messages, tools=[TOOL]).total
