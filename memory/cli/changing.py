"""What `undo` and `forget` do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import typer
from rich.table import Table

from memory.cli.browsing import compaction_row
from memory.cli.output import CommandError, NothingError, Output, plain
from memory.cli.stored import Named
from memory.errors import StoreError
from memory.manager import MemoryManager
from memory.records import Forgotten

__all__ = ("forget_all", "forget_one", "undo_latest")

COUNTED = 1_000
"""Conversations that are counted before the question."""


def undo_latest(out: Output, conversation: Named) -> None:
    """Take the latest compaction out of use, and say which one that was.

    Raises:
        NothingError: There is none.
        StoreError: The store cannot be written.
    """
    undone = conversation.talk.undo()
    if undone is None:
        raise NothingError(f"{plain(conversation.label)} has no compaction in use")
    out.show(
        f"not used any more: the compaction of messages 0–{undone.covered - 1} "
        f"({undone.tokens_before:,} → {undone.tokens_after:,} tokens)"
    )
    left = len(conversation.talk.compactions())
    out.show(f"[dim]{left} left in use[/]")
    out.result({**conversation.row, "undone": compaction_row(undone), "left": left})


def forget_one(out: Output, conversation: Named, *, consented: bool) -> None:
    """Remove a conversation.

    Args:
        out: Where to show how much that was.
        conversation: Which one; it may be one that cannot be read.
        consented: Whether the user has agreed already.

    Raises:
        Abort: The user does not agree.
        NothingError: There is none.
        StoreError: The store cannot be written.
    """
    if not consented:
        _ask(f"Forget {plain(conversation.label)} with {_messages(conversation)} for good?")
    _proof(out, conversation.talk.forget(), conversation.row)


def _messages(conversation: Named) -> str:
    try:
        return f"{len(conversation.talk.history()):,} messages"
    except StoreError:  # what cannot be read can be forgotten all the same
        return "messages that cannot be read"


def forget_all(out: Output, manager: MemoryManager, user: str | None, *, consented: bool) -> None:
    """Remove everything of a user.

    Args:
        out: Where to show how much that was.
        manager: In whose store.
        user: Whose.
        consented: Whether the user has agreed already.

    Raises:
        Abort: The user does not agree.
        CommandError: Nobody is named.
        NothingError: There is nothing.
        StoreError: The store cannot be written.
    """
    if not user:
        raise CommandError("name a conversation, or a --user whose everything is to go")
    if not consented:
        held = len(manager.conversations(user=user, limit=COUNTED))
        count = f"{held:,} or more" if held == COUNTED else f"{held:,}"
        _ask(f"Forget everything of user {plain(user)} for good, {count} conversations with it?")
    _proof(out, manager.forget_user(user), {"user": user, "name": None})


def _ask(question: str) -> None:
    typer.confirm(question, abort=True, err=True)


def _proof(out: Output, forgotten: Forgotten, whose: Mapping[str, str | None]) -> None:
    if forgotten == Forgotten():
        raise NothingError("there was nothing to forget")
    counts = Table(box=None, show_header=False, padding=(0, 1))
    counts.add_column()
    counts.add_column(justify="right")
    for name, count in asdict(forgotten).items():
        counts.add_row(name, f"{count:,}")
    out.show("removed")
    out.show(counts)
    out.result({**whose, "forgotten": asdict(forgotten)})
