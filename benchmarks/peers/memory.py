"""`MemoryManager`, run as the others are."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from openai import OpenAI

from benchmarks.peers.contract import Setting
from memory import MemoryManager
from memory.events import Event
from memory.invariants import Sending
from memory.manager import ManagerOptions
from memory.messages import WireMessage, text_of
from memory.summarizers.contract import Summarizer
from memory.summarizers.kimi import KimiSummarizer
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
        options: ManagerOptions = {"budget": setting.limit, "hooks": (self.events.append,)}
        if setting.url is not None and not setting.own:
            options["oversize"] = "shorten-tool-results"
        self._manager = MemoryManager(summarizer=self._summarizer(), **options)

    def _summarizer(self) -> Summarizer:
        url = self._setting.url
        if url is None:
            return self
        client = OpenAI(api_key="sk-match", base_url=url, max_retries=0)
        return KimiSummarizer(client)

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Write what the summariser of all peers writes."""
        earlier = [segment.text for segment in request.previous]
        text = self._setting.write("\n".join([*earlier, *map(text_of, request.slice)]))
        return Draft(text=text, author=request.model)

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Fit the conversation, and look up what is on record; before a server nobody asks that."""
        if self._setting.url is not None:
            return Sending(given=given, sent=self._manager.fit(given), log=None, notes=[])
        before = deepcopy(given)
        sent = self._manager.fit(given)
        return witness(self._manager, given, sent, before=before)
