"""Memory for stateless chat APIs: long conversations stay under a token budget.

    from openai import OpenAI
    from memory import wrap

    client = wrap(OpenAI(base_url="https://api.moonshot.ai/v1"), budget=32_000)

Everything is imported on first use: `import memory` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memory.client import manager_of as manager_of
    from memory.client import wrap as wrap
    from memory.config import Settings as Settings
    from memory.counts import Counts as Counts
    from memory.errors import BudgetError as BudgetError
    from memory.errors import ConfigError as ConfigError
    from memory.errors import ConversationBusy as ConversationBusy
    from memory.errors import HistoryError as HistoryError
    from memory.errors import KimiMemoryError as KimiMemoryError
    from memory.errors import PatchedClientWarning as PatchedClientWarning
    from memory.errors import StoreError as StoreError
    from memory.events import Event as Event
    from memory.events import Hook as Hook
    from memory.flow import Outlook as Outlook
    from memory.hooks import LogHook as LogHook
    from memory.hooks import QueueHook as QueueHook
    from memory.manager import AsyncConversation as AsyncConversation
    from memory.manager import AsyncMemoryManager as AsyncMemoryManager
    from memory.manager import Conversation as Conversation
    from memory.manager import MemoryManager as MemoryManager
    from memory.policy import Plan as Plan
    from memory.records import Usage as Usage
    from memory.stores import VolatileStore as VolatileStore

_HOMES = {
    "AsyncConversation": "memory.manager",
    "AsyncMemoryManager": "memory.manager",
    "BudgetError": "memory.errors",
    "ConfigError": "memory.errors",
    "Conversation": "memory.manager",
    "ConversationBusy": "memory.errors",
    "Counts": "memory.counts",
    "Event": "memory.events",
    "HistoryError": "memory.errors",
    "Hook": "memory.events",
    "KimiMemoryError": "memory.errors",
    "LogHook": "memory.hooks",
    "MemoryManager": "memory.manager",
    "Outlook": "memory.flow",
    "PatchedClientWarning": "memory.errors",
    "Plan": "memory.policy",
    "QueueHook": "memory.hooks",
    "Settings": "memory.config",
    "StoreError": "memory.errors",
    "Usage": "memory.records",
    "VolatileStore": "memory.stores",
    "manager_of": "memory.client",
    "wrap": "memory.client",
}

__all__ = (
    "AsyncConversation",
    "AsyncMemoryManager",
    "BudgetError",
    "ConfigError",
    "Conversation",
    "ConversationBusy",
    "Counts",
    "Event",
    "HistoryError",
    "Hook",
    "KimiMemoryError",
    "LogHook",
    "MemoryManager",
    "Outlook",
    "PatchedClientWarning",
    "Plan",
    "QueueHook",
    "Settings",
    "StoreError",
    "Usage",
    "VolatileStore",
    "manager_of",
    "wrap",
)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
