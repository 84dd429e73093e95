"""What a call with searches costs, keeps within, learns and leaves behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from chats import NAME as CONVERSATION
from kimi_clients import ask, ask_async, summaries
from openai import InternalServerError
from remembering import (
    LONG,
    SAID,
    bodies,
    remembering,
    remembering_async,
    searching,
    server,
    text_of,
)

from memory.client import manager_of
from memory.events import MemorySearched
from memory.recall.tool import NAME
from memory.testing import FakeKimi, Fault

if TYPE_CHECKING:
    from openai import OpenAI

    from memory import QueueHook


@pytest.mark.parametrize("budget", [500, 700, 1_000, 2_000])
def test_every_request_is_within_the_budget(budget: int) -> None:
    """As the server counts it."""
    fake = server(searching(99))
    ask(remembering(fake, budget=budget, recall_rounds=9)[0], LONG)
    most = max(r.prompt_tokens for r in fake.requests if r.kind == "chat")
    assert most <= budget


def test_the_reply_that_was_cut_off_is_not_answered() -> None:
    """A call without the end of its arguments is no call."""
    fake = server(lambda _: {"role": "assistant", "content": "x " * 400})
    reply = ask(remembering(fake)[0], LONG, max_completion_tokens=20)
    assert "length" == reply.choices[0].finish_reason


def breaking(**options: Any) -> tuple[OpenAI, QueueHook]:
    """Return a client whose server fails once the model has searched."""

    def reply(body: Any) -> Any:
        fake.fail_next(Fault.SERVER_ERROR, only="chat")
        return searching()(body)

    fake = server(reply)
    return remembering(fake, **options)


@pytest.mark.parametrize("style", [{}, {"stream": True}])
def test_an_error_of_a_round_is_the_callers(style: dict[str, Any]) -> None:
    """As that of any request."""
    with pytest.raises(InternalServerError):
        ask(breaking()[0], LONG, **style)


def test_what_was_paid_before_an_error_is_told() -> None:
    """The search was answered, though it came to nothing."""
    client, hook = breaking()
    with pytest.raises(InternalServerError):
        ask(client, LONG)
    assert [1] == [event.rounds for event in hook.drain() if isinstance(event, MemorySearched)]


def test_a_turn_that_fails_amid_a_search_leaves_no_trace() -> None:
    """Nothing of it is on record."""
    client, _ = breaking(conversation=CONVERSATION)
    with pytest.raises(InternalServerError):
        ask(client, LONG)
    manager: Any = manager_of(client)
    assert [] == manager.conversation(CONVERSATION).history()


def test_what_the_rounds_cost_is_told() -> None:
    """Beside the usage of the reply that the caller gets."""
    fake = server(searching(2))
    client, hook = remembering(fake)
    ask(client, LONG)
    rounds = [r for r in fake.requests if r.kind == "chat"][:-1]
    cost = sum(r.prompt_tokens + r.completion_tokens for r in rounds)
    told = [e for e in hook.drain() if isinstance(e, MemorySearched)]
    assert [(2, cost)] == [(event.rounds, event.tokens) for event in told]


def test_rounds_are_learnt_from() -> None:
    """After a search the count of what was sent is the server's."""
    fake = server()
    client, _ = remembering(fake, tokenizer=lambda text: [0] * (len(text) // 3))
    ask(client, LONG)
    body = bodies(fake)[-1]
    counted = manager_of(client).count(body["messages"], tools=body["tools"], thinking=False)
    assert fake.requests[-1].prompt_tokens == counted.total


@pytest.mark.parametrize("style", [{}, {"stream": True}])
def test_a_conversation_keeps_the_last_reply_only(style: dict[str, Any]) -> None:
    """Rounds are no turns."""
    fake = server()
    client, _ = remembering(fake, conversation=CONVERSATION)
    reply = ask(client, LONG, **style)
    text_of(reply) if style else None
    manager: Any = manager_of(client)
    history = manager.conversation(CONVERSATION).history()
    assert [*LONG[1:], {"role": "assistant", "content": SAID}] == history


def test_a_conversation_goes_on_after_a_search() -> None:
    """Nothing waits for the result of a call that nobody has seen."""
    fake = server()
    client, _ = remembering(fake, conversation=CONVERSATION)
    ask(client, LONG)
    assert SAID == ask(client, [LONG[-1]]).choices[0].message.content


def test_rounds_are_not_summarised() -> None:
    """They are part of nothing that lasts."""
    fake = server(searching(99))
    client, _ = remembering(fake, conversation=CONVERSATION)
    ask(client, LONG)
    for message in LONG[1:80:2]:
        ask(client, [message])
    asked = [body["messages"] for body in summaries(fake)]
    assert (True, False) == (len(asked) > 1, NAME in str(asked))


async def _searched_async(fake: FakeKimi) -> Any:
    client, _ = remembering_async(fake, conversation=CONVERSATION)
    await ask_async(client, LONG)
    manager: Any = manager_of(client)
    return await manager.conversation(CONVERSATION).history()


def test_an_asynchronous_conversation_keeps_it_too() -> None:
    """As the synchronous one."""
    history = asyncio.run(_searched_async(server()))
    assert [*LONG[1:], {"role": "assistant", "content": SAID}] == history
