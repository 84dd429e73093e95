"""LangChain: a `ChatOpenAI`, or what derives from it, with a memory.

Such a model holds two clients, one for `invoke()` and one for `ainvoke()`, and of each the resource
that it calls. LangChain builds whichever half it is not given by itself, without a memory and
without a word, so the finished model is taken and all four are replaced. Nothing of LangChain is
imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, Self, TypeVar, Unpack

from memory.client import manager_of, wrap
from memory.errors import ConfigError
from memory.manager import Manager, ManagerOptions

__all__ = ("ChatModel", "wrap_chat_model")

PAIRS: Final = (("root_client", "client"), ("root_async_client", "async_client"))
"""The fields of each client, and of the resource that is called most."""


class ChatModel(Protocol):
    """What a `ChatOpenAI` and every model that derives from it have.

    Attributes:
        client: The synchronous chat completions.
        async_client: The asynchronous ones.
        root_client: The `openai.OpenAI` that `client` belongs to.
        root_async_client: The `openai.AsyncOpenAI` that `async_client` belongs to.
    """

    client: Any
    async_client: Any
    root_client: Any
    root_async_client: Any

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values in some fields."""
        ...


M = TypeVar("M", bound=ChatModel)


def wrap_chat_model(
    model: M, *, manager: Manager | None = None, **options: Unpack[ManagerOptions]
) -> M:
    """Return a copy of a LangChain chat model that keeps every prompt within a token budget.

    Whatever LangChain does with the copy goes through one memory: a summary made for `invoke()`
    is known to `ainvoke()`. `model` itself is not changed; the copy shares its connections.
    See `memory.wrap` for what is sent and what is raised.

    Args:
        model: A `ChatOpenAI` or an instance of a subclass such as `AzureChatOpenAI`, before
            `bind_tools()` and the like, which are called on what is returned.
        manager: The manager to use; None for one of its own. One with a `summarizer` of its own
            cannot serve both clients.
        **options: How to make that manager: `budget` and everything else that `Manager` takes.

    Raises:
        ConfigError: `model` is something else, or lacks a client, or a setting is wrong, or both
            `manager` and settings were given.
    """
    update = dict[str, Any]()
    for root, resource in _present(model):
        wrapped = wrap(getattr(model, root), manager=manager, **options)
        manager, options = manager_of(wrapped), {}  # of the first client, for the second
        update |= {root: wrapped, resource: wrapped.chat.completions}
    return model.model_copy(update=update)


def _present(model: ChatModel) -> list[tuple[str, str]]:
    """Return the pairs of fields that hold a client; a key that is only awaitable leaves one empty.

    Raises:
        ConfigError: It is not such a model, or a half of a pair is missing.
    """
    # What `bind_tools()` returns answers for the model within, but its copies keep that model.
    fields = getattr(type(model), "model_fields", {})
    if not all(name in fields for pair in PAIRS for name in pair):
        msg = (
            f"wrap_chat_model() takes a ChatOpenAI or an instance of a subclass, not "
            f"{type(model).__name__}; bind_tools() and the like are called on what it returns"
        )
        raise ConfigError(msg)
    for root, resource in PAIRS:
        if (getattr(model, root) is None) != (getattr(model, resource) is None):
            msg = f"the model has one of {root} and {resource}: build it with both or with neither"
            raise ConfigError(msg)
    found = [pair for pair in PAIRS if getattr(model, pair[0]) is not None]
    if not found:
        msg = f"the {type(model).__name__} has no client yet: give it an api_key"
        raise ConfigError(msg)
    return found
