"""ShareGPT: `conversations` of turns `from` somebody with a `value`, as for fine-tuning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

from memory.formats.failures import wrong
from memory.formats.wire import Row, call, content, messages_of, tools

__all__ = ("recognises", "row")

_ROLES: Final = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "system": "system",
    "function_call": "call",
    "observation": "tool",
    "tool": "tool",
    "function_response": "tool",
}
_LISTS: Final = ("conversations", "conversation", "messages")
"""Where the turns are: the name of the format, that of LMSYS-Chat-1M, and that of OpenAI."""

Turn = tuple[str, str]
"""What it is, by `_ROLES`, and its text."""


def recognises(value: Any) -> bool:
    """Return whether a value is a conversation in this format."""
    if not isinstance(value, dict):
        return False
    if any(isinstance(value.get(key), list) for key in _LISTS[:2]):
        return True
    found = value.get("messages")
    return isinstance(found, list) and bool(found) and _is_turn(found[0])


def row(value: Mapping[str, Any], *, place: str, number: int) -> Row:
    """Return a conversation as a row.

    `function_call` and as many `observation` turns as it has calls are an exchange. Where they do
    not match, or the call is no JSON, both stay as text with `[function call]` and `[tool result]`
    before it. `chosen` is the last reply; what was `rejected` is no part of the conversation.

    Args:
        value: The conversation.
        place: Where it stands.
        number: Its place in the file; nothing depends on it.

    Raises:
        TranscriptError: Something in it is not what it should be.
    """
    del number
    key = next(key for key in _LISTS if isinstance(value.get(key), list))
    turns = value[key]
    if turns and isinstance(turns[0], dict) and isinstance(turns[0].get("role"), str):
        messages = [*messages_of(turns, place=place)]
    else:
        chosen = value.get("chosen")
        read = [_turn(each, place, index) for index, each in enumerate(turns)]
        read += [_turn(chosen, place, len(turns))] if _is_turn(chosen) else []
        messages = [*_messages(read)]
    system = value.get("system")
    if isinstance(system, str) and system and (not messages or messages[0]["role"] != "system"):
        messages.insert(0, {"role": "system", "content": system})
    declared = tools(value.get("tools"), place=place)
    left_out = {*_LISTS, "system", "tools", "chosen", "rejected", "conversation_id"}
    rest = {key: each for key, each in value.items() if key not in left_out}
    ident = value.get("id", value.get("conversation_id"))
    named = {} if ident is None else {"id": str(ident)}
    return {**rest, **named, "messages": messages, **({"tools": declared} if declared else {})}


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("from"), str) and "value" in value


def _turn(value: Any, place: str, index: int) -> Turn:
    if not _is_turn(value):
        raise wrong(place, f"turn {index} is not an object with `from` and `value`")
    kind = _ROLES.get(value["from"].lower())
    if kind is None:
        known = "human, gpt, system, tool, function_call, observation"
        raise wrong(place, f"turn {index} is from {value['from']!r}, not one of {known}")
    return kind, content(value["value"])


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    numbers = count()
    at = 0
    while at < len(turns):
        kind, text = turns[at]
        at += 1
        if kind == "call":
            stop = at
            while stop < len(turns) and turns[stop][0] == "tool":
                stop += 1
            results = [said for _, said in turns[at:stop]]
            yield from _exchange(text, results, numbers)
            at = stop
        elif kind == "tool":
            yield _result(text)
        else:
            yield {"role": kind, "content": text}


def _exchange(
    text: str, results: Sequence[str], numbers: Iterator[int]
) -> Iterator[dict[str, Any]]:
    made = _calls(text)
    if not made or len(made) != len(results):
        yield {"role": "assistant", "content": f"[function call] {text}"}
        yield from map(_result, results)
        return
    named = [f"{each['name']}:{next(numbers)}" for each in made]
    calls = [call(n, e["name"], e.get("arguments")) for n, e in zip(named, made, strict=True)]
    yield {"role": "assistant", "content": None, "tool_calls": calls}
    for name, said in zip(named, results, strict=True):
        yield {"role": "tool", "tool_call_id": name, "content": said}


def _calls(text: str) -> list[Mapping[str, Any]]:
    """Return the calls of a turn; none where one of them is no object with a name."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = read if isinstance(read, list) else [read]
    named = all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in found)
    return found if named else []


def _result(text: str) -> dict[str, Any]:
    """Return a result that answers no call: on the wire only a call may have one."""
    return {"role": "user", "content": f"[tool result] {text}"}
