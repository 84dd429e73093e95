"""Runs of `kimi-memory` in this process, and stores for it to look into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from chats import filled
from fake_kimi_requests import assistant, user
from services import postgres_url, redis_url
from typer.testing import CliRunner, Result

from memory import MemoryManager, manager_of
from memory.cli.app import app
from memory.testing import FakeKimi

__all__ = (
    "HEAD",
    "NAMESPACE",
    "SAID",
    "TRIP",
    "compacted",
    "database",
    "fill",
    "lines",
    "result_of",
    "run",
    "server",
    "sqlite",
)

NAMESPACE = f"cli-{uuid4().hex}"
"""Of this run of the tests alone, on servers that others use as well."""
TRIP = "user-42/trip"
HEAD = {"role": "system", "content": "Be brief."}
SAID = [
    user("A window seat to Beijing, please."),
    assistant("Booked 14A."),
    user("我要靠窗的座位，不要走道。"),
    assistant("好的，靠窗 14A。"),
]
"""What is said in a conversation that `fill` makes."""


def run(*arguments: object, stdin: str | bytes = "", **environ: str | None) -> Result:
    """Run `kimi-memory` in this process, without the developer's own settings."""
    environment = {"KIMI_MEMORY_BUDGET": None, "KIMI_MEMORY_STORE": None, **environ}
    return CliRunner().invoke(app, [*map(str, arguments)], input=stdin, env=environment)


def result_of(result: Result) -> dict[str, Any]:
    """Return the JSON object that a run printed as its last line."""
    value: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return value


def lines(text: str) -> list[str]:
    """Return the lines of a table without the spaces at their ends."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def sqlite(path: Path) -> str:
    """Return the URL of a file."""
    return f"sqlite:///{path}"


def fill(url: str, *names: str, namespace: str = "default", **others: list[Any]) -> str:
    """Begin conversations with what is `SAID`, or with what is given, and return the URL."""
    with MemoryManager(store=url, hooks=(), namespace=namespace) as manager:
        for name in names or (() if others else (TRIP,)):
            manager.conversation(name).add([HEAD, *SAID])
        for name, messages in others.items():
            manager.conversation(name).add(messages)
    return url


def compacted(url: str) -> str:
    """Go through 60 turns of the conversation `TRIP`, with two compactions; return the URL."""
    client, _ = filled(FakeKimi(), store=url)
    manager = manager_of(client)
    assert isinstance(manager, MemoryManager)
    manager.close()
    return url


@contextmanager
def database() -> Iterator[str]:
    """Yield the URL of a PostgreSQL database with a schema of its own, which is removed."""
    url = postgres_url()
    import psycopg  # noqa: PLC0415  # an extra

    schema = f"cli_{uuid4().hex}"
    try:
        yield f"{url}?schema={schema}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of a Redis database; what is in `NAMESPACE` is forgotten."""
    url = redis_url()
    try:
        yield url
    finally:
        with MemoryManager(store=url, hooks=(), namespace=NAMESPACE) as manager:
            for entry in manager.conversations():
                manager.conversation(entry.name, user=entry.user or None).forget()
