"""Two users of one store: ids that are easily taken for each other, and what each of them has."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier
from redis_servers import client
from services import postgres_url
from stored import compaction

from memory.records import Compaction, Entry, Forgotten, Log, Logged, LogKey, Standing, Turn
from memory.stores import PostgresStore, RedisStore, SealedStore, Searching, SqliteStore, Store
from memory.stores.keys import owner_digest

__all__ = ("NAMES", "THEIRS", "WORDS", "pairs", "played", "plays", "rows", "settle", "shown")

MARK = "§o" + owner_digest("tests", "ann").hex()
IDS = (
    *("ann", "Ann", "ann ", " ann", "ann\n", "ann\0", "ann\0bob", "ann/bob", "ann%2Fbob", "bob"),
    *("a", "b", "a/b", "a%2Fb", "a%252Fb", "a//b", "/", "//", "/a", "a/", ".", "..", "a:b", ":"),
    *("{}", "{a}", "{", "}", "*", "?", "[a-b]", "%", "_", "a%", "\\", "'", '"', "''", "null"),
    *("' OR 1=1 --", "a' OR 'a'='a", "ann OR bob", 'ann" OR "bob', "NEAR(a b)", "a*", "NOT a"),
    *("x" * 4_096, "x" * 4_095 + "y", "\u202eann", "\u202ann", "nna", "\u200bann", "ａｎｎ"),
    *("é", "e\u0301", "ß", "ss", "SS", "İ", "i\u0307", "K", "\u212a", "😀", "\ud83d\ude00"),
    *("\ud800", "\udfff", "\ue000", "\ue000\x02Ā", "\uffff", "\U0010ffff", "\x01", "\x01\x01"),
    *(MARK, MARK[1:], "§c1", "§c2", "owner", "logs", "users", "default", "tests", "1", "١"),
)
"""Ids that differ, and that something between us and the disk could take for the same."""
NAMES = ("trip", "Trip", "a/b", "b", "a%2Fb", "{}", "*", "%", "' OR 1=1 --", "§c1", "é", "e\u0301")
THEIRS = NAMES[:4]
WORDS = ("zebra", "heron", "crate", "shelf")


def pairs(*, nobody: bool = True) -> st.SearchStrategy[tuple[str, str]]:
    """Return two different users; one may be nobody in particular."""
    anything = st.text(st.characters(exclude_categories=()), min_size=1, max_size=6)
    near = st.sampled_from(IDS)
    ids = st.one_of(near, near, near, anything, *([st.just("")] if nobody else []))
    return st.tuples(ids, ids).filter(lambda both: both[0] != both[1])


def settle(store: Any, space: str, user: str) -> None:
    """Give a user a log of everything that is kept, and search it."""
    for name in THEIRS:
        said = tuple(
            {"role": "user", "content": f"{word} {n} of theirs"} for n, word in enumerate(WORDS)
        )
        records = [Turn(start=0, messages=said), compaction("zebras of theirs")]
        store.append(LogKey(namespace=space, user=user, name=name), records, expected=0)
    for place in SHARED:
        record = replace(place, segments=(), standing=(Standing("theirs", "user"),))
        logged = Logged(index=0, link=b"1" * 16, message={"role": "user", "content": "theirs"})
        root = LogKey(namespace=space, user=user, root=place.coverage.hex())
        store.append(root, [logged, record], expected=0)
        if hasattr(store, "acquire"):
            store.acquire(root, "turn", owner="theirs", seconds=600)
    if isinstance(store, Searching):
        store.search(space, " ".join(WORDS), user=user, match="any")


SHARED: tuple[Compaction, ...] = tuple(compaction() for _ in range(2))
"""Compactions of inputs that several users send: their hashes are the same."""


def shown(store: Any, space: str, user: str) -> Any:
    """Return all that a user can see."""
    keys = [LogKey(namespace=space, user=user, name=name) for name in THEIRS]
    keys += [LogKey(namespace=space, user=user, root=each.coverage.hex()) for each in SHARED]
    hashes = frozenset(each.coverage for each in SHARED)
    return [
        [store.load(key) for key in keys],
        [store.holder(key, "turn") for key in keys] if hasattr(store, "holder") else None,
        store.known(space, user=user),
        store.find(space, hashes, user=user),
        store.conversations(space, user=user),
        [store.search(space, word, user=user) for word in WORDS]
        if isinstance(store, Searching)
        else None,
    ]


def plays() -> st.SearchStrategy[Sequence[tuple[str, Any]]]:
    """Return what somebody does with handles of their own."""
    names, roots = st.sampled_from(NAMES), st.sampled_from([e.coverage.hex() for e in SHARED])
    either = st.one_of(names.map(lambda n: (n, "")), roots.map(lambda r: ("", r)))
    calls = st.one_of(
        st.tuples(st.sampled_from(["load", "append", "forget", "take", "give"]), either),
        st.tuples(st.just("find"), st.sampled_from(SHARED)),
        st.tuples(st.sampled_from(["known", "list", "forget_user"]), st.none()),
        st.tuples(st.just("page"), names),
        st.tuples(st.just("search"), st.sampled_from((*WORDS, "zebra* OR theirs", MARK))),
        st.tuples(st.just("search in"), st.tuples(names, st.sampled_from(WORDS))),
    )
    return st.lists(calls, min_size=1, max_size=8)


def played(store: Any, space: str, user: str, calls: Sequence[tuple[str, Any]]) -> list[Any]:
    """Make calls for a user, and return what came of each, as every store has it."""
    return [_plain(_play(store, space, user, verb, what)) for verb, what in calls]


def _play(store: Any, space: str, user: str, verb: str, what: Any) -> Any:
    """Make one call; one that searches a store without a search gives None."""
    if verb.startswith("search") and not isinstance(store, Searching):
        return None
    calls: dict[str, Callable[[], Any]] = {
        "find": lambda: store.find(space, frozenset({what.coverage, what.adoption}), user=user),
        "known": lambda: store.known(space, user=user),
        "list": lambda: store.conversations(space, user=user),
        "page": lambda: store.conversations(space, user=user, after=(user, what), limit=2),
        "forget_user": lambda: store.forget_user(space, user),
        "search": lambda: store.search(space, what, user=user, match="any", limit=50),
        "search in": lambda: store.search(space, what[1], user=user, name=what[0]),
    }
    if verb in calls:
        return calls[verb]()
    return _on_log(store, LogKey(namespace=space, user=user, name=what[0], root=what[1]), verb)


def _on_log(store: Any, key: LogKey, verb: str) -> Any:
    if verb == "append":
        version = store.load(key).version
        mine = tuple({"role": "user", "content": f"{word} of mine"} for word in WORDS)
        covers = [
            replace(e, standing=(Standing("mine", "user"),))
            for e in SHARED
            if e.coverage.hex() == key.root
        ]
        store.append(key, [Turn(start=0, messages=mine), *covers], expected=version)
    elif verb == "forget":
        return store.forget(key)
    elif verb == "take" and hasattr(store, "acquire"):
        assert store.acquire(key, "turn", owner="mine", seconds=600)
    elif verb == "give" and hasattr(store, "release"):
        store.release(key, "turn", owner="mine")
        store.release(key, "turn", owner="theirs")
    return store.load(key).records


def _plain(result: Any) -> Any:
    """Return a result without what depends on the kind of store, or on time."""
    if isinstance(result, Forgotten):
        return replace(result, documents=0, leases=0)
    if isinstance(result, Log):
        return result.records
    if isinstance(result, tuple):
        return [replace(e, updated=0, version=0) if isinstance(e, Entry) else e for e in result]
    return result


def rows(store: Store, space: str, user: str) -> Any:
    """Return everything of a user that stands in a database, byte by byte; None if none."""
    owner = owner_digest(space, user)
    if isinstance(store, SealedStore):
        return rows(store._store, space, user)  # noqa: SLF001  # what is inside is the question
    if isinstance(store, SqliteStore):
        with closing(sqlite3.connect(store.path)) as file:
            return [file.execute(sql.format("", "?"), (owner,)).fetchall() for sql in OWNED]
    if isinstance(store, PostgresStore):
        tables = store._pools.dialect.tables  # noqa: SLF001  # where they are
        with psycopg.connect(postgres_url(), autocommit=True) as connection:
            schema = SQL(".").join([Identifier(tables.strip('".')), SQL("")])
            texts = [SQL(sql).format(schema, SQL("%s")) for sql in OWNED]
            return [connection.execute(text, (owner,)).fetchall() for text in texts]
    if isinstance(store, RedisStore):
        with client() as server:
            found = server.scan_iter(f"{store.prefix}:{{{owner.hex()}}}:*", count=1_000)
            kept = sorted(key for key in found if not key.endswith(b":users"))
            return [(key, server.dump(key)) for key in kept]
    return None


_MINE = "(SELECT id FROM {0}memory_conversations WHERE owner = {1})"
OWNED = (
    "SELECT * FROM {0}memory_conversations WHERE owner = {1} ORDER BY id",
    f"SELECT * FROM {{0}}memory_records WHERE conversation_id IN {_MINE} ORDER BY 2, 3",  # noqa: S608
    f"SELECT * FROM {{0}}memory_documents WHERE conversation_id IN {_MINE} ORDER BY 1",  # noqa: S608
    f"SELECT * FROM {{0}}memory_postings WHERE conversation_id IN {_MINE} ORDER BY 1, 2, 3",  # noqa: S608
    "SELECT * FROM {0}memory_hashes WHERE owner = {1} ORDER BY 2, 3, 4",
    "SELECT * FROM {0}memory_leases WHERE owner = {1} ORDER BY 1, 2",
)
