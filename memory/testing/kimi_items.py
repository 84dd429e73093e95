"""The input of POST /v1/responses, read as the messages of a chat request.

The overview of the API lists the route and says nothing of its form, so this is OpenAI's:
inferred, wordings included. A call may be answered anywhere after it; its result is moved next to
it, where chat wants it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memory.testing.kimi_rules import illegal
from memory.testing.kimi_wire import ApiError, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memory.testing.kimi_wire import Wire

__all__ = (
    "read_items",
    "read_tools",
)

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_INPUT_PARTS = ("input_text", "input_image")
_OUTPUT_PARTS = ("output_text", "refusal")


@dataclass(slots=True)
class _Entry:
    """A message, and the results of the calls it makes: `None` where one is still to come."""

    message: dict[str, Any]
    results: dict[str, Wire | None] = field(default_factory=dict)


class _Reader:
    """Turns items into messages; those of one turn of the assistant become one message."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._thoughts = ""

    def take(self, item: Any) -> None:
        """Read one item.

        Raises:
            ApiError: If it is not understood, or is a result of no call.
        """
        if not isinstance(item, dict):
            raise ApiError(illegal("input", "object", item))
        kind = item.get("type") or "message"
        if kind == "message":
            self._message(item)
        elif kind == "function_call":
            self._call(item)
        elif kind == "function_call_output":
            self._result(item)
        elif kind == "reasoning":
            self._thoughts += _thoughts(item)
        else:
            known = ("message", "function_call", "function_call_output", "reasoning")
            raise ApiError(_unsupported(kind, known))

    def messages(self) -> Iterator[dict[str, Any]]:
        """Return what was read.

        Raises:
            ApiError: If a call has no result.
        """
        for entry in self._entries:
            yield entry.message
            for ident, result in entry.results.items():
                if result is None:
                    msg = f"No tool output found for function call {ident}."
                    raise ApiError(msg)
                yield {"role": "tool", "tool_call_id": ident, "content": result["content"]}

    def _message(self, item: Wire) -> None:
        given = item.get("role")
        role = _ROLES.get(given, "") if isinstance(given, str) else ""
        known = _OUTPUT_PARTS if role == "assistant" else _INPUT_PARTS
        message = {"role": role, "content": _content(item.get("content"), known)}
        thoughts = self._taken_thoughts()
        if role == "assistant" and thoughts:
            message["reasoning_content"] = thoughts
        self._entries.append(_Entry(message))

    def _call(self, item: Wire) -> None:
        ident = _text(item, "call_id")
        function = {"name": _text(item, "name"), "arguments": _text(item, "arguments")}
        entry = self._speaker()
        calls = entry.message.setdefault("tool_calls", [])
        calls.append({"id": ident, "type": "function", "function": function})
        entry.results[ident] = None

    def _speaker(self) -> _Entry:
        """Return the turn a call belongs to: the last one if it is unanswered, else a new one."""
        last = self._entries[-1] if self._entries else _Entry({"role": ""})
        unanswered = all(result is None for result in last.results.values())
        if last.message["role"] != "assistant" or self._thoughts or not unanswered:
            last = _Entry({"role": "assistant", "content": ""})
            self._entries.append(last)
        # Responses has no rule that thoughts be sent back; chat has, and an empty one satisfies it.
        last.message.setdefault("reasoning_content", self._taken_thoughts())
        return last

    def _result(self, item: Wire) -> None:
        ident = _text(item, "call_id")
        for entry in reversed(self._entries):
            if ident in entry.results and entry.results[ident] is None:
                entry.results[ident] = {"content": _content(item.get("output"), _INPUT_PARTS)}
                return
        msg = f"No tool call found for function call output with call_id {ident}."
        raise ApiError(msg)

    def _taken_thoughts(self) -> str:
        thoughts, self._thoughts = self._thoughts, ""
        return thoughts


def read_items(items: Iterable[Any]) -> list[dict[str, Any]]:
    """Read the items of an input, in order.

    Raises:
        ApiError: If an item is not understood, a result has no call or a call no result.
    """
    reader = _Reader()
    for item in items:
        reader.take(item)
    return list(reader.messages())


def read_tools(tools: Any) -> Any:
    """Nest the fields of flat function tools; whatever else stands there is left to the rules."""
    if not isinstance(tools, list):
        return tools
    return [_tool(tool) for tool in tools]


def _tool(tool: Any) -> Any:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def _content(content: Any, known: tuple[str, ...]) -> Any:
    if not isinstance(content, list):
        return content
    return [_part(part, known) for part in content]


def _part(part: Any, known: tuple[str, ...]) -> Wire:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in known:
        raise ApiError(_unsupported(kind, known))
    if kind == "input_image":
        file = part.get("file_id")
        return {"type": "image_url", "image_url": f"ms://{file}" if file else part.get("image_url")}
    return {"type": "text", "text": part.get("refusal" if kind == "refusal" else "text")}


def _thoughts(item: Wire) -> str:
    """Return the text of a reasoning item, or the summary of it."""
    for name in ("content", "summary"):
        if said := text_of({"content": item.get(name)}):
            return said
    return ""


def _text(item: Wire, name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise ApiError(illegal(name, "string", value))
    return value


def _unsupported(value: object, known: tuple[str, ...]) -> str:
    *most, last = (f"'{one}'" for one in known)
    return f"Invalid value: '{value}'. Supported values are: {', '.join(most)} and {last}."
