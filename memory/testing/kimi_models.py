"""The models the fake server offers, and what distinguishes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memory import models

__all__ = (
    "LEGACY_MODELS",
    "LIVE_MODELS",
    "Family",
    "Model",
    "model_like",
)

Family = Literal["moonshot-v1", "k2", "k2.5", "k2.6", "k2.7-code", "k3"]
"""Which rules a model follows.

k2.5 and k2.6 can stop thinking; of the others the newer ones always think and the two older ones
never do. Only the older ones leave sampling to the caller, several choices included.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of the list.

    Attributes:
        id: The name in requests.
        family: Which rules it follows.
        context_length: The window in tokens, prompt and completion together.
        default_completion: The cap on a completion in tokens when a request names none.
        created: When it appeared, in seconds.
    """

    id: str
    family: Family
    context_length: int = 262_144
    default_completion: int = 32_768
    created: int = 1_781_222_400

    @property
    def can_think(self) -> bool:
        """Whether the model knows how to think before it answers."""
        return self.family not in {"moonshot-v1", "k2"}

    def card(self) -> dict[str, object]:
        """Return the entry of GET /v1/models."""
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": "moonshot",
            "context_length": self.context_length,
            "supports_image_in": self.can_think,
            "supports_video_in": self.can_think,
            "supports_reasoning": self.can_think,
        }


LIVE_MODELS = (
    Model(id="kimi-k3", family="k3", context_length=1_048_576, default_completion=131_072),
    Model(id="kimi-k2.7-code", family="k2.7-code"),
    Model(id="kimi-k2.7-code-highspeed", family="k2.7-code"),
    Model(id="kimi-k2.6", family="k2.6"),
)
"""The models api.moonshot.ai serves since 2026-08-31; every older one answers 404."""

_OLD_DEFAULT = 1_024
"""Tokens of a completion that the first models stop at when a request names no cap."""

LEGACY_MODELS = (
    Model(id="kimi-k2.5", family="k2.5"),
    Model(id="kimi-k2-0905-preview", family="k2"),
    Model(id="kimi-k2-turbo-preview", family="k2"),
    Model(id="kimi-k2-0711-preview", family="k2", context_length=131_072),
    *(
        Model(
            id=f"moonshot-v1-{window // 1_024}k",
            family="moonshot-v1",
            context_length=window,
            default_completion=_OLD_DEFAULT,
        )
        for window in (8_192, 32_768, 131_072)
    ),
)
"""Models that api.moonshot.ai has retired; third parties still serve some of them."""


def model_like(name: str) -> Model:
    """Return the live model of that name; one that is not among them is like kimi-k2.6.

    Args:
        name: As in requests.
    """
    for model in LIVE_MODELS:
        if model.id == name:
            return model
    return Model(id=name, family="k2.6", context_length=models.window(name))
