"""When the turns of a conversation were put on record."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import Talk, calling, result
from workbench import assistant, prompt, user

from memory.flow import LogKey, Prompt
from memory.flow.conversation import fork, past, rewind, whole
from memory.flow.past import dated
from memory.handlers import Handler
from memory.outside import Outside
from memory.records import Record, Turn, Usage
from memory.stores.codec import decode, encode


class Wall:
    """A clock that tells a second more each time."""

    def __init__(self) -> None:
        self.now = 99.0

    def __call__(self) -> float:
        """Return the time."""
        self.now += 1
        return self.now


def talk_by(wall: Callable[[], float]) -> Talk:
    """Return a conversation whose turns are put on record at the times of a clock."""
    talk = Talk()
    outside = Outside(store=talk.bench.store, hooks=(), count=talk.bench.meter.text, wall=wall)
    talk.bench.handler = Handler(outside, talk.bench.scribe)
    return talk


def records_of(talk: Talk) -> tuple[Record, ...]:
    """Return what is on record."""
    return talk.bench.store.load(talk.key).records


def begun() -> Talk:
    """Return a conversation of two turns of two messages, and one that was added."""
    talk = talk_by(Wall())
    talk.turn(user("Hi."))
    talk.turn(user("And?"))
    talk.add(user("By the way."))
    return talk


def forked(talk: Talk, at: int | None = None) -> LogKey:
    """Return the log of a fork of a conversation."""
    other = LogKey(namespace="tests", name="other")
    talk.run(fork(talk.key, other, at))
    return other


def test_a_turn_has_the_time_at_which_it_was_committed() -> None:
    """So has what was added without a reply; each time is asked for once."""
    assert (100.0, 100.0, 101.0, 101.0, 102.0) == begun().past.said


def test_times_go_with_the_messages_when_a_conversation_goes_back() -> None:
    """What is left keeps its own, what is new has its own."""
    talk = begun()
    talk.run(rewind(talk.key, 3))
    talk.add(assistant("So."))
    assert (100.0, 100.0, 101.0, 103.0) == talk.past.said


def test_a_fork_keeps_the_times_of_its_messages() -> None:
    """Whenever it was made."""
    talk = begun()
    assert (100.0, 100.0, 101.0) == talk.run(past(forked(talk, 3))).said


def test_a_fork_has_a_turn_for_each_time() -> None:
    """In order, and each after the one before."""
    talk = begun()
    turns = talk.bench.store.load(forked(talk)).records
    assert [(0, 100.0), (2, 101.0), (4, 102.0)] == [
        (each.start, each.at) for each in turns if isinstance(each, Turn)
    ]


def test_a_fork_of_nothing_has_no_times() -> None:
    """Nor has it messages."""
    talk = begun()
    assert () == talk.run(past(forked(talk, 0))).said


def test_a_joined_prompt_says_when_its_messages_were_said() -> None:
    """What is new has no time yet."""
    assert (100.0, 100.0, 101.0, 101.0, 102.0, None) == begun().join(user("So?")).said


def test_a_prompt_that_goes_on_from_a_question_leaves_out_what_broke_off() -> None:
    """The beginning of a call cannot be sent."""
    talk = talk_by(Wall())
    talk.broken(user("Hi."), begun=calling("a"))
    assert (100.0, None) == talk.join(user("So?")).said


def test_a_whole_prompt_says_when_its_messages_were_said() -> None:
    """As they stand on record."""
    talk = begun()
    assert talk.past.said == talk.run(whole(prompt([], log=talk.key))).said


def test_a_prompt_without_a_record_has_no_times() -> None:
    """The caller sends everything, and says nothing of when."""
    assert () == Prompt(messages=[user("Hi.")], model="kimi-k2.6").said


def _failing() -> float:
    msg = "no clock"
    raise OSError(msg)


@pytest.mark.parametrize(
    "wall", [_failing, lambda: math.nan, lambda: math.inf], ids=["an error", "nan", "inf"]
)
def test_a_clock_that_fails_does_not_fail_the_turn(wall: Callable[[], float]) -> None:
    """The turn is on record, without a time."""
    talk = talk_by(wall)
    talk.turn(user("Hi."))
    talk.add(user("And?"))
    assert ([user("Hi."), assistant("Yes."), user("And?")], (None, None, None)) == (
        talk.messages,
        talk.past.said,
    )


def test_a_turn_that_has_to_go_elsewhere_keeps_its_time() -> None:
    """It is placed when it is written, and was said when its reply was there."""
    talk = talk_by(Wall())
    first, second = talk.join(user("One.")), talk.join(user("Two."))
    talk.commit(second, "Second.")
    talk.commit(first, "First.")
    assert (100.0, 100.0, 101.0, 101.0) == talk.past.said


def test_results_have_the_time_at_which_they_came() -> None:
    """Calls have that of their own turn."""
    talk = talk_by(Wall())
    talk.turn(user("Look."), reply=calling("a"))
    talk.turn(result("a"))
    assert (100.0, 100.0, 101.0, 101.0) == talk.past.said


def test_records_of_earlier_versions_have_no_time() -> None:
    """They are read as ever."""
    kind, body = encode(Turn(start=0, messages=(user("Hi."),), at=5.0))
    old = {key: value for key, value in json.loads(body).items() if key != "at"}
    assert Turn(start=0, messages=(user("Hi."),)) == decode(kind, json.dumps(old), where="here")


def test_a_turn_without_a_time_is_written_as_ever() -> None:
    """Nothing is added to the row."""
    assert "at" not in json.loads(encode(Turn(start=0))[1])


def test_a_stored_turn_has_its_time() -> None:
    """In every store."""
    assert [100.0, 101.0, 102.0] == [
        each.at for each in records_of(begun()) if isinstance(each, Turn)
    ]


TIMES = st.lists(st.sampled_from([None, 1.0, 2.0]), max_size=8)


@given(TIMES, st.integers(0, 3))
def test_a_turn_in_pieces_says_the_same(said: list[float | None], start: int) -> None:
    """Put together, the pieces have its messages, its head and how it ended."""
    turn = Turn(
        start=start,
        messages=tuple(user(f"{place}") for place in range(len(said))),
        head=(user("head"),),
        complete=False,
        replied=True,
        usage=Usage(prompt_tokens=1, completion_tokens=1),
    )
    pieces = dated(turn, said)
    last = pieces[-1]
    assert (turn.start, turn.head, turn.messages, said, False, True, turn.usage) == (
        pieces[0].start,
        pieces[0].head,
        tuple(message for piece in pieces for message in piece.messages),
        [piece.at for piece in pieces for _ in piece.messages],
        last.complete,
        last.replied,
        last.usage,
    )


@given(TIMES)
def test_the_pieces_of_a_turn_follow_one_another(said: list[float | None]) -> None:
    """Each begins where the one before ends, has one time, and the next one has another."""
    turn = Turn(start=0, messages=tuple(user(f"{place}") for place in range(len(said))))
    pieces = dated(turn, said)
    assert all(
        one.start + len(one.messages) == other.start and one.at != other.at
        for one, other in pairwise(pieces)
    )
