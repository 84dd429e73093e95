"""`MemoryManager`, run as the others are."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from benchmarks.peers.contract import Setting
from memory import MemoryManager
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage, text_of
from memory.summary import Draft, SummaryRequest
from memory.witness import witness

__all__ = ("Memory",)


class Memory:
    """One manager, with a store of its own in memory.

    Args:
        setting: Of the conversation.
    """

    def __init__(self, setting: Setting) -> None:
        self.events: list[Event] = []
        self._setting = setting
        self._manager = MemoryManager(
            budget=setting.limit, summarizer=self, hooks=(self.events.append,)
        )

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Write what the summariser of all peers writes."""
        earlier = [segment.text for segment in request.previous]
        text = self._setting.write("\n".join([*earlier, *map(text_of, request.slice)]))
        return Draft(text=text, author=request.model)

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Fit the conversation, and look up what is on record."""
        before = deepcopy(given)
        sent = self._manager.fit(given)
        return witness(self._manager, given, sent, before=before)
