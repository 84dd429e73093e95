"""A gate that many pass at once, and that closes for one who needs everybody out."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("Gate",)


class Gate:
    """Who is inside, and whether anybody may enter."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._shut = False

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be inside; the gate is waited for while it is shut."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> None:
        """Go in, as soon as the gate is open."""
        with self._changed:
            while self._shut:
                self._changed.wait()
            self._inside += 1

    def leave(self) -> None:
        """Go out."""
        with self._changed:
            self._inside -= 1
            if self._shut:
                self._changed.notify_all()

    def shut(self, timeout: float) -> bool:
        """Let nobody in until `open`; return whether everybody was out in time.

        Args:
            timeout: Seconds to wait for those who are inside.
        """
        end = time.monotonic() + timeout
        with self._changed:
            while self._shut:
                self._changed.wait()
            self._shut = True
            while self._inside and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._inside

    def open(self) -> None:
        """Let everybody in again."""
        with self._changed:
            self._shut = False
            self._changed.notify_all()
