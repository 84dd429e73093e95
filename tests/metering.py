"""What the tests of the meter share: meters that count words, and messages of every kind."""

from __future__ import annotations

from workbench import Wire, WordCounter, exchange, picture, words

from memory.meter import Meter
from memory.tokens import Counter

__all__ = ("CALLING", "MEDIA", "OTHER", "PHOTO", "THINKING", "THOUGHTFUL", "TOOL", "meter")

MEDIA = 2_000
TOOL: Wire = {"type": "function", "function": {"name": "look", "description": words(50)}}
OTHER: Wire = {"type": "function", "function": {"name": "find", "description": words(50)}}
PHOTO: Wire = {"role": "user", "content": [picture("cat")]}
THINKING: Wire = {"role": "assistant", "content": "a b", "reasoning_content": "c d e"}
THOUGHTFUL: Wire = exchange("x")[0] | {"reasoning_content": words(30)}
CALLING: Wire = exchange("one two", content="a b")[0] | {"reasoning_content": "c d e"}


def meter(counter: Counter | None = None) -> Meter:
    """Return a meter that counts words unless told otherwise."""
    return Meter(counter or WordCounter(), media_tokens=MEDIA)
