"""Counting prompts as the server does, and what a sliding window would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memory.messages import head_length, split
from memory.recording import Step, steps
from memory.testing.kimi_call import Call
from memory.testing.kimi_count import count_text
from memory.testing.kimi_models import model_like
from memory.testing.kimi_prompt import Prompts

__all__ = ("Ruler",)

Message = Mapping[str, Any]


class Ruler:
    """Counts prompts as the server does.

    Args:
        model: The model they are for.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._prompts = Prompts(count_text)

    def _sizes(self, step: Step, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the parts of a prompt: tools if any, messages, the opening."""
        body = {"messages": messages, "tools": list(step.tools), "thinking": {"type": "disabled"}}
        call = Call(body=body, model=model_like(self._model))
        return [part.tokens for part in self._prompts.prompt(call)]

    def tokens(self, step: Step, messages: Sequence[Message]) -> int:
        """Return the tokens of a prompt with these messages and the tools of a step."""
        return sum(self._sizes(step, messages))

    def window(self, step: Step, budget: int) -> list[Message]:
        """Return the head and the latest parts that fit, calls and their results together."""
        messages = step.messages
        sizes = self._sizes(step, messages)
        offset = len(sizes) - len(messages) - 1
        head = head_length(messages)
        room = budget - sum(sizes[: offset + head]) - sizes[-1]
        start = len(messages)
        for part in reversed(split(messages, start=head)):
            room -= sum(sizes[offset + part.start : offset + part.stop])
            if room < 0:
                break
            start = part.start
        return [*messages[:head], *messages[start:]]

    def news(self, conversation: Mapping[str, Any]) -> int:
        """Return the tokens that a conversation grew by from nothing but its head."""
        *_, last = steps(conversation)
        head = last.messages[: head_length(last.messages)]
        return self.tokens(last, last.messages) - self.tokens(last, head)
