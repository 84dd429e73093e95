"""What tokens cost: the prices of a model, who says so, and tokens by how they are paid for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from memory.errors import ConfigError

if TYPE_CHECKING:
    from memory.testing import Served

__all__ = ("NOTHING", "TARIFFS", "Prices", "Tariff", "Volume")

TARIFFS: Final = Path(str(files("memory.tuning"))) / "tariffs"
"""The directory of the price files that come with the library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per million tokens.

    Attributes:
        input: Prompt tokens that the server had not cached.
        cached: Prompt tokens that it had.
        output: Completion tokens.
    """

    input: float
    cached: float
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Tokens that a server counted, summaries included.

    Attributes:
        prompt: Prompt tokens.
        cached: Those of them that the server had cached.
        completion: Completion tokens.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0

    @classmethod
    def of(cls, served: Iterable[Served]) -> Volume:
        """Add up the requests that a fake has served."""
        answered = [each for each in served if each.status == 200]  # noqa: PLR2004  # OK
        return cls(
            prompt=sum(each.prompt_tokens for each in answered),
            cached=sum(each.cached_tokens for each in answered),
            completion=sum(each.completion_tokens for each in answered),
        )

    def cost(self, prices: Prices, *, cached: bool = True) -> float:
        """Return US dollars; without `cached`, as if the server cached nothing."""
        hits = self.cached if cached else 0
        dollars = (self.prompt - hits) * prices.input + hits * prices.cached
        return (dollars + self.completion * prices.output) / 1e6


NOTHING: Final = Volume()
"""No tokens at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A price file: what a model costs, and who says so.

    Attributes:
        name: The file, without its ending.
        model: The model.
        prices: US dollars per million tokens.
        source: Where the prices are from.
    """

    name: str
    model: str
    prices: Prices
    source: str

    @classmethod
    def read(cls, path: Path) -> Tariff:
        """Read a price file: a JSON object with `model`, the prices by name, and `source`.

        Raises:
            ConfigError: It cannot be read, or something is missing; the message names the file.
        """
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            prices = Prices(**{field.name: float(read[field.name]) for field in fields(Prices)})
            if min(asdict(prices).values()) < 0:
                raise ValueError("a price is below zero")  # noqa: EM101, TRY003, TRY301  # caught
            model, source = str(read["model"]), str(read.get("source", path.name))
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = (
                f"{path}: no price file ({error!r}); it has to be a JSON object with model, input, "
                "cached and output in US dollars per million tokens, and source"
            )
            raise ConfigError(msg) from error
        return cls(name=path.stem, model=model, prices=prices, source=source)

    @classmethod
    def of(cls, model: str) -> Tariff:
        """Return the prices of a model that the library comes with.

        Raises:
            ConfigError: It has none for this model.
        """
        known = [cls.read(path) for path in sorted(TARIFFS.glob("*.json"))]
        for tariff in known:
            if tariff.model == model:
                return tariff
        names = ", ".join(tariff.model for tariff in known)
        msg = f"no prices for {model}, only for {names}: name a price file"
        raise ConfigError(msg)

    def dollars(self, volume: Volume) -> float:
        """Return what tokens cost."""
        return volume.cost(self.prices)

    def row(self) -> dict[str, Any]:
        """Return the file as a JSON object."""
        return {"model": self.model, **asdict(self.prices), "source": self.source}
