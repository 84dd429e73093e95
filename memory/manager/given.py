"""What a manager is given: checked, and opened where it was named only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.errors import ConfigError
from memory.hooks import LogHook
from memory.records import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.events import Hook
    from memory.redaction import Redact
    from memory.stores import Store

__all__ = ("checked_hooks", "checked_name", "checked_redact", "hint", "opened_store")

_VERBS = ("load", "append", "known", "find", "forget")
"""What a store can do; see `memory.stores.Store`."""


def opened_store(store: Store | str) -> Store:
    """Return a store, opened where its URL was given.

    Raises:
        ConfigError: It is none.
    """
    if isinstance(store, str):
        from memory.stores.opening import open_store  # noqa: PLC0415  # most have none

        return open_store(store)
    lacking = [verb for verb in _VERBS if not callable(getattr(store, verb, None))]
    if lacking:
        msg = (
            f"store={store!r} must be a store such as memory.VolatileStore(): it has no "
            f"{', '.join(lacking)}"
        )
        raise ConfigError(msg)
    return store


def checked_name(namespace: str | None) -> str | None:
    """Return the name of a namespace.

    Raises:
        ConfigError: It could be taken for another one.
    """
    if namespace is not None and (SEPARATOR in namespace or namespace.endswith("/")):
        msg = f"namespace={namespace!r} must not contain {SEPARATOR!r} or end with '/'"
        raise ConfigError(msg)
    return namespace


def checked_redact(redact: object) -> Redact | None:
    """Return what redacts texts.

    Raises:
        ConfigError: It is no function.
    """
    if redact is None:
        return None
    if not callable(redact):
        msg = f"redact={redact!r} must be a function that takes a text and returns one"
        raise ConfigError(msg)
    found: Redact = redact
    return found


def hint(*, exact: bool) -> str | None:
    """Return how tokens could be counted better, or None."""
    return None if exact else "tokens are estimated; kimi-memory[exact] counts them"


def checked_hooks(hooks: Sequence[Hook] | None) -> tuple[Hook, ...]:
    """Return who is told of events.

    Raises:
        ConfigError: They are no functions.
    """
    if hooks is None:
        return (LogHook(),)
    if not isinstance(hooks, (list, tuple)) or not all(callable(hook) for hook in hooks):
        msg = f"hooks={hooks!r} must be a list or tuple of functions that take an event"
        raise ConfigError(msg)
    return tuple(hooks)
