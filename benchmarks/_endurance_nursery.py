"""Programs that can be had within milliseconds, listened to, and killed."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from benchmarks._endurance_talk import Job

__all__ = ("Nursery", "Program")

ROOT: Final = Path(__file__).resolve().parent.parent
Fact = dict[str, Any]
"""What a program told in one line."""


class Program:
    """A program at work.

    Attributes:
        number: Its process.
    """

    def __init__(self, nursery: Nursery, number: int, orders: int, reports: int) -> None:
        self.number = number
        self._nursery = nursery
        self._orders = orders
        self._reports = reports
        self._begun = b""
        self.ended = False

    def told(self, seconds: float) -> list[Fact]:
        """Return what it has told, as soon as there is something or so many seconds are over."""
        if self.ended or not select.select([self._reports], [], [], seconds)[0]:
            return []
        read = os.read(self._reports, 1 << 20)
        self.ended = not read
        *lines, self._begun = (self._begun + read).split(b"\n")
        return [json.loads(line) for line in lines]

    def until(self, key: str, *, seconds: float) -> list[Fact]:
        """Return what it tells up to a fact of a kind.

        Raises:
            TimeoutError: It does not tell that in time.
            ChildProcessError: It has ended before.
        """
        facts: list[Fact] = []
        end = time.monotonic() + seconds
        while not any(key in fact for fact in facts):
            if self.ended:
                msg = f"program {self.number} ended without {key!r}: {facts[-3:]}"
                raise ChildProcessError(msg)
            if time.monotonic() > end:
                msg = f"program {self.number} did not tell {key!r} in {seconds} s: {facts[-3:]}"
                raise TimeoutError(msg)
            facts += self.told(end - time.monotonic())
        return facts

    def order(self, text: bytes) -> None:
        """Send it something to read."""
        while text:
            text = text[os.write(self._orders, text) :]

    def kill(self) -> list[Fact]:
        """Kill it, if it runs still, and return what it had told."""
        with suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGKILL)
        return self.rest()

    def rest(self) -> list[Fact]:
        """Return what it tells up to its end."""
        facts: list[Fact] = []
        while not self.ended:
            facts += self.told(60.0)
        self._nursery.wait(self.number)
        self.close()
        return facts

    def fileno(self) -> int:
        """Return what to wait for until it tells something."""
        return self._reports

    def dismiss(self) -> list[Fact]:
        """Let it end by itself, which it does without orders, and return what it still tells."""
        os.close(self._orders)
        self._orders = -1
        return self.rest()

    def close(self) -> None:
        """Close the pipes; once is enough."""
        for descriptor in {self._orders, self._reports} - {-1}:
            os.close(descriptor)
        self._orders = self._reports = -1


class Nursery:
    """A process that forks programs: it has imported everything already.

    What any of them complains of, such as files left open, is in `complaints` afterwards.
    """

    def __init__(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self.complaints = ""

    def __enter__(self) -> Self:
        """Start the process."""
        self._control, far = socket.socketpair()
        command = (sys.executable, "-W", "error", "-m", "benchmarks._endurance_child")
        with far:
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter
                (*command, str(far.fileno())),
                cwd=ROOT,
                pass_fds=(far.fileno(),),
                stderr=self._stderr,
            )
        self._line()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the process; what it has forked goes on."""
        self._control.close()
        self._process.wait(60)
        self._stderr.seek(0)
        self.complaints = self._stderr.read().decode()
        self._stderr.close()

    def fork(self, job: Job) -> Program:
        """Return a program that begins with a job now."""
        (their_orders, orders), (reports, their_reports) = os.pipe(), os.pipe()
        _widen(reports)
        socket.send_fds(self._control, [b"fork"], [their_orders, their_reports])
        number = int(self._line())
        os.close(their_orders)
        os.close(their_reports)
        program = Program(self, number, orders, reports)
        with suppress(BrokenPipeError):  # it is dead already
            program.order(json.dumps(asdict(job)).encode() + b"\n")
        return program

    def wait(self, number: int) -> int:
        """Return the exit status of a program, negative for a signal, once it has ended."""
        self._control.sendall(b"wait %d" % number)
        return int(self._line())

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            read = self._control.recv(64)
            if not read:
                self._stderr.seek(0)
                raise ChildProcessError(self._stderr.read().decode())
            line += read
        return line


def _widen(pipe: int) -> None:
    """Let a pipe hold what a program tells while nobody reads, where the system can do that."""
    try:
        import fcntl  # noqa: PLC0415  # not everywhere

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)
    except (ImportError, AttributeError, OSError):
        return
