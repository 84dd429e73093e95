"""A peer in a process of its own, which is told what to do line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any, Final, TextIO, cast

from benchmarks.peers import COMPARED
from benchmarks.peers.environments import ROOT, environ, python

__all__ = ("Answer", "Process")

Answer = dict[str, Any]

REQUIREMENTS: Final = ROOT / "benchmarks" / "peers" / "requirements"
OWN: Final = "kimi-memory"
"""What needs no environment but this one."""
FAREWELL: Final = 5
"""Seconds that a process has to end."""
PATIENCE: Final = 120
"""Seconds until a peer that says nothing is given up; a first import takes many of them."""
GONE: Final = "the process said nothing for too long, or ended"


class Process:
    """The process of a peer, until it is closed.

    Args:
        name: Which peer.
    """

    def __init__(self, name: str) -> None:
        self._directory = TemporaryDirectory()
        own = COMPARED[name].distribution == OWN
        command = [sys.executable] if own else python(REQUIREMENTS / f"{name}.txt")
        self._process = subprocess.Popen(  # noqa: S603  # uv, with names of our own
            [*command, "-m", "benchmarks.peers.faults_child", name],
            cwd=self._directory.name,
            env=environ() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        pipes = (self._process.stdin, self._process.stdout)
        self._said, self._heard = (cast("TextIO", pipe) for pipe in pipes)

    @property
    def gone(self) -> bool:
        """Whether it ended."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the process, kindly if it can be."""
        with suppress(BrokenPipeError):
            self._said.close()
        self._heard.close()
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._directory.cleanup()

    def tell(self, operation: str, **more: Any) -> Answer:
        """Return the answer to an order; that of a process that is gone is an error.

        Args:
            operation: Its name.
            **more: What else it says.
        """
        watch = Timer(PATIENCE, self._process.kill)
        watch.start()
        line = ""
        with suppress(BrokenPipeError, ValueError):  # the latter once it is closed
            print(json.dumps({"op": operation, **more}), file=self._said, flush=True)
            line = self._heard.readline()
        watch.cancel()
        answer: Answer = json.loads(line) if line else {"error": GONE}
        return answer
