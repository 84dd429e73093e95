"""Compacting, looking behind and pinning, for asynchronous callers: as the synchronous twin."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from chats import NAME, kept_async
from fake_kimi_requests import OFF, assistant, user
from kimi_clients import HEAD, MODEL, sent, talk

from memory import AsyncConversation, AsyncMemoryManager, Conversation
from memory.client import manager_of
from memory.errors import ConfigError, HistoryError
from memory.testing import FakeKimi

ROOMY = 10_000
WORDS = "We booked sixty crates in; Ann signed for them."
RULE = "Always weigh twice."


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in a loop of its own."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


async def talked(**options: Any) -> tuple[FakeKimi, Any, AsyncConversation]:
    """Return a server, a client and a conversation of twenty turns that were added to it."""
    fake = FakeKimi()
    client, conversation = kept_async(fake, budget=ROOMY, **options)
    await conversation.add([*talk(20), assistant("Noted.")])
    return fake, client, conversation


async def ask(client: Any, text: str) -> None:
    """Ask for a completion without thinking."""
    await client.chat.completions.create(model=MODEL, messages=[user(text)], extra_body=OFF)


@pytest.mark.parametrize("name", ["compact", "expand", "segment_of", "pin", "unpin", "undo"])
def test_both_colours_take_the_same(name: str) -> None:
    """Arguments, defaults and types."""
    plain, other = getattr(Conversation, name), getattr(AsyncConversation, name)

    assert inspect.signature(plain) == inspect.signature(other)
    assert inspect.iscoroutinefunction(other)


@looped
async def test_what_stands_before_a_place_is_summarised() -> None:
    """By the client that was wrapped last; the next call sends that and pays for nothing."""
    fake, client, conversation = await talked()
    record = await conversation.compact(upto=10)
    assert record is not None
    before, history = await conversation.messages(), await conversation.history()
    await ask(client, "And now?")

    assert [(1, 10, MODEL)] == [(s.first, s.last, s.author) for s in record.segments]
    assert [HEAD, *history[10:]] == [before[0], *before[2:]]
    assert [*before, user("And now?")] == sent(fake)[-1]
    assert 1 == len(sent(fake, "summary"))


@looped
async def test_ones_own_words_can_be_taken_back() -> None:
    """Nothing is asked for, and undo returns what it took back."""
    fake, _, conversation = await talked()
    before = await conversation.messages()
    record = await conversation.compact(upto=10, summary=WORDS)
    assert record is not None
    assert ("caller", WORDS) == (record.segments[0].author, record.segments[0].text)

    assert record == await conversation.undo()
    assert (before, []) == (await conversation.messages(), fake.requests)


@looped
async def test_where_nothing_may_be_dropped_nothing_happens() -> None:
    """The same place twice is once."""
    fake, _, conversation = await talked()
    await conversation.compact(upto=10)

    assert await conversation.compact(upto=10) is None
    assert 1 == len(fake.requests)


@looped
async def test_segments_and_messages_lead_to_each_other() -> None:
    """Both ways, and by the range that the notes show."""
    _, _, conversation = await talked()
    record = await conversation.compact(upto=10, summary=WORDS)
    assert record is not None
    (segment,) = record.segments
    history = await conversation.history()

    assert history[:10] == await conversation.expand(segment)
    assert history[2:17] == await conversation.expand("3-17")
    assert [segment, None] == [await conversation.segment_of(place) for place in (9, 10)]


@looped
async def test_what_is_pinned_stays() -> None:
    """A message and a sentence, until they are pinned no more."""
    fake, client, conversation = await talked()
    await conversation.pin(4)
    await conversation.pin(RULE)
    await conversation.compact(upto=10, summary=WORDS)
    await ask(client, "And now?")
    history = await conversation.history()
    assert history[4] == sent(fake)[-1][2]
    assert f'"{RULE}"' in sent(fake)[-1][1]["content"]

    await conversation.unpin(4)
    await conversation.unpin(RULE)
    await conversation.compact(upto=20, summary=WORDS)
    await ask(client, "And then?")
    assert history[4] not in sent(fake)[-1]
    assert RULE not in sent(fake)[-1][1]["content"]


@looped
async def test_what_is_pinned_is_there_after_the_process(tmp_path: Path) -> None:
    """It is in the store."""
    store = f"sqlite:///{tmp_path}/memory.db"
    _, client, conversation = await talked(store=store)
    await conversation.pin(4)
    await conversation.pin(RULE)
    await conversation.compact(upto=10, summary=WORDS)
    before = await conversation.messages()
    manager = manager_of(client)
    assert isinstance(manager, AsyncMemoryManager)
    await manager.aclose()
    async with AsyncMemoryManager(store=store, budget=ROOMY, hooks=()) as other:
        again = other.conversation(NAME)
        assert before == await again.messages()
        assert {"messages": [4], "sentences": [RULE]} == (await again.export())["pinned"]


@looped
async def test_what_cannot_be_is_refused() -> None:
    """And changes nothing."""
    fake, _, conversation = await talked()
    before = await conversation.export()
    with pytest.raises(HistoryError):
        await conversation.compact(upto=41)
    with pytest.raises(ConfigError):
        await conversation.compact(summary=" ")
    with pytest.raises(ConfigError):
        await conversation.pin("")
    for wrong in (conversation.pin, conversation.unpin, conversation.segment_of):
        with pytest.raises(HistoryError):
            await _called(wrong, 40)
    with pytest.raises(HistoryError):
        await conversation.expand("1-41")

    assert (before, []) == (await conversation.export(), fake.requests)


async def _called(method: Callable[[int], Awaitable[object]], place: int) -> None:
    await method(place)
