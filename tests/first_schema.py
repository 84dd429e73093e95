"""A database of the first schema: how it was written, and what could be read from it then.

`data/schema_001.sql` is that database as SQL and `data/schema_001.json` what was read.
`PYTHONPATH=.:tests python tests/first_schema.py` writes both anew; once a version with that schema
is released, only to add to them.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kimi_clients import HEAD, ask, connect, talk
from stored import SPACE, key

from memory import MemoryManager
from memory.flow import log_key
from memory.records import Compaction, Record
from memory.stores import SqliteStore, Store, sql
from memory.stores.codec import encode
from memory.testing import FakeKimi
from memory.view import Thread

__all__ = ("DUMP", "ODD", "TALK", "TOLD", "TRIP", "is_part", "manager_of", "view", "write")

DUMP = Path(__file__).parent / "data" / "schema_001.sql"
TOLD = DUMP.with_suffix(".json")
TRIP, ODD = "user-42/trip", ("a/b\0", "行程 ✈")
TALK = talk(36)
SAID = "Noted: 靠窗的座位, a window seat."


def manager_of(store: Store) -> MemoryManager:
    """Return a manager on a store."""
    return MemoryManager(store=store, hooks=(), budget=900, namespace=SPACE)


def view(store: Store) -> dict[str, Any]:
    """Return what can be read of the conversations, as JSON."""
    manager = manager_of(store)
    trip, odd = manager.conversation(TRIP), manager.conversation(ODD[1], user=ODD[0])
    alone = store.load(log_key(SPACE, Thread.of(TALK))).records
    covers = frozenset(each.coverage for each in alone if isinstance(each, Compaction))
    told = {
        "entries": [asdict(each) | {"updated": 0} for each in manager.conversations()],
        "trip": [trip.export(), trip.history(), trip.messages()],
        "odd": [odd.export(), odd.history(), odd.messages()],
        "records": _bodies(store.load(key("trip", user="user-42")).records),
        "alone": _bodies(alone),
        "find": [store.known(SPACE), _bodies(store.find(SPACE, covers))],
        "fitted": [*manager.fit(TALK)],
    }
    read: dict[str, Any] = json.loads(json.dumps(told))
    return read


def is_part(told: Any, read: Any) -> bool:
    """Tell whether all that was read once is read now; records may have got keys since."""
    if isinstance(told, dict) and isinstance(read, dict):
        return all(name in read and is_part(value, read[name]) for name, value in told.items())
    if isinstance(told, list) and isinstance(read, list):
        return len(told) == len(read) and all(map(is_part, told, read))
    return bool(told == read)


def _bodies(records: Iterable[Record]) -> list[Any]:
    """Return records as they are written down."""
    return [[kind, json.loads(body)] for kind, body in map(encode, records)]


def write() -> None:
    """Write the database, and what is read from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        with _first_schema(), SqliteStore(path) as store:
            _fill(store)
            told = view(store)
        with closing(sqlite3.connect(path)) as written:
            DUMP.write_text("\n".join([*written.iterdump(), ""]), encoding="utf-8")
    TOLD.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _first_schema() -> Iterator[None]:
    """Have the library know no schema but the first."""
    scripts = sql.scripts_of
    with patch.object(sql, "scripts_of", lambda kind: scripts(kind)[:1]):
        yield


def _fill(store: Store) -> None:
    """Have conversations: with turns, compactions, one of them undone, and without a name."""
    fake, manager = FakeKimi(reply=lambda _: SAID), manager_of(store)
    client = manager.with_options(conversation=TRIP).wrap(connect(fake))
    for message in TALK[1::2]:
        ask(client, [HEAD, message])
    trip = manager.conversation(TRIP)
    assert trip.undo() is not None
    trip.rewind(len(trip.history()) - 4)
    odd = manager.conversation(ODD[1], user=ODD[0])
    odd.add([HEAD, {"role": "user", "content": "half \ud83d of a pair, and NUL \0"}])
    ask(manager.wrap(connect(fake)), TALK)


if __name__ == "__main__":
    write()
