"""`kimi-memory check`: whether the promises are kept for recorded conversations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memory.cli.options import SettingsFile, budget_of
from memory.cli.output import CommandError, Json, Output

__all__ = ("check",)


def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Conversations as JSON or JSON lines: lists of messages, or objects with messages "
            "(and id, tools, model); or a directory of such files; - is standard input.",
        ),
    ],
    *,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="TOKENS", help="Prompt tokens allowed. Default: that of --settings."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Which requests are made, and how summaries fail: another number, other requests.",
        ),
    ] = 0,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Check only this conversation.")
    ] = None,
    contents: Annotated[
        bool,
        typer.Option(
            "--contents", metavar="", help="Show how messages begin where a promise is not kept."
        ),
    ] = False,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Check recorded conversations: replay their requests and judge what would be sent.

    Costs nothing: no request is made, and nothing is written. Texts are not shown unless asked for.

    Exit code: 0 if every promise was kept, 1 if one was not, 2 if nothing could be checked.
    """
    from memory.cli.checking import Check  # noqa: PLC0415  # not for --help

    out = Output(as_json=as_json)
    with out.reporting():
        tokens = budget_of(budget, settings)
        if tokens is None:
            raise CommandError(
                "check needs a --budget, in tokens, or a file of --settings with one"
            )
        todo = Check(out, budget=tokens, seed=seed, contents=contents, settings=settings)
        found = todo.run(file, conversation)
    if found.violations:
        raise typer.Exit(1)
