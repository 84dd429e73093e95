"""What `db` does: the version of a schema, and what it lacks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from memory.cli.output import Output, plain
from memory.cli.stored import place_of, unsealed
from memory.errors import CorruptError, SchemaError, StoreError
from memory.records import Health
from memory.stores.opening import open_store
from memory.stores.sql import scripts_of
from memory.stores.upgrading import pending

__all__ = ("Status", "run_upgrade", "show_status")

State = Literal["up to date", "behind", "newer", "no schema"]

_COLOURS: dict[State, str] = {
    "up to date": "green",
    "behind": "yellow",
    "newer": "red",
    "no schema": "green",
}
_HINTS: dict[State, str] = {
    "behind": "kimi-memory db upgrade brings it up to date",
    "newer": "a newer kimi-memory has been here: use that one",
    "no schema": "this kind of store has none to upgrade",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the schema of a store stands.

    Attributes:
        kind: `"sqlite"`, `"postgres"` or `"redis"`.
        location: Where it is, without credentials.
        exists: Whether there is such a file; True where it is none.
        schema: The version it has, 0 before the first; None where that kind has none.
        latest: The version that this library reads and writes; None where that kind has none.
        pending: The names of the files it lacks.
    """

    kind: str
    location: str
    exists: bool = True
    schema: int | None = None
    latest: int | None = None
    pending: tuple[str, ...] = ()

    @classmethod
    def of(cls, url: str) -> Status:
        """Look at a store, without making or changing anything.

        Raises:
            CommandError: It keeps nothing between two commands.
            ConfigError: The URL names no store.
            StoreError: It cannot be reached or read.
        """
        path = place_of(url)
        health = _asked(unsealed(url)) if path is None else _read(path)
        missing: tuple[str, ...] = ()
        if health.schema is not None:
            missing = pending(health.kind, health.schema)
        return cls(
            kind=health.kind,
            location=health.location,
            exists=path is None or path.exists(),
            schema=health.schema,
            latest=health.latest,
            pending=missing,
        )

    @property
    def state(self) -> State:
        """What that means."""
        if self.schema is None or self.latest is None:
            return "no schema"
        if self.schema > self.latest:
            return "newer"
        return "behind" if self.pending else "up to date"

    def row(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**asdict(self), "state": self.state}


def show_status(out: Output, url: str) -> bool:
    """Show how a store is, and return whether it can be used as it is.

    Raises:
        CommandError: It keeps nothing between two commands.
        StoreError: It cannot be reached or read.
    """
    found = Status.of(url)
    _print(out, found)
    out.result(found.row())
    return found.state in ("up to date", "no schema")


def run_upgrade(out: Output, url: str, *, dry_run: bool) -> None:
    """Bring a store up to date, and show what was done.

    Args:
        out: Where to show it.
        url: The store.
        dry_run: Whether nothing is to be changed.

    Raises:
        CommandError: It keeps nothing between two commands.
        SchemaError: It is newer than this library.
        StoreError: It cannot be reached or changed.
    """
    found = Status.of(url)
    if found.state == "newer":
        msg = f"{found.location} has schema {found.schema}, this library knows {found.latest}"
        raise SchemaError(msg, found=found.schema or 0, wanted=found.latest or 0)
    applied = () if dry_run or not found.pending else _upgraded(unsealed(url))
    if found.state != "behind":
        out.show(f"nothing to do: {_HINTS.get(found.state, 'it is up to date')}")
    for name in found.pending if dry_run else applied:
        out.show(f"{'would apply' if dry_run else 'applied'} {name}")
    now = found if dry_run else Status.of(url)
    out.result({**now.row(), "applied": list(applied), "dry_run": dry_run})


def _upgraded(url: str) -> tuple[str, ...]:
    store: Any = open_store(url)
    with closing(store):
        names: tuple[str, ...] = store.upgrade()
    return names


def _asked(url: str) -> Health:
    """Ask a server; one whose schema is another says so in its refusal."""
    store: Any = open_store(url)
    with closing(store):
        try:
            health: Health = store.health()
        except SchemaError as error:
            return Health(
                kind="postgres", location=store.location, schema=error.found, latest=error.wanted
            )
    return health


def _read(path: Path) -> Health:
    """Read the version of a SQLite file, which opening it as a store would bring up to date."""
    latest = scripts_of("sqlite")[-1][0]
    version = _version(path) if path.exists() else 0
    return Health(kind="sqlite", location=str(path), schema=version, latest=latest)


def _version(path: Path) -> int:
    # Without a log beside it nobody writes; a reader that expects one leaves two files behind.
    alone = not Path(f"{path}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            (found,) = connection.execute("SELECT max(version) FROM memory_schema").fetchone()
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            return 0
        if isinstance(error, sqlite3.OperationalError):
            raise StoreError(f"{path}: {error}") from error
        raise CorruptError(str(path), str(error)) from error
    return found or 0


def _print(out: Output, found: Status) -> None:
    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("kind", found.kind)
    missing = "" if found.exists else " (there is no such file yet)"
    table.add_row("location", Text(plain(f"{found.location}{missing}")))
    if found.schema is not None:
        table.add_row("schema", f"{found.schema} of {found.latest}")
    table.add_row("state", f"[{_COLOURS[found.state]}]{found.state}[/]")
    for name in found.pending:
        table.add_row("pending", name)
    out.show(table)
    hint = _HINTS.get(found.state)
    if hint is not None:
        out.show(f"[dim]{hint}[/]")
