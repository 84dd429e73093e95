"""`MemoryManager` with its own summariser's client, for the fault matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openai import OpenAI

from benchmarks.peers.contract import Setting
from memory import MemoryManager
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage, text_of
from memory.records import Logged
from memory.summarizers.kimi import KimiSummarizer

__all__ = ("Served",)


class Served:
    """One manager, with a store of its own in memory, and a summariser that is asked over HTTP.

    Args:
        setting: Of the conversation; it names a server.
        options: Settings of the library other than its defaults.
    """

    def __init__(self, setting: Setting, options: Mapping[str, Any]) -> None:
        self.events: list[Event] = []
        self._given: Sequence[WireMessage] = setting.head
        client = OpenAI(base_url=setting.url, api_key="sk-fake", max_retries=0)
        self._manager = MemoryManager(
            budget=setting.limit,
            summarizer=KimiSummarizer(client),
            hooks=(self.events.append,),
            **options,
        )

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Fit the conversation."""
        self._given = given
        return Sending(given=given, sent=self._manager.fit(given), log=None)

    def originals(self) -> list[str]:
        """Return what a look behind the notes shows: the originals on record."""
        log = self._manager.log(self._given)
        return [text_of(each.message) for each in log if isinstance(each, Logged)]
