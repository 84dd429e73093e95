"""The thresholds of one request."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("Budget",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The token thresholds of one request.

    Attributes:
        limit: Tokens the prompt may have.
        trigger: Tokens above which a compaction is due.
        target: Tokens a compaction aims at.
        reserved: Tokens above the trigger that are kept free for what is recalled.
    """

    limit: int
    trigger: int
    target: int
    reserved: int = 0

    @property
    def ceiling(self) -> int:
        """Tokens that a prompt may have with what is recalled, for what counts may be wrong by."""
        return self.trigger + self.reserved
