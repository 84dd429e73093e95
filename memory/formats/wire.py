"""Messages as they go over the wire, as the formats have them in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from memory.formats.failures import wrong

__all__ = ("Row", "call", "content", "messages_of", "object_of", "texts", "tools", "without_notes")

Row = dict[str, Any]
"""A conversation: `messages`, and perhaps `id`, `tools`, `probes`, `lang` and other keys."""


def messages_of(value: Any, *, place: str) -> list[dict[str, Any]]:
    """Return the messages of a conversation that a file holds: a list, or `messages` of an object.

    Raises:
        TranscriptError: There are none, or one of them is no message.
    """
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list):
        raise wrong(place, "not an object with a list of `messages`")
    for index, each in enumerate(messages):
        if not (isinstance(each, dict) and isinstance(each.get("role"), str)):
            raise wrong(place, f"message {index} is not an object with a `role`")
    return messages


def without_notes(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without the keys of a data set's own, which start with `_`."""
    return {key: value for key, value in message.items() if not key.startswith("_")}


def object_of(value: Any, *, place: str, what: str) -> Mapping[str, Any]:
    """Return a value that has to be an object.

    Raises:
        TranscriptError: It is none; the text says that `what` is not.
    """
    if not isinstance(value, dict):
        raise wrong(place, f"{what} is not an object")
    return value


def texts(value: Any) -> list[str]:
    """Return what is given as a text, a number, a list of these or nothing, as texts."""
    if value is None:
        return []
    return [*map(content, value)] if isinstance(value, list) else [content(value)]


def content(value: Any) -> str:
    """Return a value as text: itself if it is one, else as JSON; nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def call(ident: str, name: str, arguments: Any) -> dict[str, Any]:
    """Return a tool call; arguments that are no text are written as JSON."""
    written = content({} if arguments is None else arguments)
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": written}}


def tools(value: Any, *, place: str) -> list[dict[str, Any]]:
    """Return tool declarations: a list, the same as JSON text, functions bare or wrapped.

    Raises:
        TranscriptError: They are none.
    """
    if not value:
        return []
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise wrong(place, f"`tools` is not JSON: {error}") from None
    declared: Sequence[Any] = [read] if isinstance(read, dict) else read or ()
    if not isinstance(declared, list) or not all(isinstance(each, dict) for each in declared):
        raise wrong(place, "`tools` is not a list of objects")
    return [each if "type" in each else {"type": "function", "function": each} for each in declared]
