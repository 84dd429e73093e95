"""Items of the Responses API as messages, and back.

Memory decides on messages. What a model says in one go, thoughts, texts and calls, becomes one,
every other item one of its own; on the way back a message is the very items that it was made of.
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
_SEVERAL = 2
LONGEST_TYPE = 40
"""Characters of a type that nobody knows which go into events."""
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
        places: The same by the place of the first item, which results have as their `index`.
    """

    messages: list[WireMessage]
    tools: tuple[WireMessage, ...]
    made_of: Mapping[int, Sequence[Item]]
    places: Mapping[int, Sequence[Item]]

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
        grouped = _grouped(items)
        groups += [(_message(group, place), group) for place, group in grouped]
        return cls(
            messages=[message for message, _ in groups],
            tools=tuple(map(_tool, tools if isinstance(tools, (list, tuple)) else ())),
            made_of={id(message): group for message, group in groups},
            places=dict(grouped),
        )

    def back(self, messages: Sequence[WireMessage]) -> list[Item]:
        """Return messages as items: those they were made of, and new ones for new messages."""
        items: list[Item] = []
        for message in messages:
            items += self.made_of.get(id(message)) or self._new(message)
        return items

    def _new(self, message: WireMessage) -> list[Item]:
        """Return a message that memory made as items: notes, or a shortened result."""
        content = message.get("content")
        if id(message) in self.made_of:
            return []  # the instructions
        if message.get("role") == "tool":
            result, *others = self.places[message["index"]]
            return [{**result, "output": content}, *others]
        return [{"role": message.get("role"), "content": content}]


def _grouped(items: Sequence[Item]) -> list[tuple[int, list[Item]]]:
    """Return the runs of items that are one message each, with the places where they begin.

    What a model says in one go is one message: thoughts, texts and calls. Whatever stands between
    a call and its result belongs to what precedes it, so that the two are never parted.
    """
    answers = _answers(items)
    groups: list[tuple[int, list[Item]]] = []
    speaking, end = False, -1  # whether the model is, and where its calls are all answered
    for place, item in enumerate(items):
        said, result = _is_said(item), _kind(item) in _RESULTS
        if groups and ((said and speaking) or (place < end and not result)):
            groups[-1][1].append(item)
        else:
            groups.append((place, [item]))
            speaking = said
        end = max(end, answers.get(place, -1))
    return groups


def _answers(items: Sequence[Item]) -> dict[int, int]:
    """Return where each call is answered, by its place; ids may come again later on."""
    found: dict[int, int] = {}
    following: dict[object, int] = {}
    for place in range(len(items) - 1, -1, -1):
        kind, call = _kind(items[place]), items[place].get("call_id")
        if kind in _RESULTS:
            following[call] = place
        elif kind in _CALLS and call in following:
            found[place] = following.pop(call)
    return found


def _is_said(item: Item) -> bool:
    """Return whether an item is part of what a model says."""
    return _kind(item) in ("reasoning", *_CALLS) or item.get("role") == "assistant"


def _kind(item: Item) -> str:
    """Return the type of an item.

    Raises:
        SkippedError: It is none that is known.
    """
    kind = item.get("type") or ("message" if "role" in item else None)
    if kind in ("message", "reasoning") or kind in _CALLS or kind in _RESULTS:
        return str(kind)
    raise SkippedError(UNKNOWN.format(kind=str(kind)[:LONGEST_TYPE]))


def _message(group: Sequence[Item], place: int) -> WireMessage:
    first = group[0]
    contents = [_content(item.get("content")) for item in group if _kind(item) == "message"]
    if _kind(first) in _RESULTS:
        content = _joined([_content(first.get("output")), *contents])
        call = first.get("call_id")
        # `index` is a key of streams, so it is no part of what identifies a message.
        return {"role": "tool", "tool_call_id": call, "content": content, "index": place}
    if not _is_said(first):
        return {"role": first.get("role"), "content": _joined(contents)}
    message: dict[str, Any] = {"role": "assistant", "content": _joined(contents)}
    if calls := [_call(item) for item in group if _kind(item) in _CALLS]:
        message["tool_calls"] = calls
    if thoughts := "".join(_thought(item) for item in group if _kind(item) == "reasoning"):
        message["reasoning_content"] = thoughts
    return message


def _thought(item: Item) -> str:
    """Return the text of a thought; one that is sealed counts as long as its seal."""
    for key in ("content", "summary"):
        parts = item.get(key)
        if isinstance(parts, (list, tuple)) and parts:
            return "".join(str(p.get("text") or "") for p in parts if isinstance(p, Mapping))
    return str(item.get("encrypted_content") or "")


def _joined(contents: Sequence[Any]) -> Any:
    """Return several contents as one."""
    if len(contents) < _SEVERAL:
        return contents[0] if contents else ""
    parts: list[Any] = []
    for content in contents:
        parts += content if isinstance(content, list) else [{"type": "text", "text": content}]
    return parts


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


def _tool(tool: object) -> WireMessage:
    """Return a declaration as a chat completion has it; what is no function is counted as text."""
    if isinstance(tool, Mapping) and tool.get("type") == "function":
        return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
    return {"type": "builtin", "function": {"name": json.dumps(tool, default=str)}}
