"""`kimi-memory db`: the schema of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from memory.cli.options import STORE, Store
from memory.cli.output import Json, Output

__all__ = ("db",)

db = typer.Typer(
    no_args_is_help=True,
    help="Look at the schema of a store, and bring it up to date.",
)


@db.command("status")
def status(*, store: Store = STORE, as_json: Json = False) -> None:
    """Show where a store is and whether its schema is up to date.

    Nothing is made or changed. A SQLite file is brought up to date when it is first used, a
    PostgreSQL database by `db upgrade` alone, and Redis has no schema.

    Exit code: 0 if it can be used as it is, 1 if not: it is behind, newer, or not there yet; or 2
    if it cannot be reached.
    """
    from memory.cli.database import show_status  # noqa: PLC0415  # not for --help

    out = Output(as_json=as_json)
    with out.reporting():
        usable = show_status(out, store)
    if not usable:
        raise typer.Exit(1)


@db.command("upgrade")
def upgrade(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Say what would be done, and do nothing.")
    ] = False,
    store: Store = STORE,
    as_json: Json = False,
) -> None:
    """Bring the schema of a store up to date, or make it.

    The numbered files that it lacks are applied together or not at all, by one process at a time.
    Back up a database before that.

    Exit code: 0, also where nothing was to be done, or 2 if it cannot be done.
    """
    from memory.cli.database import run_upgrade  # noqa: PLC0415  # not for --help

    out = Output(as_json=as_json)
    with out.reporting():
        run_upgrade(out, store, dry_run=dry_run)
