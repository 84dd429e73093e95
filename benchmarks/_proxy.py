"""The usual way to put a memory around a client, to compare with: an object that delegates.

It replaces `client.chat.completions.create` and hands on every other attribute of what it stands
for, as most of the published wrappers do.
"""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI

from memory import AsyncMemoryManager, MemoryManager

__all__ = ("Proxy",)


class Proxy:
    """Stands for an object, but for the attributes that were replaced."""

    def __init__(self, behind: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced, _behind=behind)

    def __getattr__(self, name: str) -> Any:
        """Hand on what was not replaced."""
        return getattr(self._behind, name)

    @classmethod
    def around(cls, client: Any, *, budget: int) -> Proxy:
        """Return a proxy for a client whose `create` compacts."""
        chat = client.chat
        create = _create(client, chat.completions.create, budget)
        return cls(client, chat=cls(chat, completions=cls(chat.completions, create=create)))


def _create(client: Any, original: Any, budget: int) -> Any:
    behind = client
    while isinstance(behind, Proxy):
        behind = behind._behind  # noqa: SLF001  # its own class
    if isinstance(behind, AsyncOpenAI):
        waiting = AsyncMemoryManager(budget=budget, hooks=())

        async def create_async(*, messages: Any, **others: Any) -> Any:
            fitted = await waiting.fit(list(messages), tools=others.get("tools"))
            return await original(messages=fitted, **others)

        return create_async
    manager = MemoryManager(budget=budget, hooks=())

    def create(*, messages: Any, **others: Any) -> Any:
        return original(messages=manager.fit(list(messages), tools=others.get("tools")), **others)

    return create
