"""Wire messages as plain dicts: their parts and their contents.

A wire message is what `/chat/completions` takes: a mapping with `role`, `content` and whatever
else the caller put there. Nothing here changes one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from memory.errors import HistoryError

__all__ = (
    "HEAD_ROLES",
    "Part",
    "PartKind",
    "WireMessage",
    "clone",
    "content_parts",
    "end_of_read",
    "head_length",
    "is_media",
    "is_partial",
    "last_user",
    "role_of",
    "split",
    "text_of",
    "tool_calls",
    "wire",
)

WireMessage = Mapping[str, Any]
"""One message as `/chat/completions` takes it."""

PartKind = Literal["user", "assistant", "exchange", "other"]
"""What a part is: see `Part`."""

_KINDS: dict[str, PartKind] = {"user": "user", "assistant": "assistant"}
HEAD_ROLES = frozenset({"system", "developer"})
"""The roles of the head, and of standing instructions later on."""


class Part(NamedTuple):
    """The unit that is kept or dropped whole: messages `start` to `stop` (exclusive).

    A user message, a plain assistant message, or an assistant message with its whole batch of
    tool results (an *exchange*). System messages after the head belong to the part that follows
    them, tool messages that answer nothing to the part before.
    """

    start: int
    stop: int
    kind: PartKind
    open: bool
    """An exchange whose results are not all there, or that the next request has to answer."""


def wire(messages: Iterable[Any]) -> Sequence[WireMessage]:
    """Return messages as mappings: themselves if they are, the dumps of SDK objects among them.

    Raises:
        HistoryError: One of them is neither; `index` says which.
    """
    if isinstance(messages, (str, Mapping)) or not isinstance(messages, Iterable):
        text = f"a list of messages is wanted, not a {type(messages).__name__}"
        raise HistoryError(text, index=0)
    messages = messages if isinstance(messages, Sequence) else list(messages)
    # Asking each message what it is takes eight times as long as looking which types there are.
    if all(issubclass(kind, Mapping) for kind in {*map(type, messages)}):
        return messages
    return [_dumped(message, index) for index, message in enumerate(messages)]


def _dumped(message: Any, index: int) -> WireMessage:
    if isinstance(message, Mapping):
        return message
    if hasattr(message, "model_dump"):
        dump: WireMessage = message.model_dump(mode="json", exclude_none=True, warnings=False)
        return dump
    text = (
        f"message {index} is a {type(message).__name__}, neither a mapping nor an SDK object: "
        'pass wire messages such as {"role": "user", "content": "…"}'
    )
    raise HistoryError(text, index=index)


def role_of(message: WireMessage) -> str:
    """Return the role of a message; empty where it has none that is a string."""
    role = message.get("role")
    return role if isinstance(role, str) else ""


def head_length(messages: Sequence[WireMessage]) -> int:
    """Return how many messages the head has: the leading run of system and developer messages."""
    for index, message in enumerate(messages):
        if role_of(message) not in HEAD_ROLES:
            return index
    return len(messages)


def is_partial(messages: Sequence[WireMessage]) -> bool:
    """Return whether the last message is a prefix for the model to continue (`partial: true`)."""
    return bool(messages) and bool(messages[-1].get("partial"))


def last_user(messages: Sequence[WireMessage]) -> int | None:
    """Return the index of the last user message, or None where there is none."""
    for index in range(len(messages) - 1, -1, -1):
        if role_of(messages[index]) == "user":
            return index
    return None


def tool_calls(message: WireMessage) -> list[Mapping[str, Any]]:
    """Return the tool calls of a message; anything that is not one is left out."""
    calls = message.get("tool_calls")
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        return []
    return [call for call in calls if isinstance(call, Mapping)]


def split(messages: Sequence[WireMessage], *, start: int = 0) -> list[Part]:
    """Split the messages from `start` on into parts, in order; together they cover all of them.

    Total: a history that the API would refuse is split too.
    """
    parts: list[Part] = []
    index = begin = start
    end = len(messages)
    awaited = end_of_read(messages)
    while index < end:
        role = role_of(messages[index])
        index += 1
        if role in HEAD_ROLES and index < end:
            continue
        if role == "tool" and parts:
            parts[-1] = parts[-1]._replace(stop=index)
        elif role == "assistant" and (calls := tool_calls(messages[index - 1])):
            # Results that end the input were produced for this request: the model reads them.
            first, index = index, _end_of_results(messages, index)
            is_open = index >= awaited or _lacks_results(calls, messages[first:index])
            parts.append(Part(begin, index, "exchange", open=is_open))
        else:
            parts.append(Part(begin, index, _KINDS.get(role, "other"), open=False))
        begin = index
    return parts


def _end_of_results(messages: Sequence[WireMessage], index: int) -> int:
    while index < len(messages) and role_of(messages[index]) == "tool":
        index += 1
    return index


def end_of_read(messages: Sequence[WireMessage]) -> int:
    """Return where the messages end that are followed by nothing but system ones or a `partial`.

    What trails them belongs to the request being made: a reminder, the beginning of the reply.
    """
    end = len(messages)
    while end and (role_of(messages[end - 1]) in HEAD_ROLES or messages[end - 1].get("partial")):
        end -= 1
    return end


def _lacks_results(calls: Sequence[Mapping[str, Any]], results: Sequence[WireMessage]) -> bool:
    wanted = {str(call.get("id")) for call in calls}
    return not wanted <= {str(result.get("tool_call_id")) for result in results}


def content_parts(message: WireMessage) -> list[str | Mapping[str, Any]]:
    """Return the content as a list of texts and media parts, whatever form it has on the wire."""
    content = message.get("content")
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [content]
    if not isinstance(content, Sequence):
        return [json.dumps(content, ensure_ascii=False, default=str)]
    return [_content_part(part) for part in content]


def _content_part(part: object) -> str | Mapping[str, Any]:
    if isinstance(part, Mapping):
        text = part.get("text")
        return text if isinstance(text, str) else part
    return part if isinstance(part, str) else str(part)


def is_media(part: str | Mapping[str, Any]) -> bool:
    """Return whether a content part is an image, a video or a file rather than text."""
    return not isinstance(part, str)


def text_of(message: WireMessage) -> str:
    """Return the text of a message, with a placeholder such as `[image]` for each media part."""
    return "".join(_placeholder(part) for part in content_parts(message))


def _placeholder(part: str | Mapping[str, Any]) -> str:
    if isinstance(part, str):
        return part
    return f"[{str(part.get('type', 'media')).removesuffix('_url')}]"


def clone(value: Any) -> Any:
    """Return a copy of a wire value that shares no list or dict with it."""
    if isinstance(value, Mapping):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clone(item) for item in value]
    return value
