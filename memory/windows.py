"""The windows of models, as far as servers told by refusing a prompt."""

from __future__ import annotations

__all__ = ("Windows",)


class Windows:
    """What was learnt of the windows of models; safe to share between threads.

    A window is what prompt and reply may have together, in tokens.
    """

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, model: str) -> int | None:
        """Return the window that was learnt for `model`, or None."""
        return self._known.get(model)

    def learn(self, model: str, tokens: int) -> bool:
        """Take `tokens` as the window of `model` and return whether that is news."""
        if tokens < 1 or self._known.get(model) == tokens:
            return False
        self._known[model] = tokens
        return True
