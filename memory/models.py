"""Facts about Kimi models that change what may be sent.

Windows and thinking rules are those of the official model list and quick-start pages
(platform.kimi.ai/docs, read 2026-10). A model that is not listed gets cautious answers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

__all__ = (
    "DEFAULT_MODEL",
    "UNKNOWN_WINDOW",
    "Thinking",
    "is_known",
    "keeps_reasoning",
    "thinking",
    "window",
)

DEFAULT_MODEL = "kimi-k2.6"
"""The model used where nobody named one."""

UNKNOWN_WINDOW = 131_072
"""Tokens assumed for a model that the table does not know: the smallest window still common."""

Thinking = Literal["switchable", "always", "unknown"]
"""Whether a model's thinking can be turned off by `{"thinking": {"type": "disabled"}}`."""

_FAMILIES: tuple[tuple[str, int, Thinking], ...] = (
    # prefix of the model id, window in tokens, thinking; the first match counts
    ("kimi-k3", 1_048_576, "always"),
    ("kimi-k2.7", 262_144, "always"),
    ("kimi-k2.6", 262_144, "switchable"),
    ("kimi-k2.5", 262_144, "switchable"),
    ("kimi-k2-thinking", 262_144, "always"),
    ("kimi-k2", 262_144, "unknown"),
    ("moonshot-v1-8k", 8_192, "unknown"),
    ("moonshot-v1-32k", 32_768, "unknown"),
    ("moonshot-v1", 131_072, "unknown"),
)


def window(model: str) -> int:
    """Return how many tokens prompt and reply of `model` may have together.

    A model that is not listed gets `UNKNOWN_WINDOW`.
    """
    return _facts(model)[0]


def is_known(model: str) -> bool:
    """Return whether the table knows the window of `model`."""
    return any(_name(model).startswith(prefix) for prefix, _, _ in _FAMILIES)


def thinking(model: str) -> Thinking:
    """Return whether the thinking of `model` can be switched off.

    Only `"switchable"` models accept the `thinking` parameter with `"disabled"`; sending it to
    any other is an error or is ignored.
    """
    return _facts(model)[1]


def keeps_reasoning(model: str) -> bool:
    """Return whether the prompt of `model` keeps the thoughts of all earlier turns.

    The public template of kimi-k2.7-code does; of kimi-k3 it is inferred, since both always
    think and ask for `reasoning_content` to be sent back.
    """
    return thinking(model) == "always" and "kimi-k2-thinking" not in model


@lru_cache(maxsize=256)
def _facts(model: str) -> tuple[int, Thinking]:
    name = _name(model)
    for prefix, tokens, mode in _FAMILIES:
        if name.startswith(prefix):
            return tokens, mode
    return UNKNOWN_WINDOW, "unknown"


def _name(model: str) -> str:
    return model.rsplit("/", 1)[-1].lower()  # "moonshotai/kimi-k2.6" at resellers
