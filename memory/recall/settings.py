"""What was decided about recall, once, when the settings were read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from memory.cache import GenerationCache

__all__ = ("Recall", "RecallMode", "Shown")

RecallMode = Literal["off", "auto", "tool"]
"""Whether originals come back: never, with each prompt that asks for them, or when the model
searches for them."""


class Shown:
    """Which snippet messages this process has made, so that one that is passed in again is known.

    A digest is remembered and never the text; whoever forges a snippet message is not believed.
    """

    __slots__ = ("_digests",)

    def __init__(self) -> None:
        self._digests: GenerationCache[bool] = GenerationCache(entries=10_000)

    def add(self, digest: bytes) -> None:
        """Remember a snippet message by its digest."""
        self._digests.put(digest, value=True)

    def __contains__(self, digest: object) -> bool:
        """Return whether a message with this digest is one of ours."""
        return isinstance(digest, bytes) and self._digests.get(digest) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How originals come back.

    Attributes:
        mode: When.
        share: The most that they may have of the limit, 0 to 1.
        floor: How relevant the best of them has to be for any to be shown; see
            `memory.recall.choice.relevance`.
        execute: Whether the wrapped client runs the searches that the model asks for.
        rounds: How many requests with searches of the model a call may have.
        by_store: Whether the store answers lexical questions about conversations with a name.
        shown: The snippet messages made so far.
        kept: What was recalled for the latest turns; see `memory.flow.recall`.
    """

    mode: RecallMode
    share: float = 0.25
    floor: float = 0.55
    execute: bool = False
    rounds: int = 3
    by_store: bool = False
    shown: Shown = field(default_factory=Shown)
    kept: GenerationCache[Any] = field(default_factory=lambda: GenerationCache(entries=256))
