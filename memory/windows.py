"""The windows of models, as far as servers told by refusing a prompt."""

from __future__ import annotations

__all__ = ("Windows",)


class Windows:
    """What was learnt of the windows of models; safe to share between threads.

    A window is what prompt and reply may have together, in tokens.
    """

    def __init__(self) -> None:
        self._stated: dict[str, int] = {}
        self._guessed: dict[str, int] = {}
        self._replies: dict[str, int] = {}

    def of(self, model: str) -> int | None:
        """Return the window that was learnt for `model`, or None."""
        return self._stated.get(model, self._guessed.get(model))

    def is_guess(self, model: str) -> bool:
        """Return whether no server named the window of `model`, so that it is only a bound."""
        return model in self._guessed and model not in self._stated

    def learn(self, model: str, tokens: int, *, stated: bool = True) -> bool:
        """Take `tokens` as the window of `model` and return whether that is news.

        Args:
            model: The model.
            tokens: What prompt and reply may have together.
            stated: Whether a server named the number; else it refused something of that size.
        """
        if tokens < 1 or self.of(model) == tokens:
            return False
        (self._stated if stated else self._guessed)[model] = tokens
        return True

    def reply(self, model: str) -> int | None:
        """Return the room for a reply that is asked for while the window is a guess, or None."""
        return self._replies.get(model) if self.is_guess(model) else None

    def shorten(self, model: str, tokens: int) -> None:
        """Have no more than so many tokens asked for, as long as the window is a guess."""
        self._replies[model] = tokens

    def refute(self, model: str) -> None:
        """Forget a bound that turned out too low; what a server named stays."""
        self._guessed.pop(model, None)

    def accepted(self, model: str, tokens: int) -> None:
        """Take note that a prompt of so many tokens was accepted: no lower bound can be right."""
        if tokens >= self._guessed.get(model, tokens + 1):
            self.refute(model)
