"""Taking out of messages what is not to be stored or sent to a summariser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memory.cache import GenerationCache
from memory.messages import WireMessage

__all__ = ("Redact", "every_text", "redacted")

Redact = Callable[[str], str]
"""Returns a text without what must not be kept; the same for the same text, always."""

_clean: GenerationCache[tuple[Redact, str]] = GenerationCache(entries=8_192, weight=1 << 23)
"""What came of the latest texts: a conversation is redacted again with every request."""
_KEPT = frozenset({"role", "type", "id", "tool_call_id", "name", "url"})
"""Keys whose texts stay: without them a message could not be sent, or found again."""


def redacted(message: WireMessage, redact: Redact | None) -> WireMessage:
    """Return a message with every text of it redacted, also under keys that nobody knows.

    Roles, types, names, ids and links stay: without them a conversation cannot be sent. The same
    object is returned where nothing had to change.

    Args:
        message: A wire message.
        redact: What to do to each text; None for nothing.

    Raises:
        TypeError: `redact` returned something else than a text.
    """
    if redact is None:
        return message

    def checked(text: str) -> str:
        known = _clean.get((id(redact), text))
        if known is not None and known[0] is redact:
            return known[1]
        clean: object = redact(text)
        if not isinstance(clean, str):
            msg = f"redact has to return a text, and returned a {type(clean).__name__}"
            raise TypeError(msg)
        return _clean.put((id(redact), text), (redact, clean), weight=len(text))[1]

    changed = {key: _value(key, value, checked) for key, value in message.items()}
    return message if changed == dict(message) else changed


def every_text(value: Any, redact: Redact) -> Any:
    """Return a JSON value with every text in it redacted, but for the keys of objects and roles."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {k: v if k == "role" else every_text(v, redact) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [every_text(item, redact) for item in value]
    return value


def _value(key: str, value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return value if key in _KEPT else redact(value)
    if isinstance(value, Mapping):
        return {name: _value(name, item, redact) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_value(key, item, redact) for item in value]
    return value
