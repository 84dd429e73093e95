"""The drop-in client: the same type as the one it wraps, with a memory.

The seam is the public `request()` method, through which every call style of the SDK passes once a
call, after the SDK has normalised the body and before it authenticates and signs. The wrapped
client is an instance of a subclass of the type it was given, so `isinstance`, typing, resources
and responses stay the SDK's own.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast
from weakref import WeakValueDictionary

from openai import AsyncOpenAI, OpenAI

from memory.call import Call
from memory.errors import ConfigError, PatchedClientWarning
from memory.manager import AsyncMemoryManager, Manager, ManagerOptions, MemoryManager
from memory.summarizers.kimi import AsyncKimiSummarizer, KimiSummarizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory.summary import Draft, SummaryRequest

__all__ = ("is_wrapped", "manager_of", "unwrap", "wrap")

C = TypeVar("C", bound=OpenAI | AsyncOpenAI)

_MEMORY = "_kimi_memory"

_PATCHED = (
    "chat.completions.create",
    "chat.completions.parse",
    "chat.completions.stream",
    "beta.chat.completions.parse",
    "beta.chat.completions.stream",
    "responses.create",
    "responses.parse",
    "responses.stream",
    "post",
    "request",
)
"""What tracers replace on an instance."""
_WARNING = (
    "{names} of this client was replaced, as tracers do; the wrapped client does not have that. "
    "Wrap first and patch after, or use wrap(client, inplace=True)."
)

_subclasses: WeakValueDictionary[type, type] = WeakValueDictionary()


def wrap(
    client: C,
    *,
    manager: Manager | None = None,
    conversation: str | None = None,
    user: str | None = None,
    inplace: bool = False,
    **options: Unpack[ManagerOptions],
) -> C:
    """Return a client of the same type that keeps every prompt within a token budget.

    While a prompt fits, the request is byte for byte that of `client`. When it does not, the
    oldest messages are summarised with `client`'s own credentials and one message after the
    system prompt stands for them. `client` itself is not changed; it shares its connections with
    the new one, so closing either closes both. Wrapping a wrapped client gives it a new memory.

    A call of the wrapped client raises what it always did, `BudgetError` when what may not be
    dropped is larger than the limit (see `oversize`), and in a conversation `ConversationBusy`,
    `HistoryError` (tool results that answer no call) and `StoreError`.

    Args:
        client: An `OpenAI` or `AsyncOpenAI`, or an instance of a subclass such as `AzureOpenAI`.
        manager: The manager to use; None for one of its own.
        conversation: The conversation that all calls go on from, such as `"user-42/trip"`: they
            send what is new, and memory keeps the rest. None for callers who send everything.
        user: Whose records they are, any text; None for what stands before the first slash of
            `conversation`, or for nobody in particular.
        inplace: Whether to give `client` itself a memory and return it, so that what others have
            patched on it stays in force; its type is then a subclass of what it was.
        **options: How to make that manager: `budget` and everything else that `Manager` takes.

    Raises:
        ConfigError: `client` is something else, or a setting is wrong, or both `manager` and
            settings were given.

    Warns:
        PatchedClientWarning: Something has patched methods of this client, such as a tracer, and
            the new one does not have the patches.
    """
    if not _is_client(client):
        msg = f"wrap() takes an openai.OpenAI or AsyncOpenAI client, not {type(client).__name__}"
        raise ConfigError(msg)
    if manager is not None and not _is_manager(manager):
        msg = f"manager={manager!r} must be a MemoryManager or AsyncMemoryManager"
        raise ConfigError(msg)
    if manager is not None and options:
        msg = f"the manager has its own settings; give it {', '.join(options)} instead of wrap()"
        raise ConfigError(msg)
    chosen = manager or _manager_for(client, options)
    if user is not None:
        chosen = chosen.with_options(user=user)
    if conversation is not None:
        chosen = chosen.with_options(conversation=conversation, user=user)
    _check_colour(client, chosen)
    if inplace:
        if "request" in vars(client):
            msg = "request() of this client was replaced, which leaves memory out: wrap it before"
            raise ConfigError(msg)
        return _given(client, chosen)
    patched = _patches(client)
    if patched:
        warnings.warn(_WARNING.format(names=", ".join(patched)), PatchedClientWarning, stacklevel=2)
    raw = unwrap(client)
    return _given(_clone(raw, type(raw)), chosen)


def _given(client: C, manager: Manager) -> C:
    """Give a client a memory, and return it."""
    if not _is_ours(type(client)):
        client.__class__ = _subclass(type(client))
    setattr(client, _MEMORY, manager)
    if isinstance(client, AsyncOpenAI):
        manager.lent[True] = _AsyncOwn(client)
    elif isinstance(client, OpenAI):
        manager.lent[False] = _Own(client)
    return client


def _patches(client: OpenAI | AsyncOpenAI) -> list[str]:
    """Return the methods of this one client that something has replaced.

    Only what was used before can have been patched: resources are made on first use.
    """
    found = []
    for path in _PATCHED:
        *names, method = path.split(".")
        place: Any = client
        for name in names:
            place = vars(place).get(name) if place is not None else None
        if place is not None and method in vars(place):
            found.append(path)
    return found


def _is_manager(manager: object) -> bool:
    return isinstance(manager, Manager)


def _is_client(client: object) -> bool:
    return isinstance(client, (OpenAI, AsyncOpenAI))


def is_wrapped(client: object) -> bool:
    """Return whether `client` has a memory."""
    return getattr(client, _MEMORY, None) is not None


def manager_of(client: OpenAI | AsyncOpenAI) -> Manager:
    """Return the manager of a wrapped client.

    Raises:
        ConfigError: The client is not wrapped.
    """
    manager: Manager | None = getattr(client, _MEMORY, None)
    if manager is None:
        msg = "this client has no memory: wrap() it first"
        raise ConfigError(msg)
    return manager


def unwrap(client: C) -> C:
    """Return the client without its memory; one that has none is returned itself."""
    return _clone(client, type(client).__mro__[1]) if _is_ours(type(client)) else client


def _is_ours(kind: type) -> bool:
    return _MEMORY in vars(kind)


def _manager_for(client: OpenAI | AsyncOpenAI, options: ManagerOptions) -> Manager:
    if isinstance(client, AsyncOpenAI):
        return AsyncMemoryManager(**options)
    return MemoryManager(**options)


def _check_colour(client: OpenAI | AsyncOpenAI, manager: Manager) -> None:
    """Refuse a summariser that this client could never ask."""
    asynchronous = isinstance(client, AsyncOpenAI)
    other = MemoryManager if asynchronous else AsyncMemoryManager
    if isinstance(manager, other) and manager.summarizer is not None:
        msg = (
            f"the summarizer of a {type(manager).__name__} cannot be asked by a "
            f"{type(client).__name__}: use the manager of the client's kind"
        )
        raise ConfigError(msg)


def _clone(client: C, kind: type) -> C:
    """Return an instance of `kind` with the state of `client`, without what is bound to it.

    Bound are the resources, made on first use, and methods that a tracer replaced.
    """
    made: Any = object.__new__(kind)
    for key, value in vars(client).items():
        resource = isinstance(getattr(type(client), key, None), cached_property)
        if not resource and key not in (_MEMORY, *_PATCHED):
            made.__dict__[key] = value
    for name in _slots(type(client)):
        if hasattr(client, name):
            setattr(made, name, getattr(client, name))
    return cast("C", made)


def _slots(kind: type) -> Iterator[str]:
    """Yield the attributes that classes of the user keep outside of `__dict__`."""
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield name


def _subclass(base: type) -> type:
    """Return the subclass of `base` with a memory; the name is kept, it goes into `User-Agent`."""
    known = _subclasses.get(base)
    if known is None:
        methods = _async_methods(base) if issubclass(base, AsyncOpenAI) else _methods(base)
        known = type(base.__name__, (base,), methods)
        _subclasses[base] = known
    return known


def _methods(base: Any) -> dict[str, Any]:
    @functools.wraps(base.request)
    def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        manager = getattr(self, _MEMORY)
        call = None if manager is None else Call.of(manager, options)
        if call is None:
            return base.request(self, cast_to, options, *args, **kwargs)
        return call.send(
            lambda sent: base.request(self, cast_to, sent, *args, **kwargs), _Own(self)
        )

    return _common(base) | {"request": request}


def _async_methods(base: Any) -> dict[str, Any]:
    @functools.wraps(base.request)
    async def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        manager = getattr(self, _MEMORY)
        call = None if manager is None else Call.of(manager, options)
        if call is None:
            return await base.request(self, cast_to, options, *args, **kwargs)
        return await call.asend(
            lambda sent: base.request(self, cast_to, sent, *args, **kwargs), _AsyncOwn(self)
        )

    return _common(base) | {"request": request}


def _common(base: Any) -> dict[str, Any]:
    def stamped(self: Any, made: Any) -> Any:
        if isinstance(made, type(self)):
            setattr(made, _MEMORY, getattr(self, _MEMORY))
        return made

    @functools.wraps(base.copy)
    def copy_client(self: Any, *args: Any, **kwargs: Any) -> Any:
        return stamped(self, base.copy(self, *args, **kwargs))

    @functools.wraps(base.with_options)
    def with_options(self: Any, *args: Any, **kwargs: Any) -> Any:
        return stamped(self, base.with_options(self, *args, **kwargs))

    return {
        _MEMORY: None,
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
        "copy": copy_client,
        "with_options": with_options,
    }


def _asker(client: OpenAI | AsyncOpenAI) -> str:
    whose = f"{client.base_url} {client.api_key}"
    return blake2b(whose.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class _Own:
    """The summariser that asks with the caller's client as it is at that moment, without memory."""

    client: OpenAI

    @property
    def asker(self) -> str:
        """Whose key it asks with; not the key itself."""
        return _asker(self.client)

    def summarize(self, request: SummaryRequest) -> Draft:
        return KimiSummarizer(unwrap(self.client)).summarize(request)


@dataclass(frozen=True, slots=True)
class _AsyncOwn:
    """As `_Own`, for an asynchronous client."""

    client: AsyncOpenAI

    @property
    def asker(self) -> str:
        """Whose key it asks with; not the key itself."""
        return _asker(self.client)

    async def summarize(self, request: SummaryRequest) -> Draft:
        return await AsyncKimiSummarizer(unwrap(self.client)).summarize(request)
