"""Turns at their edges: places, what may be added when, and what a turn leaves and tells."""

from __future__ import annotations

import pytest
from talks import NAME, Talk, calling, result
from workbench import Workbench, assistant, exchange, system, user, words

from memory import events
from memory.errors import ConversationBusy, HistoryError
from memory.flow.conversation import add, check_place, fork, rewind
from memory.records import Turn
from memory.replies import Reply

KEY = Talk().key


def spoken(*, turns: int = 6) -> Talk:
    """Return a conversation of so many turns, each a question and an answer."""
    talk = Talk(bench=Workbench(1_000))
    for turn in range(turns):
        talk.add(user(words(20, f"q{turn}-")), assistant(words(20, f"a{turn}-")))
    return talk


class TestPlaces:
    """Places in a conversation."""

    @pytest.mark.parametrize("place", [0, 3])
    def test_the_ends_are_places(self, place: int) -> None:
        """The beginning, and the end behind the last message."""
        check_place(place, 3)

    @pytest.mark.parametrize(
        ("place", "shown", "index"),
        [(4, "4", 4), (-1, "-1", -1), (True, "True", 1), ("1", "'1'", 0), (1.0, "1.0", 0)],
    )
    def test_what_is_none_is_told(self, place: object, shown: str, index: int) -> None:
        """With what could have been given; a truth value is no number here."""
        with pytest.raises(HistoryError) as caught:
            check_place(place, 3)

        assert f"{shown} is no place in a conversation of 3 messages: use 0 to 3" == str(
            caught.value
        )
        assert index == caught.value.index

    def test_behind_the_last_message_there_is_none(self) -> None:
        """Where a message is wanted, the end is no place."""
        check_place(2, 3, message=True)
        with pytest.raises(HistoryError, match="use 0 to 2") as caught:
            check_place(3, 3, message=True)

        assert 3 == caught.value.index

    @pytest.mark.parametrize(("to", "left"), [(12, 0), (11, 1), (1, 11), (0, 12)])
    def test_going_back_says_what_is_left_behind(self, to: int, left: int) -> None:
        """Nothing is written where nothing is."""
        talk = spoken()
        version = talk.bench.store.load(talk.key).version

        assert left == talk.run(rewind(talk.key, to))
        assert to == len(talk.messages)
        assert version + bool(left) == talk.bench.store.load(talk.key).version

    @pytest.mark.parametrize("at", [0, 1, 12, None])
    def test_a_fork_has_the_first_messages(self, at: int | None) -> None:
        """All of them where no place is given; the first one included."""
        talk = spoken()
        other = Talk(bench=talk.bench, name="other")
        held = 12 if at is None else at

        assert held == talk.run(fork(talk.key, other.key, at))
        assert talk.messages[:held] == other.messages

    def test_a_fork_has_the_head_too(self) -> None:
        """And no head where there is none, so that a later one counts."""
        talk = Talk()
        talk.add(system("Be kind."), user("Hi."), assistant("Hello."))
        other = Talk(bench=talk.bench, name="other")
        talk.run(fork(talk.key, other.key, 1))
        bare = Talk(bench=spoken().bench, name="bare")
        bare.run(fork(KEY, bare.key, 0))

        assert (system("Be kind."),) == other.past.head
        assert [Turn(start=0)] == list(bare.bench.store.load(bare.key).records)

    def test_a_fork_onto_another_conversation_is_refused(self) -> None:
        """It would be neither of them."""
        talk = spoken()
        other = Talk(bench=talk.bench, name="other")
        other.add(user("Hi."))
        with pytest.raises(HistoryError) as caught:
            talk.run(fork(talk.key, other.key, 3))

        assert "a conversation of that name has messages already: choose another name" == (
            str(caught.value)
        )
        assert 0 == caught.value.index
        assert [user("Hi.")] == other.messages


class TestAdding:
    """Messages without a reply."""

    def test_it_says_how_many_there_are(self) -> None:
        """The head does not count, and what was there before does."""
        talk = Talk()

        assert 1 == talk.add(system("Be kind."), user("a"))
        assert 3 == talk.add(assistant("b"), user("c"))
        assert (system("Be kind."),) == talk.past.head

    def test_a_later_head_takes_the_place_of_the_first(self) -> None:
        """And none leaves the one there is."""
        talk = Talk()
        talk.add(system("Be kind."), user("a"))
        talk.add(assistant("b"))
        talk.add(system("Be brief."))

        assert (system("Be brief."),) == talk.past.head
        assert [user("a"), assistant("b")] == talk.messages

    def test_what_was_added_is_nobody_elses(self) -> None:
        """The caller may change theirs afterwards."""
        head, question = system("Be kind."), user("a")
        talk = Talk()
        talk.add(head, question)
        head["content"] = question["content"] = "Changed."

        assert ((system("Be kind."),), [user("a")]) == (talk.past.head, talk.messages)

    def test_results_may_come_one_by_one(self) -> None:
        """Outside a request nobody has to have all of them at once."""
        talk = Talk()
        talk.turn(user("a"), reply=calling("x", "y"))
        talk.add(result("x"))
        talk.add(result("y"), user("b"))

        assert ["user", "assistant", "tool", "tool", "user"] == [m["role"] for m in talk.messages]

    def test_nothing_comes_between_calls_and_results(self) -> None:
        """Not even behind some of them; the refusal names what is missing."""
        talk = Talk()
        talk.turn(user("a"), reply=calling("x", "y"))
        for said in (
            [user("b")],
            [result("x"), user("b")],
            [result("z")],
            [result("z"), result("x")],
        ):
            with pytest.raises(ConversationBusy) as caught:
                talk.add(*said)
            held = {message.get("tool_call_id") for message in said}

            assert NAME == caught.value.conversation
            assert tuple(name for name in ("x", "y") if name not in held) == caught.value.missing

    def test_a_result_of_nothing_is_refused(self) -> None:
        """It has to follow a call."""
        talk = spoken()
        with pytest.raises(HistoryError) as caught:
            talk.add(result("x"))

        assert "a tool result has to follow the call that it answers: add the call first" == (
            str(caught.value)
        )
        assert 0 == caught.value.index

    def test_a_request_has_to_hold_all_results(self) -> None:
        """The server would refuse it otherwise."""
        talk = Talk()
        talk.turn(user("a"), reply=calling("x", "y"))
        with pytest.raises(ConversationBusy) as caught:
            talk.join(result("x"))

        assert ("y",) == caught.value.missing
        assert 4 == len(talk.join(result("x"), result("y")).messages)

    def test_strange_results_leave_all_calls_waiting(self) -> None:
        """The refusal names the calls, also where no result of theirs is missing."""
        talk = Talk()
        talk.turn(user("a"), reply=calling("x"))
        with pytest.raises(ConversationBusy) as caught:
            talk.join(result("z"), result("x"))

        assert ("x",) == caught.value.missing


class TestTurns:
    """What a turn leaves on record and tells."""

    def test_a_turn_tells_how_much_it_added(self) -> None:
        """Its new messages and the reply, and whether that is whole."""
        talk = Talk()
        talk.turn(user("a"))
        talk.turn(user("b"), reply=Reply(message=None, complete=False))
        told = [each for each in talk.bench.events if isinstance(each, events.Recorded)]

        assert [(2, True), (1, False)] == [(each.messages, each.complete) for each in told]
        assert {("tests", NAME)} == {(each.namespace, each.conversation) for each in told}

    def test_a_joined_prompt_says_where_it_goes_on(self) -> None:
        """From how many messages, after which, and what is new."""
        talk = Talk()
        talk.turn(system("Be kind."), user("a"), reply="b")
        joined = talk.join(user("c"))
        assert joined.joined is not None

        assert ([user("c")], 2, 1) == (
            list(joined.joined.new),
            joined.joined.start,
            joined.joined.turns,
        )
        assert [system("Be kind."), user("a"), assistant("b"), user("c")] == list(joined.messages)
        assert (NAME, None, False, 2) == (
            joined.joined.conversation,
            joined.joined.head,
            joined.joined.answers,
            joined.known,
        )

    def test_a_head_counts_where_it_is_another_one(self) -> None:
        """The same one again is not put on record a second time."""
        talk = Talk()
        talk.turn(system("Be kind."), user("a"))
        heads = [
            talk.join(*head, user("b")).joined
            for head in ([], [system("Be kind.")], [system("Be brief.")])
        ]

        assert [None, None, (system("Be brief."),)] == [each and each.head for each in heads]

    def test_results_answer_what_is_open(self) -> None:
        """The turn that brings them closes the exchange."""
        talk = Talk()
        talk.turn(user("a"), reply=calling("x"))
        joined = talk.join(result("x"))

        assert joined.joined is not None
        assert joined.joined.answers
        talk.commit(joined, "Done.")
        assert [user("a"), calling("x"), result("x"), assistant("Done.")] == talk.messages

    def test_strangers_are_told(self) -> None:
        """A list without anything of what is on record; one message alone says nothing."""
        talk = spoken()
        talk.join(user("b"), assistant("c"), user("d"))
        talk.join(user("b"))
        talk.join(*talk.messages[-2:], user("d"))
        told = [each for each in talk.bench.events if isinstance(each, events.Unaligned)]

        assert [(3, NAME)] == [(each.messages, each.conversation) for each in told]

    def test_a_beginning_that_was_not_continued_is_not_recorded(self) -> None:
        """What comes before it is: it was said, and a `partial` alone cannot be sent again."""
        talk = Talk()
        partial = {**assistant("So the"), "partial": True}
        talk.turn(user("a"), partial, reply=None)
        talk.turn(user("b"), assistant("c"), user("d"), partial, reply=None)

        assert [user("a"), user("b"), assistant("c"), user("d")] == talk.messages

    def test_an_exchange_can_be_a_turn(self) -> None:
        """Calls and results of the caller's own making come before the question."""
        talk = Talk()
        talk.turn(user("a"), *exchange("x"), reply="b")

        assert [user("a"), *exchange("x"), assistant("b")] == talk.messages
        assert 4 == talk.run(add(talk.key, []))
