"""`kimi-memory plan`: what `fit` would do with a conversation, without doing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memory import models
from memory.cli.options import SettingsFile
from memory.cli.output import Json, Output

__all__ = ("plan",)


def plan(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A JSON list of messages, an object with messages (and tools, model), or JSON "
            "lines of such objects; - is standard input.",
        ),
    ],
    *,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="TOKENS",
            help="Prompt tokens allowed. Default: KIMI_MEMORY_BUDGET, else that of --settings, "
            "else the window.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The model. Default: that of the file, else kimi-k2.6."),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Which conversation of a file of many.")
    ] = None,
    show_text: Annotated[
        bool, typer.Option("--show-text", metavar="", help="Show how each message begins.")
    ] = False,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Show what would be kept and what summarised.

    Costs nothing: no request is made and nothing is written. Texts are not shown unless asked for.

    Exit code: 0, or 1 if no request with these messages can be within the budget.
    """
    from memory.cli.forecast import Forecast, manager, render  # noqa: PLC0415  # not for --help
    from memory.cli.reading import load_one  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting():
        given = load_one(file, conversation=conversation)
        forecast = Forecast.of(
            manager(budget, settings=settings),
            given["messages"],
            tools=given.get("tools") or (),
            model=model or given.get("model") or models.DEFAULT_MODEL,
        )
        render(out.console, forecast, show_text=show_text)
        out.result(forecast.row())
    if forecast.impossible:
        raise typer.Exit(1)
