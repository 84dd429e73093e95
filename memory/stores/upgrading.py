"""Schemas of databases and how they move on: numbered files, each applied once, never back."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING

from memory.errors import SchemaError
from memory.stores.sql import Statement, scripts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory.stores.sql import Dialect, Steps

__all__ = ("check_version", "pending", "statements", "upgrade")

_TABLE = """
CREATE TABLE IF NOT EXISTS memory_schema (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at DOUBLE PRECISION NOT NULL
)
"""
_APPLIED = "SELECT version FROM memory_schema ORDER BY version"
_ROW = "INSERT INTO memory_schema (version, name, checksum, applied_at) VALUES (?, ?, ?, {now})"


def upgrade(dialect: Dialect) -> Steps[tuple[str, ...]]:
    """Apply the files that are missing, within the lock of the caller; return their names.

    What is there is looked at here, inside of the lock: others may have been first.

    Raises:
        SchemaError: The database is newer than this library.
    """
    yield Statement(_TABLE)
    rows = yield Statement(_APPLIED)
    applied = {version for (version,) in rows}
    check_version(dialect, max(applied, default=0), "", behind=True)
    names = []
    for version, name, text in dialect.scripts:
        if version in applied:
            continue
        for statement in statements(text):
            yield Statement(statement)
        checksum = blake2b(text.encode(), digest_size=16).hexdigest()
        yield Statement(_ROW, (version, name, checksum))
        names.append(name)
    return tuple(names)


def pending(kind: str, version: int) -> tuple[str, ...]:
    """Return the names of the files that a database of that kind at `version` lacks."""
    return tuple(name for number, name, _ in scripts_of(kind) if number > version)


def statements(text: str) -> Iterator[str]:
    """Yield the statements of a schema file one by one."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line.partition("--")[0].rstrip() + "\n"
        if statement.strip() and sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def check_version(dialect: Dialect, found: int, location: str, *, behind: bool = False) -> None:
    """Check that a database has the schema this library reads and writes.

    Args:
        dialect: Which database.
        found: The version it has.
        location: Where it is.
        behind: Whether an older one will do.

    Raises:
        SchemaError: It has another one.
    """
    if found > dialect.latest:
        msg = (
            f"{location or 'the database'} has schema {found}, which is newer than this library "
            f"knows ({dialect.latest}): use a newer kimi-memory"
        )
        raise SchemaError(msg, found=found, wanted=dialect.latest)
    if found < dialect.latest and not behind:
        missing = ", ".join(pending(dialect.name, found))
        msg = (
            f"{location} has schema {found} and {dialect.latest} is needed ({missing}): run "
            "`kimi-memory db upgrade --store URL` once, with a user who may create tables"
        )
        raise SchemaError(msg, found=found, wanted=dialect.latest)
