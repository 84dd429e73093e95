"""The typer application: which commands there are."""

from __future__ import annotations

import sys
from importlib import metadata
from io import TextIOWrapper
from typing import Annotated

import typer

from memory.cli.browse import compactions, conversations, search, show
from memory.cli.change import forget, undo
from memory.cli.chat import chat
from memory.cli.check import check
from memory.cli.db import db
from memory.cli.demo import demo
from memory.cli.doctor import doctor
from memory.cli.fake import fake_kimi_command
from memory.cli.move import export, import_
from memory.cli.plan import plan
from memory.cli.tune import tune

__all__ = ("app",)

app = typer.Typer(
    name="kimi-memory",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo)
app.command("plan")(plan)
app.command("check")(check)
app.command("tune")(tune)
app.command("doctor")(doctor)
app.command("chat")(chat)
app.command("fake-kimi")(fake_kimi_command)
app.command("conversations")(conversations)
app.command("show")(show)
app.command("compactions")(compactions)
app.command("undo")(undo)
app.command("search")(search)
app.command("export")(export)
app.command("import")(import_)
app.command("forget")(forget)
app.add_typer(db, name="db")


def _version(wanted: bool) -> None:  # noqa: FBT001  # how typer calls it
    if wanted:
        typer.echo(f"kimi-memory {metadata.version('kimi-memory')}")
        raise typer.Exit


@app.callback()
def kimi_memory(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Keep long conversations under a token budget: see what is saved, plan, chat, diagnose.

    Nothing here needs a key; the commands that can use one say so.
    """
    del version  # done by its callback
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal without a character shows another one instead of a traceback.
            stream.reconfigure(errors="replace")
