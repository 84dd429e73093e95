"""Which features a conversation has: for counting what was tried, and for asking for some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from memory.messages import HEAD_ROLES, content_parts, head_length, is_media, tool_calls
from memory.testing.strategies.checking import conversation_of, wholes
from memory.testing.strategies.style import HUGE, IDENTIFIERS, LOOKALIKES, STANDING, Feature

__all__ = ("features",)

_KNOWN: Final = frozenset(
    {
        *("role", "content", "name", "tool_calls", "tool_call_id", "partial"),
        "reasoning_content",
    }
)
_LAST_ASCII: Final = 0x7F


def features(conversation: Sequence[Mapping[str, Any]], *, largest: int = 60) -> set[Feature]:
    """Return the features that a conversation has, generated here or not.

    `hypothesis.event(name)` for each of them shows how often each was tried.

    Args:
        conversation: Wire messages.
        largest: Words that a text may have without being huge, as the conversation was made with.

    Raises:
        InvalidArgument: It is no list of messages, or `largest` is no number of words.
    """
    wholes(0, largest=largest)
    messages = conversation_of(conversation)
    found: set[Feature] = {name for name, has in _HAS.items() if has(messages)}
    if any(len(text.split()) >= HUGE * max(1, largest) for text in _texts(messages)):
        found.add("huge")
    return found


_Messages = Sequence[Mapping[str, Any]]


def _texts(messages: _Messages) -> Iterator[str]:
    for message in messages:
        yield from (part for part in content_parts(message) if isinstance(part, str))
        thought = message.get("reasoning_content")
        if isinstance(thought, str):
            yield thought


def _says(*phrases: str) -> Callable[[_Messages], bool]:
    return lambda messages: any(phrase in text for text in _texts(messages) for phrase in phrases)


def _roles(messages: _Messages) -> list[Any]:
    return [message.get("role") for message in messages]


def _has_scripts(messages: _Messages) -> bool:
    characters = {each for text in _texts(messages) if not text.isascii() for each in text}
    return any(ord(each) > _LAST_ASCII and not _is_surrogate(each) for each in characters)


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _parts(messages: _Messages) -> Iterator[Any]:
    for message in messages:
        if isinstance(message.get("content"), list):
            yield from content_parts(message)


def _ids(messages: _Messages) -> list[list[Any]]:
    batches = [[call.get("id") for call in tool_calls(message)] for message in messages]
    return [batch for batch in batches if batch]


def _ids_repeat(messages: _Messages) -> bool:
    ids = [one for batch in _ids(messages) for one in batch]
    return len(ids) > len(set(ids))


def _is_empty(message: Mapping[str, Any]) -> bool:
    if tool_calls(message):
        return False
    return not any(is_media(part) or str(part).strip() for part in content_parts(message))


_HAS: Final[Mapping[Feature, Callable[[_Messages], bool]]] = {
    "head": lambda messages: head_length(messages) > 0,
    "reminders": lambda messages: (
        not HEAD_ROLES.isdisjoint(_roles(messages[head_length(messages) :]))
    ),
    "developer": lambda messages: "developer" in _roles(messages),
    "scripts": _has_scripts,
    "surrogates": lambda messages: any(
        _is_surrogate(each) for each in set().union(*_texts(messages))
    ),
    "lookalikes": _says(*LOOKALIKES),
    "standing": _says(*STANDING),
    "identifiers": _says(*IDENTIFIERS),
    "parts": lambda messages: any(isinstance(m.get("content"), list) for m in messages),
    "media": lambda messages: any(is_media(part) for part in _parts(messages)),
    "tools": lambda messages: bool(_ids(messages)),
    "batches": lambda messages: any(len(batch) > 1 for batch in _ids(messages)),
    "repeated-ids": _ids_repeat,
    "thoughts": lambda messages: any(m.get("reasoning_content") for m in messages),
    "names": lambda messages: any("name" in message for message in messages),
    "unknown-keys": lambda messages: any(not m.keys() <= _KNOWN for m in messages),
    "empty": lambda messages: any(_is_empty(message) for message in messages),
}
