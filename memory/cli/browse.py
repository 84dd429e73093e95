"""`kimi-memory conversations`, `show`, `compactions` and `search`: what a store holds."""

from __future__ import annotations

from typing import Annotated

import typer

from memory import models
from memory.cli.options import NAMESPACE, STORE, Conversation, Model, Namespace, Store, User
from memory.cli.output import Json, Output

__all__ = ("compactions", "conversations", "search", "show")

PAGE = 50
"""Conversations on a page."""
SHOWN = 20
"""Messages on a page."""
HITS = 10
"""Messages that a search shows."""


def conversations(
    *,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Only those of this user; an empty text for those of nobody in particular.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="List at most so many.")] = PAGE,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="USER/NAME", help="Go on after this one, the last of the page before."
        ),
    ] = None,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """List the conversations in a store.

    They come by user and name, with how many messages they have and when they last grew. In JSON
    times are UTC, and next is what --after takes for the next page.

    Exit code: 0, also where there are none, or 2 if the store cannot be read or is not there.
    """
    from memory.cli.browsing import list_conversations  # noqa: PLC0415  # not for --help
    from memory.cli.stored import opened  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting(), opened(store, namespace) as manager:
        list_conversations(out, manager, user=user, after=after, limit=limit)


def show(
    name: Conversation,
    *,
    user: User = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Show at most so many messages, the latest.")
    ] = SHOWN,
    before: Annotated[
        int | None,
        typer.Option(min=0, metavar="PLACE", help="Only messages before this place."),
    ] = None,
    view: Annotated[
        bool,
        typer.Option(
            "--view", metavar="", help="Show what would be sent instead, with its tokens."
        ),
    ] = False,
    model: Model = models.DEFAULT_MODEL,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """Show what was said, or what would be sent.

    Places are counted from 0, without the system prompt. The view is what memory would send before
    anything new: system prompt, notes, and what is still verbatim.

    Exit code: 0, 1 if there is no such conversation, or 2 if it cannot be read.
    """
    from memory.cli.browsing import show_history, show_view  # noqa: PLC0415  # not for --help
    from memory.cli.stored import found, opened  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting(), opened(store, namespace) as manager:
        conversation = found(manager, name, user)
        if view:
            show_view(out, manager, conversation, model=model)
        else:
            show_history(out, conversation, limit=limit, before=before)


def compactions(
    name: Conversation,
    *,
    user: User = None,
    text: Annotated[
        bool, typer.Option("--text", metavar="", help="Show the summaries themselves.")
    ] = False,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """Show the summaries in use, and what they save.

    Tokens are those of the prompt before and after. Places are counted from 0 as in `show`.

    Exit code: 0, 1 if there is no such conversation, or 2 if it cannot be read.
    """
    from memory.cli.browsing import show_compactions  # noqa: PLC0415  # not for --help
    from memory.cli.stored import found, opened  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting(), opened(store, namespace) as manager:
        show_compactions(out, found(manager, name, user), text=text)


def search(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="Words; Chinese, Japanese and Korean are found wherever they stand. A star after "
            "a word stands for any ending.",
        ),
    ],
    *,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Whose conversations. Default: those of nobody in particular."
        ),
    ] = None,
    conversation: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Search only this one, such as user-42/trip."),
    ] = None,
    any_term: Annotated[
        bool, typer.Option("--any", metavar="", help="One of the words is enough.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Show at most so many messages.")
    ] = HITS,
    store: Store = STORE,
    namespace: Namespace = NAMESPACE,
    as_json: Json = False,
) -> None:
    """Find messages by what was said, best first.

    Exit code: 0, 1 if nothing was found, or 2 if that cannot be searched: Redis and sealed stores
    have no search.
    """
    from memory.cli.searching import look_for  # noqa: PLC0415  # not for --help
    from memory.cli.stored import opened  # noqa: PLC0415

    out = Output(as_json=as_json)
    with out.reporting(), opened(store, namespace) as manager:
        look_for(
            out,
            manager,
            query,
            user=user,
            conversation=conversation,
            match="any" if any_term else "all",
            limit=limit,
        )
