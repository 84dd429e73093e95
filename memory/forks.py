"""Who has to know that the process is forked; one registration with the system for all of them."""

from __future__ import annotations

import os
import threading
from weakref import WeakSet

__all__ = ("Forking", "attend")

_all: WeakSet[Forking] = WeakSet()
_lock = threading.RLock()
"""Held over a fork by the thread that forks, so that the list is whole in the child."""


class Forking:
    """Something that a fork concerns; see `attend`."""

    def before_fork(self) -> None:
        """Make ready for a fork."""

    def after_fork(self, *, child: bool) -> None:
        """Go on after a fork, in the child or in the parent."""
        raise NotImplementedError


def attend(one: Forking) -> None:
    """Tell an object of every fork, for as long as it lives."""
    with _lock:
        _all.add(one)


def _before() -> None:
    _lock.acquire()
    for one in [*_all]:
        one.before_fork()


def _after(*, child: bool) -> None:
    for one in [*_all]:
        one.after_fork(child=child)
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(child=False),
        after_in_child=lambda: _after(child=True),
    )
