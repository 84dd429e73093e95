"""Databases of other versions: those of the first schema read the same, newer ones are left."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from first_schema import DUMP, ODD, TALK, TOLD, TRIP, is_part, manager_of, view
from kimi_clients import ask, connect
from psycopg.sql import SQL, Identifier, Placeholder
from services import postgres_url
from stored import SPACE, grow, key, started

from memory.errors import SchemaError
from memory.records import LogKey
from memory.stores import PostgresStore, SqliteStore
from memory.stores.upgrading import statements
from memory.testing import FakeKimi

FILES = ("001_logs.sql", "002_search.sql", "003_lists.sql", "004_recall.sql")
NEW = FILES[1:]
SERVER_FILES = ("001_logs.sql", "002_search.sql", "003_recall.sql")
SERVER_NEW = SERVER_FILES[1:]
TABLES = ("memory_conversations", "memory_records", "memory_hashes", "memory_leases")
READ = "SELECT * FROM {} ORDER BY 1, 2, 3"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a database of the first schema."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(DUMP.read_text(encoding="utf-8"))
    return path


@pytest.fixture
def told() -> Any:
    """Return what was read from it at that time."""
    return json.loads(TOLD.read_text(encoding="utf-8"))


def applied(path: Path) -> list[Any]:
    """Return which files were applied to a database."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT version, name, checksum FROM memory_schema ORDER BY 1")
        return rows.fetchall()


def test_what_was_read_then_is_not_nothing(told: Any) -> None:
    """The example has all that a conversation can have."""
    export, history, sent = told["trip"]
    kinds = {kind for kind, _ in told["records"] + told["alone"]}

    assert {"turn", "compaction", "undone", "message"} == kinds
    assert any("usage" in body for _, body in told["records"])
    assert 1 == len(export["compactions"])
    assert len(sent) < len(history)
    assert [ODD, ("user-42", "trip")] == [(e["user"], e["name"]) for e in told["entries"]]
    assert "half \ud83d of a pair, and NUL \0" == told["odd"][1][0]["content"]
    assert told["find"][0] == told["find"][1][0][1]["adopted"]
    assert told["fitted"][1]["content"].startswith("<conversation-notes>")


def test_the_first_schema_is_the_one_that_was_written(old: Path, tmp_path: Path) -> None:
    """Its file has not changed since: a new database has the same checksum in its row."""
    with SqliteStore(tmp_path / "new.db") as store:
        assert FILES == store.upgrade()

    assert [(1, FILES[0])] == [row[:2] for row in applied(old)]
    assert applied(old) == applied(tmp_path / "new.db")[:1]
    assert [32] * len(FILES) == [len(checksum) for *_, checksum in applied(tmp_path / "new.db")]


def test_a_database_of_the_first_schema_reads_the_same(old: Path, told: Any) -> None:
    """It is upgraded when it is opened, without a word: history, head, summaries and view."""
    with SqliteStore(old) as store:
        assert is_part(told, view(store))
        assert (len(FILES), ()) == (store.health().schema, store.upgrade())
    assert [*enumerate(FILES, start=1)] == [row[:2] for row in applied(old)]


def test_an_upgrade_on_demand_tells_what_it_did(old: Path) -> None:
    """What is left to do is done once."""
    with SqliteStore(old) as store:
        assert (NEW, ()) == (store.upgrade(), store.upgrade())


def test_an_old_database_can_be_searched(old: Path, told: Any) -> None:
    """All that its conversations say now is found, and what was taken back is not."""
    said = [n for n, each in enumerate(told["trip"][1]) if "靠窗" in each["content"]]
    with SqliteStore(old) as store:
        hits = manager_of(store).search("靠窗 座位", user="user-42", limit=100)

        assert 20 < len(said)
        assert said == sorted(hit.place for hit in hits)
        assert [0] == [hit.place for hit in manager_of(store).search("pair", user=ODD[0])]


def test_an_old_database_is_gone_on_with(old: Path, told: Any) -> None:
    """What was summarised is not paid for again, and what is new is added."""
    fake = FakeKimi(reply=lambda _: "Yes.")
    with SqliteStore(old) as store:
        manager = manager_of(store)
        ask(manager.wrap(connect(fake)), TALK)
        kept = manager.with_options(conversation=TRIP).wrap(connect(fake))
        ask(kept, [{"role": "user", "content": "Where is crate 1?"}])

        assert len(told["trip"][1]) + 2 == len(manager.conversation(TRIP).history())
    assert ("chat", told["fitted"]) == (fake.requests[0].kind, fake.requests[0].body["messages"])


def test_reading_an_old_database_changes_no_row(old: Path) -> None:
    """Upgrading adds tables; records stay as they are."""
    query = READ.format("memory_records")
    with closing(sqlite3.connect(old)) as database:
        before = database.execute(query).fetchall()
    with SqliteStore(old) as store:
        view(store)
        store.search(SPACE, "crate", user="user-42")
    with closing(sqlite3.connect(old)) as database:
        assert before == database.execute(query).fetchall()


@pytest.mark.parametrize("kind", ["old", "new"])
def test_a_newer_database_is_left_alone(old: Path, tmp_path: Path, kind: str) -> None:
    """Whoever reads it, writes it or wants to upgrade it is told, each time."""
    path = old if kind == "old" else tmp_path / "new.db"
    with SqliteStore(path) as store:
        store.upgrade() if kind == "new" else None
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO memory_schema VALUES (99, '099_x.sql', 'x', 0)")
        before = [*database.iterdump()]
    with SqliteStore(path) as store:
        reading, writing = partial(store.load, key()), partial(grow, store, key())
        for call in (reading, store.upgrade, reading, writing, store.health, store.upgrade):
            with pytest.raises(SchemaError, match="newer") as caught:
                call()
            assert (99, len(FILES)) == (caught.value.found, caught.value.wanted)
            assert str(path) in str(caught.value)
    with closing(sqlite3.connect(path)) as database:
        assert before == [*database.iterdump()]


def test_a_database_of_others_gets_our_tables_beside_theirs(tmp_path: Path) -> None:
    """Theirs stay as they are."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE conversations (id INTEGER, said TEXT)")
        database.execute("INSERT INTO conversations VALUES (1, 'theirs')")
    with SqliteStore(path) as store:
        grow(store, key())
        assert 1 == len(store.search(SPACE, "hi", user="ann"))
    with closing(sqlite3.connect(path)) as database:
        assert [(1, "theirs")] == database.execute("SELECT * FROM conversations").fetchall()


UPGRADE = """
import sys
from memory.stores import SqliteStore
print("ready", flush=True)
sys.stdin.readline()
with SqliteStore(sys.argv[1]) as store:
    print(store.upgrade(), store.health().schema, flush=True)
"""


def test_processes_may_upgrade_at_once(old: Path, told: Any) -> None:
    """One of them does it; the others find it done."""
    with started(UPGRADE, old) as first, started(UPGRADE, old) as second:
        assert ["ready\n"] * 2 == [each.stdout.readline() for each in (first, second)]  # type: ignore[union-attr]
        for each in (first, second):
            print(file=each.stdin, flush=True)
        done = {each.communicate(timeout=60)[0] for each in (first, second)}

    assert {f"{NEW} 4\n", "() 4\n"} == done
    with SqliteStore(old) as store:
        assert is_part(told, view(store))


def test_threads_may_upgrade_at_once(old: Path, told: Any) -> None:
    """With a store each."""
    done: list[tuple[str, ...]] = []

    def upgrade() -> None:
        with SqliteStore(old) as store:
            done.append(store.upgrade())

    threads = [Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [(), (), (), NEW] == sorted(done)
    with SqliteStore(old) as store:
        assert is_part(told, view(store))


@pytest.fixture
def schema() -> Iterator[str]:
    """Return a schema of PostgreSQL of one's own."""
    name = f"schemas_{uuid4().hex}"
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(name)))
        try:
            yield name
        finally:
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(name)))


@pytest.fixture
def postgres(schema: str) -> Iterator[PostgresStore]:
    """Return a store in that schema."""
    with PostgresStore(postgres_url(), schema=schema) as store:
        yield store


def carry(path: Path, store: PostgresStore, schema: str) -> None:
    """Put what is in a database of the first schema into one of PostgreSQL."""
    dialect = store._pools.dialect  # noqa: SLF001  # for the text of its first schema
    with (
        closing(sqlite3.connect(path)) as database,
        psycopg.connect(postgres_url(), options=f"-c search_path={schema}") as connection,
    ):
        (row,) = database.execute("SELECT * FROM memory_schema").fetchall()
        connection.execute(
            "CREATE TABLE memory_schema (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
            "checksum TEXT NOT NULL, applied_at DOUBLE PRECISION NOT NULL)"
        )
        connection.execute("INSERT INTO memory_schema VALUES (%s, %s, %s, %s)", row)
        for statement in statements(dialect.scripts[0][2]):
            connection.execute(statement.encode())
        for table in TABLES:
            rows = database.execute(READ.format(table))
            names = [column[0] for column in rows.description]
            text = "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})"
            into = SQL(text).format(
                Identifier(table),
                SQL(", ").join(map(Identifier, names)),
                SQL(", ").join(Placeholder() * len(names)),
            )
            connection.cursor().executemany(into, rows.fetchall())


def test_an_old_database_of_postgres_waits_for_its_upgrade(
    old: Path, told: Any, postgres: PostgresStore, schema: str
) -> None:
    """Nothing happens to it by the way; after that it reads the same."""
    carry(old, postgres, schema)
    for call in (postgres.health, partial(postgres.load, key()), partial(grow, postgres, key())):
        with pytest.raises(SchemaError, match=r"has schema 1 and 3 is needed \(002_search"):
            call()

    assert (SERVER_NEW, ()) == (postgres.upgrade(), postgres.upgrade())
    assert is_part(told, view(postgres))
    assert postgres.search(SPACE, "靠窗 座位", user="user-42")


def test_a_newer_database_of_postgres_is_left_alone(postgres: PostgresStore, schema: str) -> None:
    """Whoever reads it, writes it or wants to upgrade it is told."""
    postgres.upgrade()
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        into = SQL("INSERT INTO {} VALUES (99, '099_x.sql', 'x', 0)")
        connection.execute(into.format(Identifier(schema, "memory_schema")))
    calls = (partial(postgres.load, key()), postgres.upgrade, partial(grow, postgres, key()))
    for call in calls:
        with pytest.raises(SchemaError, match="newer") as caught:
            call()
        assert (99, len(SERVER_FILES)) == (caught.value.found, caught.value.wanted)


def test_a_database_of_postgres_without_our_tables_says_what_to_do(
    postgres: PostgresStore,
) -> None:
    """In the words that the shell takes."""
    with pytest.raises(SchemaError, match="`kimi-memory db upgrade --store URL`") as caught:
        postgres.load(LogKey(namespace=SPACE, name="trip"))
    assert (0, len(SERVER_FILES)) == (caught.value.found, caught.value.wanted)


def test_threads_may_upgrade_postgres_at_once(schema: str) -> None:
    """One of them does it, with a schema that is not there yet."""
    done: list[tuple[str, ...]] = []

    def upgrade() -> None:
        with PostgresStore(postgres_url(), schema=f"{schema}_more") as store:
            done.append(store.upgrade())

    threads = [Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(f"{schema}_more")))

    assert [(), (), (), SERVER_FILES] == sorted(done)
