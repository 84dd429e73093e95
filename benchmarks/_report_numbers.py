"""How a measured number is written for people: as many digits as say something."""

from __future__ import annotations

from math import floor, log10
from typing import Final

__all__ = ("ABSENT", "number", "quantity")

ABSENT: Final = "–"
"""What stands for a figure that there is not."""
_DIGITS: Final = 3
_UNITS: Final = {"": "", "x": " ×"}
"""How units are written that are not written as they are called."""


def number(value: float | None) -> str:
    """Return a number with three digits that count, without an exponent."""
    if value is None:
        return ABSENT
    if value == round(value) or abs(value) >= 10 ** (_DIGITS - 1):
        return f"{value:,.0f}"
    places = _DIGITS - 1 - floor(log10(abs(value)))
    return f"{value:.{places}f}"


def quantity(value: float | None, unit: str) -> str:
    """Return a number with its unit."""
    return ABSENT if value is None else f"{number(value)}{_UNITS.get(unit, f' {unit}')}"
