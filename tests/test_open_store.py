"""From the URL of a store to the store: every form of it, and every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memory import MemoryManager, VolatileStore
from memory.errors import ConfigError
from memory.stores import PostgresStore, RedisStore, SealedStore, SqliteStore, open_store
from memory.stores.opening import KEYS

KEY, OLD = SealedStore.new_key(), SealedStore.new_key()
PASSWORD = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///notes.db", "notes.db"),
        ("sqlite:///a/b/notes.db", "a/b/notes.db"),
        ("sqlite:////var/lib/notes.db", "/var/lib/notes.db"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite:///my%20notes%3F.db", "my notes?.db"),
        ("sqlite:///a#b.db", "a#b.db"),
        ("sqlite:///行程.db", "行程.db"),
        ("sqlite:///notes.db?timeout=1.5&synchronous=full&scrub=no", "notes.db"),
    ],
)
def test_a_path_follows_three_slashes(
    url: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the directory of the moment; nothing is made before it is used."""
    monkeypatch.chdir(tmp_path)
    store = open_store(url)

    assert isinstance(store, SqliteStore)
    full = path if path == ":memory:" else str(tmp_path / path)
    assert (full, path != ":memory:") == (store.path, store.durable)
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize("url", ["sqlite", "sqlite:", "sqlite://"])
def test_no_path_is_the_default_one(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the directory of the platform for user data."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    store = open_store(url)

    assert isinstance(store, SqliteStore)
    assert "memory.db" == Path(store.path).name
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize("url", ["volatile", "volatile:", "volatile://"])
def test_memory_has_a_url_too(url: str) -> None:
    """For settings that need one."""
    assert isinstance(open_store(url), VolatileStore)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://h/d", "postgresql://h:5432/d"),
        ("postgres://h:5433/d", "postgresql://h:5433/d"),
        (f"postgresql://ann:{PASSWORD}@h/d?sslmode=disable&schema=chat", "postgresql://h:5432/d"),
        (f"postgresql://ann:{PASSWORD}@h/d?schema=chat", "postgresql://h:5432/d"),
        ("postgresql://", "postgresql://localhost:5432/"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///run/postgresql:5432/d"),
    ],
)
def test_postgres_is_named_as_libpq_names_it(url: str, place: str) -> None:
    """And nobody is asked before it is used."""
    store = open_store(url)

    assert isinstance(store, PostgresStore)
    assert f"PostgresStore({place!r})" == repr(store)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://h", "redis://h:6379/0"),
        (f"redis://ann:{PASSWORD}@h:6380/3", "redis://h:6380/3"),
        (f"rediss://:{PASSWORD}@h/1?socket_timeout=2", "rediss://h:6379/1"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
    ],
)
def test_redis_is_named_as_redis_names_it(url: str, place: str) -> None:
    """And nobody is asked before it is used."""
    store = open_store(url)

    assert isinstance(store, RedisStore)
    assert f"RedisStore({place!r})" == repr(store)


@pytest.mark.parametrize(
    ("url", "inner"),
    [
        ("sealed+sqlite:///:memory:", "SqliteStore"),
        ("sealed+volatile", "VolatileStore"),
        (f"sealed+postgresql://ann:{PASSWORD}@h/d", "PostgresStore"),
        (f"sealed+redis://:{PASSWORD}@h", "RedisStore"),
    ],
)
def test_each_of_them_can_be_sealed(url: str, inner: str) -> None:
    """With the keys of the environment, newest first."""
    store = open_store(url, environ={KEYS: f" {KEY} , {OLD},"})

    assert isinstance(store, SealedStore)
    assert f"SealedStore({inner}" in repr(store).replace("<memory.stores.volatile.", "")
    assert PASSWORD not in repr(store)


def test_keys_are_looked_up_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another one is given."""
    monkeypatch.setenv(KEYS, KEY)
    assert isinstance(open_store("sealed+volatile"), SealedStore)

    with pytest.raises(ConfigError, match=KEYS):
        open_store("sealed+volatile", environ={})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        *(("", "is no store"), ("SQLITE:///x", "is no store"), ("notes.db", "is no store")),
        *(("file:///x.db", "is no store"), ("mysql://h/d", "is no store")),
        (f"postgresql+psycopg://ann:{PASSWORD}@h/d", "postgresql://"),
        (f"ann:{PASSWORD}@h/d", "is no store"),
        *(("sqlite://notes.db", "three slashes"), ("sqlite:///", "three slashes")),
        *(("sqlite:///x?timeout=soon", "timeout"), ("sqlite:///x?timeout=nan", "timeout")),
        *(("sqlite:///x?timeout=-1", "timeout"), ("sqlite:///x?colour=red", "colour")),
        *(("sqlite:///x?synchronous=off", "synchronous"), ("sqlite:///x?scrub=maybe", "scrub")),
        ("sqlite:///a%00b", "path"),
        (f"postgresql://ann:{PASSWORD}@h/d?schema=a-b", "schema"),
        (f"postgresql://ann:{PASSWORD}@h/d?colour=red", "postgresql://"),
        (f"postgresql://ann:{PASSWORD}/x@h/d", "%2F"),
        (f"postgresql://ann:{PASSWORD}@h:port/d", "postgresql://"),
        (f"redis://ann:{PASSWORD}@h:port/0", "redis://HOST"),
        (f"redis://ann:{PASSWORD}@h/0?colour=red", "redis://HOST"),
        *(("sealed+", "is no store"), ("sealed+mysql://h/d", "is no store")),
    ],
)
def test_what_is_no_url_of_a_store_is_refused(url: str, words: str) -> None:
    """With what would be right, and without what may be a password."""
    with pytest.raises(ConfigError) as caught:
        open_store(url, environ={KEYS: KEY})
    assert words in str(caught.value)
    assert PASSWORD not in f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("keys", ["", " , ", "x", f"{KEY},short"])
def test_keys_that_are_none_are_refused(keys: str) -> None:
    """Without showing them."""
    with pytest.raises(ConfigError, match="key") as caught:
        open_store("sealed+volatile", environ={KEYS: keys})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "kind"),
    [("sqlite:///:memory:", SqliteStore), ("volatile", VolatileStore), ("redis://h", RedisStore)],
)
def test_a_manager_takes_the_url_of_a_store(url: str, kind: Any) -> None:
    """And closes what it opened."""
    with MemoryManager(store=url, hooks=()) as manager:
        assert isinstance(manager.store, kind)


def test_conversations_in_a_file_are_shared_by_default(tmp_path: Path) -> None:
    """Managers of one file have one namespace; those of memory have one each."""
    said = [{"role": "user", "content": "hi"}]
    for url, found in ((f"sqlite:///{tmp_path}/x.db", 1), ("sqlite:///:memory:", 0)):
        with (
            MemoryManager(store=url, hooks=()) as first,
            MemoryManager(store=url, hooks=()) as second,
        ):
            first.conversation("trip").add(said)
            assert found == len(second.conversation("trip").history())
