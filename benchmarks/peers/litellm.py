"""`trim_messages`, called with the whole list before each request."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from importlib import import_module

from benchmarks.peers.contract import Setting
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage

__all__ = ("Trimmed",)

MODEL = "gpt-4o"
RATIO = 0.75
"""The share of the window that it trims to when it is not told how much there is."""
MATCHED = 0.9
"""The share of a budget of Kimi's tokens that it is told, counting with another vocabulary."""


class Trimmed:
    """The function keeps nothing between calls, and neither does this.

    Args:
        setting: Of the conversation.
    """

    events: Sequence[Event] = ()

    def __init__(self, setting: Setting) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the network
        self._trim = import_module("litellm.utils").trim_messages
        self._options = self._room(setting)

    @staticmethod
    def _room(setting: Setting) -> dict[str, int]:
        """Return how much it is told that there is; nothing for the window of its model."""
        if setting.url is None:
            return {"max_tokens": int(RATIO * setting.limit)}
        return {} if setting.own else {"max_tokens": int(MATCHED * setting.limit)}

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Trim the conversation."""
        before = deepcopy(given)
        sent = self._trim(list(given), model=MODEL, **self._options)
        return Sending(given=given, sent=sent, before=before, log=None, notes=[])
