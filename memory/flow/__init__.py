"""The sequence of things: effects, and the generators that yield them.

A flow decides; it never does. It yields an effect (`yield from Find(...).perform()`), is sent the
reply, and may be thrown the handler's exception, so that fallback and retry are decided here, in
one place, for sync and async alike. A flow reads no clock, no file and no network, and never
yields in a `finally` clause.
"""

from __future__ import annotations

from memory.flow.effects import (
    Answer,
    Await,
    Claim,
    Clock,
    Effect,
    Emit,
    Enter,
    Extract,
    Flow,
    Now,
    Opened,
    Prepare,
    Release,
    Retrieve,
    Send,
    Spawn,
    Stored,
    Summarize,
)
from memory.flow.fit import Outlook, fit, fit_or_pass, outlook
from memory.flow.log import log_key
from memory.flow.past import Past
from memory.flow.state import Context, Fitted, Prompt, Severity
from memory.flow.store_effects import (
    Append,
    CheckHealth,
    Find,
    Forget,
    ForgetUser,
    Index,
    Known,
    ListConversations,
    Load,
    Log,
    Lookup,
    Search,
)
from memory.flow.turn import answered, send
from memory.records import LogKey

__all__ = (
    "Answer",
    "Append",
    "Await",
    "CheckHealth",
    "Claim",
    "Clock",
    "Context",
    "Effect",
    "Emit",
    "Enter",
    "Extract",
    "Find",
    "Fitted",
    "Flow",
    "Forget",
    "ForgetUser",
    "Index",
    "Known",
    "ListConversations",
    "Load",
    "Log",
    "LogKey",
    "Lookup",
    "Now",
    "Opened",
    "Outlook",
    "Past",
    "Prepare",
    "Prompt",
    "Release",
    "Retrieve",
    "Search",
    "Send",
    "Severity",
    "Spawn",
    "Stored",
    "Summarize",
    "answered",
    "fit",
    "fit_or_pass",
    "log_key",
    "outlook",
    "send",
)
