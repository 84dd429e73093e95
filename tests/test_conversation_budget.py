"""Conversations that grow beyond the budget: nothing is lost, and no prompt is too large."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from chats import calling, filled, kept, result
from fake_kimi_requests import user
from kimi_clients import BUDGET, HEAD, TOOLS, ask, sent, summaries, talk

from memory import MemoryManager, QueueHook
from memory.client import manager_of
from memory.events import Compacted, FellBack, Resent
from memory.identity import chain
from memory.invariants import Sending, violations
from memory.records import Logged, Record
from memory.testing import FakeKimi, Fault


def logged(history: Any) -> list[Record]:
    """Return a history as the log that the invariants look at."""
    return [
        Logged(index=index, link=link, message=message)
        for index, (link, message) in enumerate(zip(chain(history)[1:], history, strict=True))
    ]


def test_prompts_stay_within_the_budget() -> None:
    """However long it gets, no prompt is over the budget and no message is lost."""
    fake = FakeKimi()
    _, conversation = filled(fake)
    asked = talk(60)[1::2]
    history = conversation.history()

    assert max(each.prompt_tokens for each in fake.requests) <= BUDGET
    assert asked == history[::2]
    assert 2 * len(asked) == len(history)
    assert 1 <= len(summaries(fake)) <= 4


def test_every_prompt_keeps_the_promises_of_a_view() -> None:
    """Head first, one message of notes, the tail verbatim, calls paired, nothing uncovered."""
    fake = FakeKimi()
    client, conversation = kept(fake, budget=BUDGET)
    for turn, message in enumerate(talk(60)[1::2]):
        if turn % 5 == 0:
            fake.queue_reply(calling("weigh:0"))
            ask(client, [HEAD, user(f"Weigh crate {turn}.")], tools=TOOLS)
            ask(client, [result("weigh:0", f"Crate {turn} has 12 kg.")], tools=TOOLS)
        ask(client, [message])
        history = conversation.history()
        request = fake.requests[-1]
        record = conversation.compactions()[-1:]
        sending = Sending(
            given=[HEAD, *history[:-1]],
            sent=request.body["messages"],
            record=record[0] if record else None,
            log=logged(history),
            tokens=request.prompt_tokens,
            limit=BUDGET,
        )
        assert {} == violations(sending)
    assert summaries(fake)


def test_requests_only_grow_between_compactions() -> None:
    """So the server's cache of what it has read holds."""
    fake = FakeKimi()
    filled(fake)
    turns = sent(fake)
    grown = [later[: len(earlier)] == earlier for earlier, later in pairwise(turns)]

    assert len(summaries(fake)) == grown.count(False)


def test_a_summary_that_fails_does_not_fail_the_turn() -> None:
    """The offline summariser stands in, and the history is whole all the same."""
    fake, hook = FakeKimi(), QueueHook()
    fake.fail_always(Fault.CONTENT_FILTER, only="summary")
    _, conversation = filled(fake, turns=40, hooks=(hook,))

    assert 80 == len(conversation.history())
    assert {"extractive"} == {
        segment.author for each in conversation.compactions() for segment in each.segments
    }
    assert any(isinstance(each, FellBack) for each in hook.drain())


def test_summaries_can_be_written_ahead() -> None:
    """In the background, after a reply; the next turn finds them."""
    fake, hook = FakeKimi(), QueueHook()
    client, conversation = kept(fake, budget=BUDGET, compaction="background", hooks=(hook,))
    manager = manager_of(client)
    assert isinstance(manager, MemoryManager)
    for message in talk(40)[1::2]:
        ask(client, [HEAD, message])
        assert manager.flush(10)

    assert 80 == len(conversation.history())
    assert max(each.prompt_tokens for each in fake.requests) <= BUDGET
    assert [True] == [each.paid for each in hook.drain() if isinstance(each, Compacted)]


def test_a_window_that_is_learnt_from_a_refusal_holds_for_the_turn() -> None:
    """The prompt is made smaller and sent again, and the turn is on record once."""
    fake, hook = FakeKimi(context_length=1_500, reply=lambda _: "Noted."), QueueHook()
    client, conversation = kept(fake, hooks=(hook,))
    for message in talk(60)[1::2]:
        ask(client, [HEAD, message])

    assert 120 == len(conversation.history())
    assert 1 == sum(isinstance(each, Resent) for each in hook.drain())
    assert [400] == [each.status for each in fake.requests if each.status != 200]
