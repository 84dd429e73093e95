"""What the log of a conversation has come to, and how the next turn goes on from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talks import NAME, Talk, calling, result
from workbench import answers, assistant, exchange, play, prompt, system, user

from memory import events
from memory.errors import ConversationBusy
from memory.flow import Log, Past
from memory.flow.conversation import join
from memory.messages import head_length
from memory.records import Compaction, Logged, Pinned, Record, Turn, Undone
from memory.testing import strategies

unhurried = settings(deadline=None)  # how long an example takes says nothing here
HALF = {"role": "assistant", "content": "Half an ans"}
HALF_CALL = {"role": "assistant", "content": "Let me look.", "tool_calls": [{"id": "look:0"}]}
BLANK = {"role": "assistant", "content": " \n"}


def histories() -> st.SearchStrategy[Any]:
    """Return what was said in conversations that end with a reply, without heads."""
    made = strategies.conversations(most=6, largest=5, ends=["assistant"])
    return made.map(lambda messages: messages[head_length(messages) :])


def refrains() -> st.SearchStrategy[Any]:
    """Return what was said in conversations in which the same is said again and again."""
    turn = st.tuples(
        st.sampled_from(["Go on.", "ok"]).map(user), st.sampled_from(["ok", "Done."]).map(assistant)
    )
    return st.lists(turn, max_size=8).map(lambda turns: [each for turn in turns for each in turn])


def suffix(data: st.DataObject, messages: Sequence[Any]) -> list[Any]:
    """Return an end of messages, of any length."""
    return list(messages[data.draw(st.integers(0, len(messages))) :])


def as_the_sdk_has_them(messages: Sequence[Any]) -> list[Any]:
    """Return messages with the keys without a value that an object of the SDK has."""
    return [{"refusal": None, "annotations": None, **message} for message in messages]


class TestFolding:
    """From the records of a log to a conversation."""

    def test_an_empty_log_is_an_empty_conversation(self) -> None:
        """Nothing was said, and nothing is broken."""
        assert Past() == Past.of(Log())

    @unhurried
    @given(data=st.data())
    def test_each_turn_replaces_what_stood_from_its_start_on(self, data: st.DataObject) -> None:
        """The messages are those of all turns, in order, each as far as the next begins."""
        expected: list[Any] = []
        turns = []
        for number in range(data.draw(st.integers(0, 8))):
            start = data.draw(st.integers(0, len(expected)))
            said = [user(f"{number}.{place}") for place in range(data.draw(st.integers(0, 3)))]
            expected[start:] = said
            turns.append(Turn(start=start, messages=tuple(said)))
        past = Past.of(Log(records=tuple(turns)))

        assert expected == list(past.messages)
        assert len(turns) == past.turns

    def test_the_newest_head_counts(self) -> None:
        """A turn without a head leaves the one there was; one with an empty head takes it away."""
        heads = [(system("Old."),), None, (system("New."),), None]
        turns = [Turn(start=0, head=head) for head in heads]

        assert (system("New."),) == Past.of(Log(records=tuple(turns))).head
        assert () == Past.of(Log(records=(*turns, Turn(start=0, head=())))).head

    def test_compactions_that_were_undone_are_not_in_use(self) -> None:
        """One that is recorded again after that is."""
        one, two = (
            Compaction(covered=1, coverage=mark, adopted=1, adoption=mark, mark=mark)
            for mark in (b"1", b"2")
        )
        records = (one, two, Undone(mark=b"2"))

        assert (one,) == Past.of(Log(records=records)).compactions
        assert (one, two) == Past.of(Log(records=(*records, two))).compactions

    @unhurried
    @given(st.lists(st.tuples(st.sampled_from(["a", "b", b"1", b"2"]), st.booleans()), max_size=8))
    def test_what_is_pinned_is_what_was_pinned_last(
        self, pins: list[tuple[str | bytes, bool]]
    ) -> None:
        """A pin that was taken back holds no more; sentences stand in the order of their pins."""
        records, held = list[Record](), dict[str | bytes, None]()
        for what, holds in pins:
            mark, text = (what, "") if isinstance(what, bytes) else (None, what)
            records.append(Pinned(text=text, digest=mark, held=holds))
            held.pop(what, None)
            held |= {what: None} if holds else {}
        past = Past.of(Log(records=tuple(records)))

        assert {each for each in held if isinstance(each, bytes)} == past.pinned
        assert tuple(each for each in held if isinstance(each, str)) == past.quoted

    def test_what_is_no_turn_says_nothing(self) -> None:
        """Originals that were logged for a compaction are not part of the conversation again."""
        logged = Logged(index=0, link=b"", message=user("Hi."))
        assert Past() == Past.of(Log(records=(logged,)))


class TestUnanswered:
    """Whether the end waits for tool results."""

    @pytest.mark.parametrize(
        ("end", "expected"),
        [
            ([], ()),
            ([assistant("Yes.")], ()),
            ([calling("a", "b")], ("a", "b")),
            ([calling("a", "b"), result("a")], ("b",)),
            ([calling("a", "b"), result("b"), result("a")], ()),
            ([*exchange("a"), calling("a")], ("a",)),
            ([*exchange("a"), assistant("Yes.")], ()),
            ([system("Be quick."), calling("a")], ("a",)),
            ([*exchange("a"), user("So?")], ()),
        ],
    )
    def test_calls_at_the_end_are_named(self, end: Any, expected: tuple[str, ...]) -> None:
        """They are the calls of the last exchange that have no result."""
        assert expected == Past(messages=(user("Hi."), *end)).unanswered

    def test_half_a_call_waits_for_nothing(self) -> None:
        """The calls of a reply that broke off were never made."""
        past = Past(messages=(user("Hi."), HALF_CALL), broken=True, replied=True)
        assert () == past.unanswered


class TestOverlap:
    """What of a list is new."""

    @unhurried
    @given(data=st.data(), history=histories(), new=histories())
    def test_what_follows_the_end_of_the_history_is_new(
        self, data: st.DataObject, history: Any, new: Any
    ) -> None:
        """Whatever end of the history comes first, even none, the rest is what is new."""
        new = [user("This was never said before."), *new]
        again = as_the_sdk_has_them(suffix(data, history))
        before, shared = Past(messages=tuple(history)).overlap([*again, *new])

        assert (tuple(history), len(again)) == (before, shared)

    @unhurried
    @given(data=st.data(), history=refrains(), question=st.sampled_from(["Go on.", "ok"]))
    def test_a_question_may_repeat_what_was_said(
        self, data: st.DataObject, history: Any, question: str
    ) -> None:
        """A single new question is new even where it, and all before it, was said before."""
        again = suffix(data, history)
        _, shared = Past(messages=tuple(history)).overlap([*again, user(question)])

        assert len(again) == shared

    @unhurried
    @given(data=st.data(), history=histories())
    def test_results_are_new(self, data: st.DataObject, history: Any) -> None:
        """After a reply that calls tools the results are what is new, with or without the call."""
        known = [*history, user("Look."), calling("look:0", "look:1")]
        again = suffix(data, known)
        results = [result("look:0"), result("look:1")]
        _, shared = Past(messages=tuple(known)).overlap([*again, *results])

        assert len(again) == shared

    def test_the_longest_overlap_counts(self) -> None:
        """Where the history repeats itself, the caller has as much of it as can be."""
        history = (user("Go on."), assistant("ok")) * 3
        assert (history, 4) == Past(messages=history).overlap([*history[:4], user("Enough.")])

    def test_a_window_may_begin_inside_an_exchange(self) -> None:
        """A program that cuts its list anywhere may send a result first."""
        history = (user("Look."), *exchange("a", "b"), assistant("Two of them."))
        assert 2 == Past(messages=history).overlap([*history[-2:], user("And?")])[1]

    def test_an_edited_message_is_new(self) -> None:
        """What differs from the record is taken for new, with all that follows."""
        history = (user("Hi."), assistant("Hello."))
        assert (
            0 == Past(messages=history).overlap([user("Hi!"), assistant("Hello."), user("So?")])[1]
        )

    @pytest.mark.parametrize("given", [[], [user("So?")]])
    def test_a_new_conversation_has_nothing_in_common(self, given: Any) -> None:
        """With no history there is no overlap."""
        assert ((), 0) == Past().overlap(given)


class TestBrokenReplies:
    """Going on after a reply that broke off."""

    def after(self, begun: Any, *given: Any) -> list[Any]:
        """Return what would be sent after a question whose reply broke off."""
        talk = Talk()
        talk.turn(user("Hi."), reply="Hello.")
        talk.broken(user("Tell me."), begun=begun)
        return list(talk.join(*given).messages)[2:]

    def test_a_usable_text_stays(self) -> None:
        """Whoever goes on says so after the text there is."""
        assert [user("Tell me."), HALF, user("More.")] == self.after(HALF, user("More."))

    @pytest.mark.parametrize("begun", [HALF_CALL, BLANK, {"role": "assistant"}])
    def test_what_is_not_usable_goes(self, begun: Any) -> None:
        """Half a call cannot be sent, and a text that is blank says nothing."""
        assert [user("Tell me."), user("More.")] == self.after(begun, user("More."))

    @pytest.mark.parametrize("begun", [HALF, HALF_CALL, BLANK, None])
    def test_asking_the_same_again_is_another_try(self, begun: Any) -> None:
        """The beginning of the reply is left out, and the question is sent once."""
        assert [user("Tell me.")] == self.after(begun, user("Tell me."))

    @pytest.mark.parametrize("begun", [HALF, HALF_CALL, None])
    def test_the_whole_list_may_be_sent_again(self, begun: Any) -> None:
        """A program that keeps its list has the question at its end."""
        whole = [user("Hi."), assistant("Hello."), user("Tell me.")]
        assert whole[2:] == self.after(begun, *whole)

    def test_a_list_with_the_beginning_in_it_goes_on_from_it(self) -> None:
        """A program that kept the text that came sends it, and what follows is new."""
        given = [user("Tell me."), HALF, user("More.")]
        assert given == self.after(HALF, *given)

    @pytest.mark.parametrize("begun", [HALF, HALF_CALL, BLANK, None])
    def test_another_try_replaces_the_beginning(self, begun: Any) -> None:
        """Once it is answered, the question is on record once, with the whole reply."""
        talk = Talk()
        talk.broken(user("Tell me."), begun=begun)
        talk.turn(user("Tell me."), reply="All of it.")

        assert [user("Tell me."), assistant("All of it.")] == talk.messages
        assert not talk.past.broken

    def test_a_beginning_that_cannot_be_sent_is_gone_after_the_next_turn(self) -> None:
        """It is in the log, and not in the conversation."""
        talk = Talk()
        talk.broken(user("Look."), begun=HALF_CALL)
        talk.turn(user("Never mind."))

        assert [user("Look."), user("Never mind."), assistant("Yes.")] == talk.messages

    def test_a_beginning_that_cannot_be_sent_is_gone_after_add(self) -> None:
        """Messages that are added follow what can be sent."""
        talk = Talk()
        talk.broken(user("Look."), begun=HALF_CALL)
        talk.add(user("Never mind."), assistant("Fine."))

        assert [user("Look."), user("Never mind."), assistant("Fine.")] == talk.messages


class TestJoining:
    """From what the caller sends to the whole prompt."""

    def test_the_history_is_put_before_what_is_new(self) -> None:
        """A caller who sends one message asks after everything that was said."""
        talk = Talk()
        first = talk.turn(system("Be brief."), user("Hi."), reply="Hello.")
        second = talk.join(user("And?"))
        expected = [system("Be brief."), user("Hi."), assistant("Hello."), user("And?")]

        assert expected[:2] == list(first.messages)
        assert expected == list(second.messages)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [([], "Old."), ([system("Old.")], "Old."), ([system("New.")], "New.")],
    )
    def test_the_newest_head_counts(self, given: Any, expected: str) -> None:
        """The caller's is sent, without one the newest on record, and the next call has it too."""
        talk = Talk()
        talk.turn(system("Old."), user("Hi."))
        now = talk.turn(*given, user("And?"))

        assert system(expected) == now.messages[0]
        assert (system(expected),) == talk.past.head

    @unhurried
    @given(data=st.data(), history=histories())
    def test_the_prompt_is_the_same_whatever_end_is_sent(
        self, data: st.DataObject, history: Any
    ) -> None:
        """All of the history, its last messages, or nothing of it: one prompt, and one record."""
        talk = Talk()
        talk.add(user("To begin with."), *history)
        whole = [*talk.messages, user("And now?")]
        joined = talk.turn(*suffix(data, history), user("And now?"))

        assert whole == list(joined.messages)
        assert [*whole, assistant("Yes.")] == talk.messages

    def test_a_list_that_is_complete_is_sent_as_it_is(self) -> None:
        """The very object that the caller gave goes out, so nothing has to be encoded anew."""
        talk = Talk()
        talk.turn(system("Be brief."), user("Hi."), reply="Hello.")
        whole = [system("Be brief."), user("Hi."), assistant("Hello."), user("And?")]
        given = prompt(whole, log=talk.key, conversation=NAME)

        assert talk.run(join(given)).messages is whole

    def test_without_a_conversation_nothing_is_read(self) -> None:
        """A prompt of nobody's conversation is left as it is."""
        given = prompt([user("Hi.")])
        assert (given, []) == play(join(given), answers())

    @pytest.mark.parametrize(
        "new", [[], [user("So?")], [assistant("Well.")], [system("Be quick.")]]
    )
    def test_open_calls_wait_for_their_results(self, new: Any) -> None:
        """Anything else is refused with the ids that are missing, and nothing is recorded."""
        talk = Talk()
        talk.turn(user("Look."), reply=calling("a", "b"))
        before = talk.bench.store.load(talk.key)
        with pytest.raises(ConversationBusy, match=NAME) as caught:
            talk.join(*new)

        assert (NAME, ("a", "b")) == (caught.value.conversation, caught.value.missing)
        assert before == talk.bench.store.load(talk.key)

    @pytest.mark.parametrize("again", [0, 1, 2])
    def test_results_close_open_calls(self, again: int) -> None:
        """They may come alone, or after the reply that called."""
        talk = Talk()
        talk.turn(user("Look."), reply=calling("a"))
        given = talk.messages[2 - again :]
        talk.turn(*given, result("a"), reply="There.")

        assert [user("Look."), calling("a"), result("a"), assistant("There.")] == talk.messages

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ([user("And?")], False),
            ([assistant("Hello."), user("And?")], False),
            ([user("Other."), assistant("Talk."), user("And?")], True),
        ],
    )
    def test_a_list_of_strangers_is_told(self, given: Any, *, told: bool) -> None:
        """Several messages of which none ends the conversation are all new, and that is said."""
        talk = Talk()
        talk.turn(user("Hi."), reply="Hello.")
        talk.join(*given)

        assert told is any(isinstance(event, events.Unaligned) for event in talk.bench.events)
