"""The summariser that all peers ask: it behaves well, or badly in one of three ways."""

from __future__ import annotations

from typing import Final

__all__ = ("BEHAVIOURS", "WELL", "DownError", "Summariser")

WELL: Final = "well"
BEHAVIOURS: Final[dict[str, str]] = {
    WELL: "writes a short text, the same for the same source",
    "empty": "writes nothing",
    "long": "writes what it read, and 50 words more",
    "raises": "is down: every call raises",
}
"""What it does, by name."""
PADDING: Final = " ".join(["so on"] * 25)
"""Not more: some give it what it wrote last, and would soon drown in it."""


class DownError(RuntimeError):
    """The summariser cannot be had."""


class Summariser:
    """Writes as it is told to, and keeps what nobody should use.

    Args:
        behaviour: One of `BEHAVIOURS`.
    """

    def __init__(self, behaviour: str) -> None:
        self.asked = 0
        self.unusable: list[str] = []
        self._behaviour = behaviour

    def write(self, source: str) -> str:
        """Return what it makes of a text.

        Raises:
            DownError: It is one that raises.
        """
        self.asked += 1
        if self._behaviour == WELL:
            return f"So far {len(source.split())} words were exchanged, and work went on."
        if self._behaviour == "raises":
            msg = "the summariser is down"
            raise DownError(msg)
        self.unusable.append("" if self._behaviour == "empty" else f"{source}\n{PADDING}")
        return self.unusable[-1]
