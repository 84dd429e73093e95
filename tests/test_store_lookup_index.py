"""The index behind lookups: right after every step, by whomever, and gone with what it is of."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from depth import examples
from hypothesis import given
from hypothesis import strategies as st
from lookups import IN_SQL, Course, courses, indexed, told, touched
from psycopg.sql import SQL, Identifier
from services import postgres_url
from store_factories import FACTORIES
from stored import key, started, turn

from memory.drive import run
from memory.errors import SchemaError
from memory.recall import Question
from memory.records import Turn
from memory.stores import PostgresStore, SqliteStore, indexing, lookups, sql
from memory.stores.programs import query
from memory.stores.sqlite_file import DIALECT
from memory.testing.conformance import Factory
from memory.testing.conformance.samples import said

_numbers = count()
FOX = Question(text="a fox")


@pytest.fixture(scope="module", params=IN_SQL)
def factory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Factory]:
    """Return what opens handles on a store that can look up."""
    with FACTORIES[request.param](tmp_path_factory.mktemp("store")) as opened:
        yield opened


@pytest.fixture
def store(factory: Factory) -> Iterator[Any]:
    """Return a handle on it."""
    handle: Any = factory()
    with handle:
        yield handle


@examples(40)
@given(course=courses(longest=20), batch=st.integers(1, 5), cleared=st.integers(1, 5))
def test_what_is_counted_is_what_there_is(
    factory: Factory, course: Course, batch: int, cleared: int
) -> None:
    """Whatever is said, gone back behind and indexed, in steps of any size."""
    where, handle = key(f"counted {next(_numbers)}"), factory()
    with pytest.MonkeyPatch.context() as patch, handle:  # type: ignore[attr-defined]
        patch.setattr(indexing, "MESSAGES", batch)
        patch.setattr(indexing, "CLEARED", cleared)
        for version, (record, index) in enumerate(course):
            handle.append(where, [record], expected=version)
            if index:
                handle.index(where)  # type: ignore[attr-defined]
                assert told(handle, where) == indexed(handle, where)


def test_places_of_many_blocks_are_counted(store: Any) -> None:
    """Going back over several of them as well."""
    where = key("blocks")
    messages = [said(f"fox {'bear' if place % 700 == 0 else ''} 狐狸") for place in range(3_000)]
    for version, start in enumerate((0, 1_000, 2_000)):
        said_then = Turn(start=start, messages=tuple(messages[start : start + 1_000]))
        store.append(where, [said_then], expected=version)
    assert 3_000 == store.index(where)
    assert told(store, where) == indexed(store, where)
    store.append(where, [turn(1_030, "a fox")], expected=3)
    assert 1 == store.index(where)

    assert told(store, where) == indexed(store, where)
    assert [0, 700] == indexed(store, where)["places"]["bear"]


def test_nothing_is_left_of_what_is_forgotten(store: Any) -> None:
    """Of a conversation, or of all of a user."""
    before = touched(store)
    for name in ("a", "b", "c"):
        store.append(key(name, user="gone"), [turn(0, "a fox")], expected=0)
        store.index(key(name, user="gone"))
    removed = store.forget(key("a", user="gone")).documents
    rest = store.forget_user(key().namespace, "gone").documents

    assert (1, 2) == (removed, rest)
    assert before == touched(store)


def test_what_was_indexed_outlives_the_handle(factory: Factory) -> None:
    """One that is opened later has nothing to index, and answers the same."""
    where = key("outlived")
    answers: list[tuple[int, Any]] = []
    for _ in range(2):
        handle: Any = factory()
        with handle:
            if not answers:
                handle.append(where, [turn(n, f"fox {n}") for n in range(9)], expected=0)
            answers.append((handle.index(where), handle.lookup(where, FOX, limit=5)))

    assert [9, 0] == [number for number, _ in answers]
    assert answers[0][1] == answers[1][1]


def test_a_failure_amid_a_batch_leaves_the_index_as_it_was(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark and what was written move together; the next one does it again."""
    where = key("failed")
    store.append(where, [turn(0, "a fox")], expected=0)
    store.index(where)
    before = indexed(store, where)
    store.append(where, [turn(0, "a bear")], expected=1)
    with monkeypatch.context() as patch:
        patch.setattr(indexing, "added", _failing)
        with pytest.raises(ZeroDivisionError):
            store.index(where)

    assert before == indexed(store, where) == told(store, where)
    assert 1 == store.index(where)
    assert ["bear"] == [term for term in indexed(store, where)["places"] if len(term) > 1]


def _failing(*_arguments: object) -> Iterator[sql.Statement]:
    raise ZeroDivisionError


INDEXER = """
import sys
from memory.stores import open_store
from stored import key
with open_store(sys.argv[1]) as store:
    store.load(key("at once"))
    print("ready", flush=True)
    sys.stdin.readline()
    print(store.index(key("at once")), flush=True)
"""


def test_processes_may_index_at_once(store: Any) -> None:
    """Each message is indexed by one of them, while somebody else goes on writing."""
    where = key("at once")
    store.append(where, [turn(n, f"fox {n}") for n in range(1_500)], expected=0)
    url = f"sqlite:///{store.path}" if isinstance(store, SqliteStore) else _url(store)
    with started(INDEXER, url) as first, started(INDEXER, url) as second:
        assert ["ready\n"] * 2 == [each.stdout.readline() for each in (first, second)]  # type: ignore[union-attr]
        for each in (first, second):
            print(file=each.stdin, flush=True)
        version = 1_500
        while first.poll() is None and version < 1_600:
            version = store.append(where, [turn(version, "one more")], expected=version)
        numbers = [int(each.communicate(timeout=60)[0]) for each in (first, second)]
    rest = store.index(where)

    assert version == sum(numbers) + rest
    assert told(store, where) == indexed(store, where)


def _url(store: PostgresStore) -> str:
    schema = store._pools.dialect.tables.strip('".')  # noqa: SLF001  # that of the fixture
    return f"{postgres_url()}?schema={schema}"


PLANNED = (lookups._STATE, lookups._FREQUENCIES, lookups._NEWEST, lookups._WORDS)  # noqa: SLF001


@pytest.mark.parametrize("statement", PLANNED)
def test_no_table_is_read_as_a_whole(tmp_path: Path, statement: str) -> None:
    """SQLite finds each row that a lookup needs by an index, and sorts nothing."""
    with SqliteStore(tmp_path / "plan.db") as made:
        made.upgrade()
    with closing(sqlite3.connect(tmp_path / "plan.db")) as database:
        text = DIALECT.sql(statement)
        values = ("[]" if "json_each(?)" in text else 1,) * text.count("?")
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", values)]

    assert any(re.match(r"SEARCH \w+ USING", step) for step in plan)
    assert [] == [step for step in plan if re.match(r"SCAN (?!m\b|json_each)|USE TEMP", step)]


LATEST = {"sqlite": "004_recall.sql", "postgres": "003_recall.sql"}
STALE = """
INSERT INTO memory_documents (conversation_id, place, seq, item, length, scope, words)
SELECT id, 0, 1, 0, 1, '§c' || id, 'stale' FROM memory_conversations
"""


@pytest.mark.parametrize("kind", IN_SQL)
def test_what_an_older_version_indexed_is_indexed_anew(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its terms were others; an upgrade empties the index, and what was said is found again."""
    scripts, where = sql.scripts_of, key("old")
    place: Any = FACTORIES[kind](tmp_path) if kind == "sqlite" else _empty()
    with place as factory:
        with monkeypatch.context() as patch, factory() as old:
            patch.setattr(sql, "scripts_of", lambda kind: scripts(kind)[:-1])
            old.upgrade()
            old.append(where, [turn(0, "foxes"), turn(1, "a bear")], expected=0)
            for statement in (STALE, "UPDATE memory_conversations SET indexed = 2"):
                assert [(1,)] == _written(old, statement)
        with factory() as new:
            if kind == "postgres":
                with pytest.raises(SchemaError, match="003_recall"):
                    new.lookup(where, FOX, limit=5)
            assert (LATEST[kind],) == new.upgrade()
            assert [0, 0] == touched(new)
            assert [0] == [found.place for found in new.lookup(where, FOX, limit=5)]
            assert () == new.search(where.namespace, "stale", user=where.user)
            assert told(new, where) == indexed(new, where)
            if kind == "sqlite":
                check = (
                    "INSERT INTO memory_terms (memory_terms, rank) VALUES ('integrity-check', 1)"
                )
                _written(new, check)


def _written(store: Any, statement: str) -> list[tuple[Any, ...]]:
    """Carry out a statement that writes, and return how many rows it changed."""
    done: list[tuple[Any, ...]] = run(query(statement, write=True).perform(), store._perform)  # noqa: SLF001
    return done


@contextmanager
def _empty() -> Iterator[Any]:
    """Yield what opens handles on a schema of PostgreSQL that is not there yet."""
    schema = f"lookups_{uuid4().hex}"
    try:
        yield lambda: PostgresStore(postgres_url(), schema=schema)
    finally:
        with psycopg.connect(postgres_url(), autocommit=True) as connection:
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))
