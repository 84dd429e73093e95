"""What an adapter is given and what it has to tell, and the records of those who keep none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from memory.events import Event, Summarizing
from memory.identity import chain, digest
from memory.invariants import Sending
from memory.messages import WireMessage, head_length
from memory.records import Compaction, Segment

__all__ = ("Count", "Peer", "Setting", "Teller", "noted")

Count = Callable[[Sequence[WireMessage]], int]
"""Returns what messages cost as a prompt, in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every peer is given for one conversation.

    Attributes:
        limit: What a request may cost, in tokens.
        head: The system prompt, or nothing.
        write: Writes a summary of a text; the summariser of this conversation.
        count: Counts as the judge does.
        url: Where an OpenAI-compatible server writes summaries, for the peer's own client and
            prompt; None to ask `write` instead.
        own: Whether the library's own defaults stand for everything but what it cannot do
            without, so that `limit` is not heeded where it has a default.
    """

    limit: int
    head: Sequence[WireMessage]
    write: Callable[[str], str]
    count: Count
    url: str | None = None
    own: bool = False

    def cost(self, messages: Sequence[WireMessage]) -> int:
        """Return what messages add to a prompt, in tokens."""
        return self.count(messages) - self.count(())


class Peer(Protocol):
    """One conversation with a peer."""

    @property
    def events(self) -> Sequence[Event]:
        """What was told so far: the summaries that were asked for, at least."""

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Return what the peer makes of a request, given the whole conversation so far.

        The messages of what is returned are wire messages: for a peer that has messages of its
        own, what its own conversion makes of them, on both sides.
        """


class Teller:
    """Asks the summariser for a peer, and tells of it.

    Args:
        setting: Of the conversation.
    """

    def __init__(self, setting: Setting) -> None:
        self.events: list[Event] = []
        self.texts: list[str] = []
        self._setting = setting

    def write(self, source: str) -> str:
        """Return a summary of a text.

        Raises:
            RuntimeError: The summariser is one that fails.
        """
        tokens = self._setting.cost([{"role": "user", "content": source}])
        cap = self._setting.limit
        self.events.append(Summarizing(messages=0, tokens=tokens, cap=cap, form="rendered"))
        self.texts.append(self._setting.write(source))
        return self.texts[-1]


def noted(sending: Sending, *, text: str, depth: int, count: Count) -> Sending:
    """Return a request with what a peer's own state says of its notes, as a record.

    Args:
        sending: With the places of its notes, at most one.
        text: What the notes say.
        depth: How many summaries lie between them and the oldest message.
        count: Counts tokens.
    """
    rest = sending.given[head_length(sending.given) :]
    verbatim = len(sending.sent) - 1 - sending.notes[0] if sending.notes else len(rest)
    covered = len(rest) - verbatim
    if not sending.notes or covered < 1:
        return sending
    link = chain(rest)[covered]
    tokens = count([{"role": "user", "content": text}]) - count([{"role": "user", "content": ""}])
    segment = Segment(
        text=text, first=1, last=covered, tokens=tokens, author="summariser", depth=depth
    )
    record = Compaction(
        covered=covered,
        coverage=link,
        adopted=covered,
        adoption=link,
        segments=(segment,),
        mark=digest(sending.sent[sending.notes[0]]),
    )
    return replace(sending, record=record)
