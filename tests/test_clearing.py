"""Old tool results leave the view before anything is summarised, or instead."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from workbench import (
    SPACE,
    Wire,
    Workbench,
    assistant,
    chat,
    exchange,
    system,
    user,
    words,
)

from memory import events
from memory.flow import Fitted
from memory.records import Compaction, Logged, Shortened

LARGE = 300
"""Words of a result that is worth leaving out."""
LATEST = 6
"""How many of the latest results stay."""


def agent(calls: int, *, size: int = LARGE) -> list[Wire]:
    """Return a run of so many calls for one question."""
    messages = [system(words(50)), user("Count all the ships.")]
    for number in range(calls):
        messages += exchange(f"look:{number}", result=result(number, size))
    return messages


def result(number: int, size: int = LARGE) -> str:
    """Return what a call found."""
    return words(size, f"found{number}-")


def bench_of(mode: str = "before-summary", budget: int = 6_000, **others: Any) -> Workbench:
    """Return a bench that clears results in one of the ways there are."""
    given = {"target": 0.5, "notes": 0.3, "identifiers": 0, **others}
    return Workbench(budget, clear_tool_results=mode, **given)


def fitted(bench: Workbench, messages: list[Wire]) -> tuple[Fitted, Compaction]:
    """Fit a prompt, check the promises, and return the outcome with its record."""
    made = bench.fit(messages)
    assert {} == bench.wrong(messages, made)
    assert made.record is not None
    return made, made.record


def cleared(bench: Workbench) -> list[events.ResultsCleared]:
    """Return what was told of results that were left out."""
    return [event for event in bench.events if isinstance(event, events.ResultsCleared)]


AGENT = agent(20)
OLD = range(3, 3 + 2 * (20 - LATEST), 2)
"""Where the old results of `AGENT` stand."""


def test_old_results_are_left_out_before_anything_is_summarised() -> None:
    """Where that is enough, nothing is asked for; everything else is as it was."""
    bench = bench_of()
    made, _ = fitted(bench, AGENT)
    count = len(result(0))
    line = f"[{count:,} characters of this result are not shown any more; they are in the log]"

    assert 0 == bench.asked
    assert len(AGENT) == len(made.messages)
    for place, (given, sent) in enumerate(zip(AGENT, made.messages, strict=True)):
        if place in OLD:
            assert {**given, "content": sent["content"]} == sent
            assert line.partition(" ")[2] == sent["content"].partition(" ")[2]
        else:
            assert given == sent


def test_the_record_says_which_and_covers_nothing() -> None:
    """It has neither a segment nor a message of its own."""
    _, record = fitted(bench_of(), AGENT)

    assert tuple(Shortened(index=i - 1, head=0, tail=0) for i in OLD) == record.shortened
    assert (0, (), (), None, None) == (
        record.covered,
        record.kept,
        record.segments,
        record.synthetic,
        record.mark,
    )


def test_the_originals_are_in_the_log() -> None:
    """Those that were left out, whole, and no others."""
    bench = bench_of()
    _, record = fitted(bench, AGENT)
    *originals, last = bench.log(AGENT)

    assert record == last
    assert [AGENT[i] for i in OLD] == [e.message for e in originals if isinstance(e, Logged)]


def test_it_is_told_in_numbers() -> None:
    """How many, what that saves, and that nothing was paid."""
    bench = bench_of()
    before = bench.tokens(AGENT)
    made, record = fitted(bench, AGENT)
    after = bench.tokens(made.messages)
    compacted = [event for event in bench.events if isinstance(event, events.Compacted)]

    assert [events.ResultsCleared(namespace=SPACE, messages=len(OLD), tokens=before - after)] == (
        cleared(bench)
    )
    assert [
        events.Compacted(
            namespace=SPACE, messages=0, tokens_before=before, tokens_after=after, paid=False
        )
    ] == compacted
    assert (before, after) == (record.tokens_before, record.tokens_after)


def test_the_view_only_grows_until_the_next_compaction() -> None:
    """What was cleared stays cleared, nothing else is, and the prefix is sent as it was."""
    bench, messages = bench_of(), [*AGENT]
    before, record = fitted(bench, messages)
    for number in range(20, 26):
        messages += exchange(f"look:{number}", result=result(number))
        now, same = fitted(bench, messages)
        assert list(before.messages) == list(now.messages[: len(before.messages)])
        assert record == same
        before = now

    assert 1 == len(cleared(bench)) == len(bench.compactions(messages))
    assert 0 == bench.asked


def test_the_next_compaction_clears_what_is_old_by_then() -> None:
    """What was cleared before is on its record too."""
    bench, messages = bench_of(), [*AGENT]
    _, first = fitted(bench, messages)
    last = first
    for number in range(20, 40):
        messages += exchange(f"look:{number}", result=result(number))
        _, last = fitted(bench, messages)

    assert 2 <= len(cleared(bench))
    assert set(first.shortened) < set(last.shortened)
    assert 0 == bench.asked


def test_another_process_sends_the_same() -> None:
    """The record is all that it needs."""
    here = bench_of()
    sent = here.fit(AGENT).messages
    there = bench_of()
    there.store = here.store
    other = Workbench(6_000, store=here.store)

    assert list(sent) == list(other.fit(copy.deepcopy(AGENT)).messages)
    assert 0 == other.asked


def test_another_input_sees_its_results_whole() -> None:
    """What was cleared for one continuation is not gone from another that has room for it."""
    bench = bench_of()
    fitted(bench, AGENT)
    branch = [*AGENT[:21], assistant("Ten."), user("Why?")]

    assert branch == list(bench.fit(branch).messages)


@pytest.mark.parametrize("size", [150, 190])
def test_small_results_stay(size: int) -> None:
    """What is left out has to be worth the line that says so; a summary is asked for."""
    bench = bench_of()
    _, record = fitted(bench, agent(6_000 // size + 1, size=size))

    assert (1, ()) == (bench.asked, record.shortened)
    assert [] == cleared(bench)


def test_the_latest_results_stay() -> None:
    """With no more than those there is nothing to clear."""
    bench = bench_of()
    _, record = fitted(bench, agent(LATEST, size=950))

    assert (1, ()) == (bench.asked, record.shortened)


def test_what_has_just_come_in_stays() -> None:
    """Of a batch that the model has not read yet nothing is left out, however many there are."""
    bench = bench_of()
    batch = exchange(*(f"now:{number}" for number in range(10)), result=words(LARGE, "now"))
    messages = [*agent(12), *batch]
    made, record = fitted(bench, messages)

    assert batch == list(made.messages[-len(batch) :])
    assert max(item.index for item in record.shortened) < len(messages) - 1 - len(batch)


@pytest.mark.parametrize("mode", ["before-summary", "off"])
def test_where_it_is_not_enough_the_summary_reads_everything(mode: str) -> None:
    """Then nothing is cleared: the summary is written from what the server has cached."""
    bench = bench_of(mode)
    messages = [*chat(100), *agent(8)[2:], assistant("Eight."), user("So?")]
    _, record = fitted(bench, messages)

    assert (1, ()) == (bench.asked, record.shortened)
    assert "shared" == bench.scribe.requests[0].form
    assert [] == cleared(bench)


def test_off_is_off() -> None:
    """Results are summarised like anything else."""
    bench = bench_of("off")
    _, record = fitted(bench, AGENT)

    assert (1, ()) == (bench.asked, record.shortened)
    assert [] == cleared(bench)


def test_only_clears_and_asks_for_nothing() -> None:
    """Where it is not enough, sentences are extracted."""
    bench = bench_of("only")
    messages = [*chat(100), *agent(12)[2:], assistant("Twelve."), user("So?")]
    _, record = fitted(bench, messages)

    assert 0 == bench.asked
    assert ["extractive"] == [segment.author for segment in record.segments]
    assert 1 == len(cleared(bench))
    assert ["tool results are cleared in place of summaries"] == [
        event.reason for event in bench.events if isinstance(event, events.FellBack)
    ]


def test_only_asks_for_nothing_in_a_whole_conversation() -> None:
    """However long it gets, merges included."""
    bench, messages = bench_of("only", budget=2_500), [*agent(2)]
    for number in range(2, 60):
        messages += exchange(f"look:{number}", result=result(number, 100 + number * 7 % 300))
        assert {} == bench.wrong(messages, bench.fit(messages))

    assert 0 == bench.asked
    assert cleared(bench)


def test_what_was_cleared_is_summarised_as_it_was_sent() -> None:
    """The server's cache holds exactly that; the original stays in the log."""
    bench, messages = bench_of(budget=4_000), agent(12)
    fitted(bench, messages)
    assert 0 == bench.asked
    sent = bench.fit(messages).messages
    said = [*messages, assistant("Twelve.")]
    while not bench.asked:
        said += [user(words(40, f"u{len(said)}-")), assistant(words(40, f"a{len(said)}-"))]
        bench.fit([*said, user("So?")])
    request = bench.scribe.requests[0]
    record = bench.compactions(said)[-1]

    assert "shared" == request.form
    assert list(sent[:6]) == [*request.prefix, *request.slice][:6]
    assert messages[3] != sent[3]
    assert messages[3] in [e.message for e in bench.log(said) if isinstance(e, Logged)]
    assert all(item.index >= record.covered for item in record.shortened)


def test_what_is_cleared_is_listed_by_its_identifiers() -> None:
    """Ids of results that are not shown can still be referred to."""
    bench = bench_of(identifiers=0.1)
    messages = copy.deepcopy(AGENT)
    for place in range(3, len(messages), 2):
        messages[place]["content"] = "sails " * LARGE
    messages[3]["content"] = '{"reservation_id": "ZFA04Y", "notes": "' + "sails " * LARGE + '"}'
    made, record = fitted(bench, messages)

    assert "ZFA04Y" in [each.value for each in record.identifiers]
    assert record.synthetic == made.messages[1]
    assert "ZFA04Y" in made.messages[1]["content"]
    assert () == record.segments
    assert [*messages[:1], *messages[1:3]] == [made.messages[0], *made.messages[2:4]]


def test_what_was_said_by_others_is_never_cleared() -> None:
    """Only results are, however long questions and answers are."""
    bench = bench_of()
    messages = [system(words(50)), user(words(500, "q")), assistant(words(500, "a"))]
    messages += [*agent(16)[2:], assistant("Done."), user("So?")]
    made, record = fitted(bench, messages)

    assert messages[:3] == list(made.messages[:3])
    assert {"tool"} == {messages[1 + item.index]["role"] for item in record.shortened}


def test_a_clearing_is_not_for_requests_that_had_not_read_the_results() -> None:
    """Also where a system message stands between the last result and the reply to it."""
    bench = bench_of(budget=4_800)
    reading = [*agent(14), system("Mind the fog.")]
    whole = bench.fit(reading).messages
    fitted(bench, [*reading, assistant(words(400)), user("And now?")])

    assert 1 == len(cleared(bench))
    assert list(whole) == list(bench.fit(reading).messages)
