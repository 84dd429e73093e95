"""Logs in a SQLite file: the embedded choice, safe across threads, tasks, forks and processes."""

from __future__ import annotations

import math
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from memory.closing import Closing
from memory.errors import ConfigError
from memory.records import Forgotten
from memory.stores.cache import LogCache
from memory.stores.searching import SearchPrograms
from memory.stores.sqlite_file import DIALECT, MEMORY, File
from memory.stores.verbs import RecallVerbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import LogKey, Record

__all__ = ("SqliteStore", "default_path")


OLDEST = (3, 35)
"""The first SQLite that returns rows of an insertion."""


def default_path() -> Path:
    """Return where `store="sqlite"` keeps its file: in the platform's directory for user data."""
    from platformdirs import user_data_path  # noqa: PLC0415  # only when it is asked for

    return user_data_path("kimi-memory", appauthor=False) / "memory.db"


class SqliteStore(Closing, RecallVerbs):
    """A store in one SQLite file, which is made on first use, for its owner only.

    Writers of all threads and processes take turns; readers never wait for them. A power cut may
    cost the last appends, unless `synchronous="full"`; a killed process costs nothing.

    Args:
        path: The file, or `":memory:"`.
        timeout: Seconds to wait for other writers.
        synchronous: `"normal"`, or `"full"` to survive power cuts at the price of a sync an append.
        scrub: Whether `forget` rewrites the file, so that no byte of what it removed is left
            in it; without it the space is overwritten in time.

    Raises:
        ConfigError: An argument is wrong.
    """

    immediate = False
    durable = True

    def __init__(
        self,
        path: str | os.PathLike[str] = MEMORY,
        *,
        timeout: float = 5.0,
        synchronous: Literal["normal", "full"] = "normal",
        scrub: bool = True,
    ) -> None:
        if "\0" in os.fspath(path) or not os.fspath(path):
            msg = f"path={path!r} must be the path of a file"
            raise ConfigError(msg)
        if not 0 <= timeout < math.inf:
            msg = f"timeout={timeout!r} must be a number of seconds that is not negative"
            raise ConfigError(msg)
        if sqlite3.sqlite_version_info < OLDEST:
            msg = f"SQLite {sqlite3.sqlite_version} of this Python is too old: 3.35 is needed"
            raise ConfigError(msg)
        if synchronous not in ("normal", "full"):
            msg = f'synchronous={synchronous!r}: use "normal" or "full"'
            raise ConfigError(msg)
        self.path = os.fspath(path) if path == MEMORY else str(Path(path).absolute())
        self.durable = self.path != MEMORY
        self._scrub = scrub and self.durable
        self._file = File(self.path, timeout=timeout, synchronous=synchronous)
        self._sql = SearchPrograms(DIALECT, LogCache(), self.path)
        super().__init__(self._sql, self._file.perform)

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records if the log is still at version `expected`, and return the new one."""
        statement = self._sql.short(key, records, expected)
        if statement is not None and self._file.once(statement):
            self._sql.noted(key, expected + 1)
            return expected + 1
        return super().append(key, records, expected=expected)

    def forget(self, key: LogKey) -> Forgotten:
        """Remove everything under `key`, from the disk as well, and return how much that was."""
        return self._scrubbed(super().forget(key))

    def forget_user(self, namespace: str, user: str) -> Forgotten:
        """Remove every log of a user, from the disk as well, and return how much that was."""
        return self._scrubbed(super().forget_user(namespace, user))

    def upgrade(self) -> tuple[str, ...]:
        """Bring the schema up to date, which opening does as well; return the files applied."""
        return self._file.upgrade()

    def close(self) -> None:
        """Close the file; once is enough, and using the store again opens it again."""
        self._file.close()

    def __repr__(self) -> str:
        """Return which file it is."""
        return f"SqliteStore({self.path!r})"

    def _scrubbed(self, forgotten: Forgotten) -> Forgotten:
        if self._scrub and (forgotten != Forgotten() or self._file.owed):
            self._file.scrub()
        return forgotten
