"""Leases of a store: who has a turn, or writes a summary, among the processes that share it.

What is written is protected by the version of the log. Leases only save effort: a summary that is
paid for twice, a turn that is moved behind another one. So whatever fails here counts as granted.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
import time
import weakref
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.cache import GenerationCache
from memory.drive import running_loop
from memory.flow import Effect, Load, Stored
from memory.forks import Forking, attend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from memory.flow import Flow
    from memory.records import LogKey

__all__ = ("TURN", "Lease", "Leases", "Sleep", "summary_purpose")

SECONDS = 15.0
"""How long a lease outlives the process that does not renew it any more."""
EXCHANGE = 60.0
"""Seconds for which those who were asked to call tools are waited for."""
SHORTEST, LONGEST, GROWTH = 0.01, 0.05, 1.3
"""Seconds between two looks at a lease that somebody else has, and how they grow."""
_ANSWERED = object()
TURN = "turn"
"""The purpose of the lease that a turn has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep(Effect[None]):
    """Ask to go on later."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Acquire(Stored[bool]):
    key: LogKey
    purpose: str
    owner: str
    seconds: float

    def on(self, store: Any) -> Any:
        return store.acquire(self.key, self.purpose, owner=self.owner, seconds=self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder(Stored["str | None"]):
    key: LogKey
    purpose: str

    def on(self, store: Any) -> Any:
        return store.holder(self.key, self.purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class _GiveUp(Stored[None]):
    key: LogKey
    purpose: str
    owner: str

    def on(self, store: Any) -> Any:
        return store.release(self.key, self.purpose, owner=self.owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease that was taken."""

    key: LogKey
    purpose: str
    owner: str
    loop: asyncio.AbstractEventLoop | None = None
    """Where it was taken, for stores that only tasks can ask."""


class Leases(Forking):
    """What this process has of the leases of a store; safe to share between threads.

    Args:
        store: The store; one without leases grants everything.
        amid: Marks that this thread asks the store, so that nothing else does so here meanwhile.
    """

    def __init__(self, store: Any, amid: AbstractContextManager[object] | None = None) -> None:
        self._store = store
        self._amid = nullcontext() if amid is None else amid
        self._token = secrets.token_hex(8)
        self._kept: set[Lease] = set()
        self._numbers = count()
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._opened: GenerationCache[object] = GenerationCache(entries=10_000)
        attend(self)

    @property
    def supported(self) -> bool:
        """Whether the store has leases."""
        return hasattr(self._store, "acquire")

    @property
    def owner(self) -> str:
        """What the leases of this process go by: where it runs, and a name of its own."""
        return f"{_host()}:{os.getpid()}:{self._token}"

    def take(self, key: LogKey, purpose: str, patience: float) -> Flow[Lease | None]:
        """Take a lease and keep it until it is given up; return it, or None where others have it.

        Whoever has it is waited for, `patience` seconds at most.
        """
        # An owner of its own, so that giving it up late cannot take it from the next one here.
        owner = f"{self.owner}:{next(self._numbers)}"
        lease = Lease(key=key, purpose=purpose, owner=owner, loop=running_loop())
        try:
            taken = yield from self._take(lease, patience)
        except Exception:  # noqa: BLE001  # see the docstring of the module
            return lease
        except BaseException:  # cut off: nobody will give it up
            self._give_up_later(lease)
            raise
        if not taken:
            return None
        self._keep(lease)
        return lease

    def _take(self, lease: Lease, patience: float) -> Flow[bool]:
        """Take a lease; where others have it, stand in line for it: one is the next, the rest wait.

        Nobody who comes later gets in front of the next one.
        """
        end = time.monotonic() + patience
        place = replace(lease, purpose=f"{lease.purpose}:next")
        holder = yield from _Holder(key=place.key, purpose=place.purpose).perform()
        if holder is None and (yield from _acquire(lease).perform()):
            return True
        try:
            if not (yield from self._wait(place, end)):
                return False
            self._keep(place)
            return (yield from self._wait(lease, end))
        finally:
            self._give_up_later(place)

    def _wait(self, lease: Lease, end: float) -> Flow[bool]:
        """Take a lease as soon as nobody has it; return whether that was before `end`.

        Looking costs a read, and only whoever sees it free writes.
        """
        key, purpose = lease.key, lease.purpose

        def taken() -> Flow[bool]:
            holder = yield from _Holder(key=key, purpose=purpose).perform()
            if holder is not None and _is_dead(holder):
                yield from _GiveUp(key=key, purpose=purpose, owner=holder).perform()
                holder = None
            return holder is None and (yield from _acquire(lease).perform())

        return (yield from _until(taken, end))

    @property
    def asynchronous(self) -> bool:
        """Whether the store has coroutines."""
        return getattr(self._store, "asynchronous", None) is not None

    def give_up(self, lease: Lease) -> None:
        """Give up a lease; the store may be asked for a moment."""
        self._kept.discard(lease)
        self._ask(lease, "release")

    def _give_up_later(self, lease: Lease) -> None:
        """Give up a lease where nothing can be waited for: a flow is at its end."""
        self._kept.discard(lease)
        threading.Thread(target=self.give_up, args=(lease,), daemon=True).start()

    async def agive_up(self, lease: Lease) -> None:
        """Give up a lease, as `give_up`."""
        self._kept.discard(lease)
        with suppress(Exception):  # it runs out by itself
            twin = self._store.asynchronous
            await twin.release(lease.key, lease.purpose, owner=lease.owner)

    def open(self, key: LogKey, *, is_open: bool) -> Flow[None]:
        """Tell that a conversation waits for its caller to answer calls, or not any more."""
        self._opened.put(key, _Opened() if is_open else _ANSWERED)
        if not self.supported:
            return
        change: Stored[Any] = _GiveUp(key=key, purpose="exchange", owner=self.owner)
        if is_open:
            change = _Acquire(key=key, purpose="exchange", owner=self.owner, seconds=EXCHANGE)
        try:
            yield from change.perform()
        except Exception:  # noqa: BLE001  # as above
            return

    def await_answer(self, key: LogKey, version: int, patience: float) -> Flow[float]:
        """Wait for somebody else's exchange to be over; return the seconds left, 0 for none."""
        end = time.monotonic() + patience

        def moved() -> Flow[bool]:
            return (yield from Load(key=key).perform()).version != version

        if not (yield from self._is_expected(key)) or not (yield from _until(moved, end)):
            return 0.0
        return max(0.0, end - time.monotonic())

    def _is_expected(self, key: LogKey) -> Flow[bool]:
        """Return whether anybody but this very caller can be expected to answer the calls."""
        opened = self._opened.get(key)
        if isinstance(opened, _Opened):
            return opened.is_waited_for
        if not self.supported:
            return False
        try:
            holder = yield from _Holder(key=key, purpose="exchange").perform()
        except Exception:  # noqa: BLE001  # as above
            return False
        return holder is not None and not _is_dead(holder)

    def _keep(self, lease: Lease) -> None:
        """Renew a lease from now on."""
        with self._lock:
            self._kept.add(lease)
            if self._keeper is None:
                self._keeper = threading.Thread(
                    target=_renew, args=(weakref.ref(self),), name="kimi-memory", daemon=True
                )
                self._keeper.start()

    def renew(self) -> bool:
        """Renew what is held; return whether anything was."""
        with self._lock:
            kept = [*self._kept]
            if not kept:
                self._keeper = None
        for lease in kept:
            self._ask(lease, "acquire", seconds=SECONDS)
            if lease not in self._kept:  # given up meanwhile
                self._ask(lease, "release")
        return bool(kept)

    def _ask(self, lease: Lease, verb: str, **more: float) -> None:
        """Ask the store, or its twin in the loop of a lease; a lease that fails runs out."""
        arguments = (lease.key, lease.purpose)
        try:
            with self._amid:
                getattr(self._store, verb)(*arguments, owner=lease.owner, **more)
        except Exception:  # noqa: BLE001  # see the docstring of the module
            if lease.loop is None or not self.asynchronous or lease.loop.is_closed():
                return
            asked = getattr(self._store.asynchronous, verb)
            work = asked(*arguments, owner=lease.owner, **more)
            asyncio.run_coroutine_threadsafe(work, lease.loop)

    def after_fork(self, *, child: bool) -> None:
        """Begin anew in the child: the leases are those of the parent."""
        if child:
            self._lock = threading.Lock()
            self._kept.clear()
            self._keeper = None
            self._token = secrets.token_hex(8)


def _until(look: Callable[[], Flow[bool]], end: float) -> Flow[bool]:
    """Look again and again; return whether it was so before `end`."""
    pause = SHORTEST
    while not (yield from look()):
        left = end - time.monotonic()
        if left <= 0:
            return False
        yield from Sleep(seconds=min(left, pause * (0.5 + _chance()))).perform()
        pause = min(LONGEST, pause * GROWTH)
    return True


def _acquire(lease: Lease) -> _Acquire:
    return _Acquire(key=lease.key, purpose=lease.purpose, owner=lease.owner, seconds=SECONDS)


def summary_purpose(key: LogKey, links: Sequence[bytes]) -> str:
    """Return what the lease for a summary of an input goes by.

    Conversations without a name share a log where they begin alike, and go on for themselves: the
    same beginning, up to a power of two of messages below the older half, makes them the same.
    """
    if key.name:
        return "summary"
    half = (len(links) - 1) // 2
    place = 1 << (half.bit_length() - 1) if half else 0
    return f"summary:{links[place].hex()}"


def _renew(leases: weakref.ref[Leases]) -> None:
    while True:
        time.sleep(SECONDS / 3)
        here = leases()
        if here is None or not here.renew():
            return
        del here


@cache
def _host() -> str:
    """Return where processes have numbers of their own: the machine, or the container."""
    try:
        space = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        space = ""
    return f"{socket.gethostname().replace(':', '-')}/{space}"


class _Opened:
    """Who was asked to call tools, and when."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        task = _task()
        self._task = None if task is None else weakref.ref(task)
        self._end = time.monotonic() + EXCHANGE

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody else than this thread or task may still answer."""
        task = None if self._task is None else self._task()
        mine = self._thread == threading.get_ident() and task is _task()
        return not mine and time.monotonic() < self._end


def _task() -> asyncio.Task[Any] | None:
    loop = running_loop()
    return None if loop is None else asyncio.current_task(loop)


def _chance() -> float:
    return secrets.randbelow(1_000) / 1_000


def _is_dead(holder: str) -> bool:
    """Return whether the process that a lease goes by ran here and is gone."""
    host, _, rest = holder.partition(":")
    number = rest.partition(":")[0]
    if os.name != "posix" or host != _host() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
