"""Full-text search in real databases: what they make of the terms, and what they find."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searches import MATCHES, typed
from services import postgres_url

from memory.records import Match
from memory.stores.search import Query, terms_of


@pytest.fixture(scope="module")
def fts5() -> Iterator[sqlite3.Connection]:
    """Return an SQLite database with an index of the kind the store has."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for table, detail in (("parted", "full"), ("told", "column")):
            options = f"tokenize='ascii', detail='{detail}'"
            connection.execute(f"CREATE VIRTUAL TABLE {table} USING fts5(words, {options})")
        connection.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(parted, 'instance')")
        yield connection


@pytest.fixture(scope="module")
def postgres() -> Iterator[psycopg.Connection]:
    """Return a connection to PostgreSQL."""
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        yield connection


def tokens(connection: sqlite3.Connection, words: str) -> list[str]:
    """Return the tokens that SQLite makes of words."""
    connection.execute("DELETE FROM parted")
    connection.execute("INSERT INTO parted VALUES (?)", (words,))
    rows = connection.execute("SELECT term FROM tokens ORDER BY offset")
    return [token for (token,) in rows]


def in_sqlite(connection: sqlite3.Connection, words: str, asked: str) -> bool:
    """Return whether FTS5 finds words."""
    connection.execute("DELETE FROM told")
    connection.execute("INSERT INTO told VALUES (?)", (words,))
    return bool(connection.execute("SELECT 1 FROM told WHERE told MATCH ?", (asked,)).fetchall())


def in_postgres(connection: psycopg.Connection, words: str, asked: str) -> bool:
    """Return whether PostgreSQL finds words."""
    found = "SELECT array_to_tsvector(string_to_array(%s, ' ')) @@ %s::tsquery"
    row = connection.execute(found, (words, asked)).fetchone()
    return bool(row and row[0])


@given(typed())
def test_each_term_is_one_token(fts5: sqlite3.Connection, text: str) -> None:
    """SQLite parts the words where we joined them, and changes none."""
    terms = terms_of(text)

    assert terms == tokens(fts5, " ".join(terms))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("窗", "我想要靠窗的座位"),
        ("位", "我想要靠窗的座位"),
        ("靠窗", "我想要靠窗的座位"),
        ("想要靠窗的", "我想要靠窗的座位"),
        ("靠窗 座位", "座位：靠窗"),
        ("token", "减少Token消耗"),
        ("减少token", "减少Token消耗"),
        ("消耗", "减少Token消耗"),
        ("tok*", "减少Token消耗"),
        ("Quick fox", "the quick brown fox"),
        ("हिन्दी", "यह हिन्दी है"),
        ("don't", "I don't know"),
        ("AND", "this and that"),
        ("ไทย", "ภาษาไทย"),
    ],
)
def test_what_is_found(
    fts5: sqlite3.Connection, postgres: psycopg.Connection, query: str, text: str
) -> None:
    """In SQLite, in PostgreSQL and in memory."""
    asked, terms = Query.parse(query), terms_of(text)

    assert asked.matches(terms, "all")
    assert in_sqlite(fts5, " ".join(terms), asked.fts5("all"))
    assert in_postgres(postgres, " ".join(terms), asked.tsquery("all"))


@given(typed(), typed(), st.sampled_from(MATCHES))
def test_sqlite_agrees(fts5: sqlite3.Connection, text: str, query: str, match: Match) -> None:
    """FTS5 finds what `matches` says, and takes any query."""
    asked, terms = Query.parse(query), terms_of(text)

    found = bool(asked) and in_sqlite(fts5, " ".join(terms), asked.fts5(match))

    assert asked.matches(terms, match) == found


@given(typed(), typed(), st.sampled_from(MATCHES))
def test_postgres_agrees(postgres: psycopg.Connection, text: str, query: str, match: Match) -> None:
    """A `tsvector` finds what `matches` says, and takes any query."""
    asked, terms = Query.parse(query), terms_of(text)

    found = bool(asked) and in_postgres(postgres, " ".join(terms), asked.tsquery(match))

    assert asked.matches(terms, match) == found
