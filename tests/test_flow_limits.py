"""Prompts that hardly fit, or do not: what is raised, sent, quoted and shortened."""

from __future__ import annotations

import pytest
from workbench import (
    LONG,
    PARTIAL,
    ByteCounter,
    RoughCounter,
    Wire,
    Workbench,
    assistant,
    exchange,
    picture,
    system,
    talk,
    user,
    words,
)

from memory import events
from memory.errors import BudgetError
from memory.records import Logged, Standing, Usage


def test_too_many_standing_instructions_are_capped() -> None:
    """The newest stay, and what was left out is told."""
    bench = Workbench(1_000)
    rules = [system(f"rule{number} " + words(20, f"{number}-")) for number in range(20)]
    messages = [LONG[0], *(m for pair in zip(LONG[1:], rules, strict=False) for m in pair)]
    messages += LONG[21:]
    fitted = bench.fit(messages)
    assert fitted.record is not None
    (capped,) = (e for e in bench.events if isinstance(e, events.StandingCapped))
    kept = fitted.record.standing

    assert 0 < len(kept) < 20
    assert 20 - len(kept) == capped.dropped
    assert [Standing(rule["content"], "system") for rule in rules[-len(kept) :]] == list(kept)
    assert {} == bench.wrong(messages, fitted)


@pytest.mark.parametrize("last", range(600, 900, 50))
def test_standing_instructions_do_not_burst_the_limit(last: int) -> None:
    """Where there is little room, fewer are quoted; or the budget is too small and that is said."""
    bench = Workbench(2_000)
    messages = [system(words(1_000))]
    for turn in range(20):
        messages += [system(words(9, f"s{turn}-")), user(words(20, f"u{turn}-")), assistant("ok")]
    messages.append(user(words(last, "last")))
    try:
        fitted = bench.fit(messages)
    except BudgetError as error:
        assert error.tokens > error.limit  # noqa: PT017
    else:
        assert {} == bench.wrong(messages, fitted)


@pytest.mark.parametrize("size", [1_500, 1_600, 1_650, 1_700, 1_800])
def test_a_large_head_leaves_the_limit_alone(size: int) -> None:
    """Notes that have no room beside it are folded, not piled up."""
    bench, messages = Workbench(2_000), [system(words(size))]
    for turn in range(60):
        messages.append(user(words(20, f"u{turn}-")))
        try:
            fitted = bench.fit(messages)
        except BudgetError as error:
            assert error.tokens > error.limit  # noqa: PT017
            break
        assert {} == bench.wrong(messages, fitted)
        messages.append(assistant(words(20, f"a{turn}-")))


def test_protected_messages_over_the_limit_are_an_error() -> None:
    """It says what is too large, largest first."""
    bench = Workbench(1_000)
    messages = [system(words(700)), user(words(20)), assistant(words(20)), user(words(400))]
    with pytest.raises(BudgetError) as caught:
        bench.fit(messages)

    assert 1_000 == caught.value.limit < caught.value.tokens
    assert {"system prompt", "last user message", "room for notes"} == set(caught.value.culprits)
    assert [704, 404] == list(caught.value.culprits.values())[:2]
    assert 0 == bench.asked


def test_an_error_names_tools_and_the_open_exchange() -> None:
    """They are what most often is too large."""
    bench = Workbench(1_000)
    tool = {"type": "function", "function": {"name": "f", "description": words(500)}}
    messages = [user("q"), *exchange("look:0", result=words(800))]
    with pytest.raises(BudgetError) as caught:
        bench.fit(messages, tools=(tool,))

    assert ["open tool exchange", "tools", "last user message"] == list(caught.value.culprits)


def test_an_error_calls_a_reminder_what_it_is() -> None:
    """A system message before the last question and a begun reply are no tool exchange."""
    bench = Workbench(1_000)
    partial = {**PARTIAL, "content": words(400)}
    with pytest.raises(BudgetError) as caught:
        bench.fit([user("q"), assistant("a"), system(words(600)), user("r"), partial])

    assert "open tool exchange" not in caught.value.culprits


def test_too_large_a_prompt_can_be_sent_all_the_same() -> None:
    """Under `oversize="send"` it goes out, and that is told."""
    bench = Workbench(1_000, oversize="send")
    messages = [system(words(1_500)), user("q")]
    fitted = bench.fit(messages)
    (overflowed,) = (e for e in bench.events if isinstance(e, events.Overflowed))

    assert fitted.messages is messages
    assert ("send", 1_000) == (overflowed.policy, overflowed.limit)
    assert overflowed.tokens > overflowed.limit


def test_what_no_summary_can_help_asks_for_none() -> None:
    """A head over the limit does not cost a summary in every turn."""
    bench, messages = Workbench(1_000, oversize="send"), [system(words(1_500))]
    for turn in range(60):
        messages.append(user(words(20, f"u{turn}-")))
        fitted = bench.fit(messages)
        assert messages[-1] == fitted.messages[-1]
        messages.append(assistant(words(20, f"a{turn}-")))

    assert bench.purposes("merge") <= bench.purposes("new") <= 8
    assert bench.asked == bench.purposes("merge") + bench.purposes("new")


def test_results_can_be_shortened_to_fit() -> None:
    """The largest are brought down to a common length, beginning and end stay, all is logged."""
    bench = Workbench(1_000, oversize="shorten-tool-results")
    messages = [user("q"), *exchange("look:0", "look:1", "look:2")]
    for index, size in ((2, 900), (3, 900), (4, 50)):
        messages[index]["content"] = words(size, f"{index}-")
    fitted = bench.fit(messages)
    sent = fitted.messages
    assert fitted.record is not None

    assert {} == bench.wrong(messages, fitted)
    assert [messages[0], messages[1], messages[4]] == [sent[0], sent[1], sent[4]]
    assert sent[2]["content"].startswith("2-0 2-1")
    assert sent[2]["content"].endswith("2-899")
    assert [2, 3] == [item.index for item in fitted.record.shortened]
    assert [messages[2], messages[3]] == [
        entry.message for entry in bench.log(messages) if isinstance(entry, Logged)
    ]
    assert 0 == bench.asked


def test_what_was_shortened_stays_so() -> None:
    """The view with the short result only grows, and the result is dropped with its exchange."""
    bench = Workbench(1_000, oversize="shorten-tool-results")
    messages = [user("q"), *exchange("look:0", result=words(2_000))]
    first = bench.fit(messages)
    messages += [assistant("I see."), user("and?")]
    second = bench.fit(messages)

    assert [*first.messages, assistant("I see."), user("and?")] == list(second.messages)
    _, last = talk(bench, messages, 30)
    assert last.record is not None
    assert () == last.record.shortened


def test_dense_ends_are_cut_again() -> None:
    """A result whose middle costs nothing is shortened until the prompt fits."""
    bench = Workbench(1_000, oversize="shorten-tool-results")
    result = words(700, "a") + " " * 30_000 + words(700, "b")
    messages = [user("q"), *exchange("look:0", result=result)]
    try:
        fitted = bench.fit(messages)
    except BudgetError:
        return
    assert {} == bench.wrong(messages, fitted)


def test_what_cannot_be_shortened_is_an_error() -> None:
    """A question has no middle to leave out."""
    bench = Workbench(1_000, oversize="shorten-tool-results")

    with pytest.raises(BudgetError):
        bench.fit([user(words(2_000)), *exchange("look:0", result=words(100))])


def test_shortening_and_summarising_go_together() -> None:
    """What may be dropped is, and what may not is shortened."""
    bench = Workbench(1_000, oversize="shorten-tool-results")
    messages = [*LONG, *exchange("look:0", result=words(2_000))]
    fitted = bench.fit(messages)

    assert 1 == bench.asked
    assert {} == bench.wrong(messages, fitted)
    assert messages[-2] == fitted.messages[-2]


def test_pictures_that_cost_more_than_thought_are_compacted() -> None:
    """What the server reported counts, also where the guess would still fit."""
    bench, messages = Workbench(10_000), [system(words(10))]
    for number in range(4):
        messages.append({"role": "user", "content": ["look", picture(str(number))]})
        sent = bench.fit(messages).messages
        reported = bench.tokens(sent) + 2_500
        bench.meter.observe(sent, usage=Usage(prompt_tokens=reported, completion_tokens=1))
        messages.append(assistant("a cat"))
    messages.append(user("Which was best?"))

    assert {} == bench.wrong(messages, bench.fit(messages))


def test_fractions_of_tokens_are_not_lost() -> None:
    """What an estimator rounds a thousand times is projected like what it rounds once."""
    bench = Workbench(8_000, counter=_Halves())
    bench.fit([system("Be kind."), *(user(f"number {n} is fine") for n in range(1_000))])
    (planned,) = (event for event in bench.events if isinstance(event, events.Planned))
    (compacted,) = (event for event in bench.events if isinstance(event, events.Compacted))

    assert compacted.tokens_after <= planned.projected


def test_a_head_alone_can_be_fitted() -> None:
    """Without any other message there is nothing to keep or drop."""
    bench = Workbench(1_000)
    head = [system("Be kind.")]

    assert bench.fit(head).messages is head
    with pytest.raises(BudgetError):
        bench.fit([system(words(1_500))])


def test_no_messages_fit() -> None:
    """An empty prompt is sent as it is."""
    nothing: list[Wire] = []

    assert Workbench(1_000).fit(nothing).messages is nothing


def test_the_reply_counts_against_the_window() -> None:
    """A long reply asked for makes the prompt compact earlier."""
    bench = Workbench(10**6)
    fitted = bench.fit(LONG, model="moonshot-v1-8k", completion=7_192)

    assert fitted.changed
    assert bench.tokens(fitted.messages) < 1_000


class _Halves(RoughCounter):
    """Counts words, and half a token for every text."""

    def count(self, text: str) -> float:
        """Return the number of words and a half."""
        return super().count(text) + 0.5


def test_notes_that_cost_more_than_could_be_foreseen_are_told() -> None:
    """A view over the limit is never sent in silence; this counter makes 400 of our frame."""
    bench = Workbench(2_000, counter=ByteCounter())
    messages = [user(words(60, f"q{n}-")) for n in range(20)]
    question = user(words(340))
    with pytest.raises(BudgetError) as caught:
        bench.fit([*messages, question])

    assert caught.value.tokens > caught.value.limit == 2_000
    assert {"last user message", "notes"} == set(caught.value.culprits)


def test_pinned_sentences_come_before_the_tail() -> None:
    """Where a compaction leaves little room, their room was planned before."""
    bench = Workbench(700)
    quoted = tuple(words(20, f"pin{number}-") for number in range(3))
    messages = [user(words(40, f"q{n}-")) for n in range(30)]
    for stop in range(10, 31):
        made = bench.fit(messages[:stop], quoted=quoted)
        said = made.record.standing if made.record else ()
        assert list(quoted) == [each.text for each in said] or made.record is None
