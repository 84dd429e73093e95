"""Fitting a prompt: what the store is asked, what is recorded, and how the view grows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import ceil, log2

import pytest
from workbench import (
    LONG,
    MODEL,
    PARTIAL,
    SPACE,
    SUMMARY,
    Wire,
    Workbench,
    answers,
    appended,
    assistant,
    chat,
    context,
    exchange,
    kinds_of,
    play,
    prompt,
    system,
    talk,
    user,
    words,
)

from memory import events
from memory.flow import Find, Known, Log, fit
from memory.identity import chain, digest
from memory.records import Compaction, Logged, Standing


def test_a_prompt_that_surely_fits_is_not_even_counted() -> None:
    """Its bytes are below the trigger and nothing is on record: one question to the store."""
    messages = chat(1)
    fitted, asked = play(fit(prompt(messages), context(10_000)), answers(known=[None]))

    assert fitted.messages is messages
    assert not fitted.changed
    assert [Known(namespace=SPACE)] == asked


def test_a_prompt_shorter_than_any_record_surely_fits() -> None:
    """A record made for more messages than there are cannot speak for them."""
    messages = chat(1)
    fitted, asked = play(fit(prompt(messages), context(10_000)), answers(known=[5]))

    assert fitted.messages is messages
    assert ["Known"] == kinds_of(asked)


def test_a_prompt_that_fits_is_the_callers_own_object() -> None:
    """Records were looked for, none was found, nothing is changed."""
    messages = chat(10)
    fitted, asked = play(fit(prompt(messages), context()), answers())

    assert fitted.messages is messages
    assert ["Known", "Find", "Counted"] == kinds_of(asked)


def test_records_are_looked_for_by_every_beginning_of_the_input() -> None:
    """One question holds all chain hashes, and the digest of a first message of our own."""
    messages = chat(3, head=0)
    _, asked = play(fit(prompt(messages), context()), answers())
    (find,) = (effect for effect in asked if isinstance(effect, Find))

    assert SPACE == find.namespace
    assert {*chain(messages), digest(messages[0])} == find.hashes


def test_over_the_trigger_a_summary_is_asked_for_and_recorded() -> None:
    """Plan, read, ask, write, in this order; the view is head, notes and tail."""
    fitted, asked = play(fit(prompt(LONG), context()), answers())

    assert fitted.changed
    assert [LONG[0], fitted.record and fitted.record.synthetic] == list(fitted.messages[:2])
    assert LONG[-5:] == list(fitted.messages[-5:])
    assert [
        "Known",
        "Find",
        "Counted",
        "Load",
        "Claim",
        "Find",
        "Planned",
        "Load",
        "Summarizing",
        "Summarize",
        "Accepted",
        "Append",
        "Compacted",
        "Release",
    ] == [kind for kind in kinds_of(asked) if kind != "Now"]


def test_the_summary_is_asked_for_between_reading_and_writing() -> None:
    """What is written expects the version that was read before."""
    _, asked = play(fit(prompt(LONG), context()), answers(load=[Log(version=7)]))

    assert [7] == [effect.expected for effect in appended(asked)]


def test_a_record_says_what_it_covers_and_what_it_was_made_for() -> None:
    """Hashes of the messages covered and of the whole input, the segment, and the mark."""
    fitted, _ = play(fit(prompt(LONG), context()), answers())
    record = fitted.record
    assert record is not None
    links = chain(LONG[1:])
    (segment,) = record.segments

    assert 0 < record.covered < 81
    assert links[record.covered] == record.coverage
    assert (81, links[81]) == (record.adopted, record.adoption)
    assert ((), (), ()) == (record.kept, record.standing, record.shortened)
    assert (1, record.covered) == (segment.first, segment.last)
    assert (SUMMARY.text, MODEL, 4, 0) == (
        segment.text,
        segment.author,
        segment.tokens,
        segment.level,
    )
    assert record.synthetic is not None
    assert digest(record.synthetic) == record.mark


def test_a_record_says_what_the_prompt_cost_before_and_after() -> None:
    """In tokens of the whole prompt."""
    bench = Workbench(1_000)
    before = bench.tokens(LONG)
    fitted = bench.fit(LONG)
    assert fitted.record is not None

    assert before == fitted.record.tokens_before
    assert bench.tokens(fitted.messages) == fitted.record.tokens_after


def test_originals_are_logged_with_the_record_that_drops_them() -> None:
    """Every message no longer sent is in the log before its record, once, as a copy."""
    bench = Workbench(1_000)
    fitted = bench.fit(LONG)
    assert fitted.record is not None
    *originals, record = bench.log(LONG)
    links = chain(LONG[1:])

    assert fitted.record == record
    assert [
        Logged(index=index, link=links[index + 1], message=LONG[index + 1])
        for index in range(fitted.record.covered)
    ] == originals
    assert all(
        isinstance(entry, Logged) and entry.message is not LONG[entry.index + 1]
        for entry in originals
    )


def test_what_is_logged_is_not_logged_again() -> None:
    """A second compaction adds the originals that it drops, and no others."""
    bench = Workbench(1_000)
    _, fitted = talk(bench, LONG, 60)
    indexes = [entry.index for entry in bench.log(LONG) if isinstance(entry, Logged)]

    assert bench.asked > 1
    assert fitted.record is not None
    assert list(range(fitted.record.covered)) == indexes


def test_the_input_is_never_changed() -> None:
    """Nor does what is on record change with what the caller does to it later."""
    bench, messages = Workbench(1_000), copy.deepcopy(LONG)
    sent = copy.deepcopy(bench.fit(messages).messages)
    assert messages == LONG

    for message in messages:
        message["content"] = "spoilt"
    assert sent == bench.fit(LONG).messages


def test_the_view_of_a_record_is_used_as_long_as_it_fits() -> None:
    """Asking again, and asking with more appended, costs no summary; the view only grows."""
    bench = Workbench(1_000)
    first = bench.fit(LONG)
    again = bench.fit(copy.deepcopy(LONG))
    longer = bench.fit([*LONG, assistant("yes"), user("and then?")])

    assert 1 == bench.asked
    assert first.messages == again.messages
    assert [*first.messages, assistant("yes"), user("and then?")] == longer.messages
    assert 1 == len(bench.compactions(LONG))


def test_what_is_on_record_survives_the_process() -> None:
    """With the same store another manager makes the same bytes of the same input."""
    here = Workbench(1_000)
    there = Workbench(1_000, store=here.store)
    first = here.fit(LONG)

    assert first.messages == there.fit(LONG).messages
    assert 0 == there.asked


def test_another_namespace_shares_nothing() -> None:
    """It pays for its own summary."""
    bench = Workbench(1_000)
    bench.fit(LONG)
    bench.fit(LONG, namespace="other")

    assert 2 == bench.asked


def test_the_newest_record_of_a_line_is_followed() -> None:
    """After a second compaction its view is the one that grows."""
    bench = Workbench(1_000)
    messages, last = talk(bench, LONG, 40)

    assert bench.asked > 1
    assert last.messages == bench.fit(messages).messages
    assert last.record == bench.compactions(LONG)[-1]


def test_segments_are_added_and_then_merged() -> None:
    """A further compaction adds a segment; beyond their share the two oldest alike become one."""
    bench, levels = Workbench(1_000, target=0.5, notes=0.3, identifiers=0), set[int]()
    messages = LONG
    for turn in range(200):
        messages = [*messages, assistant(words(20, f"b{turn}-")), user(words(20, f"v{turn}-"))]
        record = bench.fit(messages).record
        assert record is not None
        levels |= {segment.level for segment in record.segments}
        assert sum(segment.tokens for segment in record.segments) <= 1_000 * 0.3

    assert {0, 1, 2} <= levels
    assert max(levels) <= 1 + log2(bench.purposes("new"))
    assert 0 < bench.purposes("merge") <= bench.purposes("new")


def most_summaries(bench: Workbench, messages: Sequence[Wire]) -> int:
    """Return how many summaries a conversation that only grows may need."""
    size = bench.tokens(messages)
    room = bench.policy.thresholds(limit=bench.limit(), measured=0, exact=True)
    return ceil(size / (room.trigger - room.target)) + 1


@pytest.mark.parametrize(("identifiers", "times"), [(0.0, 1), (0.1, 2)])
def test_the_last_question_is_kept_when_its_own_work_is_compacted(
    identifiers: float, times: int
) -> None:
    """200 tool calls for one question: it stays, exchanges stay whole, the notes say so.

    A long list of identifiers puts the target out of reach, and that doubles the summaries.
    """
    bench = Workbench(1_000, identifiers=identifiers)
    messages = [system(words(50)), user("Count all the ships.")]
    for number in range(200):
        messages += exchange(f"look:{number}", result=words(15, f"r{number}-"))
        fitted = bench.fit(messages)
        assert {} == bench.wrong(messages, fitted)
        assert messages[1] in fitted.messages
        assert messages[-2:] == list(fitted.messages[-2:])
    fitted = bench.fit(messages)
    assert fitted.record is not None
    assert fitted.record.synthetic is not None

    assert (0,) == fitted.record.kept
    assert "work already done on the user's message below" in fitted.record.synthetic["content"]
    assert 2 < bench.purposes("new") <= times * most_summaries(bench, messages)
    assert bench.purposes("merge") <= bench.purposes("new")


def test_the_question_goes_with_its_turn() -> None:
    """When there is a newer one it is summarised like anything else."""
    bench = Workbench(1_000)
    messages = [user("Count all the ships.")]
    for number in range(40):
        messages += exchange(f"look:{number}", result=words(20, f"r{number}-"))
    _, fitted = talk(bench, messages, 60)

    assert messages[0] not in fitted.messages


def test_a_partial_reply_is_sent_and_not_recorded() -> None:
    """The record is made for what the next input will begin with."""
    bench = Workbench(1_000)
    messages = [*LONG, PARTIAL]
    fitted = bench.fit(messages)
    grown = bench.fit([*LONG, assistant("So the answer is 7."), user("Thanks.")])
    assert fitted.record is not None

    assert PARTIAL == fitted.messages[-1]
    assert (81, chain(LONG[1:])[-1]) == (fitted.record.adopted, fitted.record.adoption)
    assert [*fitted.messages[:-1], assistant("So the answer is 7."), user("Thanks.")] == list(
        grown.messages
    )
    assert 1 == bench.asked


def test_later_system_messages_are_quoted_when_they_are_dropped() -> None:
    """Each once, in order; those in the tail stay where they stand."""
    bench = Workbench(1_000)
    early, late = system("Use metres."), system("Be brief.")
    messages = [LONG[0], *LONG[1:3], early, *LONG[3:20], early, *LONG[20:-1], late, LONG[-1]]
    fitted = bench.fit(messages)
    assert fitted.record is not None
    assert fitted.record.synthetic is not None

    assert (Standing("Use metres.", "system"),) == fitted.record.standing
    assert '"Use metres."' in fitted.record.synthetic["content"]
    assert [late, LONG[-1]] == list(fitted.messages[-2:])
    assert {} == bench.wrong(messages, fitted)


def test_quoted_system_messages_survive_later_compactions() -> None:
    """A merge does not lose them."""
    bench = Workbench(1_000)
    _, fitted = talk(bench, [*LONG[:3], system("Use metres."), *LONG[3:]], 150)
    assert fitted.record is not None

    assert bench.purposes("new") > 3
    assert bench.purposes("merge") > 0
    assert (Standing("Use metres.", "system"),) == fitted.record.standing


def test_a_compaction_is_told_in_order() -> None:
    """Counted, planned, asked, judged and done; each event with its namespace."""
    bench = Workbench(1_000)
    bench.fit(LONG)
    counted, planned, summarizing, accepted, compacted = bench.events

    assert [
        events.Counted,
        events.Planned,
        events.Summarizing,
        events.Accepted,
        events.Compacted,
    ] == [type(event) for event in (counted, planned, summarizing, accepted, compacted)]
    assert {SPACE} == {event.namespace for event in bench.events}


def test_a_compaction_is_told_in_numbers() -> None:
    """What the events say is what happened."""
    bench = Workbench(1_000)
    before = bench.tokens(LONG)
    fitted = bench.fit(LONG)
    record = fitted.record
    assert record is not None
    counted, planned, summarizing, _, compacted = bench.events

    assert isinstance(counted, events.Counted)
    assert (before, 82, 1_000) == (counted.tokens, counted.messages, counted.limit)
    assert isinstance(planned, events.Planned)
    assert (before, record.covered) == (planned.tokens, planned.dropped)
    assert isinstance(summarizing, events.Summarizing)
    assert (record.covered, "shared") == (summarizing.messages, summarizing.form)
    assert (
        events.Compacted(
            namespace=SPACE,
            messages=record.covered,
            tokens_before=before,
            tokens_after=bench.tokens(fitted.messages),
            paid=True,
        )
        == compacted
    )


def test_a_record_holds_no_reference_to_the_input() -> None:
    """It is self-contained: a view is rebuilt from it and an equal input."""
    bench = Workbench(1_000)
    record = bench.fit(LONG).record
    assert isinstance(record, Compaction)
    table = answers(find=[(record,)])
    fitted, _ = play(fit(prompt(copy.deepcopy(LONG)), context()), table)

    assert list(bench.fit(LONG).messages) == list(fitted.messages)
