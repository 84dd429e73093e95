"""What a manager is given: checked, and opened where it was named only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memory.breaker import Breaker
from memory.config import Settings
from memory.errors import ConfigError
from memory.flow import Context
from memory.hooks import LogHook
from memory.records import SEPARATOR

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from memory.events import Hook
    from memory.manager.base import ManagerOptions
    from memory.meter import Meter
    from memory.redaction import Redact
    from memory.retrievers import AsyncRetriever, Retriever
    from memory.stores import Store

__all__ = (
    "checked_hooks",
    "checked_name",
    "checked_redact",
    "checked_retrievers",
    "context_of",
    "from_file",
    "hint",
    "opened_store",
    "resolved",
)

_VERBS = ("load", "append", "known", "find", "forget")
"""What a store can do; see `memory.stores.Store`."""


def resolved(
    given: Mapping[str, Any],
    file: str | os.PathLike[str] | None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings from arguments, else the environment, else a file.

    Takes what `Settings.resolve` takes.

    Raises:
        ConfigError: One is unknown or wrong. Where all would be well without the file, the
            message names it.
    """
    try:
        return Settings.resolve(given, environ=environ, file=file)
    except ConfigError as error:
        if file is None or str(file) in str(error):
            raise
        Settings.resolve(given, environ=environ)  # raises what is wrong without the file
        msg = f"{file}: {error}"
        raise ConfigError(msg) from error


def context_of(settings: Settings, meter: Meter, *, by_store: bool) -> Context:
    """Return how prompts are judged.

    Args:
        settings: What was decided.
        meter: Who counts.
        by_store: Whether the store can look up what answers a question.
    """
    return Context(
        meter=meter,
        policy=settings.policy(),
        role=settings.notes_role,
        summarizer_model=settings.summarizer_model,
        deadline=settings.summary_deadline,
        ahead=settings.ahead if settings.compaction == "background" else None,
        choice=settings.choice,
        patience=settings.turn_wait,
        task=settings.summary_prompt or "",
        breaker=Breaker(settings.summary_pause),
        check=settings.check,
        recall=settings.recalling(by_store=by_store),
    )


def from_file(path: str | os.PathLike[str], options: ManagerOptions) -> ManagerOptions:
    """Return the options of a manager with a file of settings.

    Raises:
        ConfigError: There is a file among them already.
    """
    if "settings_file" in options:
        msg = "from_file() takes one file: leave out settings_file"
        raise ConfigError(msg)
    return {**options, "settings_file": path}


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


def checked_retrievers(retrievers: object) -> tuple[Retriever | AsyncRetriever, ...]:
    """Return who searches the originals; nobody for the one that there is by default.

    Raises:
        ConfigError: They are no retrievers.
    """
    if retrievers is None:
        return ()
    able = isinstance(retrievers, (list, tuple)) and retrievers
    if (
        not able
        or not all(callable(getattr(r, "retrieve", None)) for r in able)
        or any(isinstance(r, type) for r in able)
    ):
        msg = (
            f"retrievers={retrievers!r} must be a list of at least one retriever such as "
            "memory.retrievers.LexicalRetriever()"
        )
        raise ConfigError(msg)
    return tuple(able)


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
