"""A library in a process of its own, which is told what to do line by line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any, Final, TextIO, cast

from benchmarks.peers.environments import ROOT, environ

__all__ = ("Process",)

FAREWELL: Final = 5
"""Seconds that a process has to end."""


class Process:
    """A process that answers each line of JSON with one, until it is closed.

    Args:
        command: What is run.
        patience: Seconds until one that says nothing is given up; a first import takes many.
        quiet: Whether what it says of itself is dropped.
    """

    def __init__(self, command: Sequence[str], *, patience: float, quiet: bool = False) -> None:
        self._patience = patience
        self._directory = TemporaryDirectory()
        self._process = subprocess.Popen(  # noqa: S603  # uv, with names of our own
            command,
            cwd=self._directory.name,
            env=environ() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
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

    def answer(self, operation: str, **more: Any) -> dict[str, Any] | None:
        """Return the answer to an order; None if there is none.

        Args:
            operation: Its name.
            **more: What else it says.
        """
        watch = Timer(self._patience, self._process.kill)
        watch.start()
        line = ""
        with suppress(BrokenPipeError, ValueError):  # the latter once it is closed
            print(json.dumps({"op": operation, **more}), file=self._said, flush=True)
            line = self._heard.readline()
        watch.cancel()
        return cast("dict[str, Any]", json.loads(line)) if line else None
