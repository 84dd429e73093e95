"""What came back, read from the bytes of the wire: the message, its cost, whether it is whole.

A reply is read beside the SDK, never instead of it. Moonshot states the usage of a stream in
`choices[0].usage` of the chunk that finishes, and once more at the top level where that was asked
for (recorded streams of kosong and of kimi-k2.7-code); it is taken once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memory.messages import WireMessage
from memory.records import Usage

__all__ = ("Body", "Chunks", "Reply", "read", "usage_of")

FINISHED = frozenset({"stop", "tool_calls"})
"""The reasons after which a message is as the model meant it, and costs what was reported."""
_KEPT = frozenset({"id", "type", "role", "name"})
"""Texts of a delta that are sent whole, if more than once, and not in pieces."""
_DONE = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply to a chat completion.

    Attributes:
        message: The assistant message, or None where none came.
        usage: What the server reported, or None.
        finish_reason: As on the wire.
        complete: Whether it arrived whole; a stream does with its `[DONE]`.
        sole: Whether it was the only choice, so that `usage` speaks of it.
    """

    message: WireMessage | None = None
    usage: Usage | None = None
    finish_reason: str | None = None
    complete: bool = True
    sole: bool = True

    @property
    def measured(self) -> bool:
        """Whether the reported completion tokens are those of `message`."""
        return self.complete and self.sole and self.finish_reason in FINISHED


def read(body: object, *, choice: int = 0) -> Reply | None:
    """Return the reply that a decoded JSON body holds, or None where it is none.

    Args:
        body: What the server sent; anything but a chat completion is no reply.
        choice: Which choice counts where there are several.
    """
    if not isinstance(body, Mapping):
        return None
    choices = body.get("choices")
    if not isinstance(choices, Sequence) or not choices:
        return None
    chosen = choices[min(choice, len(choices) - 1)]
    if not isinstance(chosen, Mapping):
        return None
    message = chosen.get("message")
    return Reply(
        message=_tidy(message) if isinstance(message, Mapping) else None,
        usage=usage_of(body.get("usage")),
        finish_reason=_text(chosen.get("finish_reason")),
        sole=len(choices) == 1,
    )


def usage_of(block: object) -> Usage | None:
    """Return the usage that a decoded `usage` block states, or None."""
    if not isinstance(block, Mapping):
        return None
    prompt, completion = block.get("prompt_tokens"), block.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=_detail(block, "prompt_tokens_details", "cached_tokens"),
        reasoning_tokens=_detail(block, "completion_tokens_details", "reasoning_tokens"),
    )


class Body:
    """Reads a reply that is not streamed, from its bytes as they come.

    Args:
        choice: Which choice counts where there are several.
    """

    done = finished = False
    """Never: only the end of the body is its end."""

    def __init__(self, *, choice: int = 0) -> None:
        self._choice = choice
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._held += data

    def end(self) -> None:
        """Take the end of the body."""

    def reply(self, *, left: bool = False) -> Reply | None:
        """Return what has come, or None where that is no reply."""
        if left:
            return None
        try:
            return read(json.loads(self._held), choice=self._choice)
        except ValueError:
            return None


class Chunks:
    """Reads a streamed reply from its bytes as they come (server-sent events).

    Args:
        choice: Which choice counts where there are several.

    Attributes:
        done: Whether `data: [DONE]` has passed.
    """

    def __init__(self, *, choice: int = 0) -> None:
        self.done = False
        self._choice = choice
        self._line = bytearray()
        self._data: list[bytes] = []
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes; they may break off anywhere."""
        self._line += data
        if b"\n" not in data and b"\r" not in data:
            return
        held = b"\r" if self._line.endswith(b"\r") else b""  # half of a line break, perhaps
        text = self._line.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._line = rest + held
        for line in lines:
            self._take(bytes(line))

    def end(self) -> None:
        """Take the end of the body: a last line without a line break counts too."""
        self.feed(b"\n\n")

    @property
    def finished(self) -> bool:
        """Whether the choice that counts has come to its `finish_reason`."""
        return self._chosen().finish_reason is not None

    @property
    def message(self) -> WireMessage:
        """What has come of the message of the choice that counts."""
        return self._chosen().message

    def reply(self, *, left: bool = False) -> Reply | None:
        """Return what has come: the beginning of a message where it is not complete.

        Args:
            left: Whether the reader went without reading on; a message that is finished is whole
                all the same.
        """
        chosen = self._chosen()
        complete = self.done or (left and self.finished)
        return Reply(
            message=_tidy(chosen.message) if chosen.message else None,
            usage=self._usage if complete else None,
            finish_reason=chosen.finish_reason,
            complete=complete,
            sole=len(self._choices) <= 1,
        )

    def _chosen(self) -> _Choice:
        last = max(self._choices, default=0)
        return self._choices.get(min(self._choice, last), _Choice())

    def _take(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            data = line[5:].removeprefix(b" ")
            self.done |= data.startswith(_DONE)
            self._data.append(data)
        elif not line and self._data:
            event, self._data = b"\n".join(self._data), []
            self._event(event)

    def _event(self, data: bytes) -> None:
        try:
            chunk = json.loads(data)
        except ValueError:
            return
        if isinstance(chunk, Mapping):
            self._chunk(chunk)

    def _chunk(self, chunk: Mapping[str, Any]) -> None:
        choices = chunk.get("choices")
        self._usage = usage_of(chunk.get("usage")) or self._usage
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, Mapping):
                continue
            index = choice.get("index")
            known = self._choices.setdefault(index if isinstance(index, int) else 0, _Choice())
            self._usage = usage_of(choice.get("usage")) or self._usage
            known.finish_reason = _text(choice.get("finish_reason")) or known.finish_reason
            delta = choice.get("delta")
            if isinstance(delta, Mapping):
                _merge(known.message, delta)


@dataclass(slots=True)
class _Choice:
    """What has come of one choice."""

    message: dict[str, Any] = field(default_factory=dict)
    finish_reason: str | None = None


def _merge(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add a delta to a message: texts are joined, lists by the `index` of their items."""
    for key, value in delta.items():
        before = message.get(key)
        if value is None or (key in _KEPT and before):
            message.setdefault(key, value)
        elif isinstance(before, str) and isinstance(value, str):
            message[key] = before + value
        elif isinstance(value, Mapping):
            if not isinstance(before, dict):
                before = message[key] = {}
            _merge(before, value)
        elif isinstance(value, list):
            if not isinstance(before, list):
                before = message[key] = []
            _merge_items(before, value)
        else:
            message[key] = value


def _merge_items(items: list[Any], deltas: Sequence[Any]) -> None:
    for place, delta in enumerate(deltas):
        if not isinstance(delta, Mapping):
            items.append(delta)
            continue
        index = delta.get("index", place)
        item = next((one for one in items if one.get("index", 0) == index), None)
        if item is None:
            items.append(item := {"index": index})
        _merge(item, delta)


def _tidy(message: Mapping[str, Any]) -> WireMessage:
    """Return a message without the keys that say nothing, or that only a stream needs."""
    kept = {key: value for key, value in message.items() if value is not None}
    calls = kept.get("tool_calls")
    if isinstance(calls, list):
        kept["tool_calls"] = [
            {k: v for k, v in call.items() if k != "index"} if isinstance(call, Mapping) else call
            for call in calls
        ]
    return kept


def _detail(block: Mapping[str, Any], group: str, key: str) -> int:
    details = block.get(group)
    value = details.get(key) if isinstance(details, Mapping) else block.get(key)
    return value if isinstance(value, int) else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
