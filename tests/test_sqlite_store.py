"""Logs in a SQLite file: where it is, whose it is, and who uses it at once."""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from stored import SPACE, finished, forked, grow, key, started, turn

from memory import MemoryManager
from memory.drive import run
from memory.errors import ConfigError, ConflictError
from memory.flow import Search
from memory.records import Forgotten, Health
from memory.stores import SqliteStore, open_store
from memory.stores.cache import LogCache
from memory.stores.searching import SearchPrograms
from memory.stores.sqlite_file import DIALECT

FILES = ("001_logs.sql", "002_search.sql", "003_lists.sql", "004_recall.sql")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that is not there yet."""
    return tmp_path / "memory.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Return a store in that file."""
    with SqliteStore(path) as opened:
        yield opened


def mode(path: Path) -> int:
    """Return who may do what with a file or a directory."""
    return stat.S_IMODE(path.stat().st_mode)


def held(path: Path) -> list[str]:
    """Return which files beginning with a path this process has open."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("this system does not tell which files a process has open")
    found = []
    for each in folder.iterdir():
        try:
            found.append(str(each.readlink()))
        except FileNotFoundError:  # that of the folder itself
            continue
    return [each for each in found if each.startswith(str(path))]


def together(*works: Callable[[], object]) -> list[BaseException]:
    """Do several things at once and return what went wrong."""
    failures: list[BaseException] = []

    def done(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # told to the test
            failures.append(error)

    threads = [Thread(target=done, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failures


def test_a_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """So are the directory made for it, and the log beside it."""
    path = tmp_path / "a" / "b" / "memory.db"
    before = os.umask(0)
    try:
        with SqliteStore(path) as store:
            grow(store, key())
            modes = {each.name: mode(each) for each in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert {"memory.db": 0o600, "memory.db-wal": 0o600, "memory.db-shm": 0o600} == modes
    assert 0o700 == mode(path.parent)


def test_nothing_is_made_before_it_is_used(path: Path) -> None:
    """Opening a store or a manager leaves no trace."""
    with MemoryManager(store=f"sqlite:///{path}", hooks=()) as manager:
        manager.conversation("trip")

        assert not path.exists()


@pytest.mark.parametrize("url", ["sqlite", "sqlite:", "sqlite://"])
def test_the_default_is_a_file_for_user_data(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the home directory, or where the platform was told to."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    below = open_store(url)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    told = open_store(url)

    assert isinstance(below, SqliteStore)
    assert isinstance(told, SqliteStore)
    assert Path(below.path).is_relative_to(tmp_path)
    assert str(tmp_path / "data" / "kimi-memory" / "memory.db") == told.path


def test_the_default_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directories are made for their owner."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with MemoryManager(store="sqlite", hooks=()) as manager:
        manager.conversation("trip").add([{"role": "user", "content": "hi"}])

    made = tmp_path / "data" / "kimi-memory" / "memory.db"
    assert (0o600, 0o700) == (mode(made), mode(made.parent))


def test_readers_do_not_wait_for_a_writer(store: SqliteStore, path: Path) -> None:
    """The file has a write-ahead log."""
    grow(store, key())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert ("wal",) == other.execute("PRAGMA journal_mode").fetchone()
        other.execute("BEGIN IMMEDIATE")

        assert 1 == store.load(key()).version


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": ""},
        {"path": "a\0b"},
        {"timeout": -1.0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"synchronous": "off"},
    ],
)
def test_arguments_are_checked(wrong: dict[str, Any]) -> None:
    """Before any file is made."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SqliteStore(**wrong)


def test_upgrading_tells_what_it_did(store: SqliteStore) -> None:
    """Nothing is left to do the second time."""
    assert (FILES, ()) == (store.upgrade(), store.upgrade())


def test_a_store_tells_how_it_is(store: SqliteStore, path: Path) -> None:
    """Its schema is the newest one from the beginning."""
    assert Health(kind="sqlite", location=str(path), schema=4, latest=4) == store.health()
    assert f"SqliteStore({str(path)!r})" == repr(store)


def test_a_closed_store_opens_again(path: Path) -> None:
    """Closing twice is closing once, and leaves nothing open; a block closes at its end."""
    with SqliteStore(path) as store:
        grow(store, key())
    assert [] == held(path)
    store.close()

    assert 1 == store.load(key()).version
    store.close()
    store.close()
    assert [] == held(path)


def test_a_store_that_is_dropped_leaves_nothing_open(path: Path) -> None:
    """Nobody has to wait for the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        store = SqliteStore(path)
        grow(store, key())
        store.search(SPACE, "hi", user="ann")
        del store

        assert [] == held(path)
    finally:
        gc.enable()


def test_memory_is_a_file_that_is_none() -> None:
    """Each store has its own, which threads share; it is gone with the store."""
    first, second = SqliteStore(), SqliteStore(":memory:")
    names = [f"trip {number}" for number in range(8)]
    assert [] == together(*(lambda name=name: grow(first, key(name), turns=5) for name in names))

    assert not first.durable
    assert [5] * 8 == [entry.version for entry in first.conversations(SPACE)]
    assert () == second.conversations(SPACE)
    assert Forgotten(logs=1, records=5, messages=5) == first.forget(key(names[0]))


def test_eight_threads_write_conversations_of_their_own(store: SqliteStore) -> None:
    """Nothing is lost, and each reads what it wrote."""
    names = [f"trip {number}" for number in range(8)]
    failures = together(*(lambda name=name: grow(store, key(name), turns=40) for name in names))

    assert [] == failures
    assert [40] * 8 == [store.load(key(name)).version for name in names]


def test_eight_threads_write_one_conversation(path: Path) -> None:
    """With a store each, too: of two appends at one version, one is a conflict."""
    mine: list[str] = []

    def written(store: SqliteStore, text: str) -> None:
        for number in range(20):
            while True:
                version = store.load(key()).version
                try:
                    store.append(key(), [turn(version, f"{text} {number}")], expected=version)
                except ConflictError:
                    continue
                mine.append(f"{text} {number}")
                break

    with ExitStack() as stack:
        stores = [stack.enter_context(SqliteStore(path)) for _ in range(4)] * 2
        works = [lambda n=n, each=each: written(each, f"{n}") for n, each in enumerate(stores)]
        assert [] == together(*works)
        records: Any = stores[0].load(key()).records

    assert sorted(mine) == sorted(record.messages[0]["content"] for record in records)


def test_a_store_may_be_closed_while_others_use_it(store: SqliteStore) -> None:
    """They do not notice: what is under way ends first, and what comes next opens it again."""
    grow(store, key())
    closed = Event()

    def used(name: str) -> int:
        version = 0
        while not closed.is_set():
            store.conversations(SPACE)
            version = store.append(key(name), [turn(version)], expected=version)
        return version

    def closing_often() -> None:
        for _ in range(60):
            closed.wait(0.004)
            store.close()
        closed.set()

    assert [] == together(closing_often, *(lambda n=n: used(f"{n}") for n in range(3)))


def test_a_search_ends_while_others_go_on_writing(store: SqliteStore, path: Path) -> None:
    """It looks at what was there when it began, however quick they are."""
    grow(store, key(), turns=3)
    programs, performed = SearchPrograms(DIALECT, LogCache(), str(path)), []
    perform = store._file.perform  # noqa: SLF001  # to get between two steps of one search

    def perform_amid_writing(effect: Any) -> Any:
        performed.append(effect)
        assert len(performed) < 100, "the search does not end"
        if effect.write:
            grow(store, key())
        return perform(effect)

    wanted = Search(namespace=SPACE, query="hi", user="ann", name=None, match="all", limit=5)
    hits = run(programs.search(wanted), perform_amid_writing)

    assert 5 >= len(hits) >= 3


FRESH = """
import sys
from stored import grow, key
from memory.stores import SqliteStore
folder, name = sys.argv[1:]
print("ready", flush=True)
for line in sys.stdin:
    with SqliteStore(f"{folder}/{line.strip()}.db") as store:
        grow(store, key(name))
        print(store.search("tests", "hi", user="ann", name=name)[0].name, flush=True)
"""


def test_processes_may_begin_one_file_at_once(tmp_path: Path) -> None:
    """Forty files in turn, each by four processes, none of which has an error."""
    with ExitStack() as stack:
        found = [stack.enter_context(started(FRESH, tmp_path, f"p{n}")) for n in range(4)]
        assert ["ready\n"] * 4 == [each.stdout.readline() for each in found if each.stdout]
        for number in range(40):
            for each in found:
                print(number, file=each.stdin, flush=True)
            assert [f"p{n}\n" for n in range(4)] == [
                each.stdout.readline() for each in found if each.stdout
            ]
            with SqliteStore(tmp_path / f"{number}.db") as store:
                assert 4 == len(store.conversations(SPACE))


def test_a_fork_in_the_middle_goes_on_in_both(store: SqliteStore) -> None:
    """While threads of the parent read and write; no child waits for them, nothing is lost."""
    grow(store, key())
    forked_all = Event()

    def used(name: str) -> None:
        while not forked_all.is_set():
            store.load(key())
            grow(store, key(name))

    def child(name: str) -> None:
        assert 5 == grow(store, key(name), turns=5)
        assert 1 == store.load(key()).version

    def forking() -> None:
        try:
            for number in range(10):
                assert 0 == finished(forked(partial(child, f"child {number}"), seconds=10))
        finally:
            forked_all.set()

    assert [] == together(forking, *(lambda n=n: used(f"parent {n}") for n in range(3)))
    versions = {each.name: each.version for each in store.conversations(SPACE)}
    assert [5] * 10 == [versions[f"child {number}"] for number in range(10)]


def test_what_a_child_writes_survives_the_parent_closing(store: SqliteStore, path: Path) -> None:
    """The last one to close removes the log of the file; a child that has it open counts."""
    grow(store, key())
    (asked, ask), (told, tell) = os.pipe(), os.pipe()

    def child() -> None:
        grow(store, key("child"))
        os.write(tell, b"1")
        os.read(asked, 1)
        assert 2 == grow(store, key("child"))

    number = forked(child)
    os.read(told, 1)
    store.close()
    with SqliteStore(path) as other:
        grow(other, key("after"))
        os.write(ask, b"1")
        assert 0 == finished(number)
        assert 2 == other.load(key("child")).version
    for each in (asked, ask, told, tell):
        os.close(each)
