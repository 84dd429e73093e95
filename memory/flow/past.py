"""A conversation with a name, as its log tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from memory.cache import GenerationCache
from memory.errors import SealedError
from memory.flow.store_effects import Log
from memory.identity import see
from memory.messages import WireMessage, role_of, tool_calls
from memory.records import Compaction, Pinned, Record, Turn, Undone

__all__ = ("Past", "dated")

_read: GenerationCache[tuple[Sequence[Record], Past]] = GenerationCache(entries=8)
"""What was read from the latest logs, by the identity of their records; one turn reads a few times.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a conversation has come to.

    Attributes:
        head: The newest head.
        messages: Everything said, in order, without the head.
        said: When each of those was put on record, in seconds since 1970; None where nobody knows.
        compactions: The compactions in use, oldest first.
        broken: Whether the last reply broke off.
        replied: Whether the last message is the reply of the last turn, or its beginning.
        turns: How many turns are on record, those without messages included.
        pinned: The digests of messages that stay verbatim.
        quoted: The sentences that the notes quote, oldest first.
    """

    head: tuple[WireMessage, ...] = ()
    messages: tuple[WireMessage, ...] = ()
    said: tuple[float | None, ...] = ()
    compactions: tuple[Compaction, ...] = ()
    broken: bool = False
    replied: bool = False
    turns: int = 0
    pinned: frozenset[bytes] = frozenset()
    quoted: tuple[str, ...] = ()

    @classmethod
    def of(cls, log: Log) -> Past:
        """Read a log from its beginning; the latest ones are remembered."""
        known = _read.get(id(log.records))
        if known is not None and known[0] is log.records:
            return known[1]
        return _read.put(id(log.records), (log.records, cls._of(log)))[1]

    @classmethod
    def _of(cls, log: Log) -> Past:
        head: tuple[Mapping[str, Any], ...] = ()
        messages: list[Mapping[str, Any]] = []
        said: list[float | None] = []
        compactions: list[Compaction] = []
        pins: dict[str | bytes, None] = {}
        last, turns = Turn(start=0), 0
        for record in log.records:
            if isinstance(record, Turn):
                _check_open(record)
                messages[record.start :] = record.messages
                said[record.start :] = [record.at] * len(record.messages)
                head = head if record.head is None else record.head
                last, turns = record, turns + 1
            elif isinstance(record, Compaction):
                compactions.append(record)
            elif isinstance(record, Undone):
                compactions = [one for one in compactions if not _is_undone(one, record)]
            elif isinstance(record, Pinned):
                what = record.digest or record.text
                pins.pop(what, None)
                pins |= {what: None} if record.held else {}
        return cls(
            head=head,
            messages=tuple(messages),
            said=tuple(said),
            compactions=tuple(compactions),
            broken=not last.complete,
            replied=last.replied,
            turns=turns,
            pinned=frozenset(what for what in pins if isinstance(what, bytes)),
            quoted=tuple(what for what in pins if isinstance(what, str)),
        )

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The ids of the tool calls at the end that have no result yet."""
        start = len(self.messages)
        while start and role_of(self.messages[start - 1]) == "tool":
            start -= 1
        if self.broken or not start:
            return ()
        answered = {str(result.get("tool_call_id")) for result in self.messages[start:]}
        called = [str(call.get("id")) for call in tool_calls(self.messages[start - 1])]
        return tuple(name for name in called if name not in answered)

    @property
    def question(self) -> int:
        """Where the last user message stands, or the end where there is none."""
        for index in range(len(self.messages) - 1, -1, -1):
            if role_of(self.messages[index]) == "user":
                return index
        return len(self.messages)

    @property
    def ending(self) -> tuple[WireMessage, ...]:
        """What anything that is new goes on from: all messages but a reply that cannot be sent."""
        return self.endings()[0]

    def endings(self) -> list[tuple[WireMessage, ...]]:
        """Return what a new input can go on from, the likeliest first.

        After a reply that broke off that is the text there is of it, or the question again: the
        beginning of a call cannot be sent.
        """
        if not self.broken or not self.replied:
            return [self.messages]
        *before, partial = self.messages
        asked = tuple(before)
        usable = not tool_calls(partial) and str(partial.get("content") or "").strip()
        return [self.messages, asked] if usable else [asked]

    def overlap(self, new: Sequence[WireMessage]) -> tuple[tuple[WireMessage, ...], int]:
        """Return what `new` goes on from, and how many of its messages are the end of that.

        A caller may send the last messages of the conversation again, before what is new: the
        longest run that both have counts. After a reply that broke off, a caller who asks the
        same again goes on from the question.
        """
        found = [(ending, _shared(ending, new)) for ending in self.endings()]
        return max(found, key=lambda one: one[1])


def dated(turn: Turn, said: Sequence[float | None]) -> list[Turn]:
    """Return a turn as several, one for each run of messages that were put on record at once.

    Args:
        turn: The turn: its head comes with the first of them, how it ended with the last.
        said: When each of its messages was put on record; missing times at the end are None.
    """
    times = [*said, *[None] * len(turn.messages)][: len(turn.messages)]
    turns, place = [], 0
    for at, same in groupby(times):
        stop = place + len(list(same))
        head = None if place else turn.head
        part = replace(turn, start=turn.start + place, messages=turn.messages[place:stop], at=at)
        turns.append(replace(part, head=head, complete=True, replied=False, usage=None))
        place = stop
    if not turns:
        return [turn]
    last = turns.pop()
    return [
        *turns,
        replace(last, complete=turn.complete, replied=turn.replied, usage=turn.usage),
    ]


def _is_undone(record: Compaction, undone: Undone) -> bool:
    if undone.content is None:
        return record.mark == undone.mark
    return record.content == undone.content


def _check_open(record: Turn) -> None:
    """Refuse what was encrypted by a store that this one is not wrapped in.

    Raises:
        SealedError: It was.
    """
    first = record.head[0] if record.head else {}
    if "ct" in first and "role" not in first:
        where = "this conversation"
        raise SealedError(where, keys=False)


def _shared(ending: Sequence[WireMessage], new: Sequence[WireMessage]) -> int:
    """Return the length of the longest run that ends `ending` and begins `new`."""
    longest = min(len(ending), len(new))
    if not longest:
        return 0
    old = [seen.digest for seen in see(ending[len(ending) - longest :])]
    given = [seen.digest for seen in see(new[:longest])]
    for length in range(longest, 0, -1):
        if old[-length] == given[0] and old[-length:] == given[:length]:
            return length
    return 0
