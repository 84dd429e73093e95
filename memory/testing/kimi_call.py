"""A chat request, read: what its fields mean for the model it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.testing.kimi_models import Model
    from memory.testing.kimi_wire import Wire

__all__ = ("Call",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The body of a chat request and the model it names.

    What is read from the body may only be used once the rules have accepted it.

    Attributes:
        body: As it was sent.
        model: The model it names.
    """

    body: Wire
    model: Model

    @property
    def messages(self) -> Sequence[Wire]:
        """The conversation."""
        messages: Sequence[Wire] = self.body["messages"]
        return messages

    @property
    def tools(self) -> Sequence[Wire]:
        """The declared tools."""
        return self.body.get("tools") or ()

    @property
    def thinking(self) -> bool:
        """Whether the model thinks before it answers: by default, on some always or never."""
        if not self.model.can_think:
            return False
        if self.model.family in {"k2.7-code", "k3"}:
            return True
        return (self.body.get("thinking") or {}).get("type") != "disabled"

    @property
    def keeps_reasoning(self) -> bool:
        """Whether old reasoning stays in the prompt, not only that of the current tool loop.

        k2.6 asks for it with `thinking.keep`; the models that always think never drop it.
        """
        if self.model.family in {"k2.7-code", "k3"}:
            return True
        return self.thinking and (self.body.get("thinking") or {}).get("keep") == "all"

    @property
    def cap(self) -> int | None:
        """The explicit cap on the completion in tokens; the newer of the two names wins."""
        newer: int | None = self.body.get("max_completion_tokens")
        older: int | None = self.body.get("max_tokens")
        return older if newer is None else newer

    @property
    def choices(self) -> int:
        """How many replies are asked for."""
        return int(self.body.get("n") or 1)

    @property
    def stream(self) -> bool:
        """Whether the reply is to be streamed."""
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        """Whether a streamed reply is to end with a chunk of its own for the usage."""
        return bool((self.body.get("stream_options") or {}).get("include_usage"))
