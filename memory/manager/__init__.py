"""The managers: settings, store, hooks and counter in one place, and the verbs on them."""

from __future__ import annotations

from memory.manager.async_conversation import AsyncConversation
from memory.manager.base import Manager, ManagerOptions
from memory.manager.conversation import Conversation
from memory.manager.managers import AsyncMemoryManager, MemoryManager
from memory.manager.scope import CallOptions

__all__ = (
    "AsyncConversation",
    "AsyncMemoryManager",
    "CallOptions",
    "Conversation",
    "Manager",
    "ManagerOptions",
    "MemoryManager",
)
