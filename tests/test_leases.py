"""Leases: who has a turn, or writes a summary, among those who share a store."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from chats import calling, contents, result
from fake_kimi_requests import user
from kimi_clients import TOOLS, ask, connect

from memory import ConversationBusy, MemoryManager, VolatileStore
from memory.drive import run
from memory.flow import Effect, Stored
from memory.leases import SECONDS, Leases, Sleep, summary_purpose
from memory.records import LogKey
from memory.stores import SqliteStore
from memory.testing import FakeKimi

KEY = LogKey(namespace="tests", user="ann", name="trip")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Return a store with leases."""
    with SqliteStore(tmp_path / "leases.db") as made:
        yield made


def take(leases: Leases, store: Any, patience: float = 0.0, purpose: str = "turn") -> Any:
    """Take a lease."""

    def perform(effect: Effect[Any]) -> Any:
        match effect:
            case Sleep(seconds=seconds):
                return time.sleep(seconds)
            case Stored():
                return effect.on(store)
        raise TypeError(effect)

    return run(leases.take(KEY, purpose, patience), perform)


def test_only_one_has_a_lease(store: SqliteStore) -> None:
    """The next one has it as soon as it is given up."""
    one, other = Leases(store), Leases(store)
    lease = take(one, store)
    assert take(other, store) is None
    one.give_up(lease)
    assert take(other, store) is not None


def test_whoever_waits_has_it_next(store: SqliteStore) -> None:
    """A lease that is given up while somebody waits is theirs at once."""
    one, other = Leases(store), Leases(store)
    lease = take(one, store)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(take, other, store, 30.0)
        time.sleep(0.05)
        one.give_up(lease)
        assert waiting.result(10) is not None


def test_giving_up_late_takes_nothing_from_the_next_one(store: SqliteStore) -> None:
    """Each take is an owner of its own, also within one process."""
    leases = Leases(store)
    first = take(leases, store)
    leases.give_up(first)
    second = take(leases, store)
    leases.give_up(first)
    assert second.owner == store.holder(KEY, "turn")


def test_a_dead_owner_is_not_waited_for(store: SqliteStore) -> None:
    """A process of this machine that is gone has no leases any more."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    here = Leases(store).owner.partition(":")[0]
    gone = f"{here}:{child}:token:0"
    assert store.acquire(KEY, "turn", owner=gone, seconds=60)
    assert take(Leases(store), store) is not None


def test_others_machines_are_waited_for(store: SqliteStore) -> None:
    """Nobody can tell whether a process of another machine is alive."""
    assert store.acquire(KEY, "turn", owner="elsewhere:1:token:0", seconds=60)
    assert take(Leases(store), store) is None


def test_what_is_held_is_renewed(store: SqliteStore) -> None:
    """A lease lasts as long as its owner says, and no longer than it is kept."""
    leases = Leases(store)
    lease = take(leases, store)
    store.acquire(KEY, "turn", owner=lease.owner, seconds=0.05)
    assert leases.renew()
    time.sleep(0.1)
    assert lease.owner == store.holder(KEY, "turn")
    leases.give_up(lease)
    assert not leases.renew()
    assert store.holder(KEY, "turn") is None
    assert SECONDS > 1


def test_a_store_that_fails_grants_everything() -> None:
    """A lease protects nothing but effort, so a turn does not fail for it."""

    class Broken(VolatileStore):
        def acquire(self, key: LogKey, purpose: str, *, owner: str, seconds: float) -> bool:
            raise OSError(key, purpose, owner, seconds)

    assert take(Leases(Broken()), Broken()) is not None


def test_the_same_beginning_is_the_same_summary() -> None:
    """Inputs of about the same length that begin alike share a lease, strangers do not."""
    here, links = LogKey(namespace="n", root="a"), [bytes([i]) for i in range(200)]
    other = [*links[:20], *(bytes([i, i]) for i in range(180))]

    assert summary_purpose(here, links[:100]) == summary_purpose(here, links[:120])
    assert summary_purpose(here, links) != summary_purpose(here, other)
    assert "summary" == summary_purpose(KEY, links)


class TestExchanges:
    """Somebody else's tool calls are waited for; one's own are an error."""

    @staticmethod
    def manager(tmp_path: Path, **options: Any) -> MemoryManager:
        """Return a manager as another process would make it."""
        return MemoryManager(store=f"sqlite:///{tmp_path}/x.db", hooks=(), **options)

    def test_another_process_waits_for_the_results(self, tmp_path: Path) -> None:
        """Its message comes after the exchange, in one piece."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0"))
        one, other = self.manager(tmp_path), self.manager(tmp_path)
        mine = one.with_options(conversation="room").wrap(connect(fake))
        theirs = other.with_options(conversation="room").wrap(connect(fake))
        ask(mine, [user("Weigh.")], tools=TOOLS)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(ask, theirs, [user("And me?")])
            time.sleep(0.1)
            assert not waiting.done()
            ask(mine, [result("weigh:0")], tools=TOOLS)
            waiting.result(20)
        roles = [each["role"] for each in one.conversation("room").history()]
        one.close()
        other.close()

        assert ["user", "assistant", "tool", "assistant", "user", "assistant"] == roles

    def test_nobody_waits_longer_than_they_said(self, tmp_path: Path) -> None:
        """After `turn_wait` the conversation is busy, and nothing is recorded."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0"))
        one, other = self.manager(tmp_path), self.manager(tmp_path, turn_wait=0.2)
        ask(
            one.with_options(conversation="room").wrap(connect(fake)), [user("Weigh.")], tools=TOOLS
        )
        theirs = other.with_options(conversation="room").wrap(connect(fake))
        with pytest.raises(ConversationBusy):
            ask(theirs, [user("And me?")])
        assert ["Weigh.", ""] == contents(one.conversation("room").history())
        one.close()
        other.close()

    def test_ones_own_calls_are_not_waited_for(self, tmp_path: Path) -> None:
        """Whoever forgets the results of their own calls hears of it at once."""
        fake = FakeKimi()
        fake.queue_reply(calling("weigh:0"))
        manager = self.manager(tmp_path)
        client = manager.with_options(conversation="room").wrap(connect(fake))
        ask(client, [user("Weigh.")], tools=TOOLS)
        begun = time.monotonic()
        with pytest.raises(ConversationBusy):
            ask(client, [user("And now?")])
        assert time.monotonic() - begun < 5
        manager.close()

    def test_other_threads_wait_as_well(self) -> None:
        """Also without leases, within one process."""
        fake, manager = FakeKimi(), MemoryManager(hooks=())
        fake.queue_reply(calling("weigh:0"))
        client = manager.with_options(conversation="room").wrap(connect(fake))
        ask(client, [user("Weigh.")], tools=TOOLS)
        other = threading.Thread(target=lambda: ask(client, [user("And me?")]))
        other.start()
        time.sleep(0.1)
        ask(client, [result("weigh:0")], tools=TOOLS)
        other.join(20)
        assert 6 == len(manager.conversation("room").history())
