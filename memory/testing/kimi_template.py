"""The chat template of the Kimi K2 family, rendered to special tokens and runs of text.

A rendering is a list of pieces that can be looked at: `Special` tokens, text, and media. Text
that stands together inside one message is one piece, because it is tokenised as one run.
Kimi K3 has another template, not reproduced here: it is rendered as K2.6 is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from memory.testing.kimi_tools import json_tools, typescript_tools
from memory.testing.kimi_wire import media_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from memory.testing.kimi_wire import Wire

__all__ = (
    "K2",
    "K2_6",
    "K2_THINKING",
    "MEDIA_TOKENS",
    "Media",
    "Piece",
    "Special",
    "Template",
    "count_pieces",
    "render",
    "render_calls",
    "render_message",
    "render_opening",
    "render_tools",
    "tool_loop_start",
)

MEDIA_TOKENS = 2_000
"""Flat cost of an image or a video.

A stand-in: the true formula is unknown, and this is what Moonshot's own clients assume.
"""


class Special(IntEnum):
    """Tokens of the template: control tokens, and the role words, one token each."""

    USER = 2482
    SYSTEM = 14062
    TOOL = 20960
    ASSISTANT = 69702
    IM_END = 163586
    IM_USER = 163587
    IM_ASSISTANT = 163588
    IM_SYSTEM = 163594
    CALLS_BEGIN = 163595
    CALLS_END = 163596
    CALL_BEGIN = 163597
    ARGUMENTS_BEGIN = 163598
    CALL_END = 163599
    IM_MIDDLE = 163601
    THINK = 163606
    END_THINK = 163607


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a video, by its URL."""

    url: str


Piece = Special | str | Media
"""One element of a rendering."""

_HEADERS = {
    "user": (Special.IM_USER, Special.USER),
    "assistant": (Special.IM_ASSISTANT, Special.ASSISTANT),
    "system": (Special.IM_SYSTEM, Special.SYSTEM),
    "tool": (Special.IM_SYSTEM, Special.TOOL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What distinguishes the templates of the family.

    Attributes:
        thinking: What the generation prompt ends with when the model thinks.
        disabled: What it ends with when it does not.
        tools: Renders the declarations of tools.
        thoughts: Whether an assistant message has a place for its reasoning.
    """

    thinking: tuple[Piece, ...]
    disabled: tuple[Piece, ...]
    tools: Callable[[Sequence[Wire]], str]
    thoughts: bool = True


K2_6 = Template(
    thinking=(Special.THINK,),
    disabled=(Special.THINK, Special.END_THINK),
    tools=typescript_tools,
)
"""K2.5 and K2.6: thinking is steered by what is prefilled."""

K2_THINKING = Template(thinking=(), disabled=(), tools=json_tools)
"""K2-Thinking: nothing is prefilled."""

K2 = Template(thinking=(), disabled=(), tools=json_tools, thoughts=False)
"""K2 and the models before it, which do not think."""


def count_pieces(pieces: Iterable[Piece], count_text: Callable[[str], int]) -> int:
    """Return the tokens of a rendering."""
    total = 0
    for piece in pieces:
        if isinstance(piece, str):
            total += count_text(piece)
        else:
            total += MEDIA_TOKENS if isinstance(piece, Media) else 1
    return total


def render_tools(tools: Sequence[Wire], *, template: Template = K2_6) -> tuple[Piece, ...]:
    """Render the message that declares the tools; nothing when there is none."""
    if not (text := template.tools(tools)):
        return ()
    return (Special.IM_SYSTEM, "tool_declare", Special.IM_MIDDLE, text, Special.IM_END)


def render_message(
    message: Wire, *, reasoning: bool, template: Template = K2_6
) -> tuple[Piece, ...]:
    """Render one message.

    `reasoning` says whether the reasoning of an assistant is shown; if not, its place stays
    empty. A `partial` message is left open.
    """
    opening, word = _HEADERS[message["role"]]
    pieces: list[Piece] = [opening, message.get("name") or word, Special.IM_MIDDLE]
    if message["role"] == "assistant" and template.thoughts:
        pieces += _thoughts(message) if reasoning else [Special.THINK, Special.END_THINK]
    if message["role"] == "tool":
        pieces.append(f"## Return of {message.get('tool_call_id') or ''}\n")
    pieces += _content(message)
    pieces += render_calls(message.get("tool_calls") or ())
    if not message.get("partial"):
        pieces.append(Special.IM_END)
    return _joined(pieces)


def render_calls(calls: Sequence[Wire]) -> list[Piece]:
    """Render the section of the tool calls; nothing when there is none."""
    if not calls:
        return []
    pieces: list[Piece] = [Special.CALLS_BEGIN]
    for call in calls:
        pieces += [Special.CALL_BEGIN, call["id"], Special.ARGUMENTS_BEGIN]
        pieces += [call["function"]["arguments"], Special.CALL_END]
    return [*pieces, Special.CALLS_END]


def render_opening(*, thinking: bool, template: Template = K2_6) -> tuple[Piece, ...]:
    """Render the generation prompt, which opens the reply."""
    prefill = template.thinking if thinking else template.disabled
    return (Special.IM_ASSISTANT, Special.ASSISTANT, Special.IM_MIDDLE, *prefill)


def tool_loop_start(messages: Sequence[Wire]) -> int:
    """Return the index of the first message after the last assistant without tool calls.

    From there on the assistant is still working on one turn, and its reasoning is shown.
    """
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        plain = not message.get("tool_calls") and not message.get("partial")
        if message["role"] == "assistant" and plain:
            return index + 1
    return 0


def render(
    messages: Sequence[Wire],
    *,
    tools: Sequence[Wire] = (),
    thinking: bool = True,
    keep_reasoning: bool = False,
    template: Template = K2_6,
) -> list[tuple[Piece, ...]]:
    """Render a whole prompt: the tools, each message, the generation prompt.

    After a trailing `partial` message there is no generation prompt: the reply continues it.
    """
    loop = 0 if keep_reasoning else tool_loop_start(messages)
    parts = [render_tools(tools, template=template)]
    parts += [
        render_message(m, reasoning=index >= loop, template=template)
        for index, m in enumerate(messages)
    ]
    if not messages[-1].get("partial"):
        parts.append(render_opening(thinking=thinking, template=template))
    return [part for part in parts if part]


def _thoughts(message: Wire) -> list[Piece]:
    return [Special.THINK, message.get("reasoning_content") or "", Special.END_THINK]


def _content(message: Wire) -> list[Piece]:
    content = message.get("content") or ""
    if isinstance(content, str):
        return [content]
    return [part["text"] if part["type"] == "text" else Media(media_url(part)) for part in content]


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Join neighbouring texts and drop empty ones."""
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece != "":
            joined.append(piece)
    return tuple(joined)
