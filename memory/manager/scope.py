"""What holds for some calls only: options that a manager, or a stretch of code, is given."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, get_args

from memory.errors import ConfigError
from memory.identity import digest
from memory.messages import WireMessage, wire
from memory.records import SEPARATOR, Match

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = (
    "Address",
    "CallOptions",
    "address",
    "check_match",
    "check_user",
    "checked",
    "current",
    "enter",
    "entered",
    "inside",
    "is_inside",
    "leave",
)


class CallOptions(TypedDict, total=False):
    """What can be set for some calls only."""

    budget: int | None
    """Prompt tokens, in place of the manager's budget."""
    off: bool
    """Whether requests go out as they are: nothing fitted, learnt or recorded."""
    record: bool
    """Whether anything is put on record; without it a call sees its conversation and leaves no
    trace in it."""
    pinned: Sequence[WireMessage]
    """Messages that stay verbatim wherever they occur."""
    conversation: str | None
    """The conversation that calls go on from; None for none."""
    user: str | None
    """Whose records they are, any text; None for what the name of the conversation says."""


class Address(NamedTuple):
    """Which conversation, and whose."""

    user: str
    name: str


_frames: ContextVar[tuple[tuple[object, Mapping[str, Any]], ...]] = ContextVar(
    "kimi_memory_options", default=()
)
_calls: ContextVar[frozenset[object]] = ContextVar("kimi_memory_calls", default=frozenset())


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for calls as they are kept: pinned messages by their digests.

    Raises:
        ConfigError: One is unknown or of the wrong type.
    """
    unknown = sorted(set(options) - set(CallOptions.__annotations__))
    if unknown:
        known = ", ".join(CallOptions.__annotations__)
        msg = f"unknown option {', '.join(unknown)} for a call; there are {known}"
        raise ConfigError(msg)
    kept = dict(options)
    for name in ("off", "record"):
        if not isinstance(kept.get(name, False), bool):
            msg = f"{name}={kept[name]!r} must be True or False"
            raise ConfigError(msg)
    budget = kept.get("budget")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int)):
        msg = f"budget={budget!r} must be a whole number of tokens"
        raise ConfigError(msg)
    if budget is not None and budget < 1:
        msg = f"budget={budget} must be a positive number of tokens"
        raise ConfigError(msg)
    _place(kept)
    if "pinned" in kept:
        if not isinstance(kept["pinned"], (list, tuple)):
            msg = f"pinned={kept['pinned']!r} must be a list of messages"
            raise ConfigError(msg)
        kept["pinned"] = frozenset(map(digest, wire(kept["pinned"])))
    return kept


def _place(kept: dict[str, Any]) -> None:
    """Check whose records are meant, and which conversation.

    Without a user, whose conversation it is depends on the user in force where a call is made.
    """
    if kept.get("user", "") is None:
        del kept["user"]
    if "user" in kept:
        check_user(kept["user"])
    if kept.get("conversation") is not None:
        where = address(kept["conversation"], kept.get("user"))
        kept["conversation"] = where if "user" in kept else kept["conversation"]


def address(name: object, user: object = None) -> Address:
    """Return which conversation is meant, and whose.

    Args:
        name: Its name; without `user` what stands before the first slash is the user.
        user: Any text that is not empty; None for what the name says.

    Raises:
        ConfigError: The name is no printable text, or could be taken for another one.
    """
    if isinstance(name, Address):
        return name
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        msg = f'conversation={name!r} must be a name such as "user-42/trip"'
        raise ConfigError(msg)
    if SEPARATOR in name or name.startswith("/") or name.endswith("/"):
        msg = f"conversation={name!r} must not contain {SEPARATOR!r}, nor begin or end with '/'"
        raise ConfigError(msg)
    if user is not None:
        return Address(check_user(user), name)
    before, slash, after = name.partition("/")
    return Address(before, after) if slash else Address("", name)


def check_match(match: object) -> None:
    """Check how terms of a search are to match.

    Raises:
        ConfigError: It is unknown.
    """
    if match not in get_args(Match):
        msg = f"match={match!r}: use one of {', '.join(get_args(Match))}"
        raise ConfigError(msg)


def check_user(user: object) -> str:
    """Return the id of a user.

    Raises:
        ConfigError: It is no text, or empty.
    """
    if not isinstance(user, str) or not user:
        msg = f"user={user!r} must be a text that is not empty"
        raise ConfigError(msg)
    return user


def current(family: object) -> Mapping[str, Any]:
    """Return the options in force here for the managers of a family."""
    frames = _frames.get()
    if not frames:
        return {}
    return {key: value for of, given in frames if of is family for key, value in given.items()}


def enter(family: object, options: Mapping[str, Any]) -> None:
    """Have options in force for the managers of a family, on top of those that are.

    They hold in this thread or task, and in those started with a copy of its context.
    """
    _frames.set((*_frames.get(), (family, options)))


def leave(options: Mapping[str, Any]) -> None:
    """Undo the last `enter` of these very options in this thread or task, wherever it stands."""
    frames = _frames.get()
    for place in range(len(frames) - 1, -1, -1):
        if frames[place][1] is options:
            _frames.set(frames[:place] + frames[place + 1 :])
            return


@contextmanager
def entered(family: object, options: Mapping[str, Any]) -> Iterator[None]:
    """Have options in force for the managers of a family; see `enter`."""
    enter(family, options)
    try:
        yield
    finally:
        leave(options)


def is_inside(family: object) -> bool:
    """Return whether a call of a family is being sent here already, so that this one is its own."""
    return family in _calls.get()


@contextmanager
def inside(family: object) -> Iterator[None]:
    """Mark that a call of a family is being sent here."""
    before = _calls.get()
    _calls.set(before | {family})
    try:
        yield
    finally:
        _calls.set(before)
