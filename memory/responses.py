"""Items of the Responses API as messages, and back.

Memory decides on messages. An item of the input becomes one, several function calls in a row
become one with several calls, and a thought belongs to what follows it; on the way back every
message is the very items that it was made of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memory.errors import KimiMemoryError
from memory.messages import WireMessage

__all__ = ("Items", "SkippedError")

Item = Mapping[str, Any]

_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""The items that call a tool, and where they say with what."""
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
_TEXTS = frozenset({"input_text", "output_text", "text"})
UNKNOWN = "the input of /responses holds items of type {kind!r}"


class SkippedError(KimiMemoryError):
    """A request has to go out as it is; the text says why. Never reaches a caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """An input as messages.

    Attributes:
        messages: The messages; the instructions, which are no item, come first.
        tools: The tool declarations as a chat completion has them.
        made_of: The items each message was made of, by its `id()`.
    """

    messages: list[WireMessage]
    tools: tuple[WireMessage, ...]
    made_of: Mapping[int, Sequence[Item]]

    @classmethod
    def of(
        cls, items: Sequence[Item], *, instructions: object = None, tools: object = None
    ) -> Items:
        """Read an input.

        Args:
            items: The input.
            instructions: The `instructions` of the request.
            tools: Its `tools`.

        Raises:
            SkippedError: It holds something that could not be told from a message.
        """
        groups: list[tuple[WireMessage, Sequence[Item]]] = []
        if isinstance(instructions, str) and instructions:
            groups.append(({"role": "system", "content": instructions}, ()))
        groups += [(_message(group), group) for group in _grouped(items)]
        return cls(
            messages=[message for message, _ in groups],
            tools=tuple(map(_tool, tools if isinstance(tools, (list, tuple)) else ())),
            made_of={id(message): group for message, group in groups},
        )

    def back(self, messages: Sequence[WireMessage]) -> list[Item]:
        """Return messages as items: those they were made of, and new ones for new messages."""
        items: list[Item] = []
        for message in messages:
            items += self.made_of[id(message)] if id(message) in self.made_of else [_item(message)]
        return items


def _grouped(items: Sequence[Item]) -> list[list[Item]]:
    """Return the runs of items that are one message each."""
    groups: list[list[Item]] = []
    thoughts: list[Item] = []
    for item in items:
        kind = _kind(item)
        if kind == "reasoning":
            thoughts.append(item)
        elif kind in _CALLS and groups and _kind(groups[-1][-1]) in _CALLS:
            groups[-1] += [*thoughts, item]
            thoughts = []
        else:
            groups.append([*thoughts, item])
            thoughts = []
    if thoughts:
        groups.append(thoughts)
    return groups


def _kind(item: Item) -> str:
    """Return the type of an item.

    Raises:
        SkippedError: It is none that is known.
    """
    kind = item.get("type") or ("message" if "role" in item else None)
    if kind in ("message", "reasoning") or kind in _CALLS or kind in _RESULTS:
        return str(kind)
    raise SkippedError(UNKNOWN.format(kind=kind))


def _message(group: Sequence[Item]) -> WireMessage:
    last = group[-1]
    kind = _kind(last)
    if kind in _CALLS:
        calls = [item for item in group if _kind(item) in _CALLS]
        return {"role": "assistant", "content": "", "tool_calls": [_call(item) for item in calls]}
    if kind in _RESULTS:
        content = _content(last.get("output"))
        return {"role": "tool", "tool_call_id": last.get("call_id"), "content": content}
    if kind == "reasoning":
        return {"role": "assistant", "content": ""}
    return {"role": last.get("role"), "content": _content(last.get("content"))}


def _call(item: Item) -> WireMessage:
    arguments = item.get(_CALLS[_kind(item)])
    function = {"name": item.get("name"), "arguments": arguments}
    return {"id": item.get("call_id"), "type": "function", "function": function}


def _content(content: object) -> Any:
    if not isinstance(content, (list, tuple)):
        return content
    return [_part(part) for part in content]


def _part(part: object) -> object:
    if isinstance(part, Mapping) and part.get("type") in _TEXTS:
        return {"type": "text", "text": part.get("text")}
    if isinstance(part, Mapping) and isinstance(part.get("refusal"), str):
        return {"type": "text", "text": part["refusal"]}
    return part


def _item(message: WireMessage) -> Item:
    """Return a message that memory made as an item: notes, or a shortened result."""
    content = message.get("content")
    if message.get("role") == "tool":
        call = message.get("tool_call_id")
        return {"type": "function_call_output", "call_id": call, "output": content}
    return {"role": message.get("role"), "content": content}


def _tool(tool: object) -> WireMessage:
    """Return a declaration as a chat completion has it; what is no function is counted as text."""
    if isinstance(tool, Mapping) and tool.get("type") == "function":
        return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
    return {"type": "builtin", "function": {"name": json.dumps(tool, default=str)}}
