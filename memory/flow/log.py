"""Writing to the log of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memory import events
from memory.errors import ConflictError
from memory.flow.effects import Emit, Flow
from memory.flow.state import Prompt
from memory.flow.store_effects import Append, Load, Log
from memory.messages import clone
from memory.records import Compaction, Logged, LogKey, Record
from memory.view import Thread

__all__ = ("append", "compacted", "failed", "gone", "key_of", "log_key", "write")

ATTEMPTS = 40
"""Conversations that begin alike share a log, so that strangers meet there."""


def log_key(namespace: str, thread: Thread, *, user: str = "") -> LogKey:
    """Return the log of an input: one for each first message of a namespace and user."""
    root = thread.links[min(1, len(thread.links) - 1)]
    return LogKey(namespace=namespace, user=user, root=root.hex())


def key_of(prompt: Prompt, thread: Thread) -> LogKey:
    """Return the log of a prompt: that of its conversation, else that of its beginning."""
    return prompt.log or log_key(prompt.space, thread, user=prompt.user)


def append(
    prompt: Prompt,
    thread: Thread,
    record: Compaction,
    *,
    originals: Sequence[int] = (),
    onto: Log | None = None,
) -> Flow[None]:
    """Append a record after the originals that it takes out of the view.

    A conversation with a name has its originals from its turns, once they are complete. Nothing
    is written for a prompt that is not to be put on record.

    Args:
        prompt: Whose log it is.
        thread: The input.
        record: What to append.
        originals: Messages to log with it, by index; those logged before are left out.
        onto: The log as it was read; without it the record goes on top of whatever is there.

    Raises:
        ConflictError: Somebody else appended after `onto` was read, or kept doing so.
    """
    if not prompt.record:
        return

    def records(log: Log) -> tuple[Record, ...]:
        new = () if prompt.log else _unlogged(thread, originals, log)
        return (*new, record)

    key = key_of(prompt, thread)
    if onto is None:
        yield from write(key, records)
    else:
        yield from Append(key=key, records=records(onto), expected=onto.version).perform()


def gone(record: Compaction) -> list[int]:
    """Return the messages that a record takes out of the view, in whole or in part, by index."""
    short = {each.index for each in record.shortened}
    shown = set(record.kept) - short
    covered = [i for i in range(record.covered) if i not in shown]
    return [*covered, *sorted(index for index in short if index >= record.covered)]


def write(key: LogKey, records: Callable[[Log], Sequence[Record]]) -> Flow[Log]:
    """Append what `records` makes of a log to it, and return the log as it was before.

    Raises:
        ConflictError: Others kept writing.
    """
    for _ in range(ATTEMPTS - 1):
        log = yield from Load(key=key).perform()
        try:
            yield from _put(key, records, log)
        except ConflictError:
            continue
        return log
    log = yield from Load(key=key).perform()
    yield from _put(key, records, log)
    return log


def _put(key: LogKey, records: Callable[[Log], Sequence[Record]], log: Log) -> Flow[None]:
    new = tuple(records(log))
    if new:
        yield from Append(key=key, records=new, expected=log.version).perform()


def _unlogged(thread: Thread, indexes: Sequence[int], log: Log) -> list[Logged]:
    held = {record.link for record in log.records if isinstance(record, Logged)}
    return [
        Logged(index=i, link=thread.links[i + 1], message=clone(thread.rest[i]))
        for i in indexes
        if thread.links[i + 1] not in held
    ]


def compacted(prompt: Prompt, record: Compaction, *, paid: bool) -> Emit:
    """Return the effect that tells of a compaction."""
    event = events.Compacted(
        namespace=prompt.namespace,
        messages=max((s.last for s in record.segments), default=0) - len(record.kept),
        tokens_before=record.tokens_before,
        tokens_after=record.tokens_after,
        paid=paid,
    )
    return Emit(event=event)


def failed(prompt: Prompt, error: Exception, *, unrecorded: bool = False) -> Emit:
    """Return the effect that tells of an error of memory's own, by its type alone."""
    event = events.Failed(
        namespace=prompt.namespace, error=type(error).__name__, unrecorded=unrecorded
    )
    return Emit(event=event)
