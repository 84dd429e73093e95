"""What `conversations`, `show` and `compactions` print."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from memory.cli.output import WIDTH, Output, plain
from memory.cli.stored import Named, cursor, label
from memory.manager import MemoryManager
from memory.messages import WireMessage, role_of, text_of, tool_calls
from memory.records import Compaction, Entry, Segment

__all__ = (
    "compaction_row",
    "list_conversations",
    "show_compactions",
    "show_history",
    "show_view",
    "table",
)

NAME = 36
"""Columns of a name or a user in a list."""


def list_conversations(
    out: Output, manager: MemoryManager, *, user: str | None, after: str | None, limit: int
) -> None:
    """Show a page of the conversations in a store.

    Args:
        out: Where to show it.
        manager: Whose they are.
        user: Whose; None for those of all users.
        after: The last one of the page before, as its `next` says; None for the first page.
        limit: How many at most.

    Raises:
        StoreError: The store cannot be read, or cannot list them.
    """
    entries = manager.conversations(user=user, after=cursor(after, user), limit=limit + 1)
    page = entries[:limit]
    following = label(page[-1].user, page[-1].name) if len(entries) > limit else None
    rows = [_entry(entry) for entry in page]
    out.show(_entries(page) if page else "[dim]no conversations[/]")
    if following is not None:
        more = f"… and more: --after {shlex.quote(following)}"
        out.show(Text(more, style="dim"), soft_wrap=True)
    value = {"namespace": manager.namespace, "conversations": rows, "next": following}
    out.result(value)


def _entries(page: Sequence[Entry]) -> Table:
    names = table("name", "user", "messages", "updated", right=("messages",), max_width=NAME)
    for entry in page:
        updated = _moment(entry).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        names.add_row(_name(entry.name), _name(entry.user), f"{entry.messages:,}", updated)
    return names


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "user": entry.user,
        "name": entry.name,
        "messages": entry.messages,
        "version": entry.version,
        "updated": _moment(entry).isoformat(),
    }


def _moment(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.updated, tz=UTC)


def _name(text: str) -> Text:
    return Text(plain(text))


def show_history(out: Output, conversation: Named, *, limit: int, before: int | None) -> None:
    """Show a page of what was said, with the head where it is the first one.

    Args:
        out: Where to show it.
        conversation: Which one.
        limit: How many messages at most, the latest.
        before: Only those before this place; None for those up to the end.

    Raises:
        StoreError: The store cannot be read.
    """
    known = conversation.talk.export()
    messages = known["messages"]
    stop = len(messages) if before is None else min(before, len(messages))
    start = max(0, stop - limit)
    page = list(enumerate(messages[start:stop], start))
    if start:
        out.show(f"[dim]… {start} earlier: --before {start}[/]")
    head = [] if start else [("", message) for message in known["head"]]
    out.show(_messages([*head, *((str(place), message) for place, message in page)]))
    if not known["complete"] and stop == len(messages):
        out.show("[dim]the last reply broke off[/]")
    rows = [{"place": place, "message": message} for place, message in page]
    value = {"total": len(messages), "complete": known["complete"], "head": known["head"]}
    out.result({**conversation.row, **value, "messages": rows})


def _messages(rows: Iterable[tuple[str, WireMessage]]) -> Table:
    said = table("#", "role", "text", right=("#",))
    for place, message in rows:
        said.add_row(place, _role(message), _said(message))
    return said


def show_view(out: Output, manager: MemoryManager, conversation: Named, *, model: str) -> None:
    """Show what would be sent of a conversation, message by message with tokens.

    Args:
        out: Where to show it.
        manager: Who counts.
        conversation: Which one.
        model: The model it would be sent to.

    Raises:
        StoreError: The store cannot be read.
    """
    messages = conversation.talk.messages(model=model)
    counts = manager.count(messages, model=model)
    sent = table("role", "tokens", "text", right=("tokens",))
    for message, tokens in zip(messages, counts, strict=True):
        sent.add_row(_role(message), f"{tokens:,}", _said(message))
    out.show(sent)
    known = "counted" if counts.exact else "estimated"
    total = f"{len(messages)} messages, {counts.total:,} tokens, {known} for {plain(model)}"
    out.show(Text(total, style="dim"))
    rows = [
        {"tokens": tokens, "message": message}
        for message, tokens in zip(messages, counts, strict=True)
    ]
    figures = {"model": model, "tokens": counts.total, "exact": counts.exact}
    out.result({**conversation.row, **figures, "messages": rows})


def show_compactions(out: Output, conversation: Named, *, text: bool) -> None:
    """Show the compactions in use, oldest first.

    Args:
        out: Where to show them.
        conversation: Which one.
        text: Whether the summaries are shown as well.

    Raises:
        StoreError: The store cannot be read.
    """
    made = conversation.talk.compactions()
    out.show(_compactions(made) if made else "[dim]no compactions[/]")
    if text and made:
        _summaries(out, made[-1])
    rows = [compaction_row(record, text=text) for record in made]
    out.result({**conversation.row, "compactions": rows})


def _compactions(made: Sequence[Compaction]) -> Table:
    rows = table(
        "#", "places", "author", "level", "before", "after", "segments",
        right=("#", "level", "before", "after", "segments"),
    )  # fmt: skip
    for number, record in enumerate(made, 1):
        newest = record.segments[-1:]
        rows.add_row(
            str(number),
            f"0–{record.covered - 1}",
            *(Text(plain(one.author)) for one in newest or [_NONE]),
            str(max((one.level for one in record.segments), default=0)),
            f"{record.tokens_before:,}",
            f"{record.tokens_after:,}",
            str(len(record.segments)),
        )
    return rows


_NONE = Segment(text="", first=0, last=0, tokens=0, author="–")


def compaction_row(record: Compaction, *, text: bool = False) -> dict[str, Any]:
    """Return a compaction as a JSON object; its summaries only where `text` is asked for."""
    segments = [_segment(each, text=text) for each in record.segments]
    return {
        "covered": record.covered,
        "kept": list(record.kept),
        "tokens_before": record.tokens_before,
        "tokens_after": record.tokens_after,
        "segments": segments,
    }


def _segment(segment: Segment, *, text: bool) -> dict[str, Any]:
    row = {
        "first": segment.first - 1,
        "last": segment.last - 1,
        "author": segment.author,
        "level": segment.level,
        "tokens": segment.tokens,
    }
    return row | ({"text": segment.text} if text else {})


def _summaries(out: Output, record: Compaction) -> None:
    """Print the segments of the latest compaction; those before it are among them, or folded."""
    for segment in record.segments:
        title = f"{segment.first - 1}–{segment.last - 1} · {plain(segment.author)}"
        panel = Panel(
            Text(plain(segment.text, prose=True)),
            title=Text(f"{title} · {segment.tokens:,} tokens"),
            title_align="left",
            border_style="dim",
            width=min(WIDTH, out.console.width),
        )
        out.show(panel)


def table(*names: str, right: Sequence[str] = (), max_width: int | None = None) -> Table:
    """Return an empty table; the last column takes several lines where it has to.

    Args:
        names: The headings.
        right: Those of columns of figures.
        max_width: Of all columns.
    """
    made = Table(box=None, padding=(0, 1), header_style="dim")
    for name in names:
        fold = name == names[-1]
        made.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=not fold,
            overflow="fold" if fold else "ellipsis",
            max_width=max_width,
        )
    return made


def _role(message: WireMessage) -> Text:
    return Text(plain(role_of(message)))


def _said(message: WireMessage) -> Text:
    """Return what a message says and calls; media are named, thoughts are left out."""
    calls = (call.get("function") for call in tool_calls(message))
    called = [f"→ {c.get('name')}({c.get('arguments')})" for c in calls if isinstance(c, dict)]
    said = text_of(message)
    return Text(plain("\n".join([*([said] if said else []), *called]), prose=True))
