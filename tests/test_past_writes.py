"""What is written to the log of a conversation: turns, steps back, forks, and all of it at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talks import NAME, Talk, calling
from workbench import (
    LONG,
    PARTIAL,
    Workbench,
    answers,
    appended,
    assistant,
    chat,
    play,
    system,
    user,
)

from memory import events
from memory.errors import ConflictError, HistoryError
from memory.flow import Fitted, Log, Prompt, fit
from memory.flow.conversation import add, fork, in_use, rewind, standing, undo
from memory.records import Compaction, Turn, Usage
from memory.replies import Reply

unhurried = settings(deadline=None)  # how long an example takes says nothing here
HALF = {"role": "assistant", "content": "Half an ans"}
HALF_CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "look:0"}]}


class TestRecording:
    """What a turn leaves."""

    def test_a_turn_is_told(self) -> None:
        """How many messages it added, and whether the reply is whole."""
        talk = Talk()
        talk.turn(user("Hi."))
        talk.broken(user("And?"), begun=HALF)
        told = [each for each in talk.bench.events if isinstance(each, events.Recorded)]

        assert [(2, True), (2, False)] == [(each.messages, each.complete) for each in told]
        assert {NAME} == {each.conversation for each in told}

    def test_without_leave_nothing_is_recorded(self) -> None:
        """A prompt that is not to be recorded sees the conversation and leaves no trace."""
        talk = Talk()
        talk.turn(user("Hi."), reply="Hello.")
        before = talk.bench.store.load(talk.key)
        joined = talk.join(user("Name this talk."), record=False)
        talk.commit(joined, "Greetings")

        assert [user("Hi."), assistant("Hello."), user("Name this talk.")] == list(joined.messages)
        assert before == talk.bench.store.load(talk.key)

    def test_a_reply_completes_the_partial_message_it_continues(self) -> None:
        """They are one message on record, which the next prompt can hold."""
        talk = Talk()
        talk.turn(user("Hi."), PARTIAL, reply=" answer is two.")

        assert [user("Hi."), assistant("So the answer is two.")] == talk.messages

    def test_what_is_recorded_is_what_was_said_then(self) -> None:
        """The caller may change messages and replies afterwards."""
        talk = Talk()
        question, reply = user("Hi."), assistant("Hello.")
        talk.turn(question, reply=reply)
        question["content"] = reply["content"] = "Changed."

        assert [user("Hi."), assistant("Hello.")] == talk.messages

    def test_usage_is_on_record(self) -> None:
        """What the server said a turn cost stays with it."""
        talk = Talk()
        usage = Usage(prompt_tokens=9, completion_tokens=2)
        talk.turn(user("Hi."), reply=Reply(message=assistant("Hello."), usage=usage))
        (turn,) = talk.bench.store.load(talk.key).records

        assert isinstance(turn, Turn)
        assert usage == turn.usage

    def test_whoever_was_first_is_read_again(self) -> None:
        """A write that comes too late is repeated on top of what is there then."""
        late = ConflictError(expected=0, actual=1)
        first = Log(records=(Turn(start=0, messages=(user("Hi."),)),), version=1)
        table = answers(load=[Log(), first], append=[late, 2])
        count, asked = play(add(Talk().key, [user("And?")]), table)

        assert 2 == count
        assert [(0, 0), (1, 1)] == [
            (each.expected, each.records[0].start)
            for each in appended(asked)
            if isinstance(each.records[0], Turn)
        ]

    def test_whoever_is_always_late_gives_up(self) -> None:
        """Writing is tried eight times."""
        table = answers(append=[ConflictError(expected=0, actual=1)])
        with pytest.raises(ConflictError):
            play(add(Talk().key, [user("And?")]), table)


def added(*messages: Any, bench: Workbench | None = None) -> Talk:
    """Return a conversation in which these messages were said."""
    talk = Talk(bench=bench)
    talk.add(*messages)
    return talk


def said(turns: int) -> list[Any]:
    """Return so many short turns."""
    return [each for n in range(turns) for each in (user(f"Say {n}."), assistant(f"{n}."))]


class TestGoingBack:
    """`rewind`."""

    @unhurried
    @given(turns=st.integers(0, 5), to=st.integers(0, 10))
    def test_what_was_left_behind_is_gone(self, turns: int, to: int) -> None:
        """The conversation is what it was when it had so many messages, and goes on from there."""
        messages = said(turns)
        talk, place = added(*messages), min(to, len(messages))
        left = talk.run(rewind(talk.key, place))
        talk.turn(user("Anew."))

        assert len(messages) - place == left
        assert [*messages[:place], user("Anew."), assistant("Yes.")] == talk.messages

    @pytest.mark.parametrize("to", [-1, 5, 100])
    def test_there_is_no_way_back_to_what_never_was(self, to: int) -> None:
        """A number that is too large or negative is an error, and nothing changes."""
        talk = added(*said(2))
        with pytest.raises(HistoryError, match="0 to 4") as caught:
            talk.run(rewind(talk.key, to))

        assert to == caught.value.index
        assert said(2) == talk.messages

    def test_going_back_to_the_end_writes_nothing(self) -> None:
        """Where everything stays there is nothing to record."""
        talk = added(*said(2))
        assert 0 == talk.run(rewind(talk.key, 4))
        assert 1 == len(talk.bench.store.load(talk.key).records)

    def test_calls_without_results_can_be_dropped(self) -> None:
        """Whoever cannot bring the results goes back to before the calls."""
        talk = added(*said(1))
        talk.turn(user("Look."), reply=calling("a"))
        talk.run(rewind(talk.key, 3))
        talk.turn(user("Never mind."))

        assert [*said(1), user("Look."), user("Never mind."), assistant("Yes.")] == talk.messages

    def test_a_broken_reply_can_be_dropped(self) -> None:
        """After going back there is no beginning of a reply any more."""
        talk = Talk()
        talk.broken(user("Tell me."), begun=HALF)
        talk.run(rewind(talk.key, 1))

        assert ([user("Tell me.")], False) == (talk.messages, talk.past.broken)


class TestForks:
    """`fork`."""

    @unhurried
    @given(turns=st.integers(0, 5), at=st.one_of(st.none(), st.integers(0, 10)))
    def test_a_fork_begins_like_the_other_one(self, turns: int, at: int | None) -> None:
        """It has the head and the first messages; what follows is each one's own."""
        talk = added(system("Be brief."), *said(turns))
        other = Talk(bench=talk.bench, name="other")
        place = None if at is None else min(at, 2 * turns)
        begun = said(turns)[:place]

        assert len(begun) == talk.run(fork(talk.key, other.key, place))
        assert ((system("Be brief."),), begun) == (other.past.head, other.messages)

        other.turn(user("Here."))
        talk.turn(user("There."))
        assert [*begun, user("Here."), assistant("Yes.")] == other.messages
        assert [*said(turns), user("There."), assistant("Yes.")] == talk.messages

    @pytest.mark.parametrize("at", [-1, 3])
    def test_a_fork_cannot_have_more_than_there_is(self, at: int) -> None:
        """A number that is too large or negative is an error."""
        talk, other = added(*said(1)), Talk(name="other")
        with pytest.raises(HistoryError, match="0 to 2") as caught:
            talk.run(fork(talk.key, other.key, at))

        assert at == caught.value.index

    def test_a_fork_does_not_write_over_another_conversation(self) -> None:
        """A name that is taken is an error, and both stay as they are."""
        talk = added(*said(1))
        other = Talk(bench=talk.bench, name="other")
        other.add(user("Mine."))
        with pytest.raises(HistoryError, match="another name"):
            talk.run(fork(talk.key, other.key, None))

        assert [user("Mine.")] == other.messages

    @pytest.mark.parametrize(
        ("begun", "expected"), [(HALF, [user("Look."), HALF]), (HALF_CALL, [user("Look.")])]
    )
    def test_a_fork_can_go_on_after_a_broken_reply(self, begun: Any, expected: Any) -> None:
        """It has what can be sent of it."""
        talk = Talk()
        talk.broken(user("Look."), begun=begun)
        other = Talk(bench=talk.bench, name="other")
        talk.run(fork(talk.key, other.key, None))
        joined = other.join(user("Never mind."))

        assert [*expected, user("Never mind.")] == list(joined.messages)


class TestCompactions:
    """What was summarised in a conversation."""

    def fitted(self, talk: Talk, joined: Prompt) -> Fitted:
        """Return what would be sent for a prompt."""
        return talk.run(fit(joined, talk.bench.context))

    def compacted(self) -> tuple[Talk, Compaction]:
        """Return a conversation that was summarised once, and the record of that."""
        talk = added(*LONG[:-1], bench=Workbench(1_000))
        joined = talk.join(LONG[-1])
        assert self.fitted(talk, joined).changed
        talk.commit(joined, "Yes.")
        (record,) = in_use(talk.past)
        return talk, record

    def test_a_compaction_is_undone(self) -> None:
        """It is returned, and what it covered is sent verbatim again, or summarised again."""
        talk, record = self.compacted()

        assert record == talk.run(undo(talk.key))
        assert [] == in_use(talk.past)
        assert [*LONG, assistant("Yes.")] == [*talk.past.head, *talk.messages]
        assert talk.messages == list(self.verbatim(talk))[1:]
        assert talk.run(undo(talk.key)) is None

        self.fitted(talk, talk.join(user("And?")))
        assert (2, 1) == (talk.bench.asked, len(in_use(talk.past)))

    def verbatim(self, talk: Talk) -> Any:
        """Return what would be sent of the conversation as it stands."""
        prompt = talk.join()
        return talk.run(standing(prompt, talk.bench.context))

    def test_the_next_turn_reuses_a_compaction(self) -> None:
        """It begins with the bytes that were sent before, and nothing is paid again."""
        talk, record = self.compacted()
        before = self.verbatim(talk)
        fitted = self.fitted(talk, talk.join(user("And?")))

        assert record.synthetic == fitted.messages[1]
        assert [*before, user("And?")] == list(fitted.messages)
        assert 1 == talk.bench.asked

    @pytest.mark.parametrize("back", [0, 1, 2])
    def test_a_fork_keeps_the_compactions_of_what_it_begins_with(self, back: int) -> None:
        """What was summarised need not be summarised again, wherever after it the fork begins."""
        talk, record = self.compacted()
        other = Talk(bench=talk.bench, name="other")
        talk.run(fork(talk.key, other.key, len(talk.messages) - back))
        self.fitted(other, other.join(*chat(4, head=0)))

        assert record.mark in {each.mark for each in in_use(other.past)}
        assert 1 == talk.bench.asked

    def test_a_fork_from_before_a_compaction_has_none(self) -> None:
        """A summary of messages that are not there does not come along."""
        talk, record = self.compacted()
        other = Talk(bench=talk.bench, name="other")
        talk.run(fork(talk.key, other.key, record.covered - 1))

        assert [] == in_use(other.past)

    def test_going_back_behind_a_compaction_takes_it_out_of_use(self) -> None:
        """It comes back to use with what it speaks for."""
        talk, record = self.compacted()
        before = talk.messages
        talk.run(rewind(talk.key, record.covered - 1))
        assert [] == in_use(talk.past)

        talk.add(*before[record.covered - 1 :])
        assert [record] == in_use(talk.past)
