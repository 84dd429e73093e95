"""The processes in which libraries are asked whether a conversation fits."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from threading import Timer
from typing import Any, Final, TextIO, cast

from benchmarks.peers.environments import ROOT, environ, python

__all__ = ("GoneError", "Process")

OWN: Final = frozenset({"memory", "estimator"})
"""What needs no environment but this one."""
PATIENCE: Final = 300.0
"""Seconds until a process that says nothing is given up; a first import takes many of them."""


class GoneError(Exception):
    """The process of a library said nothing for too long, or ended."""


class Process:
    """A process of `benchmarks.peers.counting`, until it is closed.

    Args:
        name: Which library, as that module names it.
    """

    def __init__(self, name: str) -> None:
        requirements = ROOT / "benchmarks" / "peers" / "requirements" / f"{name}.txt"
        command = [sys.executable] if name in OWN else python(requirements)
        self._name = name
        self._process = subprocess.Popen(  # noqa: S603  # uv, with names of our own
            [*command, "-m", "benchmarks.peers.counting", name],
            env=environ() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        pipes = (self._process.stdin, self._process.stdout)
        self._said, self._heard = (cast("TextIO", pipe) for pipe in pipes)

    def ask(self, operation: str, **more: Any) -> dict[str, Any]:
        """Return the answer to an order; see `benchmarks.peers.counting.answer`.

        Args:
            operation: Its name.
            **more: What else it says.

        Raises:
            GoneError: There is none.
        """
        watch = Timer(PATIENCE, self._process.kill)
        watch.start()
        line = ""
        with suppress(BrokenPipeError):
            print(json.dumps({"op": operation, **more}), file=self._said, flush=True)
            line = self._heard.readline()
        watch.cancel()
        if not line:
            message = f"{self._name}: no answer"
            raise GoneError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self._said.close()
        self._process.wait()
        self._heard.close()
