"""`kimi-memory undo` and `forget`: what is not used any more, and what is gone."""

from __future__ import annotations

from typing import Annotated

import typer

from memory.cli.options import NAMESPACE, STORE, Conversation, Namespace, Store, User
from memory.cli.output import Json, Output

__all__ = ("forget", "undo")


def undo(
    name: Conversation,
    *,
    user: User = None,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """Take the latest compaction of a conversation out of use.

    What it stood for is sent verbatim again, until a prompt needs another one. Nothing is removed.

    Exit code: 0, 1 if there is none, or no such conversation, or 2 if that cannot be done.
    """
    from memory.cli.changing import undo_latest  # noqa: PLC0415  # not for --help
    from memory.cli.stored import found, opened  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting(), opened(store, namespace) as manager:
        undo_latest(out, found(manager, name, user))


def forget(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The conversation, such as user-42/trip. Without it everything of --user goes.",
        ),
    ] = None,
    *,
    user: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whose conversation, or whose everything without NAME."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")] = False,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """Remove a conversation, or everything of a user, for good.

    Messages, summaries, search index and leases go, and the counts of what went are shown. In a
    sealed store the key of a forgotten user is destroyed too.

    Exit code: 0, 1 if there was nothing to remove or you said no, or 2 if that cannot be done.
    """
    from memory.cli.changing import forget_all, forget_one  # noqa: PLC0415  # not for --help
    from memory.cli.stored import Named, opened  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting(), opened(store, namespace) as manager:
        if name is None:
            forget_all(out, manager, user, consented=yes)
        else:
            forget_one(out, Named.of(manager, name, user), consented=yes)
