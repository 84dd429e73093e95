"""A peer in a process of its own, as the fault matrix talks to it."""

from __future__ import annotations

import sys
from typing import Any, Final

from benchmarks.peers import COMPARED, process
from benchmarks.peers.environments import ROOT, python

__all__ = ("Answer", "Process")

Answer = dict[str, Any]

REQUIREMENTS: Final = ROOT / "benchmarks" / "peers" / "requirements"
OWN: Final = "kimi-memory"
"""What needs no environment but this one."""
PATIENCE: Final = 120
"""Seconds until a peer that says nothing is given up; a first import takes many of them."""
GONE: Final = "the process said nothing for too long, or ended"


class Process(process.Process):
    """The process of a peer, until it is closed.

    Args:
        name: Which peer.
    """

    def __init__(self, name: str) -> None:
        own = COMPARED[name].distribution == OWN
        command = [sys.executable] if own else python(REQUIREMENTS / f"{name}.txt")
        super().__init__([*command, "-m", "benchmarks.peers.faults_child", name], patience=PATIENCE)

    def tell(self, operation: str, **more: Any) -> Answer:
        """Return the answer to an order; that of a process that is gone is an error.

        Args:
            operation: Its name.
            **more: What else it says.
        """
        found = self.answer(operation, **more)
        return {"error": GONE} if found is None else found
