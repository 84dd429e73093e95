"""The options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = (
    "NAMESPACE",
    "STORE",
    "STORE_VARIABLE",
    "Conversation",
    "Model",
    "Namespace",
    "SettingsFile",
    "Store",
    "User",
    "budget_of",
)

STORE = "sqlite"
"""The store that commands look into where none is named."""
NAMESPACE = "default"
"""The namespace of managers on such a store that name none."""
STORE_VARIABLE = "KIMI_MEMORY_STORE"
"""The variable with the URL of the store."""

Store = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        envvar=STORE_VARIABLE,
        help="Where conversations are kept: sqlite (a file in the platform's directory), "
        "sqlite:///FILE, postgresql://…, redis://…, or one of them after sealed+.",
    ),
]
Namespace = Annotated[
    str,
    typer.Option("--namespace", metavar="NAME", help="The namespace that the manager was given."),
]
User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="ID",
        help="Whose conversation. Without it, what stands before the first slash of NAME.",
    ),
]
Conversation = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The conversation, such as user-42/trip."),
]
Model = Annotated[str, typer.Option("--model", metavar="MODEL", help="The model to count for.")]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="A TOML file of settings, such as `tune` writes; options and variables win.",
    ),
]


def budget_of(given: int | None, settings: Path | None) -> int | None:
    """Return the budget of an option; None where there is none.

    With a file of settings, that of the environment or of the file counts too.

    Raises:
        ConfigError: The file cannot be read, or a setting in it is wrong.
    """
    if settings is None:
        return given
    from memory.manager.given import resolved  # noqa: PLC0415  # not for --help

    return resolved({} if given is None else {"budget": given}, settings).budget
