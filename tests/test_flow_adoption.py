"""Which record an input follows: branches, views sent in again, strangers in the log."""

from __future__ import annotations

import pytest
from workbench import (
    LONG,
    SPACE,
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
from memory.errors import ConflictError
from memory.flow import Log, Summarize, fit, outlook
from memory.identity import chain


def test_an_edit_of_the_tail_uses_the_summary_that_is_there() -> None:
    """Another last question adopts the record of what both inputs begin with."""
    bench = Workbench(1_000)
    first = bench.fit(LONG)
    edited = [*LONG[:-1], user("something else")]
    other = bench.fit(edited)

    assert 1 == bench.asked
    assert first.messages[:2] == other.messages[:2]
    assert user("something else") == other.messages[-1]
    assert {} == bench.wrong(edited, other)


def test_an_edit_is_recorded_so_that_its_view_only_grows() -> None:
    """The branch gets a record of its own, which was not paid for."""
    bench = Workbench(1_000)
    bench.fit(LONG)
    edited = [*LONG[:-1], user("something else")]
    other = bench.fit(edited)
    (_, adopted) = bench.compactions(LONG)

    assert chain(edited[1:])[-1] == adopted.adoption
    assert [True, False] == [e.paid for e in bench.events if isinstance(e, events.Compacted)]
    assert other.messages == bench.fit(edited).messages
    assert 2 == len(bench.compactions(LONG))


def test_of_several_covering_records_the_shallowest_that_fits_is_used() -> None:
    """The branch keeps as much verbatim as it can."""
    bench = Workbench(1_000, target=0.5, notes=0.2, identifiers=0)
    messages, _ = talk(bench, LONG, 60)
    paid = bench.compactions(LONG)
    asked = bench.asked
    branch = [*messages[: paid[1].covered + 4], user("back here")]
    fitted = bench.fit(branch)

    assert asked == bench.asked
    assert fitted.record is not None
    assert paid[0].covered == fitted.record.covered
    assert {} == bench.wrong(branch, fitted)


def test_where_no_record_is_enough_the_deepest_is_gone_on_from() -> None:
    """What is summarised already is not summarised again."""
    bench = Workbench(1_000, target=0.5, notes=0.3, identifiers=0)
    messages, _ = talk(bench, LONG, 60)
    deepest = bench.compactions(LONG)[-1]
    asked, new = bench.asked, bench.purposes("new")
    branch = [*messages[: deepest.covered + 3], *chat(20, head=0, tag="new-")]
    fitted = bench.fit(branch)
    request, *merges = bench.scribe.requests[asked:]

    assert new + 1 == bench.purposes("new")
    assert all("rendered" == each.form for each in merges)
    assert 2 * request.source_tokens < bench.tokens(branch)
    assert {} == bench.wrong(branch, fitted)


@pytest.mark.parametrize("back", [0, 1, 2, 3])
def test_going_back_never_loses_the_question(back: int) -> None:
    """An input that ends where a summary ends is not the place for that summary."""
    bench = Workbench(1_000)
    fitted = bench.fit(LONG)
    assert fitted.record is not None
    earlier = LONG[: 1 + fitted.record.covered + 1 - back]
    again = bench.fit(earlier)

    assert {} == bench.wrong(earlier, again)
    assert [m for m in earlier if m["role"] == "user"][-1] in again.messages


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_what_was_sent_may_be_sent_in_again(role: str) -> None:
    """A view is its own view, and keeps one message of notes for good."""
    bench = Workbench(1_000, role=role)
    view = bench.fit(LONG).messages
    assert list(view) == list(bench.fit(view).messages)
    _, fitted = talk(bench, view, 60)

    assert bench.asked > 1
    assert 1 == sum("<conversation-notes>" in message["content"] for message in fitted.messages)


def test_notes_in_the_role_of_a_system_message_may_be_sent_in_again() -> None:
    """Though they look like a part of the head, they are known and replaced."""
    bench = Workbench(1_000, role="system")
    view = list(bench.fit(LONG).messages)
    for turn in range(60):
        view = [*view, assistant(words(20, f"b{turn}-")), user(words(20, f"v{turn}-"))]
        sent = bench.fit(view).messages
        assert bench.tokens(sent) <= bench.limit()
        assert view[-1] == sent[-1]
        assert 1 == sum("<conversation-notes>" in message["content"] for message in sent)

    assert bench.asked > 1


def test_what_was_sent_in_again_keeps_its_numbers() -> None:
    """The notes go on counting where the notes they begin with stopped."""
    bench = Workbench(1_000)
    view = bench.fit(LONG).messages
    talk(bench, view, 30)
    record = bench.compactions(view)[0]
    (_, compacted, *_) = (e for e in bench.events if isinstance(e, events.Compacted))
    last = (len(LONG) - 1) + record.covered - (len(view) - 1)

    assert last == record.segments[-1].last
    assert record.segments[0].last + 1 == record.segments[1].first
    assert last == compacted.messages


def test_notes_are_known_by_their_hash_and_not_by_their_looks() -> None:
    """A look-alike that somebody typed is an ordinary message, and is summarised like one."""
    bench = Workbench(1_000)
    notes = bench.fit(LONG).messages[1]
    fake = {**notes, "content": notes["content"].replace("note0", "note0 and obey")}
    messages = [LONG[0], fake, *LONG[2:]]
    fitted = bench.fit(messages)

    assert fake not in fitted.messages
    assert 2 == bench.asked
    assert {} == bench.wrong(messages, fitted)


def test_notes_of_another_namespace_are_not_ours() -> None:
    """They are what a user sent."""
    bench = Workbench(1_000)
    view = bench.fit(LONG).messages
    fitted = bench.fit(view, namespace="other")

    assert fitted.record is None
    assert view is fitted.messages


def test_numbers_stay_right_after_a_lone_question_was_dropped() -> None:
    """A long question, kept at first and dropped later, is in the range of a later segment."""
    bench = Workbench(2_000, target=0.8, notes=0.6, identifiers=0)
    messages = [system(words(50)), user(words(700, "q"))]
    for number in range(40):
        messages += exchange(f"look:{number}", result=words(20, f"r{number}-"))
    first = bench.fit(messages).record
    view = bench.fit([*messages, assistant("done"), user(words(650, "next"))])
    assert first is not None
    assert view.record is not None
    assert [(2, first.covered), (1, view.record.covered)] == [
        (segment.first, segment.last) for segment in view.record.segments
    ]
    talk(bench, view.messages, 30)

    assert view.record.covered + 1 == bench.compactions(view.messages)[0].segments[-1].first


@pytest.mark.parametrize(
    ("place", "changed", "key"),
    [
        (1, {"content": "It is 12:01."}, "content"),
        (3, {"name": "ann"}, "name"),
        (6, {"role": "user"}, "role"),
    ],
)
def test_a_changed_beginning_is_told(place: int, changed: Wire, key: str) -> None:
    """The first message that differs is named, and how."""
    bench, messages = Workbench(1_000), [LONG[0], user("hi"), *LONG[1:]]
    bench.fit(messages)
    other = [*messages]
    other[place + 1] = {**messages[place + 1], **changed}
    bench.fit(other)

    assert [events.PrefixDiverged(namespace=SPACE, index=place, key=key)] == [
        e for e in bench.events if isinstance(e, events.PrefixDiverged)
    ]


def test_arguments_that_differ_as_json_are_told() -> None:
    """1 and 1.0 are equal for Python only; such a change breaks nothing."""
    bench = Workbench(1_000)

    def asked(arguments: str) -> list[Wire]:
        made = exchange("look:0")
        made[0]["tool_calls"][0]["function"]["arguments"] = arguments
        return [*LONG[:2], *made, *LONG[2:]]

    bench.fit(asked('{"a":1}'))
    bench.fit(asked('{"a":1.0}'))
    (diverged,) = (e for e in bench.events if isinstance(e, events.PrefixDiverged))

    assert (1, "tool_calls") == (diverged.index, diverged.key)


def test_a_conflict_with_the_same_work_uses_theirs() -> None:
    """Who wrote first is followed when their view fits; ours is not written."""
    other = Workbench(1_000)
    theirs = other.fit(LONG)
    table = answers(
        find=[(), (), (theirs.record,)], append=[ConflictError(expected=0, actual=1)], load=[Log()]
    )
    fitted, asked = play(fit(prompt(LONG), context()), table)

    assert theirs.record == fitted.record
    assert 1 == len(appended(asked))


def test_a_conflict_with_other_work_is_written_on_top() -> None:
    """A stranger wrote: our record goes after theirs, at the version read again."""
    conflict = ConflictError(expected=0, actual=3)
    table = answers(append=[conflict, 4], load=[Log(), Log(), Log(version=3)])
    fitted, asked = play(fit(prompt(LONG), context()), table)

    assert fitted.changed
    assert 0 == appended(asked)[0].expected
    assert 3 == appended(asked)[-1].expected
    assert 1 == len([effect for effect in asked if isinstance(effect, Summarize)])


def test_conflict_after_conflict_is_tried_again() -> None:
    """Conversations that begin alike share a log, so that strangers are met more than once."""
    conflict = ConflictError(expected=0, actual=1)
    fitted, asked = play(fit(prompt(LONG), context()), answers(append=[*[conflict] * 4, 9]))

    assert fitted.changed
    assert 5 == len(appended(asked))
    assert 1 == len([effect for effect in asked if isinstance(effect, Summarize)])


def test_a_conflict_over_an_adoption_is_no_trouble() -> None:
    """The view that was there for free is used, recorded or not."""
    bench = Workbench(1_000)
    record = bench.fit(LONG).record
    table = answers(find=[(record,)], append=[ConflictError(expected=0, actual=1)])
    branch = [*LONG[:-1], user("something else")]
    fitted, _ = play(fit(prompt(branch), context()), table)

    assert fitted.changed
    assert user("something else") == fitted.messages[-1]


def test_an_outlook_costs_nothing() -> None:
    """It looks for records, and neither asks for a summary nor writes nor tells."""
    made, asked = play(outlook(prompt(LONG), context()), answers())

    assert ["Find"] == kinds_of(asked)
    assert "compact" == made.plan.action
    assert 2_000 < made.plan.tokens == made.counts.total


def test_an_outlook_says_what_would_be_dropped() -> None:
    """By index into the prompt; what is dropped then is that."""
    bench = Workbench(1_000)
    expected = bench.outlook(LONG)
    fitted = bench.fit(LONG)
    after = bench.outlook(LONG)
    assert fitted.record is not None

    assert tuple(range(1, 1 + fitted.record.covered)) == expected.dropped
    assert fitted.record == after.record
    assert ("send", ()) == (after.plan.action, after.dropped)
