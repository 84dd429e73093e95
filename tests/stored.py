"""What the tests of databases share: keys, records, and work in other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from memory.records import Compaction, Identifier, LogKey, Segment, Standing, Turn
from memory.stores import Store

__all__ = (
    "SPACE",
    "compaction",
    "elsewhere",
    "finished",
    "forked",
    "grow",
    "key",
    "open_key",
    "started",
    "turn",
)

SPACE = "tests"
HERE = Path(__file__).parent
_numbers: Iterator[int] = count()


def key(name: str = "trip", *, user: str = "ann", namespace: str = SPACE) -> LogKey:
    """Return the key of a conversation."""
    return LogKey(namespace=namespace, user=user, name=name)


def open_key(root: str = "ab", *, user: str = "ann", namespace: str = SPACE) -> LogKey:
    """Return the key of a log without a name."""
    return LogKey(namespace=namespace, user=user, root=root)


def turn(start: int = 0, text: str = "hi") -> Turn:
    """Return a turn of one message."""
    return Turn(start=start, messages=({"role": "user", "content": text},))


def compaction(text: str = "It was about crates.", **others: Any) -> Compaction:
    """Return a compaction with hashes of its own and a summary."""
    number = next(_numbers)
    coverage, adoption, mark = (bytes([kind]) + number.to_bytes(15, "big") for kind in range(3))
    segment = Segment(text=text, first=1, last=5, tokens=7, author="kimi-k2.6")
    synthetic = {"role": "user", "content": text}
    given = {"covered": 5, "coverage": coverage, "adopted": 10, "adoption": adoption, "mark": mark}
    quoted = {"standing": (Standing(text, "user"),), "identifiers": (Identifier("id", "H9ZU1C"),)}
    more = {"segments": (segment,), **quoted, "synthetic": synthetic}
    return Compaction(**{**given, **more, **others})


def grow(store: Store, where: LogKey, *, turns: int = 1, text: str = "hi") -> int:
    """Append turns of one message at the end of a log and return its version."""
    version = store.load(where).version
    for _ in range(turns):
        version = store.append(where, [turn(version, text)], expected=version)
    return version


def forked(work: Callable[[], object], *, seconds: int = 30) -> int:
    """Begin work in a forked process, which is killed after some time; return its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that threads run here is the point
        child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(seconds)
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def finished(child: int) -> int:
    """Wait for a forked process and return its exit code: 0 if its work was done."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def started(program: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Begin a program of Python in a process that knows these helpers, and talk to it by lines."""
    paths = os.pathsep.join((str(HERE.parent), str(HERE)))
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )


def elsewhere(program: str, *arguments: object, **environment: str) -> str:
    """Run a program of Python in another process to its end and return what it printed."""
    with started(program, *arguments, **environment) as process:
        printed, _ = process.communicate(timeout=60)
    assert 0 == process.returncode
    return printed
