"""Several at work on the same Redis: in between, in threads, in processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from threading import Thread
from typing import Any

import pytest
from redis_servers import cleared, client, key, open_key, turn, written
from services import redis_url

from memory.drive import run
from memory.errors import ConflictError
from memory.flow import Effect
from memory.records import Entry, Log
from memory.stores.cache import LogCache
from memory.stores.redis import RedisStore
from memory.stores.redis_keys import users_key
from memory.stores.redis_links import Links
from memory.stores.redis_programs import RedisPrograms

SPACE = "tests"


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def store() -> Iterator[RedisStore]:
    """Return a store with keys of its own."""
    with cleared() as opened:
        yield opened


@pytest.fixture
def links() -> Iterator[Links]:
    """Return connections of one's own."""
    opened = Links(redis_url(), None, None)
    yield opened
    opened.close()


@pytest.fixture
def programs(store: RedisStore) -> RedisPrograms:
    """Return what another process would do, to be done step by step."""
    return RedisPrograms(store.prefix, LogCache(), "here")


def interrupted(
    links: Links, moment: int, meanwhile: Callable[[], object]
) -> Callable[[Effect[Any]], Any]:
    """Return what performs effects, and something else after one of them."""
    done = count(1)

    def perform(effect: Effect[Any]) -> Any:
        reply = links.perform(effect)
        if next(done) == moment:
            meanwhile()
        return reply

    return perform


def names(entries: tuple[Entry, ...]) -> list[str]:
    """Return the names of conversations."""
    return [entry.name for entry in entries]


@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_a_conversation_is_listed_though_all_others_went_meanwhile(
    store: RedisStore, links: Links, programs: RedisPrograms, moment: int
) -> None:
    """The list of users is in another place than the rest, and somebody empties it in between."""

    def meanwhile() -> None:
        store.append(key("other"), [turn()], expected=0)
        store.forget(key("other"))

    run(programs.append(key(), [turn()], 0), interrupted(links, moment, meanwhile))

    assert ["trip"] == names(store.conversations(SPACE))


@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_a_conversation_that_is_begun_while_the_last_one_goes_is_listed(
    store: RedisStore, links: Links, programs: RedisPrograms, moment: int
) -> None:
    """Whoever takes a user out of the list looks again."""
    store.append(key(), [turn()], expected=0)

    def meanwhile() -> None:
        store.append(key("other"), [turn()], expected=0)

    run(programs.forget(key()), interrupted(links, moment, meanwhile))

    assert ["other"] == names(store.conversations(SPACE))


@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_a_crash_hides_no_conversation(
    store: RedisStore, links: Links, programs: RedisPrograms, moment: int
) -> None:
    """What is written is listed, wherever its writer ended."""

    def meanwhile() -> None:
        raise Crash

    with suppress(Crash):
        run(programs.append(key(), [turn()], 0), interrupted(links, moment, meanwhile))

    written_ = store.load(key()).version
    assert ["trip"] * written_ == names(store.conversations(SPACE))


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_what_goes_while_a_list_is_made_is_left_out(
    store: RedisStore, links: Links, programs: RedisPrograms, moment: int
) -> None:
    """And the page is filled up."""
    for name in "abc":
        store.append(key(name), [turn()], expected=0)

    program = programs.conversations(SPACE, None, None, 2)
    perform = interrupted(links, moment, lambda: store.forget(key("a")))
    expected = ["a", "b"] if moment == 3 else ["b", "c"]

    assert expected == names(run(program, perform))


def test_users_whose_conversations_went_end_no_list(store: RedisStore) -> None:
    """A crash may leave them there."""
    with client() as server:
        stale = {f"a{number:03}": 0 for number in range(60)}
        server.zadd(users_key(store.prefix, SPACE), stale)
    store.append(key(), [turn()], expected=0)

    assert ["trip"] == names(store.conversations(SPACE))
    store.forget_user(SPACE, "a007")
    assert ["trip"] == names(store.conversations(SPACE))


def test_what_was_forgotten_is_not_kept_in_memory(
    store: RedisStore, links: Links, programs: RedisPrograms
) -> None:
    """Neither by who forgets it, nor by who finds it gone."""
    for each in (key(), key("b"), open_key()):
        store.append(each, [turn()], expected=0)
        assert 1 == run(programs.load(each), links.perform).version
    run(programs.forget(key()), links.perform)
    assert programs.cache.get(key()) is None

    store.forget(key("b"))
    assert Log() == run(programs.load(key("b")), links.perform)
    assert programs.cache.get(key("b")) is None

    run(programs.forget_user(SPACE, "ann"), links.perform)
    assert programs.cache.get(open_key()) is None
    assert [] == written(store.prefix)


def test_writers_in_threads_lose_nothing(store: RedisStore) -> None:
    """Of several writers at one version one succeeds; with reloading all do."""
    failed: list[Exception] = []

    def write() -> None:
        with RedisStore(redis_url(), prefix=store.prefix) as another:
            for mine in (store, another) * 12:
                while True:
                    try:
                        mine.append(key(), [turn()], expected=mine.load(key()).version)
                        break
                    except ConflictError:
                        continue
                    except Exception as error:  # noqa: BLE001  # shown below
                        failed.append(error)
                        return

    threads = [Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed
    assert (96, 96) == (len(store.load(key()).records), store.load(key()).version)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_connections_of_its_own(store: RedisStore) -> None:
    """Parent and child go on with the same store."""
    store.append(key(), [turn()], expected=0)
    child = os.fork()
    if not child:
        code = 1
        try:
            for version in range(1, 30):
                store.append(key("child"), [turn()], expected=version - 1)
            code = 0
        finally:
            os._exit(code)
    for version in range(1, 30):
        store.append(key(), [turn()], expected=version)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert (30, 29) == (store.load(key()).version, store.load(key("child")).version)
