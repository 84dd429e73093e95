"""Options for some calls only: no arguments of the SDK's methods, and good for all of them.

The table in `test_pitfalls` says which test holds what off.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from fake_kimi_requests import OFF, assistant, user
from kimi_clients import (
    BUDGET,
    MODEL,
    Shelf,
    ask,
    ask_async,
    connect,
    connect_async,
    is_compacted,
    sent,
    talk,
)

from memory import AsyncMemoryManager, BudgetError, ConfigError, MemoryManager
from memory.testing import FakeKimi

GIVEN: dict[str, Any] = {"model": MODEL, "messages": talk(60), "extra_body": OFF}


def server() -> FakeKimi:
    """Return a server that says what `parse` can read."""
    return FakeKimi(reply=lambda _: '{"crate": 1, "shelf": 7}')


def create(client: Any) -> None:
    """Call `create`."""
    client.chat.completions.create(**GIVEN)


def stream(client: Any) -> None:
    """Use the stream helper."""
    with client.chat.completions.stream(**GIVEN) as events:
        assert events.get_final_completion().choices


def parse(client: Any) -> None:
    """Call `parse`."""
    client.chat.completions.parse(**GIVEN, response_format=Shelf)


def raw(client: Any) -> None:
    """Call `with_raw_response.create`."""
    client.chat.completions.with_raw_response.create(**GIVEN)


def derived(client: Any) -> None:
    """Call a client that was derived."""
    create(client.with_options(timeout=30.0))


@pytest.mark.parametrize("style", [create, stream, parse, raw, derived])
def test_they_hold_for_every_call_style(style: Callable[[Any], None]) -> None:
    """A budget for a stretch of code holds for helpers, which take no arguments of others."""
    fake, manager = server(), MemoryManager(hooks=())
    client = manager.wrap(connect(fake))
    style(client)
    with manager.override(budget=BUDGET):
        style(client)

    assert talk(60) == sent(fake)[0]
    assert is_compacted(sent(fake)[1], talk(60))


def test_they_end_with_their_block() -> None:
    """After a block, one that an error ended too, what held before it holds again."""
    fake, manager = server(), MemoryManager(budget=BUDGET, hooks=())
    client = manager.wrap(connect(fake))
    with manager.override(off=True):
        with suppress(BudgetError), manager.override(off=False, budget=10):
            ask(client, talk(60))
        ask(client, talk(60))
    ask(client, talk(60))

    assert [False, True] == [is_compacted(each, talk(60)) for each in sent(fake)]


def test_off_leaves_everything_as_it_is() -> None:
    """With `off` nothing is fitted, nothing learnt and nothing put on record."""
    plain, fake = server(), server()
    manager = MemoryManager(budget=BUDGET, hooks=())
    ask(connect(plain), talk(60))
    before = manager.count(talk(60)).total
    with manager.override(off=True):
        ask(manager.wrap(connect(fake)), talk(60))

    assert [each.body for each in plain.requests] == [each.body for each in fake.requests]
    assert before == manager.count(talk(60)).total
    assert () == manager.log(talk(60))


def test_a_side_call_leaves_no_trace() -> None:
    """With `record=False` a call is fitted, and its conversation does not hear of it."""
    fake, manager = server(), MemoryManager(budget=BUDGET, hooks=())
    client = manager.wrap(connect(fake))
    with manager.override(record=False):
        ask(client, talk(60))

    assert is_compacted(sent(fake)[0], talk(60))
    assert () == manager.log(talk(60))


def test_a_side_call_uses_what_is_on_record() -> None:
    """With `record=False` the summary that others paid for serves as well."""
    fake, manager = server(), MemoryManager(budget=BUDGET, hooks=())
    client = manager.wrap(connect(fake))
    ask(client, talk(60))
    side = manager.with_options(record=False).wrap(connect(fake))
    ask(side, [*talk(60), assistant("Noted."), user("And by the way?")])

    assert 1 == len(sent(fake, "summary"))
    assert sent(fake)[0] == sent(fake)[1][: len(sent(fake)[0])]


def test_what_is_pinned_stays() -> None:
    """A message that is pinned for a call is in its view as it was."""
    fake, manager = server(), MemoryManager(budget=BUDGET, hooks=())
    client = manager.wrap(connect(fake))
    kept = talk(60)[3]
    with manager.override(pinned=[kept]):
        ask(client, talk(60))

    assert kept in sent(fake)[0]
    assert len(sent(fake)[0]) < len(talk(60))


def test_tasks_have_their_own() -> None:
    """Options in one task are not those of another that runs at the same time."""

    async def scenario() -> None:
        fake, manager = server(), AsyncMemoryManager(budget=BUDGET, hooks=())
        client = manager.wrap(connect_async(fake))
        together = asyncio.Barrier(2)

        async def call(messages: Any, *, off: bool) -> None:
            with manager.override(off=off):
                await together.wait()
                await ask_async(client, messages)
                await together.wait()

        await asyncio.gather(call(talk(60), off=True), call(talk(61), off=False))
        views = {len(each): each for each in sent(fake)}

        assert talk(60) == views.pop(len(talk(60)))
        assert [True] == [is_compacted(each, talk(61)) for each in views.values()]

    asyncio.run(scenario())


def test_threads_have_their_own() -> None:
    """Options in one thread are not those of another."""
    fake, manager = server(), MemoryManager(budget=BUDGET, hooks=())
    client = manager.wrap(connect(fake))
    with manager.override(off=True):
        other = threading.Thread(target=ask, args=(client, talk(60)))
        other.start()
        other.join()

    assert is_compacted(sent(fake)[0], talk(60))


def test_managers_have_their_own() -> None:
    """Options of one manager are not those of another, and hold for all that share with it."""
    fake, manager, other = server(), MemoryManager(budget=BUDGET), MemoryManager(budget=BUDGET)
    with manager.override(off=True):
        ask(other.wrap(connect(fake)), talk(60))
        ask(manager.with_options(record=False).wrap(connect(fake)), talk(60))

    assert [True, False] == [is_compacted(each, talk(60)) for each in sent(fake)]


def test_a_manager_with_options_shares_all_else() -> None:
    """It has the store and the counts of the one it came from, so nothing is paid for twice."""
    fake, manager = server(), MemoryManager(budget=BUDGET, hooks=())
    roomy = manager.with_options(budget=2 * BUDGET)
    ask(manager.wrap(connect(fake)), talk(60))
    ask(manager.with_options(pinned=[]).wrap(connect(fake)), talk(60))

    assert (manager.store, manager.meter) == (roomy.store, roomy.meter)
    assert manager.namespace == roomy.namespace
    assert 1 == len(sent(fake, "summary"))
    assert sent(fake)[0] == sent(fake)[1]


def test_a_stream_may_outlive_its_options() -> None:
    """Options decide when a request is made; its reply can be read after they have ended."""
    fake, manager = server(), MemoryManager(hooks=())
    client = manager.wrap(connect(fake))
    with manager.override(budget=BUDGET):
        chunks = ask(client, talk(60), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    assert '{"crate": 1, "shelf": 7}' == text
    assert is_compacted(sent(fake)[0], talk(60))


@pytest.mark.parametrize(
    "wrong", [{"budgte": 1}, {"budget": 0}, {"budget": "8k"}, {"off": 1}, {"record": None}]
)
@pytest.mark.parametrize("verb", ["override", "with_options"])
def test_wrong_options_are_named(verb: str, wrong: Any) -> None:
    """An option that does not exist or has a wrong value is an error that names it."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        getattr(MemoryManager(hooks=()), verb)(**wrong)
