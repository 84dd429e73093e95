"""Logs in Redis for coroutines: one client an event loop, closed with it, and what can go wrong."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
import redis.asyncio
from redis_servers import (
    Proxy,
    cleared,
    client,
    cluster_begun,
    compaction,
    connections,
    key,
    kill_connections,
    named,
    open_key,
    own_server,
    turn,
    written,
)
from services import redis_url

from memory.errors import ConfigError, ConflictError, CorruptError, StoreError
from memory.records import Forgotten, Log
from memory.stores.contract import Checking, Leasing, Listing, Searching
from memory.stores.redis import RedisStore
from memory.stores.verbs import AsyncVerbs

SPACE = "tests"


@pytest.fixture
def store() -> Iterator[RedisStore]:
    """Return a store with keys of its own."""
    with cleared() as opened:
        yield opened


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Return a line that can break."""
    with Proxy() as opened:
        yield opened


def verbs(store: RedisStore) -> AsyncVerbs:
    """Return the coroutines of a store."""
    assert store.asynchronous is not None
    return store.asynchronous


def test_coroutines_can_do_what_functions_can(store: RedisStore) -> None:
    """Search neither."""
    assert all(isinstance(verbs(store), each) for each in (Listing, Leasing, Checking))
    assert not isinstance(verbs(store), Searching)


def test_coroutines_do_what_functions_do(store: RedisStore) -> None:
    """On the same logs."""
    record = compaction()

    async def main() -> None:
        await verbs(store).append(key(), [turn()], expected=0)
        await verbs(store).append(open_key(), [record], expected=0)
        assert await verbs(store).acquire(key(), "turn", owner="a", seconds=9)
        assert (turn(),) == (await verbs(store).load(key())).records
        assert (record,) == await verbs(store).find(SPACE, frozenset({record.coverage}), user="ann")
        assert 10 == await verbs(store).known(SPACE, user="ann")
        assert "a" == await verbs(store).holder(key(), "turn")
        assert ["trip"] == [each.name for each in await verbs(store).conversations(SPACE)]
        assert store.health() == await verbs(store).health()
        with pytest.raises(ConflictError):
            await verbs(store).append(key(), [turn()], expected=0)

    asyncio.run(main())
    assert ("a", 1) == (store.holder(key(), "turn"), store.load(key()).version)

    async def end() -> tuple[Forgotten, Forgotten]:
        await verbs(store).release(key(), "turn", owner="a")
        return await verbs(store).forget(key()), await verbs(store).forget_user(SPACE, "ann")

    found = asyncio.run(end())
    assert Forgotten(logs=1, records=1, messages=1) == found[0]
    assert Forgotten(logs=1, records=1, compactions=1) == found[1]
    assert [] == written(store.prefix)


def test_connections_are_closed_with_their_loop(store: RedisStore) -> None:
    """One loop after the other, as callers of `asyncio.run` have them; none is left behind."""
    mine = named(store)

    async def main(version: int) -> int:
        loads = (verbs(mine).load(key()) for _ in range(5))
        assert [version] * 5 == [log.version for log in await asyncio.gather(*loads)]
        return len(connections(store))

    for version in range(3):
        assert asyncio.run(main(version)) > 0
        assert [] == connections(store)
        store.append(key(), [turn()], expected=version)


def test_a_loop_that_was_not_shut_down_leaves_nothing(store: RedisStore) -> None:
    """No warning, and no connection once the store is used again, or closed."""
    held = [named(store)]

    def use() -> None:
        with closing(asyncio.new_event_loop()) as loop:
            loop.run_until_complete(verbs(held[0]).load(key()))

    use()
    use()
    assert 1 == len(connections(store))
    held[0].close()
    gc.collect()
    assert [] == connections(store)

    use()
    held.clear()
    gc.collect()
    assert [] == connections(store)


def test_a_store_that_is_dropped_closes_its_connections(store: RedisStore) -> None:
    """While the loop goes on."""

    async def main() -> None:
        await verbs(named(store)).load(key())
        end = time.monotonic() + 5
        while connections(store) and time.monotonic() < end:
            gc.collect()
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert [] == connections(store)


def test_loops_in_several_threads_share_a_store(store: RedisStore) -> None:
    """With functions in between; nothing is lost."""

    async def write(writer: AsyncVerbs, times: int) -> None:
        for _ in range(times):
            while True:
                try:
                    version = (await writer.load(key())).version
                    await writer.append(key(), [turn()], expected=version)
                    break
                except ConflictError:
                    continue

    async def main() -> None:
        await asyncio.gather(*(write(verbs(store), 5) for _ in range(4)))

    threads = [Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 60 == store.load(key()).version == len(store.load(key()).records)


def test_more_tasks_than_connections_take_turns(store: RedisStore) -> None:
    """Nobody is turned away."""

    async def main() -> int:
        async with named(store) as mine:
            tasks = (
                verbs(mine).append(key(str(number)), [turn()], expected=0) for number in range(200)
            )
            assert [1] * 200 == await asyncio.gather(*tasks)
            return len(connections(store))

    assert asyncio.run(main()) <= 50
    assert 200 == len(store.conversations(SPACE, limit=500))


def test_an_append_whose_reply_got_lost_is_not_written_twice(
    store: RedisStore, proxy: Proxy
) -> None:
    """Though somebody else writes before it is tried again."""

    async def main() -> None:
        async with RedisStore(proxy.url, prefix=store.prefix) as far:
            proxy.cut(b"first")
            assert 1 == await verbs(far).append(key(), [turn(text="first")], expected=0)
            later = [turn(2)]
            proxy.cut(b"second", meanwhile=lambda: store.append(key(), later, expected=2))
            assert 2 == await verbs(far).append(key(), [turn(1, "second")], expected=1)
            proxy.cut(b"forgotten:")
            assert 3 == (await verbs(far).forget(key())).records
            assert Log() == await verbs(far).load(key())

    asyncio.run(main())
    assert (3, []) == (proxy.cuts, written(store.prefix))


def test_two_lost_replies_are_an_error(store: RedisStore, proxy: Proxy) -> None:
    """A server that never answers is tried twice; the next call is none of its business."""

    async def main() -> None:
        async with RedisStore(proxy.url, prefix=store.prefix) as far:
            proxy.cut(b"first", times=2)
            with pytest.raises(StoreError, match=r"^redis://127\.0\.0\.1:"):
                await verbs(far).append(key(), [turn(text="first")], expected=0)
            assert 1 == await verbs(far).append(key("b"), [turn()], expected=0)

    asyncio.run(main())


def test_killed_connections_are_replaced(store: RedisStore) -> None:
    """All of them, in the middle of their work."""

    async def main() -> None:
        async with named(store) as mine:
            for version in (0, 1):
                writers = [
                    verbs(mine).append(key(str(number)), [turn()], expected=version)
                    for number in range(40)
                ]
                assert [version + 1] * 40 == await asyncio.gather(*writers)
                kill_connections(store)

    asyncio.run(main())


def test_a_cancelled_call_spoils_no_connection(store: RedisStore) -> None:
    """What it was waiting for is not taken for the reply to the next call."""

    async def main() -> None:
        for number in range(30):
            text = str(number) * 1_000
            append = verbs(store).append(key(str(number)), [turn(text=text)], expected=0)
            task = asyncio.create_task(append)
            for _ in range(number % 10):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            log = await verbs(store).load(key(str(number)))
            assert log.records in ((), (turn(text=text),))

    asyncio.run(main())


def test_a_server_that_is_gone_is_named_without_credentials() -> None:
    """As for functions."""

    async def main() -> None:
        async with RedisStore("redis://ann:s3cr3t@127.0.0.1:1/3") as store:
            with pytest.raises(StoreError, match=r"^redis://127\.0\.0\.1:1/3: ") as caught:
                await verbs(store).load(key())
            assert "s3cr3t" not in f"{caught.value} {caught.value.__cause__}"

    asyncio.run(main())


def test_a_server_that_dies_and_comes_back_is_used_again(tmp_path: Path) -> None:
    """The store is not told."""

    async def main() -> None:
        with own_server(tmp_path) as url:
            async with RedisStore(url) as store:
                await verbs(store).append(key(), [turn()], expected=0)
                with client(url) as server:
                    server.shutdown(nosave=True)
                with pytest.raises(StoreError):
                    await verbs(store).load(key())
                with own_server(tmp_path, port=urlsplit(url).port or 0):
                    assert 1 == await verbs(store).append(key(), [turn()], expected=0)
                    assert 1 == (await verbs(store).load(key())).version

    asyncio.run(main())


def test_a_record_that_is_none_is_named(store: RedisStore) -> None:
    """As for functions."""
    store.append(key(), [turn()], expected=0)
    (where,) = (each for each in written(store.prefix) if b":log:" in each)
    with client() as server:
        server.rpush(where.decode(), "spoilt")

    async def main() -> None:
        with pytest.raises(CorruptError, match="element 1 of"):
            await verbs(store).load(key())

    asyncio.run(main())


def test_closing_is_done_once_or_more(store: RedisStore) -> None:
    """And the store can be used again."""

    async def main() -> None:
        await store.aclose()
        for _ in range(2):
            assert Log() == await verbs(store).load(key())
            await store.aclose()
            await store.aclose()

    asyncio.run(main())


def test_a_client_of_the_caller_is_used_and_left_open(store: RedisStore) -> None:
    """Functions then need another one."""

    async def main() -> None:
        own = redis.asyncio.Redis.from_url(redis_url(), decode_responses=True)
        async with own:
            async with RedisStore(async_client=own, prefix=store.prefix) as mine:
                await verbs(mine).append(key("\ud800"), [turn(text="é")], expected=0)
                names = [each.name for each in await verbs(mine).conversations(SPACE)]
                assert ["\ud800"] == names
                with pytest.raises(ConfigError, match="asynchronous client only"):
                    mine.load(key())
            assert await own.ping()

    asyncio.run(main())
    assert 1 == store.load(key("\ud800")).version


def test_a_cluster_is_used_by_a_client_for_it(tmp_path: Path) -> None:
    """Scripts and lists go to the nodes that have the keys."""

    async def main() -> None:
        with own_server(tmp_path, "--cluster-enabled", "yes") as url:
            await asyncio.to_thread(cluster_begun, url)
            async with redis.asyncio.RedisCluster.from_url(url) as nodes:
                mine = verbs(RedisStore(async_client=nodes))
                for user in "abc":
                    await mine.append(key(user=user), [turn()], expected=0)
                    await mine.append(open_key(user=user), [compaction()], expected=0)
                assert list("abc") == [each.user for each in await mine.conversations(SPACE)]
                assert 2 == (await mine.forget_user(SPACE, "b")).logs
                assert list("ac") == [each.user for each in await mine.conversations(SPACE)]

    asyncio.run(main())
