"""Summaries after the reply instead of before the prompt: who waits, who does not, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from background_desk import DUE, EARLY, HERE, OVER, PATIENCE, REPLY, THERE, Desk
from fake_kimi_requests import OFF, assistant, user
from kimi_clients import (
    BUDGET,
    MODEL,
    STREAM_ERRORS,
    ask,
    connect,
    is_compacted,
    sent,
    summaries,
    talk,
)

from memory.events import Compacted, Failed, FellBack, Rejected
from memory.manager.scope import address
from memory.testing import Fault


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Return a desk whose gate opens at the end of the test at the latest."""
    made = Desk()
    yield made
    made.gate.set()
    made.rest()


def test_no_turn_waits_under_the_limit(desk: Desk) -> None:
    """With a moment between the turns all summaries are written in the background."""
    for turns in range(1, 80):
        desk.turn(turns)
        desk.rest()

    assert {THERE} == set(desk.where)
    assert 2 <= len(desk.where) <= 6
    assert max(desk.prompts) <= BUDGET


def test_nothing_happens_before_the_mark(desk: Desk) -> None:
    """Up to four fifths of the limit no summary is asked for."""
    desk.turn(EARLY)
    desk.rest()

    assert [] == desk.where


def test_the_mark_is_a_setting() -> None:
    """A share of the limit."""
    desk = Desk(ahead=0.6)
    desk.turn(EARLY)
    desk.rest()

    assert [THERE] == desk.where


def test_a_long_reply_passes_the_mark_too(desk: Desk) -> None:
    """It is part of the next prompt, which would have to wait otherwise."""
    desk.fake.queue_reply("word " * 500)
    desk.turn(EARLY)
    desk.rest()

    assert [THERE] == desk.where


def test_the_next_call_adopts_the_record(desk: Desk) -> None:
    """The prompt that passed the mark goes out whole, the next one is a view."""
    desk.turn(DUE)
    desk.rest()
    desk.turn(DUE + 1)

    assert talk(DUE) == sent(desk.fake)[0]
    assert is_compacted(sent(desk.fake)[1], talk(DUE + 1))
    assert desk.prompts[1] < 0.6 * BUDGET
    assert [True] == [event.paid for event in desk.told(Compacted)]


def test_afterwards_the_prompt_grows_at_its_end(desk: Desk) -> None:
    """Between two compactions each begins byte for byte like the one before."""
    desk.turn(DUE)
    desk.rest()
    for turns in range(DUE + 1, DUE + 6):
        desk.turn(turns)
    written = [json.dumps(messages)[:-1] for messages in sent(desk.fake)[1:]]

    assert 1 == len(desk.where)
    assert all(after.startswith(before) for before, after in pairwise(written))


def test_until_then_nothing_changes(desk: Desk) -> None:
    """Turns that are sent while the summary is written go out as they are, and pay for nothing."""
    desk.gate.clear()
    desk.turn(DUE)
    desk.turn(DUE + 1)
    assert desk.arrived.wait(timeout=PATIENCE)
    desk.turn(DUE + 1)

    assert [talk(DUE), talk(DUE + 1), talk(DUE + 1)] == sent(desk.fake)
    desk.gate.set()
    desk.rest()
    assert [THERE] == desk.where
    desk.turn(DUE + 2)
    assert is_compacted(sent(desk.fake)[-1], talk(DUE + 2))


def test_a_turn_at_the_limit_waits_for_the_summary_in_flight(desk: Desk) -> None:
    """It pays for nothing more, and sends the view that the background has made."""
    desk.gate.clear()
    desk.turn(DUE)
    assert desk.arrived.wait(timeout=PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        over = pool.submit(desk.turn, DUE + 8)

        assert [] == sent(desk.fake)[1:]
        desk.gate.set()
        assert over.result(timeout=PATIENCE)

    assert [THERE] == desk.where
    assert is_compacted(sent(desk.fake)[1], talk(DUE + 8))


def test_a_turn_that_jumps_over_the_limit_pays_itself(desk: Desk) -> None:
    """Where no summary was begun there is none to wait for."""
    desk.turn(OVER)

    assert [HERE] == desk.where
    assert is_compacted(sent(desk.fake)[0], talk(OVER))


def test_a_summary_that_fails_changes_nothing(desk: Desk) -> None:
    """No offline summary takes its place: there is time, and the limit is not reached."""
    desk.fake.fail_always(Fault.CONTENT_FILTER, only="summary")
    desk.turn(DUE)
    desk.rest()
    told = desk.hook.drain()
    desk.turn(DUE + 1)

    assert talk(DUE + 1) == sent(desk.fake)[1]
    assert 1 == len([event for event in told if isinstance(event, Rejected)])
    assert [] == [event for event in told if isinstance(event, (FellBack, Compacted, Failed))]
    assert [] == desk.compactions(DUE)


def test_after_a_failure_the_limit_is_handled_inline(desk: Desk) -> None:
    """There the offline summary does take its place, as always."""
    desk.fake.fail_always(Fault.CONTENT_FILTER, only="summary")
    desk.turn(DUE)
    desk.rest()
    desk.hook.drain()
    desk.turn(OVER)

    assert is_compacted(sent(desk.fake)[1], talk(OVER))
    assert 1 == len(desk.told(FellBack))


def test_after_a_failure_it_is_tried_again(desk: Desk) -> None:
    """With the next turn."""
    desk.fake.fail_next(Fault.CONTENT_FILTER, only="summary")
    desk.turn(DUE)
    desk.rest()
    desk.turn(DUE + 1)
    desk.rest()
    desk.turn(DUE + 2)

    assert 2 == len(summaries(desk.fake))
    assert is_compacted(sent(desk.fake)[-1], talk(DUE + 2))


def test_a_client_that_was_closed_changes_nothing(desk: Desk) -> None:
    """A script may end its client as soon as it has its answer."""
    desk.gate.clear()
    desk.turn(DUE)
    assert desk.arrived.wait(timeout=PATIENCE)
    desk.client.close()
    desk.gate.set()
    desk.rest()
    desk.client = desk.manager.wrap(connect(desk.fake))
    desk.turn(OVER)

    assert is_compacted(sent(desk.fake)[-1], talk(OVER))
    assert [] == desk.told(Failed)


def test_twenty_replies_ask_for_one_summary(desk: Desk) -> None:
    """Calls that pass the mark at the same time leave it to one of them."""
    desk.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: desk.turn(DUE), range(20)))
    assert desk.arrived.wait(timeout=PATIENCE)
    desk.gate.set()
    desk.rest()

    assert [THERE] == desk.where
    assert 1 == len(desk.compactions(DUE))


def test_a_second_reply_does_not_wait_for_the_first(desk: Desk) -> None:
    """While a summary is written, further replies see that and leave it at that."""
    desk.gate.clear()
    desk.turn(DUE)
    assert desk.arrived.wait(timeout=PATIENCE)
    (first,) = desk.manager.outside.background.pending()
    desk.turn(DUE + 1)
    for job in desk.manager.outside.background.pending():
        assert job is first or job.result(timeout=PATIENCE) is None

    assert [first] == desk.manager.outside.background.pending()


def test_branches_share_the_summary(desk: Desk) -> None:
    """What was summarised for one branch is not summarised again for the next."""
    desk.turn(DUE)
    desk.rest()
    ask(desk.client, [*talk(DUE + 1)[:-1], user("Or is there another way?")])
    desk.rest()

    assert [THERE] == desk.where


def streamed(desk: Desk, turns: int) -> Iterator[Any]:
    """Return the chunks of a streamed reply."""
    stream: Any = desk.turn(turns, stream=True)
    yield from stream


def test_a_stream_asks_when_it_is_whole(desk: Desk) -> None:
    """After `[DONE]`, and not while there is still something to come."""
    chunks = streamed(desk, DUE)
    pending = [bool(desk.manager.outside.background.pending() or desk.where) for _ in chunks]
    desk.rest()

    assert len(pending) > 3
    assert not any(pending)
    assert [THERE] == desk.where


def test_a_stream_that_is_left_asks_for_nothing(desk: Desk) -> None:
    """Whoever stops reading has no reply that the conversation could go on from."""
    stream: Any = desk.turn(DUE, stream=True)
    next(iter(stream))
    stream.close()
    desk.rest()

    assert [] == desk.where


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT, Fault.NO_DONE])
def test_a_stream_that_breaks_asks_for_nothing(desk: Desk, fault: Fault) -> None:
    """Nor does one that ends without `[DONE]`, however much of it came."""
    desk.fake.fail_next(fault, only="chat")
    try:
        list(streamed(desk, DUE))
    except STREAM_ERRORS:
        assert Fault.RESET is fault
    desk.rest()

    assert [] == desk.where


@pytest.mark.parametrize(
    "call",
    [
        lambda desk: desk.client.chat.completions.with_raw_response.create(**given()),
        lambda desk: desk.client.chat.completions.create(**given(), stream=True).response.read(),
        lambda desk: desk.client.responses.create(model=MODEL, input=talk(DUE)),
    ],
    ids=["raw response", "raw stream", "responses"],
)
def test_every_kind_of_call_asks(desk: Desk, call: Callable[[Desk], Any]) -> None:
    """However the reply is read."""
    call(desk)
    desk.rest()

    assert [THERE] == desk.where


def given() -> dict[str, Any]:
    """Return what `create` takes for a conversation past the mark."""
    return {"model": MODEL, "messages": talk(DUE), "extra_body": OFF}


def test_a_failed_call_asks_for_nothing(desk: Desk) -> None:
    """There is no reply to go on from."""
    desk.fake.fail_next(Fault.SERVER_ERROR, only="chat")
    with pytest.raises(Exception, match="invalid state transition"):
        desk.turn(DUE)
    desk.rest()

    assert [] == desk.where


@pytest.mark.parametrize("option", [{"record": False}, {"off": True}])
def test_side_calls_ask_for_nothing(desk: Desk, option: dict[str, Any]) -> None:
    """What leaves no trace leaves no summary either."""
    with desk.manager.override(**option):
        desk.turn(DUE)

    assert [] == desk.manager.outside.background.pending()
    assert [] == desk.where


def test_it_is_off_by_default() -> None:
    """Small accounts may send one request at a time, so nothing is sent unasked."""
    desk = Desk(compaction="inline")
    for turns in range(DUE, OVER):
        desk.turn(turns)

        assert [] == desk.manager.outside.background.pending()
    assert {HERE} == set(desk.where)


def test_flushing_waits_for_the_summary(desk: Desk) -> None:
    """For as long as it may."""
    desk.gate.clear()
    desk.turn(DUE)

    assert not desk.manager.flush(timeout=0.02)
    desk.gate.set()
    assert desk.manager.flush(timeout=PATIENCE)
    assert 1 == len(desk.compactions(DUE))


class TestConversations:
    """Conversations with a name, where the log goes on while the summary is written."""

    def talked(self, desk: Desk, turns: int, *, rest: bool) -> list[Any]:
        """Say so many things, one a turn; return what was said, replies included."""
        said: list[Any] = []
        with desk.manager.conversation("warehouse"):
            for turn in range(turns):
                message = talk(turn + 1)[-1]
                ask(desk.client, [message])
                said += [message, assistant(REPLY)]
                if rest:
                    desk.rest()
        return said

    def history(self, desk: Desk) -> list[Any]:
        """Return the texts on record."""
        messages = desk.manager.conversation("warehouse").history()
        return [message["content"] for message in messages]

    def test_no_turn_waits(self, desk: Desk) -> None:
        """All summaries are written in the background, and every message is on record."""
        said = self.talked(desk, 100, rest=True)

        assert {THERE} == set(desk.where)
        assert max(desk.prompts) <= BUDGET
        assert [message["content"] for message in said] == self.history(desk)

    def test_turns_meanwhile_are_kept(self, desk: Desk) -> None:
        """A summary is not lost because the conversation went on while it was written."""
        self.talked(desk, 1, rest=True)
        conversation = desk.manager.conversation("warehouse")
        conversation.add([message for turn in range(1, 40) for message in self.exchange(turn)])
        desk.gate.clear()
        with conversation:
            ask(desk.client, [user("How many are there?")])
            assert desk.arrived.wait(timeout=PATIENCE)
            ask(desk.client, [user("And where?")])
            desk.gate.set()
            desk.rest()
            ask(desk.client, [user("Which was the last?")])

        assert [THERE] == desk.where
        assert 1 == len(conversation.compactions())
        assert desk.prompts[-1] < 0.7 * BUDGET
        assert "And where?" == self.history(desk)[-4]

    def exchange(self, turn: int) -> list[Any]:
        """Return a question and its answer."""
        return [talk(turn + 1)[-1], assistant(REPLY)]

    def test_what_is_forgotten_meanwhile_stays_forgotten(self, desk: Desk) -> None:
        """The summary of a conversation that is gone is not kept."""
        conversation = desk.manager.conversation("warehouse")
        conversation.add([message for turn in range(40) for message in self.exchange(turn)])
        desk.gate.clear()
        with conversation:
            ask(desk.client, [user("How many are there?")])
        assert desk.arrived.wait(timeout=PATIENCE)
        conversation.forget()
        desk.gate.set()
        desk.rest()

        assert [] == conversation.history()
        key = desk.manager.log_of(address("warehouse"))
        assert () == desk.manager.store.load(key).records
