"""What strategies do with arguments that make no sense: they say so where they are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from hypothesis.errors import InvalidArgument

__all__ = ("among", "conversation_of", "flag", "wholes")

T = TypeVar("T")


def wholes(minimum: int, /, **values: object) -> None:
    """Check that arguments are whole numbers, `minimum` or more.

    Raises:
        InvalidArgument: One is not; the message names it.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            msg = f"{name}={value!r} must be a whole number, {minimum} or more"
            raise InvalidArgument(msg)


def flag(name: str, value: object) -> None:
    """Check that an argument is True or False.

    Raises:
        InvalidArgument: It is not; the message names it.
    """
    if not isinstance(value, bool):
        msg = f"{name}={value!r} must be True or False"
        raise InvalidArgument(msg)


def among(
    name: str, values: Iterable[Any], allowed: Collection[T], *, empty: bool = False
) -> tuple[T, ...]:
    """Return the values of an argument that names some of what is allowed, in order.

    Args:
        name: Of the argument.
        values: What was given.
        allowed: What may be given.
        empty: Whether nothing may be.

    Raises:
        InvalidArgument: It is one text instead of several, empty, or has something else in it.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        msg = f"{name}={values!r} must be several of {_listed(allowed)}: use a tuple"
        raise InvalidArgument(msg)
    given = tuple(values)
    if not given and not empty:
        msg = f"{name} must not be empty: use some of {_listed(allowed)}"
        raise InvalidArgument(msg)
    wrong = [value for value in given if value not in allowed]
    if wrong:
        msg = f"{name} has {_listed(wrong)}: use some of {_listed(allowed)}"
        raise InvalidArgument(msg)
    return given


def conversation_of(conversation: Any) -> list[Mapping[str, Any]]:
    """Return a conversation as a list.

    Raises:
        InvalidArgument: It is no list of messages, or an empty one.
    """
    if isinstance(conversation, str | Mapping) or not isinstance(conversation, Iterable):
        msg = f"a conversation is a list of messages, not a {type(conversation).__name__}"
        raise InvalidArgument(msg)
    messages = list(conversation)
    if not messages or not all(isinstance(message, Mapping) for message in messages):
        msg = "a conversation is a list of at least one message, each a mapping"
        raise InvalidArgument(msg)
    return messages


def _listed(values: Iterable[object]) -> str:
    return ", ".join(repr(value) for value in values)
