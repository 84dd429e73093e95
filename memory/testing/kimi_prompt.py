"""Prompts with their token counts, and the prefix cache that is billed on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from memory.testing.kimi_template import (
    K2,
    K2_6,
    Piece,
    Template,
    count_pieces,
    render_message,
    render_opening,
    render_tools,
    tool_loop_start,
)
from memory.testing.kimi_wire import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from memory.testing.kimi_call import Call
    from memory.testing.kimi_wire import Wire

__all__ = (
    "REMEMBERED",
    "Part",
    "PrefixCache",
    "Prompts",
)

REMEMBERED = 65_536
"""How many messages, and how many prefixes, are remembered before all are forgotten."""


@dataclass(frozen=True, slots=True)
class Part:
    """One element of a prompt: the tools, a message, or the generation prompt.

    Attributes:
        pieces: Its rendering.
        tokens: How many tokens that has.
    """

    pieces: tuple[Piece, ...]
    tokens: int


class Prompts:
    """Renders and counts prompts; a message that was seen before costs a dictionary look-up.

    Safe to share between threads: at worst two render the same message.

    Args:
        count_text: Counts the tokens of a text.
    """

    def __init__(self, count_text: Callable[[str], int]) -> None:
        self._count_text = count_text
        self._parts: dict[Hashable, Part] = {}
        self._messages: dict[Hashable, dict[str, Any]] = {}

    def shared(self, body: Wire) -> dict[str, Any]:
        """Return the body with each message or input item replaced by an equal one seen before.

        Keeps a log of growing conversations from holding every message once a request.
        """
        lists = {
            name: [self._shared(one) for one in body[name]]
            for name in ("messages", "input")
            if isinstance(body.get(name), list)
        }
        return {**body, **lists}

    def _shared(self, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        _make_room(self._messages)
        return self._messages.setdefault(_key(message), message)

    def prompt(self, call: Call) -> list[Part]:
        """Return the parts of the prompt of a chat request."""
        messages = call.messages
        template = K2_6 if call.model.can_think else K2
        loop = 0 if call.keeps_reasoning else tool_loop_start(messages)
        parts = [self._tools(call.tools, template)] if call.tools else []
        parts += [
            self._message(one, template, reasoning=index >= loop)
            for index, one in enumerate(messages)
        ]
        if not messages[-1].get("partial"):
            parts.append(self._part(render_opening(thinking=call.thinking, template=template)))
        return parts

    def estimate(self, messages: Sequence[Wire]) -> int:
        """Return what the estimate endpoint answers: per message, its content and 4 tokens.

        Tools, calls and reasoning are not part of it (the sample of the documentation adds up
        to exactly this).
        """
        pieces = [render_message({**_bare(m), "role": "user"}, reasoning=False) for m in messages]
        return sum(count_pieces(one, self._count_text) for one in pieces)

    def _tools(self, tools: Sequence[Wire], template: Template) -> Part:
        key = ("tools", template.thoughts, json.dumps(tools))
        return self._remembered(key, lambda: render_tools(tools, template=template))

    def _message(self, message: Wire, template: Template, *, reasoning: bool) -> Part:
        key = (template.thoughts, reasoning, _key(message))
        return self._remembered(
            key, lambda: render_message(message, reasoning=reasoning, template=template)
        )

    def _remembered(self, key: Hashable, render: Callable[[], tuple[Piece, ...]]) -> Part:
        part = self._parts.get(key)
        if part is None:
            _make_room(self._parts)
            part = self._parts[key] = self._part(render())
        return part

    def _part(self, pieces: tuple[Piece, ...]) -> Part:
        return Part(pieces, count_pieces(pieces, self._count_text))


class PrefixCache:
    """Which prompts begin like earlier ones, part by part.

    Hits here are certain, while those of the real service are not (the same request was seen to
    hit and to miss minutes apart). The memory is bounded by forgetting everything at once.
    """

    def __init__(self) -> None:
        self._next: dict[tuple[Hashable, tuple[Piece, ...]], int] = {}
        self._lock = Lock()

    def cached_tokens(self, scope: Hashable, parts: Sequence[Part]) -> int:
        """Return the tokens of the longest beginning seen before in this scope; remember all.

        The scope is what caches are kept apart by: the model and the `prompt_cache_key`.
        """
        with self._lock:
            _make_room(self._next)
            node: Hashable = scope
            cached = 0
            for part in parts:
                step = (node, part.pieces)
                if step in self._next:
                    cached += part.tokens  # nothing that follows a new step was seen before
                node = self._next.setdefault(step, len(self._next))
            return cached


def _bare(message: Wire) -> Mapping[str, Any]:
    content = message.get("content")
    return {"content": content if isinstance(content, list) else text_of(message)}


def _key(message: Wire) -> Hashable:
    """Return something hashable that stands for the whole message, quickly for plain ones."""
    key = tuple(message.items())
    try:
        hash(key)
    except TypeError:
        return json.dumps(message)
    return key


def _make_room(memory: dict[Any, Any]) -> None:
    if len(memory) >= REMEMBERED:
        memory.clear()
