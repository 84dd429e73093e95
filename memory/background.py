"""Work that nobody waits for, and a way to wait for it all the same."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from memory.drive import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ("Background",)


class _Task(NamedTuple):
    """A job in an event loop: its task, and the coroutine that runs in it."""

    task: asyncio.Task[Any]
    work: Coroutine[Any, Any, object]


class Background:
    """Jobs beside the caller's: in threads, or as tasks of the running event loop.

    Threads end with the process and tasks with their loop; a job that does not come to its end
    has changed nothing.
    """

    def __init__(self) -> None:
        self._jobs: dict[Future[None], _Task | None] = {}

    def thread(self, work: Callable[[], object]) -> None:
        """Run `work` in a thread of its own.

        Raises:
            RuntimeError: The system has no more threads.
        """
        done = self._begun()

        def job() -> None:
            try:
                work()
            finally:
                self._ended(done)

        try:
            threading.Thread(target=job, name="kimi-memory", daemon=True).start()
        except BaseException:
            self._ended(done)
            raise

    def task(
        self, work: Coroutine[Any, Any, object], *, lost: Callable[[], object] | None = None
    ) -> None:
        """Run `work` as a task of the running event loop.

        Args:
            work: What to do.
            lost: What to do, in a thread, where the task is cancelled, as at the end of its loop.

        Raises:
            RuntimeError: No event loop of asyncio is running.
        """
        loop = running_loop()
        if loop is None:
            work.close()
            msg = "summaries in the background need an event loop of asyncio"
            raise RuntimeError(msg)
        done = self._begun()
        task = loop.create_task(work, name="kimi-memory")
        self._jobs[done] = _Task(task, work)  # the loop itself keeps a task only weakly

        def ended(task: asyncio.Task[Any]) -> None:
            if task.cancelled() and lost is not None:
                self.thread(lost)
            self._ended(done)

        task.add_done_callback(ended)

    def pending(self, *, beside: asyncio.AbstractEventLoop | None = None) -> list[Future[None]]:
        """Return what is still under way: a future for each job.

        Args:
            beside: An event loop whose own jobs are left out; waiting for them in it would block
                them.
        """
        for done, job in [*self._jobs.items()]:
            if job is not None and job.task.get_loop().is_closed():
                with suppress(RuntimeError):  # it may wait for something even now
                    job.work.close()  # it can never go on, and lets go of what it had claimed
                self._ended(done)
        jobs = [*self._jobs.items()]
        return [
            done for done, job in jobs if not beside or not job or job.task.get_loop() is not beside
        ]

    def _begun(self) -> Future[None]:
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # whoever waits cannot cancel it
        self._jobs[done] = None
        return done

    def _ended(self, done: Future[None]) -> None:
        if done in self._jobs:
            del self._jobs[done]
            done.set_result(None)
