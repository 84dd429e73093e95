"""The programs of the endurance runs: they converse until they are done, or killed.

    python -m benchmarks._endurance_child DESCRIPTOR

This process imports everything once and then forks whoever is asked for, so that a program is at
work milliseconds after it was asked for. It has one thread, and no store and no connection open,
so that forking it is safe.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import openai

from benchmarks._endurance_talk import (
    CONVERSATION,
    HEAD,
    NAME,
    USER,
    Colour,
    Job,
    Reports,
    aconverse,
    converse,
    given,
    quarters,
)
from memory import AsyncMemoryManager, MemoryManager, wrap
from memory.manager import Manager
from memory.records import LogKey
from memory.stores.codec import encode
from memory.stores.opening import KEYS

__all__ = ("LOOK", "WHOLE", "main", "order_of")

LOOK, WHOLE = b"look\n", b"whole\n"
"""What programs are asked once they are done: what the conversation looks like, and the log."""
LATER: Final = (
    "anyio.to_thread",
    "cryptography.fernet",
    "memory.stores.postgres",
    "memory.stores.redis",
    "memory.stores.sealed",
    "memory.stores.sqlite",
    "psycopg",
    "psycopg_pool",
    "redis.asyncio",
    "tenacity",
)
"""What is imported when it is first used, by the library and by what it uses."""


def options(job: Job, reports: Reports) -> dict[str, Any]:
    """Return how memory is made."""
    return {
        "store": job.store,
        "namespace": job.namespace,
        "budget": job.budget,
        "compaction": job.mode,
        "tokenizer": quarters,
        "hooks": (reports.hear,),
    }


def order_of(history: Sequence[Any]) -> str:
    """Return what tells whether two processes read the same."""
    return hashlib.sha256(json.dumps(history, sort_keys=True).encode()).hexdigest()


def look(manager: Manager, history: Sequence[Any], reports: Reports, *, whole: bool) -> None:
    """Tell what the conversation looks like from here, and the whole log where it is asked for."""
    reports.tell(order=order_of(history), messages=len(history))
    if whole:
        key = LogKey(namespace=manager.namespace, user=USER, name=NAME)
        reports.tell(records=[encode(record) for record in manager.store.load(key).records])


def work(job: Job, reports: Reports, orders: Any, http: Any) -> None:
    """Do a job in threads; then, when that is asked for, tell what the conversation looks like."""
    raw = openai.OpenAI(base_url=job.server, api_key="sk-test", max_retries=0, http_client=http)
    manager = MemoryManager(**options(job, reports))
    named = wrap(raw, manager=manager, conversation=CONVERSATION)
    clients = {True: named, False: manager.wrap(raw)}
    callers = [
        threading.Thread(target=converse, args=(job, clients, reports, caller))
        for caller in range(1, job.callers)
    ]
    for thread in callers:
        thread.start()
    converse(job, clients, reports, 0)
    for thread in callers:
        thread.join()
    manager.flush()
    reports.tell(done=reports.events)
    while order := orders.readline():
        history = manager.conversation(CONVERSATION).history()
        look(manager, history, reports, whole=order == WHOLE)
    manager.close()
    raw.close()


async def awork(job: Job, reports: Reports, orders: Any, http: Any) -> None:
    """Do a job in tasks."""
    raw = openai.AsyncOpenAI(
        base_url=job.server, api_key="sk-test", max_retries=0, http_client=http
    )
    manager = AsyncMemoryManager(**options(job, reports))
    named = wrap(raw, manager=manager, conversation=CONVERSATION)
    clients = {True: named, False: manager.wrap(raw)}
    await asyncio.gather(
        *(aconverse(job, clients, reports, caller) for caller in range(job.callers))
    )
    await manager.flush()
    reports.tell(done=reports.events)
    while order := await asyncio.to_thread(orders.readline):
        history = await manager.conversation(CONVERSATION).history()
        look(manager, history, reports, whole=order == WHOLE)
    await manager.aclose()
    await raw.close()


def confine(room: int) -> None:
    """Be killed amid the write that makes a file larger than so many bytes."""
    import resource  # noqa: PLC0415  # not on every system

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))


def born(descriptors: list[int], http: dict[Colour, Any]) -> None:
    """Be a program: read the job, do it, end."""
    orders = os.fdopen(descriptors[0], "rb", buffering=0)
    line = b""
    while not line.endswith(b"\n"):
        line += orders.read(1 << 16) or b"\n"
    job, reports = Job(**json.loads(line)), Reports(descriptors[1])
    os.environ[KEYS] = job.keys
    if job.room is not None:
        confine(job.room)
    if job.colour == "async":
        asyncio.run(awork(job, reports, orders, http["async"]))
    else:
        work(job, reports, orders, http["sync"])
    orders.close()
    gc.collect()  # whatever was left open complains here


def rehearse() -> None:
    """Import what the first calls of a process import, by calls that reach nobody."""
    for name in LATER:
        with suppress(ImportError):
            import_module(name)
    nowhere: dict[str, Any] = {"base_url": "http://127.0.0.1:1/v1", "api_key": "sk-test"}
    body = given([HEAD], named=True, streamed=False)
    with openai.OpenAI(**nowhere, max_retries=0) as client, suppress(openai.APIConnectionError):
        client.chat.completions.create(**body)

    async def call() -> None:
        async with openai.AsyncOpenAI(**nowhere, max_retries=0) as client:
            with suppress(openai.APIConnectionError):
                await client.chat.completions.create(**body)

    asyncio.run(call())


def main() -> None:
    """Fork programs, and wait for those that ended, as the descriptor asks."""
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # servers go away on purpose
    rehearse()
    http: dict[Colour, Any] = {
        "sync": openai.DefaultHttpxClient(),
        "async": openai.DefaultAsyncHttpxClient(),
    }
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        control.sendall(b"ready\n")
        while True:
            asked, descriptors, _, _ = socket.recv_fds(control, 64, 2)
            if not asked:
                return
            if asked.startswith(b"wait"):
                _, status = os.waitpid(int(asked.split()[1]), 0)
                control.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
                continue
            number = os.fork()
            if not number:
                break
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(b"%d\n" % number)
    born(descriptors, http)


if __name__ == "__main__":
    main()
