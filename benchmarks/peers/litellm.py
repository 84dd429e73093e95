"""`trim_messages`, called with the whole list before each request."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from copy import deepcopy
from importlib import import_module
from typing import Any, Final

from benchmarks.peers.contract import Setting
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage

__all__ = ("Trimmed", "remember")

MODEL: Final = "gpt-4o"
RATIO: Final = 0.75
"""The share of the window that it trims to when it is not told how much there is."""
MATCHED: Final = 0.9
"""The share of a budget of Kimi's tokens that it is told, counting with another vocabulary."""

PROBE: Final = {"role": "user", "content": "one"}


class Trimmed:
    """The function keeps nothing between calls, and neither does this.

    Args:
        setting: Of the conversation.
    """

    events: Sequence[Event] = ()

    def __init__(self, setting: Setting) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the network
        utils = import_module("litellm.utils")
        if setting.url is not None:
            remember(utils)
        self._trim = utils.trim_messages
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


def remember(utils: Any) -> None:
    """Have it count each message once.

    It counts all that it has so far again for each message that it looks at, which takes seconds
    a request. What it counts of several is the sum of what it counts of each, so the result is the
    same; anything but messages alone is left to it.

    Args:
        utils: The module that trims.
    """
    original = utils.token_counter
    if hasattr(original, "remembers"):
        return
    known: dict[str, int] = {}
    nothing: dict[str, int] = {}

    def counted(model: str = "", text: Any = None, messages: Any = None, **more: Any) -> int:
        if text is not None or more or not messages:
            return int(original(model=model, text=text, messages=messages, **more))
        if model not in nothing:
            twice = original(model=model, messages=[PROBE, PROBE])
            nothing[model] = 2 * original(model=model, messages=[PROBE]) - twice
        total = nothing[model]
        for message in messages:
            key = json.dumps([model, message])
            if key not in known:
                known[key] = original(model=model, messages=[message]) - nothing[model]
            total += known[key]
        return total

    counted.remembers = True  # type: ignore[attr-defined]
    utils.token_counter = counted
