"""What can go wrong with Redis: lost replies, dead servers, strange contents, full memory."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from redis.cluster import RedisCluster
from redis_servers import (
    Proxy,
    cleared,
    client,
    cluster_begun,
    compaction,
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
from memory.records import Forgotten, Health
from memory.stores.redis import RedisStore

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


@pytest.fixture
def far(store: RedisStore, proxy: Proxy) -> Iterator[RedisStore]:
    """Return a store with the same keys, behind that line."""
    with RedisStore(proxy.url, prefix=store.prefix) as opened:
        yield opened


def key_of(store: RedisStore, kind: str) -> str:
    """Return the one key of a kind."""
    (found,) = (each for each in written(store.prefix) if f":{kind}:".encode() in each)
    return found.decode()


def test_an_append_whose_reply_got_lost_is_not_written_twice(
    store: RedisStore, far: RedisStore, proxy: Proxy
) -> None:
    """The first one of a log, and a later one."""
    proxy.cut(b"first")
    assert 1 == far.append(key(), [turn(text="first")], expected=0)
    proxy.cut(b"second")
    assert 3 == far.append(key(), [turn(1, "second"), turn(2)], expected=1)

    assert 2 == proxy.cuts
    assert (turn(text="first"), turn(1, "second"), turn(2)) == store.load(key()).records


def test_somebody_else_may_write_before_the_append_is_tried_again(
    store: RedisStore, far: RedisStore, proxy: Proxy
) -> None:
    """It still counts as done, at the version it made."""
    store.append(key(), [turn()], expected=0)
    later = [turn(2), turn(3)]
    proxy.cut(b"mine", meanwhile=lambda: store.append(key(), later, expected=2))

    assert 2 == far.append(key(), [turn(1, "mine")], expected=1)
    assert (turn(), turn(1, "mine"), *later) == far.load(key()).records


def test_an_append_that_somebody_else_was_faster_with_is_a_conflict(
    store: RedisStore, far: RedisStore, proxy: Proxy
) -> None:
    """Though it says the same, and its reply got lost too."""
    store.append(key(), [turn(text="mine")], expected=0)
    proxy.cut(b"mine")

    with pytest.raises(ConflictError):
        far.append(key(), [turn(text="mine")], expected=0)
    assert (1, 1) == (proxy.cuts, store.load(key()).version)


def test_the_proof_of_forgetting_survives_a_lost_reply(
    store: RedisStore, far: RedisStore, proxy: Proxy
) -> None:
    """It is told what went, not what was left for the second attempt; nothing stays."""
    store.append(key(), [turn(), turn(1)], expected=0)
    store.acquire(key(), "turn", owner="a", seconds=9)
    proxy.cut(b"forgotten:")

    assert Forgotten(logs=1, records=2, messages=2, leases=1) == far.forget(key())
    assert (1, []) == (proxy.cuts, written(store.prefix))


def test_an_index_is_written_once_though_a_reply_got_lost(
    far: RedisStore, proxy: Proxy, store: RedisStore
) -> None:
    """A compaction is found once, and forgetting leaves nothing of it."""
    record = compaction()
    proxy.cut(record.coverage.hex().encode())
    far.append(open_key(), [record], expected=0)

    assert (record,) == store.find(SPACE, frozenset({record.coverage}), user="ann")
    assert Forgotten(logs=1, records=1, compactions=1) == store.forget(open_key())
    assert (1, []) == (proxy.cuts, written(store.prefix))


def test_two_lost_replies_are_an_error(far: RedisStore, proxy: Proxy) -> None:
    """A server that never answers is tried twice."""
    proxy.cut(b"first", times=2)

    with pytest.raises(StoreError, match=r"^redis://127\.0\.0\.1:"):
        far.append(key(), [turn(text="first")], expected=0)
    assert 2 == proxy.cuts


def test_killed_connections_are_replaced(store: RedisStore) -> None:
    """As after a restart of the server, or of a firewall that forgets."""
    with named(store) as mine:
        mine.append(key(), [turn()], expected=0)
        kill_connections(store)

        assert 2 == mine.append(key(), [turn(1)], expected=1)
        assert 2 == mine.load(key()).version


def test_scripts_that_the_server_forgot_are_sent_again(store: RedisStore) -> None:
    """A restart or a failover forgets them."""
    store.append(key(), [turn()], expected=0)
    with client() as server:
        server.script_flush()

    assert 2 == store.append(key(), [turn(1)], expected=1)


def test_a_server_that_is_gone_is_named_without_credentials() -> None:
    """Who reads the error knows where to look, and nothing else."""
    with RedisStore("redis://ann:s3cr3t@127.0.0.1:1/3") as store:
        for call in (lambda: store.load(key()), store.health, lambda: store.forget(key())):
            with pytest.raises(StoreError, match=r"^redis://127\.0\.0\.1:1/3: ") as caught:
                call()
            assert "s3cr3t" not in f"{caught.value} {caught.value.__cause__} {store!r}"


@pytest.mark.parametrize(
    "url", ["redis://:s3cr3t@host:port/0", "http://s3cr3t", "redis://s3cr3t@host/0?colour=red"]
)
def test_a_url_that_is_none_is_refused_without_being_shown(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigError, match="redis://HOST") as caught:
        RedisStore(url)
    assert "s3cr3t" not in str(caught.value)


def test_arguments_are_checked() -> None:
    """Braces in keys would say which belong together, and there has to be a server."""
    with pytest.raises(ConfigError, match="braces"):
        RedisStore(redis_url(), prefix="{a}")
    with pytest.raises(ConfigError, match="redis://"):
        RedisStore()


def test_who_lacks_the_driver_is_told_what_to_install() -> None:
    """In the words that the shell takes."""
    program = """
import sys
sys.modules["redis"] = None
from memory.errors import ConfigError
from memory.stores.redis import RedisStore
try:
    RedisStore("redis://127.0.0.1")
except ConfigError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert 'pip install "kimi-memory[redis]"' in found.stdout


@pytest.mark.parametrize(
    "spoilt", [b"", b"turn", b"turn a {}", b"turn a [", b"song a {}", b"\xff\xfe \x00 \x80"]
)
def test_a_record_that_is_none_is_named(store: RedisStore, spoilt: bytes) -> None:
    """With its key and place; other logs can be read, nothing is changed, and it can go."""
    store.append(key(), [turn(), turn(1), turn(2)], expected=0)
    where = key_of(store, "log")
    with client() as server:
        server.lset(where, 1, spoilt)  # type: ignore[arg-type]
    store.append(key("b"), [turn()], expected=0)

    with pytest.raises(CorruptError) as caught:
        store.load(key())
    assert f"element 1 of {where} in redis://" in caught.value.where
    assert 1 == store.load(key("b")).version
    assert 3 == store.forget(key()).records


@pytest.mark.parametrize("spoilt", [b"", b"turn a {}", None])
def test_a_compaction_that_is_none_is_named(store: RedisStore, spoilt: bytes | None) -> None:
    """Where it is found by its hash, too; and it can be forgotten."""
    one, two = compaction(), compaction()
    store.append(open_key(), [one], expected=0)
    store.append(open_key("b"), [two], expected=0)
    (where,) = (each for each in written(store.prefix) if each.endswith(b":compactions"))
    with client() as server:
        server.hdel(where, "1") if spoilt is None else server.hset(where, "1", spoilt)

    with pytest.raises(CorruptError, match="field 1 of"):
        store.find(SPACE, frozenset({one.coverage}), user="ann")
    assert (two,) == store.find(SPACE, frozenset({two.coverage}), user="ann")
    store.forget(open_key())
    assert () == store.find(SPACE, frozenset({one.coverage}), user="ann")


def test_a_key_of_another_type_is_named(store: RedisStore) -> None:
    """Nothing is overwritten, and it can be forgotten."""
    store.append(key(), [turn()], expected=0)
    where = key_of(store, "log")
    with client() as server:
        server.set(where, "text")

    for call in (lambda: store.load(key()), lambda: store.append(key(), [turn()], expected=1)):
        with pytest.raises(CorruptError, match=where.partition("{")[0]):
            call()
    assert 1 == store.forget(key()).logs
    assert [] == written(store.prefix)


def test_a_client_of_the_caller_is_used_and_left_open() -> None:
    """Even one that decodes replies, and retries by itself."""
    with (
        closing(redis.Redis.from_url(redis_url(), decode_responses=True)) as own,
        cleared() as near,
    ):
        with RedisStore(client=own, prefix=near.prefix) as store:
            store.append(key("\ud800", user="\0"), [turn(text="é")], expected=0)
            assert "\ud800" == store.conversations(SPACE)[0].name
            assert store.asynchronous is None
        assert (turn(text="é"),) == near.load(key("\ud800", user="\0")).records
        assert own.ping()


def test_closing_is_done_once_or_more() -> None:
    """And the store can be used again."""
    store = RedisStore(redis_url())
    for _ in range(2):
        assert Health(kind="redis", location=redis_url().partition("?")[0]) == store.health()
        store.close()
        store.close()


def test_a_server_that_evicts_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By each store, in a warning that names the setting."""
    options = ("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    with own_server(tmp_path, *options) as url, RedisStore(url) as store:
        caplog.set_level(logging.WARNING, "memory")
        store.append(key(), [turn()], expected=0)
        store.append(key(), [turn()], expected=1)
        store.health()

    (record,) = caplog.records
    assert "allkeys-lru" in record.getMessage()


def test_a_server_needs_to_grant_core_commands_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On our keys; asking for its settings may be forbidden."""
    granted = (
        "+@read +@write +@scripting +@connection +eval +evalsha +time -info -config -@dangerous"
    )
    user = f"--user worker on nopass resetkeys ~kimi-memory:* {granted}".split()
    with own_server(tmp_path, *user) as url, RedisStore(f"{url[:8]}worker:x@{url[8:]}") as store:
        store.append(key(), [turn()], expected=0)
        store.append(open_key(), [compaction()], expected=0)
        assert store.acquire(key(), "turn", owner="a", seconds=9)
        assert 1 == len(store.conversations(SPACE))
        assert 2 == store.forget_user(SPACE, "ann").logs
        assert "redis" == store.health().kind
    assert [] == caplog.records


def filled(store: RedisStore) -> int:
    """Append until the server refuses, and return the version before."""
    version = 0
    while True:
        try:
            version = store.append(key(), [turn(version, "x" * 100_000)], expected=version)
        except StoreError:
            return version


def test_full_memory_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    """What is there can be read and forgotten."""
    with own_server(tmp_path, "--maxmemory", "4mb") as url, RedisStore(url) as store:
        version = filled(store)

        assert version == store.load(key()).version
        with pytest.raises(StoreError, match="maxmemory"):
            store.append(open_key(), [compaction(), turn(text="x" * 2_000_000)], expected=0)
        assert Forgotten(logs=1, records=version, messages=version) == store.forget(key())
        assert store.known(SPACE, user="ann") is None
        assert 1 == store.append(key(), [turn()], expected=0)


def test_a_cluster_finds_all_keys_of_a_user_in_one_slot(tmp_path: Path) -> None:
    """A cluster refuses scripts that touch two; the list of users is in another one."""
    with own_server(tmp_path, "--cluster-enabled", "yes") as url:
        cluster_begun(url)
        port = urlsplit(url).port or 0
        with RedisCluster(host="127.0.0.1", port=port) as nodes, RedisStore(client=nodes) as store:
            for user in "abc":
                store.append(key(user=user), [turn()], expected=0)
                store.append(key(user=user), [turn()], expected=1)
                store.append(open_key(user=user), [compaction(), compaction()], expected=0)
                store.acquire(key(user=user), "turn", owner=user, seconds=9)

            assert list("abc") == [each.user for each in store.conversations(SPACE)]
            assert ("b", 10) == (store.holder(key(user="b"), "turn"), store.known(SPACE, user="b"))
            assert (2, 2) == (store.load(key(user="b")).version, store.load(key(user="b")).version)
            for user in "abc":
                store.forget(key(user=user))
                store.forget_user(SPACE, user)
            assert "redis" == store.health().kind
        with client(url) as server:
            assert 0 == server.dbsize()
