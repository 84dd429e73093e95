"""Several turns of one conversation at once: nothing is lost and exchanges stay in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talks import Talk, calling, is_paired, result
from workbench import Wire, assistant, system, user

from memory import events
from memory.errors import ConversationBusy, HistoryError
from memory.flow import Prompt
from memory.flow.conversation import rewind
from memory.replies import Reply

unhurried = settings(deadline=None)  # how long an example takes says nothing here
HALF = {"role": "assistant", "content": "Half an ans"}
HALF_CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "look:0"}]}
Step = tuple[list[Wire], Wire]


def plain(name: str) -> list[Step]:
    """Return the one request, with its reply, of somebody who asks a question."""
    return [([user(f"{name} asks")], assistant(f"{name} is answered"))]


def looking(name: str, *calls: str) -> list[Step]:
    """Return the two requests, with their replies, of a question that needs tools."""
    results = [result(each, f"{name} found {each}") for each in calls]
    return [
        ([user(f"{name} looks")], {**calling(*calls), "content": f"{name} calls"}),
        (results, assistant(f"{name} has it")),
    ]


class Caller:
    """Somebody who makes requests, one after the other.

    Args:
        talk: The conversation.
        steps: Requests and replies.
    """

    def __init__(self, talk: Talk, steps: Sequence[Step]) -> None:
        self.talk = talk
        self.left = list(steps)
        self.sent: Prompt | None = None

    def go_on(self) -> Prompt | None:
        """Make the next request, or have the last one answered; wait where the talk is busy."""
        new, reply = self.left[0]
        if self.sent is not None:
            self.talk.commit(self.sent, reply)
            self.left.pop(0)
            self.sent = None
            return None
        try:
            self.sent = self.talk.join(*new)
        except (ConversationBusy, HistoryError):
            return None
        return self.sent


def play_out(
    data: st.DataObject, talk: Talk, scripts: Sequence[Sequence[Step]], *, patient: bool = True
) -> None:
    """Let callers go through their requests in any order; check everything that is sent.

    All get to their end, unless they are not `patient` where they are refused.
    """
    callers = [Caller(talk, steps) for steps in scripts]
    for _ in range(4 * sum(map(len, scripts))):
        waiting = [caller for caller in callers if caller.left]
        for caller in data.draw(st.permutations(waiting)):
            sent = caller.go_on()
            assert sent is None or is_paired(sent.messages)
    assert not (patient and [step for caller in callers for step in caller.left])


def flat(scripts: Sequence[Sequence[Step]]) -> list[Wire]:
    """Return all messages of all requests and replies."""
    return [each for steps in scripts for new, reply in steps for each in (*new, reply)]


def key(message: Any) -> str:
    """Return a text to sort messages by."""
    return str(sorted(message.items(), key=str))


@unhurried
@given(data=st.data(), number=st.integers(2, 6))
def test_turns_at_once_are_all_recorded(data: st.DataObject, number: int) -> None:
    """In whatever order requests and replies come, each question stands before its answer."""
    talk = Talk()
    scripts = [plain(f"caller {index}") for index in range(number)]
    play_out(data, talk, scripts)
    messages = talk.messages

    assert sorted(map(key, flat(scripts))) == sorted(map(key, messages))
    assert all([*steps[0][0], steps[0][1]] in _pairs(messages) for steps in scripts)


@unhurried
@given(data=st.data(), number=st.integers(0, 4), calls=st.integers(1, 2))
def test_an_exchange_stays_in_one_piece(data: st.DataObject, number: int, calls: int) -> None:
    """Turns that end while it is open are put before it, and its results find their calls."""
    talk = Talk()
    names = [f"look:{index}" for index in range(calls)]
    scripts = [looking("somebody", *names), *(plain(f"caller {i}") for i in range(number))]
    play_out(data, talk, scripts)

    assert sorted(map(key, flat(scripts))) == sorted(map(key, talk.messages))
    assert is_paired(talk.messages)
    assert () == talk.past.unanswered


@pytest.mark.parametrize("names", [["a:0", "b:0", "c:0"], ["look:0", "look:0", "look:0"]])
@unhurried
@given(data=st.data(), number=st.integers(2, 3), others=st.integers(0, 1))
def test_exchanges_at_once_do_not_spoil_the_conversation(
    data: st.DataObject, names: list[str], number: int, others: int
) -> None:
    """Where turns of several processes call tools at once, one may be refused, none sends rubbish.

    Within a process a turn waits for the one before; only the store is between processes.
    """
    talk = Talk()
    scripts = [looking(f"caller {index}", names[index]) for index in range(number)]
    scripts += [plain(f"somebody {index}") for index in range(others)]
    play_out(data, talk, scripts, patient=False)
    asked = {steps[0][0][0]["content"] for steps in scripts}

    assert asked <= {each["content"] for each in talk.messages}
    assert is_paired(talk.messages)


def _pairs(messages: Sequence[Any]) -> list[list[Any]]:
    return [list(messages[index : index + 2]) for index in range(len(messages))]


class TestTwo:
    """Two turns that were begun on the same log."""

    def both(self, talk: Talk, one: Any, other: Any) -> None:
        """Begin two turns, then have both answered, in this order."""
        first, second = talk.join(user("One?")), talk.join(user("Other?"))
        talk.commit(first, one)
        talk.commit(second, other)

    def test_the_first_answered_comes_first(self) -> None:
        """Turns are recorded as they end."""
        talk = Talk()
        first, second = talk.join(user("One?")), talk.join(user("Other?"))
        talk.commit(second, "Other.")
        talk.commit(first, "One.")

        expected = [user("Other?"), assistant("Other."), user("One?"), assistant("One.")]
        assert expected == talk.messages

    def test_whoever_finds_an_open_exchange_is_put_before_it(self) -> None:
        """So the calls stay at the end, where the results will follow them."""
        talk = Talk()
        self.both(talk, calling("a"), "Other.")
        expected = [user("Other?"), assistant("Other."), user("One?"), calling("a")]

        assert expected == talk.messages
        assert ("a",) == talk.past.unanswered

    def test_both_heads_are_kept_in_order(self) -> None:
        """The head of the turn that ended last counts from then on."""
        talk = Talk()
        first = talk.join(system("First."), user("One?"))
        second = talk.join(system("Second."), user("Other?"))
        talk.commit(second, "Other.")
        talk.commit(first, "One.")

        assert (system("First."),) == talk.past.head

    @pytest.mark.parametrize("begun", [HALF, HALF_CALL, None])
    def test_a_broken_reply_does_not_spoil_the_other(self, begun: Any) -> None:
        """What broke off is followed by what can follow it."""
        talk = Talk()
        self.both(talk, Reply(message=begun, complete=False), "Other.")
        kept = [HALF] if begun is HALF else []

        expected = [user("One?"), *kept, user("Other?"), assistant("Other.")]
        assert expected == talk.messages

    def test_half_a_reply_is_left_out_before_an_open_exchange(self) -> None:
        """A turn that broke off and has to be put before others leaves its question."""
        talk = Talk()
        self.both(talk, calling("a"), Reply(message=HALF_CALL, complete=False))
        expected = [user("Other?"), user("One?"), calling("a")]

        assert expected == talk.messages
        assert ("a",) == talk.past.unanswered

    def test_the_same_question_twice_is_answered_twice(self) -> None:
        """Two tries after a reply that broke off are both on record."""
        talk = Talk()
        talk.broken(user("Tell me."), begun=None)
        first, second = talk.join(user("Tell me.")), talk.join(user("Tell me."))
        talk.commit(first, "This.")
        talk.commit(second, "That.")

        assert {"This.", "That."} <= {each["content"] for each in talk.messages}

    def test_going_back_meanwhile_loses_nothing(self) -> None:
        """A turn that was begun before follows what the conversation was taken back to."""
        talk = Talk()
        talk.add(user("Hi."), assistant("Hello."))
        joined = talk.join(user("And?"))
        talk.run(rewind(talk.key, 0))
        talk.commit(joined, "Yes.")

        assert [user("And?"), assistant("Yes.")] == talk.messages

    def test_what_was_forgotten_meanwhile_stays_so(self) -> None:
        """A turn that ends after its conversation was removed does not begin it again."""
        talk = Talk()
        talk.add(user("Hi."), assistant("Hello."))
        joined = talk.join(user("And?"))
        talk.bench.store.forget(talk.key)
        talk.commit(joined, "Yes.")

        assert [] == talk.messages
        assert [] == [each for each in talk.bench.events if isinstance(each, events.Recorded)]

    def test_a_transcript_keeps_its_exchanges(self) -> None:
        """Whole exchanges that a turn brings along are on record whoever else was first."""
        talk = Talk()
        given = [user("Look."), calling("a"), result("a"), user("So?")]
        first, second = talk.join(user("One?")), talk.join(*given)
        talk.commit(first, "One.")
        talk.commit(second, "So.")

        expected = [user("One?"), assistant("One."), *given, assistant("So.")]
        assert expected == talk.messages

    def test_adding_meanwhile_comes_first(self) -> None:
        """Messages that are added while a turn is under way stand before it."""
        talk = Talk()
        joined = talk.join(user("And?"))
        talk.add(user("Seat 12A."), assistant("Noted."))
        talk.commit(joined, "Yes.")

        expected = [user("Seat 12A."), assistant("Noted."), user("And?"), assistant("Yes.")]
        assert expected == talk.messages
