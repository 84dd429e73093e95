"""What a message says and calls, as it is shown and as it is searched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from memory.messages import WireMessage, content_parts, tool_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("searched_text", "text_of_message")

_DATA = re.compile(r"data:[\w.+/-]{0,100}(?:;[\w.+-]{1,50}=[\w.+-]{0,50}){0,4};base64,[\w+/=-]*")


def text_of_message(message: WireMessage) -> str:
    """Return what a message says and calls, without what nobody reads: media and thoughts."""
    called = (f"{name}({given})" for name, given in _calls(message))
    return "\n".join((*_said(message), *called))


def searched_text(message: WireMessage) -> str:
    """Return the same with the arguments of calls as they are meant, not as they are escaped."""
    called = (f"{name}\n{_values(given)}" for name, given in _calls(message))
    return "\n".join((*_said(message), *called))


def _said(message: WireMessage) -> list[str]:
    return [_DATA.sub("…", part) for part in content_parts(message) if isinstance(part, str)]


def _calls(message: WireMessage) -> Iterator[tuple[str, Any]]:
    """Yield the names and the arguments of the functions that a message calls."""
    for call in tool_calls(message):
        function = call.get("function")
        if isinstance(function, Mapping):
            given = function.get("arguments") or ""
            yield str(function.get("name") or ""), _bare(given)


def _bare(given: Any) -> Any:
    return _DATA.sub("…", given) if isinstance(given, str) else given


def _values(given: Any) -> str:
    r"""Return the keys and values in arguments: in JSON, words hide behind `\n` and `\u5317`."""
    try:
        if isinstance(given, str):
            given = json.loads(given)
        return "\n".join(_leaves(given))
    except (ValueError, RecursionError):
        return str(given)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield _bare(str(value))
