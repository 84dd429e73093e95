"""Where the commands write: tables for people, or one JSON object for programs."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

from memory.errors import KimiMemoryError

__all__ = ("WIDTH", "CommandError", "Json", "NothingError", "Output", "plain", "short")

WIDTH = 100
"""Columns that charts and panels have at most."""

Json = Annotated[
    bool,
    typer.Option(
        "--json", metavar="", help="Print one JSON object as the last line of the output."
    ),
]
"""The option that every command has."""


_PROSE = "\n\u200c\u200d"
"""Characters that text is made of and that cannot be printed: line ends and joiners."""


class CommandError(Exception):
    """The command cannot do what it was asked to; the message says why and what would help.

    Attributes:
        code: The exit code.
    """

    code = 2


class NothingError(CommandError):
    """What was asked for is not there, so that there was nothing to do."""

    code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The two streams of a command.

    With `as_json`, standard output carries the result and nothing else.

    Attributes:
        as_json: Whether the result is for a program.
        console: Standard output, for people; silent with `as_json`.
        aside: Standard error: progress, questions and complaints.
    """

    as_json: bool
    console: Console = field(init=False)
    aside: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    def __post_init__(self) -> None:
        """Open standard output, or silence it."""
        # Into a file or a pipe go as many columns as a wide terminal has, not rich's 80.
        known = sys.stdout.isatty() or "COLUMNS" in os.environ
        console = Console(highlight=False, quiet=self.as_json, width=None if known else WIDTH)
        object.__setattr__(self, "console", console)

    def show(self, what: RenderableType, *, soft_wrap: bool = False) -> None:
        """Print something for people, where they asked."""
        if not self.as_json:  # a silent console lays a table out all the same
            self.console.print(what, soft_wrap=soft_wrap)

    def result(self, value: Mapping[str, Any]) -> None:
        """Print the JSON object, where one was asked for."""
        if self.as_json:
            typer.echo(json.dumps(value))

    def fail(self, message: str, *, code: int = 2) -> NoReturn:
        """Complain in one line and leave with an exit code: 2 unless said otherwise.

        Raises:
            Exit: Always.
        """
        self.aside.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
        self.result({"error": message})
        raise typer.Exit(code)

    @contextmanager
    def reporting(self) -> Generator[None, None, None]:
        """Turn what may go wrong for a user's reasons into one line instead of a traceback.

        Raises:
            Exit: Where something went wrong.
        """
        try:
            yield
        except BrokenPipeError:
            raise  # whoever reads has had enough, which is no complaint
        except CommandError as error:
            self.fail(str(error), code=error.code)
        except (KimiMemoryError, OSError) as error:
            self.fail(plain(str(error)) or type(error).__name__)


def plain(text: str, *, prose: bool = False) -> str:
    """Return a text as a terminal may show it: what cannot be printed is escaped as in Python.

    Args:
        text: Any text, such as a name or what somebody wrote.
        prose: Whether it may have lines, wide spaces and joined characters.
    """
    if text.isprintable():
        return text
    if prose:
        text = text.replace("\r\n", "\n").replace("\t", "    ")
    escaped = {ord(c): _escaped(c) for c in set(text) if not _shown(c, prose=prose)}
    return text.translate(escaped)


def _shown(character: str, *, prose: bool) -> bool:
    if character.isprintable():
        return True
    return prose and (character in _PROSE or unicodedata.category(character) == "Zs")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def short(text: str, width: int) -> str:
    """Return the beginning of a text on one line, at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"
