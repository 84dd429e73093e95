"""`kimi-memory export` and `import`: conversations out of a store, and into another one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from memory.cli.options import NAMESPACE, STORE, Namespace, Store, User
from memory.cli.output import Json, Output

__all__ = ("Format", "export", "import_")


class Format(StrEnum):
    """What an export is made of."""

    memory = "memory"
    """Everything: head, messages, summaries; `import` goes on from it without paying again."""
    openai = "openai"
    """The messages alone, as `/chat/completions` takes them."""


def export(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The conversation, such as user-42/trip; or --all."),
    ] = None,
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", metavar="", help="Export all conversations as JSON lines; of --user if given."
        ),
    ] = False,
    user: User = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="memory has everything and can be imported; openai has the messages alone.",
        ),
    ] = Format.memory,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this file, readable by you alone."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Replace the file if it is there.")
    ] = False,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """Write conversations as JSON.

    One conversation is a JSON object, or with --format openai a list of messages; --all is one
    line for each. A file appears only when it is complete. With --json and without --output the
    conversations are part of the object.

    Exit code: 0, 1 if there is no such conversation or one of them cannot be read (the others are
    written), or 2 if nothing can be.
    """
    from memory.cli.moving import Export  # noqa: PLC0415  # not for --help
    from memory.cli.stored import opened  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting(), opened(store, namespace) as manager:
        job = Export(out, manager, messages_only=form is Format.openai, output=output, force=force)
        if everything:
            job.all(name, user)
        else:
            job.one(name, user)
    if job.failed:
        raise typer.Exit(1)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="What export wrote, a JSON list of messages, or an object with messages; "
            "JSON lines of these; - is standard input.",
        ),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the conversation is called here. Of several, those without a name become "
            "NAME-1, NAME-2, ….",
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Whose they are here. Default: what stands before a slash in --name, else whose "
            "they were.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Say what would be done, and do nothing.")
    ] = False,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """Begin conversations with what was exported.

    Summaries come with them and are not paid for again. A conversation that has messages already
    is left as it is. The whole file is checked before anything is written.

    Exit code: 0, 1 if a conversation was there already (the others are imported), or 2 if the
    file has a mistake or the store cannot be written.
    """
    from memory.cli.importing import Import  # noqa: PLC0415  # not for --help

    out = Output(as_json=as_json)
    with out.reporting():
        job = Import(out, store, namespace, dry_run=dry_run)
        outcomes = job.run(file, name=name, user=user)
    if any(outcome.fate == "refused" for outcome in outcomes):
        raise typer.Exit(1)
