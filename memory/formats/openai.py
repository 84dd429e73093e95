"""OpenAI's formats: fine-tuning and batch lines, logs of requests, lists of messages, our rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from memory.formats.wire import Row, messages_of, tools

__all__ = ("is_message", "row")

_WRAPPERS: Final = ("body", "request", "input")
"""Keys under which logs, batches and preference files keep what was sent."""
_AROUND: Final = frozenset({*_WRAPPERS, "response", "preferred_output", "non_preferred_output"})


def is_message(value: object) -> bool:
    """Return whether a value is a message and nothing that holds messages."""
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        return False
    return "messages" not in _body(value)


def row(value: Any, *, place: str, number: int) -> Row:
    """Return a conversation as a row: a list of messages, or an object that has one.

    The list may stand under `messages`, or under that of `body`, `request` or `input`. A reply
    that a log keeps under `response`, or a preference file under `preferred_output`, is the last
    message.

    Args:
        value: The conversation.
        place: Where it stands.
        number: Its place in the file; nothing depends on it.

    Raises:
        TranscriptError: It is none.
    """
    del number
    whole: Mapping[str, Any] = value if isinstance(value, dict) else {}
    body = _body(whole)
    messages = messages_of(value if isinstance(value, list) else body, place=place)
    rest = {key: each for key, each in whole.items() if key not in _AROUND or body is whole}
    replies = messages_of([*_replies(whole)], place=place)
    ident = whole.get("id", whole.get("custom_id"))
    found = {**body, **rest, "messages": [*messages, *replies]}
    if found.get("tools"):
        found["tools"] = tools(found["tools"], place=place)
    if ident is None:
        found.pop("id", None)
        return found
    return {**found, "id": str(ident)}


def _body(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what has the messages: an object, or what it has under a name that logs use."""
    each: Any
    for each in (whole, *(whole.get(key) for key in _WRAPPERS)):
        if isinstance(each, dict) and "messages" in each:
            return each
    return {}


def _replies(whole: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what was replied, without the empty keys that replies come with."""
    preferred = whole.get("preferred_output")
    if isinstance(preferred, list):
        yield from preferred
    response: Any = whole.get("response")
    if isinstance(response, dict) and isinstance(response.get("body"), dict):
        response = response["body"]
    choices = response.get("choices") if isinstance(response, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if isinstance(message, dict):
        text = message.get("content")
        filled = {key: each for key, each in message.items() if each not in (None, [], "")}
        yield {**filled, "content": text}
