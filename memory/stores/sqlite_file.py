"""The connections of the SQLite store to its file, and what can go wrong with it."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from memory.drive import run
from memory.errors import CorruptError, StoreError
from memory.forks import Forking, attend
from memory.stores.gate import Gate
from memory.stores.sql import Dialect, Statement, Transaction
from memory.stores.upgrading import check_version, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory.flow import Effect
    from memory.stores.sql import Row, Steps

    T = TypeVar("T")

__all__ = ("DIALECT", "MEMORY", "File")

MEMORY = ":memory:"
RETRY = 0.02
"""Seconds between attempts at what SQLite does not wait for by itself."""
_abandoned: list[object] = []
"""Connections that were in use at a fork: closing them in the child would spoil the parent's."""


DIALECT = Dialect(
    name="sqlite",
    now="kimi_now()",
    members="SELECT value FROM json_each(?)",
    numbers="SELECT value FROM json_each(?)",
    matches="d.id IN (SELECT rowid FROM memory_terms WHERE memory_terms MATCH ?)",
    scoped=lambda scope, wanted, match: f'scope:"{scope}" AND words:({wanted.fts5(match)})',
)


class File(Forking):
    """The connections to one file: one that writes, and as many that read as are needed at once."""

    def __init__(self, path: str, *, timeout: float, synchronous: str) -> None:
        self._path = path
        self._timeout = timeout
        self._synchronous = synchronous
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._all: list[sqlite3.Connection] = []
        self._read_only = False
        self.owed = False
        weakref.finalize(self, _close, self._all)
        self._gate = Gate()
        attend(self)

    def perform(self, effect: Effect[Any]) -> Any:
        """Carry out a transaction and return what its steps return."""
        if not isinstance(effect, Transaction):
            msg = f"no handler for {type(effect).__name__}"
            raise TypeError(msg)
        gate = self._gate
        gate.enter()
        try:
            if effect.write or self._path == MEMORY:
                return self._write(effect.steps())
            with self._reader() as connection:
                return run(effect.steps(), partial(_rows, connection))
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        finally:
            gate.leave()

    def once(self, statement: Statement) -> int:
        """Carry out one statement that writes, and return how many rows it changed."""
        gate = self._gate
        gate.enter()
        try:
            writer = self._writer or self._open()
            with self._writing:
                return writer.execute(DIALECT.sql(statement.sql), statement.parameters).rowcount
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        finally:
            gate.leave()

    def upgrade(self) -> tuple[str, ...]:
        """Bring the schema up to date and return the names of the files applied."""
        with self._gate.passed(), self._reported(), self._opening:
            return () if self._writer is not None else self._begin()

    def scrub(self) -> None:
        """Rewrite the file, so that nothing of what was removed is left in it or in its log.

        What cannot be done now, for want of room or of a turn, is owed, and told as a warning.
        """
        with self._gate.passed(), self._reported():
            writer = self._open()
            with self._writing:
                self.owed = not (_rewritten(writer) & self._emptied(writer))
        if self.owed:
            text = "what was forgotten may still be read in %s: the next forget() tries again"
            logging.getLogger("memory").warning(text, self._path)

    def _emptied(self, writer: sqlite3.Connection) -> bool:
        """Have the write-ahead log written into the file and cut; return whether that was done."""
        end = time.monotonic() + self._timeout
        while writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > end:
                return False
            time.sleep(RETRY)
        return True

    def close(self) -> None:
        """Close all connections."""
        if self._gate.shut(self._timeout):
            self._shut()
        self._gate.open()

    def before_fork(self) -> None:
        """Have nothing open, and nobody inside of SQLite, at the moment of a fork.

        What is open then belongs to both processes for SQLite, and its locks to neither.
        """
        if self._gate.shut(self._timeout) and self._path != MEMORY:
            self._shut()

    def after_fork(self, *, child: bool) -> None:
        """Go on after a fork; what was closed opens again when it is used."""
        if child:
            self._gate = Gate()
            self._opening, self._writing = threading.Lock(), threading.Lock()
            if self._path != MEMORY:  # what somebody was inside of belongs to the parent
                _abandoned.append([*self._all])
                self._writer = None
                self._readers.clear()
                self._all.clear()
        else:
            self._gate.open()

    def _shut(self) -> None:
        self._writer = None
        self._readers.clear()
        _close(self._all)

    def _write(self, steps: Steps[T]) -> T:
        writer = self._open()
        with self._writing:
            return _transacted(writer, steps)

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        self._open()
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._readers.append(connection)

    def _open(self) -> sqlite3.Connection:
        """Return the connection that writes; open it first, with the schema up to date."""
        if self._writer is None:
            with self._opening:
                if self._writer is None:
                    self._begin()
        writer = self._writer
        assert writer is not None  # noqa: S101  # opened just above
        return writer

    def _begin(self) -> tuple[str, ...]:
        """Open the connection that writes and bring the schema up to date.

        Nobody else has it before that is done.
        """
        if self._path != MEMORY:
            self._make()
        writer = self._connect()
        try:
            self._enter_wal(writer)
            version = _version(writer)
            check_version(DIALECT, version, self._path, behind=True)
            names = () if version == DIALECT.latest else _transacted(writer, upgrade(DIALECT))
        except BaseException:
            self._all.remove(writer)
            writer.close()
            raise
        self._writer = writer
        return names

    def _make(self) -> None:
        """Make the file and its directory, for their owner only."""
        path = Path(self._path)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            refused = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
            if not refused or not path.exists():  # else it may be read all the same
                raise
            self._read_only = error.errno == errno.EROFS

    def _connect(self) -> sqlite3.Connection:
        # Without a log beside it, a file on a disk that cannot be written to never changes.
        fixed = self._read_only and not Path(f"{self._path}-wal").exists()
        connection = sqlite3.connect(
            f"{Path(self._path).absolute().as_uri()}?immutable=1" if fixed else self._path,
            uri=fixed,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        self._all.append(connection)
        connection.create_function("kimi_now", 0, time.time)  # a sixth of what julianday() takes
        pragmas = (f"synchronous={self._synchronous}", "secure_delete=1", "temp_store=MEMORY")
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            self._all.remove(connection)
            connection.close()
            raise
        return connection

    def _enter_wal(self, writer: sqlite3.Connection) -> None:
        """Choose the write-ahead log, which SQLite refuses, without waiting, where others write."""
        end = time.monotonic() + self._timeout
        while True:
            try:
                writer.execute("PRAGMA journal_mode=WAL").fetchall()
            except sqlite3.OperationalError as error:
                if _name(error).startswith("SQLITE_READONLY"):
                    return
                if not _name(error).startswith("SQLITE_BUSY") or time.monotonic() > end:
                    raise
                time.sleep(RETRY)
            else:
                return

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Raise what went wrong with which file.

        Raises:
            CorruptError: It is no database, or a broken one.
            StoreError: It cannot be opened, read or written.
        """
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error | OSError) -> StoreError:
        if isinstance(error, OSError):
            return StoreError(f"{self._path}: {error.strerror or error}")
        name = _name(error)
        if name.startswith("SQLITE_NOTADB"):
            return CorruptError(self._path, f"{error}; is this the right path?")
        if name.startswith("SQLITE_CORRUPT"):
            return CorruptError(self._path, str(error))
        hint = next((h for code, h in _HINTS.items() if name.startswith(code)), "")
        return StoreError(f"{self._path}: {error}{hint}")


_HINTS = {
    "SQLITE_FULL": "; make room on the disk, nothing was written",
    "SQLITE_READONLY": "; it can be read, but nothing can be written to it",
    "SQLITE_BUSY": "; another program has kept it locked, nothing was written",
    "SQLITE_CANTOPEN": "; check that the directory exists and may be written to",
}


def _rewritten(writer: sqlite3.Connection) -> bool:
    """Rewrite the file; return whether there was room and nobody in the way."""
    try:
        writer.execute("INSERT INTO memory_terms (memory_terms) VALUES ('optimize')")
        writer.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if not _name(error).startswith(("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_IOERR")):
            raise
        return False
    return True


def _transacted(writer: sqlite3.Connection, steps: Steps[T]) -> T:
    """Carry out steps together or not at all."""
    writer.execute("BEGIN IMMEDIATE")
    try:
        result = run(steps, partial(_rows, writer))
        writer.execute("COMMIT")
    except BaseException:
        if writer.in_transaction:
            writer.execute("ROLLBACK")
        raise
    return result


def _rows(connection: sqlite3.Connection, statement: Statement) -> list[Row]:
    sql, parameters = DIALECT.sql(statement.sql), statement.parameters
    try:
        done = connection.execute(sql, parameters)
        return [(done.rowcount,)] if done.description is None else done.fetchall()
    except sqlite3.OperationalError as error:
        if "Could not decode" not in str(error):
            raise
    # Some text is not UTF-8 any more. Whoever reads that row says which one it is.
    connection.text_factory = _lenient
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.text_factory = str


def _lenient(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _version(connection: sqlite3.Connection) -> int:
    try:
        found = connection.execute("SELECT max(version) FROM memory_schema").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return 0
        raise
    return found[0] or 0


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        with suppress(sqlite3.Error, IndexError):
            connections.pop().close()
