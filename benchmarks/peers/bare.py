"""What can be done without a library: send everything, or the latest messages that fit."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.peers.contract import Setting
from memory.events import Event
from memory.invariants import Sending
from memory.messages import WireMessage
from memory.models import DEFAULT_MODEL
from memory.replay import Step
from memory.tuning.ruler import Ruler

__all__ = ("Full", "Latest")


class Full:
    """The whole conversation, every time.

    Args:
        setting: Of the conversation; its limit is not heeded.
    """

    events: Sequence[Event] = ()

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Send what was given."""
        return Sending(given=given, sent=given, log=None, notes=[])


class Latest:
    """The head, and as many of the latest parts as fit, calls and their results together.

    Args:
        setting: Of the conversation.
    """

    events: Sequence[Event] = ()

    def __init__(self, setting: Setting) -> None:
        self._limit = setting.limit
        self._ruler = Ruler(DEFAULT_MODEL)

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Leave out what is too old to fit."""
        step = Step(messages=list(given), tools=(), reply=None)
        sent = self._ruler.window(step, self._limit)
        return Sending(given=given, sent=sent, log=None, notes=[])
