"""Replies: what the model says, cut to its cap, counted, whole or as a stream of chunks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from memory.testing.kimi_template import count_pieces, render_calls
from memory.testing.kimi_wire import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from memory.testing.kimi_wire import Wire

__all__ = (
    "DELTA",
    "REASONING",
    "FinishReason",
    "Reply",
    "Spoken",
    "break_off",
    "chunks",
    "completion",
    "cut",
    "speak",
    "think",
    "transmit",
    "usage",
)

FinishReason = Literal["stop", "length", "tool_calls"]

REASONING = "The conversation above holds what is needed, so I answer from it."
"""What the model thinks before it speaks, unless a reply brings its own."""

DELTA = 48
"""Length in characters of the pieces in which text is streamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model is about to say.

    Attributes:
        content: Its text.
        tool_calls: Its calls, as in a message.
        reasoning_content: Its thought; left out if the model does not think, and a stock one if
            it does and there is none.
        finish_reason: Why it ends; where it is None, the reason that fits.
    """

    content: str = ""
    tool_calls: Sequence[Wire] = ()
    reasoning_content: str | None = None
    finish_reason: FinishReason | None = None

    @classmethod
    def of(cls, said: str | Wire | Reply) -> Reply:
        """Read a reply from a text, an assistant message, or a reply."""
        if isinstance(said, Reply):
            return said
        if isinstance(said, str):
            return cls(content=said)
        return cls(
            content=said.get("content") or "",
            tool_calls=tuple(said.get("tool_calls") or ()),
            reasoning_content=said.get("reasoning_content"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A reply as it is sent.

    Attributes:
        message: The assistant message.
        finish_reason: Why it ended.
        completion_tokens: Reasoning, text, calls, and the token that ends the text.
        reasoning_tokens: The part of these that is reasoning.
    """

    message: Wire
    finish_reason: FinishReason
    completion_tokens: int
    reasoning_tokens: int


def speak(reply: Reply, *, thinking: bool, cap: int, count: Callable[[str], int]) -> Spoken:
    """Fit a reply into its cap, in tokens.

    Reasoning comes first: where it fills the cap, the text is empty and the reason `length`. A
    text is cut at the cap; calls that do not fit are left out.
    """
    reasoning = (reply.reasoning_content or REASONING) if thinking else ""
    used = count(reasoning) if reasoning else 0
    if used >= cap:
        message = _message("", (), cut(reasoning, cap, count))
        return _spoken(message, "length", cap, cap)
    wanted = count(reply.content) + count_pieces(render_calls(reply.tool_calls), count)
    if used + wanted + 1 > cap:
        text = cut(reply.content, cap - used, count)
        return _spoken(_message(text, (), reasoning), "length", cap, used)
    reason = reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")
    end = reason != "length"
    message = _message(reply.content, reply.tool_calls, reasoning)
    return _spoken(message, reason, used + wanted + end, used)


def think(cap: int, count: Callable[[str], int]) -> Spoken:
    """Return a reply whose thought fills its cap, in tokens, so that no text is left."""
    thought = f"{REASONING} "
    whole = thought * max(1, cap // max(1, count(thought)))
    return _spoken(_message("", (), whole), "length", cap, cap)


def cut(text: str, tokens: int, count: Callable[[str], int]) -> str:
    """Return the longest beginning of a text within so many tokens."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[:middle]) <= tokens else (low, middle - 1)
    return text[:low]


def usage(choices: Sequence[Spoken], *, prompt: int, cached: int) -> dict[str, Any]:
    """Build the usage block: the prompt once, the completions of all choices together.

    Cached tokens appear, in both forms, only where there are some.
    """
    completed = sum(one.completion_tokens for one in choices)
    reasoned = sum(one.reasoning_tokens for one in choices)
    block: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completed,
        "total_tokens": prompt + completed,
    }
    if cached:
        block["cached_tokens"] = cached
    if reasoned:
        block["completion_tokens_details"] = {"reasoning_tokens": reasoned}
    if cached:
        block["prompt_tokens_details"] = {"cached_tokens": cached}
    return block


def completion(choices: Sequence[Spoken], envelope: Wire, usage_block: Wire) -> bytes:
    """Encode a reply that is not streamed."""
    listed = [
        {"index": index, "message": one.message, "finish_reason": one.finish_reason}
        for index, one in enumerate(choices)
    ]
    whole = {**envelope, "object": "chat.completion", "choices": listed, "usage": usage_block}
    return dumps(whole)


def chunks(
    choices: Sequence[Spoken],
    envelope: Wire,
    usage_block: Wire,
    *,
    include_usage: bool,
    null_usage: bool = False,
) -> list[bytes]:
    """Encode a reply as server-sent events, without the final `[DONE]`.

    The pieces of several choices alternate. The usage stands in the choice that finishes last,
    always, and once more on its own if asked for; with `null_usage` the chunks before that one
    then say that theirs is null.
    """
    streams = (_pieces(index, one) for index, one in enumerate(choices))
    pieces = [piece for turn in zip_longest(*streams) for piece in turn if piece is not None]
    pieces[-1] = {**pieces[-1], "usage": usage_block}
    shell = {**envelope, "object": "chat.completion.chunk"}
    more: Wire = {"usage": None} if include_usage and null_usage else {}
    bodies = [
        {**shell, "choices": [piece], "system_fingerprint": "fpv0_10a6da87", **more}
        for piece in pieces
    ]
    if include_usage:
        bodies.append({**shell, "choices": [], "usage": usage_block})
    return [b"data: " + dumps(body) + b"\n\n" for body in bodies]


def transmit(
    events: Sequence[bytes], ending: str, *, last: bytes = b"data: [DONE]\n\n"
) -> Iterator[bytes]:
    """Send events and the last one, or as far as a fault lets them.

    Raises:
        ConnectionResetError: Half way, when the ending is `reset`.
    """
    if ending in {"reset", "cut"}:
        yield from events[: max(1, len(events) // 2)]
        if ending == "reset":
            raise ConnectionResetError
        return
    yield from events
    if ending != "no_done":
        yield last


def break_off(body: bytes) -> Iterator[bytes]:
    """Send half of a body.

    Raises:
        ConnectionResetError: After that half.
    """
    yield body[: len(body) // 2]
    raise ConnectionResetError


def _spoken(message: Wire, reason: FinishReason, completion: int, reasoning: int) -> Spoken:
    return Spoken(
        message=message,
        finish_reason=reason,
        completion_tokens=completion,
        reasoning_tokens=reasoning,
    )


def _message(content: str, calls: Sequence[Wire], reasoning: str) -> Wire:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [{"index": i, **_call(one)} for i, one in enumerate(calls)]
    return message


def _call(call: Wire) -> Mapping[str, Any]:
    function = {key: call["function"][key] for key in ("name", "arguments")}
    return {"id": call["id"], "type": "function", "function": function}


def _pieces(index: int, spoken: Spoken) -> Iterator[Wire]:
    for delta in _deltas(spoken):
        yield {"index": index, "delta": delta, "finish_reason": None}
    yield {"index": index, "delta": {}, "finish_reason": spoken.finish_reason}


def _deltas(spoken: Spoken) -> Iterator[Wire]:
    message = spoken.message
    yield {"role": "assistant", "content": ""}
    for field in ("reasoning_content", "content"):
        text = message.get(field, "")
        for start in range(0, len(text), DELTA):
            yield {field: text[start : start + DELTA]}
    for call in message.get("tool_calls", ()):
        arguments = call["function"]["arguments"]
        opening = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
        yield {"tool_calls": [opening]}
        for start in range(0, len(arguments), DELTA):
            piece = {"arguments": arguments[start : start + DELTA]}
            yield {"tool_calls": [{"index": call["index"], "function": piece}]}
