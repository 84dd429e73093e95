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


class Trimmed:
    """The function keeps nothing between calls, and neither does this.

    Args:
        setting: Of the conversation.
    """

    events: Sequence[Event] = ()

    def __init__(self, setting: Setting) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the network
        self._trim = import_module("litellm.utils").trim_messages
        self._room = int(RATIO * setting.limit)

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Trim the conversation."""
        before = deepcopy(given)
        sent = self._trim(list(given), model=MODEL, max_tokens=self._room)
        return Sending(given=given, sent=sent, before=before, log=None, notes=[])
