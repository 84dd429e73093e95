"""Callers who answer the searches of the model themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from chats import NAME as CONVERSATION
from kimi_clients import BUDGET, ask, ask_async
from remembering import (
    FACT,
    LONG,
    QUERY,
    SAID,
    bodies,
    remembering,
    remembering_async,
    server,
)

from memory import AsyncMemoryManager, MemoryManager
from memory.client import manager_of
from memory.errors import HistoryError
from memory.recall.tool import NAME


def answer(reply: Any, text: str) -> list[Any]:
    """Return a reply with a search, and the result of it."""
    message = reply.choices[0].message
    call = message.tool_calls[0]
    return [message, {"role": "tool", "tool_call_id": call.id, "content": text}]


def test_the_caller_sees_the_search() -> None:
    """As any call of a tool."""
    reply = ask(remembering(server(), execute=False)[0], LONG)
    assert NAME == reply.choices[0].message.tool_calls[0].function.name


def test_the_manager_answers_it() -> None:
    """With what the compaction left out."""
    client, _ = remembering(server(), execute=False)
    ask(client, LONG)
    manager: Any = manager_of(client)
    assert FACT in manager.search_memory(QUERY, messages=LONG)


def test_the_answer_can_be_sent_back() -> None:
    """The list is as the caller has it, with the call at its end."""
    fake = server()
    client, _ = remembering(fake, execute=False)
    reply = ask(client, LONG)
    manager: Any = manager_of(client)
    call = reply.choices[0].message.tool_calls[0]
    given = [*LONG, reply.choices[0].message]
    text = manager.search_memory(call.function.arguments, messages=given)
    last = ask(client, [*LONG, *answer(reply, text)]).choices[0].message.content
    assert (SAID, text) == (last, bodies(fake)[-1]["messages"][-1]["content"])


def test_an_asynchronous_manager_answers_it() -> None:
    """With `await`."""

    async def main() -> str:
        client, _ = remembering_async(server(), execute=False)
        await ask_async(client, LONG)
        manager: Any = manager_of(client)
        return str(await manager.search_memory(QUERY, messages=LONG))

    assert FACT in asyncio.run(main())


def test_what_was_never_left_out_is_not_found() -> None:
    """The model sees it."""
    manager = MemoryManager(recall="tool", hooks=())
    assert FACT not in manager.search_memory(QUERY, messages=LONG[:5])


@pytest.mark.parametrize("arguments", ["{", '{"query": " "}', {}])
def test_arguments_that_make_no_sense_are_answered(arguments: Any) -> None:
    """With a text for the model."""
    manager = MemoryManager(recall="tool", hooks=())
    assert '"query"' in manager.search_memory(arguments, messages=LONG)


def test_what_are_no_messages_is_refused() -> None:
    """As by all methods that take messages."""
    with pytest.raises(HistoryError, match="message 0"):
        MemoryManager(hooks=()).search_memory(QUERY, messages=[7])  # type: ignore[list-item]


def test_it_answers_without_the_setting_too() -> None:
    """Whoever offers a tool of their own may use it."""
    manager = MemoryManager(budget=BUDGET, hooks=())
    manager.fit(LONG)
    assert FACT in manager.search_memory(QUERY, messages=LONG)


def test_what_is_found_stays_within_its_share() -> None:
    """Of the limit."""
    manager = MemoryManager(budget=BUDGET, recall="tool", recall_share=0.1, hooks=())
    manager.fit(LONG)
    text = manager.search_memory('{"query": "crate"}', messages=LONG)
    assert 0 < manager.meter.text(text) <= 0.1 * BUDGET


def test_a_conversation_answers_it() -> None:
    """It knows the messages itself."""
    client, _ = remembering(server(), execute=False, conversation=CONVERSATION)
    ask(client, LONG)
    manager: Any = manager_of(client)
    assert FACT in manager.conversation(CONVERSATION).search_memory(QUERY)


def test_a_conversation_keeps_call_and_answer() -> None:
    """They are an exchange as any other."""
    client, _ = remembering(server(), execute=False, conversation=CONVERSATION)
    reply = ask(client, LONG)
    manager: Any = manager_of(client)
    conversation = manager.conversation(CONVERSATION)
    text = conversation.search_memory(reply.choices[0].message.tool_calls[0].function.arguments)
    ask(client, answer(reply, text)[1:])
    roles = [message["role"] for message in conversation.history()[-4:]]
    assert ["user", "assistant", "tool", "assistant"] == roles


def test_an_asynchronous_conversation_answers_it() -> None:
    """With `await`."""

    async def main() -> str:
        client, _ = remembering_async(server(), execute=False, conversation=CONVERSATION)
        await ask_async(client, LONG)
        manager = manager_of(client)
        assert isinstance(manager, AsyncMemoryManager)
        return await manager.conversation(CONVERSATION).search_memory(QUERY)

    assert FACT in asyncio.run(main())
