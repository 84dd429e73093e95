"""The processes in which libraries are asked whether a conversation fits."""

from __future__ import annotations

import sys
from typing import Any, Final

from benchmarks.peers import process
from benchmarks.peers.environments import ROOT, python

__all__ = ("GoneError", "Process")

OWN: Final = frozenset({"memory", "estimator"})
"""What needs no environment but this one."""
PATIENCE: Final = 300.0
"""Seconds until a process that says nothing is given up; a first import takes many of them."""


class GoneError(Exception):
    """The process of a library said nothing for too long, or ended."""


class Process(process.Process):
    """A process of `benchmarks.peers.counting`, until it is closed.

    Args:
        name: Which library, as that module names it.
    """

    def __init__(self, name: str) -> None:
        requirements = ROOT / "benchmarks" / "peers" / "requirements" / f"{name}.txt"
        command = [sys.executable] if name in OWN else python(requirements)
        self._name = name
        super().__init__(
            [*command, "-m", "benchmarks.peers.counting", name], patience=PATIENCE, quiet=True
        )

    def ask(self, operation: str, **more: Any) -> dict[str, Any]:
        """Return the answer to an order; see `benchmarks.peers.counting.answer`.

        Args:
            operation: Its name.
            **more: What else it says.

        Raises:
            GoneError: There is none.
        """
        found = self.answer(operation, **more)
        if found is None:
            message = f"{self._name}: no answer"
            raise GoneError(message)
        return found
