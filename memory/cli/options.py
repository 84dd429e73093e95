"""The options and arguments that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = (
    "NAMESPACE",
    "STORE",
    "STORE_VARIABLE",
    "Conversation",
    "Model",
    "Namespace",
    "Store",
    "User",
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
