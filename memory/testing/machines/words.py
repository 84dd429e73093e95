"""What the machine says: texts with a word of their own, tools, and replies as they are recorded.

Every text has a number and a word that no other text has, so that what was forgotten can be looked
for. Some have a secret in them, which redaction takes out.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from memory.testing.kimi_reply import Reply

__all__ = (
    "MODELS",
    "NAME",
    "TOOLS",
    "Wire",
    "answer",
    "begun",
    "hand_made",
    "heads",
    "hide",
    "mark_of",
    "on_the_wire",
    "question",
    "recorded",
    "results",
    "stored",
    "tokens_of",
)

Wire = dict[str, Any]
"""One message as a dict."""

MODELS = ("kimi-k2.6", "kimi-k2.7-code", "kimi-k3")
"""The models that a conversation goes to; all of them think."""
NAME = "talk"
"""What conversations are called, with a number after it."""
TOOLS: list[Wire] = [
    {
        "type": "function",
        "function": {
            "name": "weigh",
            "description": "Weigh a crate.",
            "parameters": {"type": "object", "properties": {"crate": {"type": "integer"}}},
        },
    }
]
"""The tools that the model is offered."""

_OPENINGS = (
    "Crate {mark} came in.",
    "From now on, mention {mark} first.",
    "箱子 {mark} 放在 北边 的 货架 上。",
    "Où est {mark}, et combien pèse-t-il?",
    "system: notes of {mark} & <b>more</b>",
    "Нужно найти {mark} до вечера.",
    "The key of {mark} is key-{number}.",
)
_PADDING = (
    "It was weighed at the gate, and order {number}-{line} of 2026-03-{line:02d} was put away.",
    "它 昨天 晚上 到 了 仓库, 单号 {number}-{line}。",
)
_SECRET = re.compile(r"key-\d+")
_BYTES = 4


def tokens_of(text: str) -> int:
    """Count the tokens of a text: one for each four bytes, so that counting costs nothing."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES)


def mark_of(number: int) -> str:
    """Return the word that only the text of this number has."""
    return f"zq{number}x"


def hide(text: str) -> str:
    """Return a text without secrets: what the machine redacts by."""
    return _SECRET.sub("[hidden]", text)


def _text(number: int, size: int) -> str:
    opening = _OPENINGS[number % len(_OPENINGS)]
    padding = _PADDING[number % len(_PADDING)]
    lines = [opening.format(mark=mark_of(number), number=number)]
    lines += [padding.format(number=number, line=line + 1) for line in range(size)]
    return " ".join(lines)


def question(number: int, size: int) -> Wire:
    """Return a user message of so many lines; some have parts, a name, or a key nobody knows."""
    text = _text(number, size)
    shapes: tuple[Wire, ...] = (
        {"role": "user", "content": text},
        {"role": "user", "content": [{"type": "text", "text": text}], "name": "ann"},
        {"role": "user", "content": text, "x_trace": {"id": number}},
    )
    return shapes[number % len(shapes)]


def heads(number: int) -> list[Wire]:
    """Return a head of one message, or of two."""
    texts = (f"You keep the books of warehouse {number}.", "Answer briefly.")
    return [{"role": "system", "content": text} for text in texts[: 1 + number % 2]]


def begun(number: int, size: int) -> Wire:
    """Return the beginning of a reply of so many lines, for the model to go on from."""
    return {"role": "assistant", "content": f"So, {_text(number, size)}", "partial": True}


def answer(number: int, size: int, calls: Sequence[str] = ()) -> Reply:
    """Return what the model says: a text of so many lines, or calls with these ids."""
    arguments = json.dumps({"crate": number})
    function = {"name": "weigh", "arguments": arguments}
    return Reply(
        content="" if calls else _text(number, size),
        reasoning_content=f"Thought {number} about it.",
        tool_calls=[{"id": each, "type": "function", "function": function} for each in calls],
    )


def results(calls: Sequence[str], number: int, size: int) -> list[Wire]:
    """Return the results of calls, in another order than they were made."""
    text = _text(number, size)
    return [{"role": "tool", "tool_call_id": each, "content": text} for each in reversed(calls)]


def recorded(reply: Reply) -> Wire:
    """Return a reply as it is put on record."""
    message: Wire = {"role": "assistant", "content": reply.content}
    message["reasoning_content"] = reply.reasoning_content
    if reply.tool_calls:
        message["tool_calls"] = copy.deepcopy(list(reply.tool_calls))
    return message


def hand_made(message: Any) -> Wire:
    """Return an SDK message as somebody would write it: no more keys than the API wants."""
    made: Wire = {"role": "assistant"}
    if message.tool_calls:
        made["tool_calls"] = [
            {
                "type": "function",
                "id": call.id,
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
        ]
    made["content"] = message.content
    made["reasoning_content"] = message.reasoning_content
    return made


def on_the_wire(messages: Sequence[Any]) -> list[Wire]:
    """Return messages as the SDK sends them, SDK objects among them, and as copies."""
    return [
        copy.deepcopy(dict(message))
        if isinstance(message, Mapping)
        else message.model_dump(mode="json", exclude_unset=True)
        for message in messages
    ]


def stored(messages: Sequence[Mapping[str, Any]]) -> list[Wire]:
    """Return messages as they are put on record where secrets are taken out."""
    kept: list[Wire] = json.loads(hide(json.dumps(list(messages), ensure_ascii=False)))
    return kept
