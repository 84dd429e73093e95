"""Clients with a memory that tell how long the SDK took, and how long the memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from openai import AsyncOpenAI, OpenAI

from memory import AsyncMemoryManager, MemoryManager
from memory.testing import FakeKimi
from memory.testing.kimi_summary import is_summary

__all__ = ("Clock", "async_client", "sync_client")

CLIENT: Final[dict[str, Any]] = {
    "api_key": "sk-test",
    "base_url": "http://fake/v1",
    "max_retries": 0,
}


@dataclass(slots=True)
class Clock:
    """Where the time of the latest call went.

    Attributes:
        total: Seconds of the wrapped client's `request()`.
        bare: Seconds of the SDK's own within it, for the turn and not for a summary.
    """

    total: float = 0.0
    bare: float = 0.0


class _Timed(OpenAI):
    """A client that notes how long the SDK's own `request()` takes."""

    clock: Clock

    def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a request, as `OpenAI` does."""
        begun = time.perf_counter()
        answer: Any = super().request(cast_to, options, *args, **kwargs)
        if not is_summary(options.json_data["messages"]):
            self.clock.bare = time.perf_counter() - begun
        return answer


class _AsyncTimed(AsyncOpenAI):
    """The same, asynchronously."""

    clock: Clock

    async def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a request, as `AsyncOpenAI` does."""
        begun = time.perf_counter()
        answer: Any = await super().request(cast_to, options, *args, **kwargs)
        if not is_summary(options.json_data["messages"]):
            self.clock.bare = time.perf_counter() - begun
        return answer


def sync_client(fake: FakeKimi, manager: MemoryManager, clock: Clock) -> Any:
    """Return a timed client of the server, with a memory."""
    client, inner = _wrapped(_Timed, httpx2.Client(transport=fake.httpx2_transport()), manager)
    client.clock = clock

    def request(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        answer = inner(*args, **kwargs)
        clock.total = time.perf_counter() - begun
        return answer

    type(client).request = request
    return client


def async_client(fake: FakeKimi, manager: AsyncMemoryManager, clock: Clock) -> Any:
    """Return a timed asynchronous client of the server, with a memory."""
    http = httpx2.AsyncClient(transport=fake.async_httpx2_transport())
    client, inner = _wrapped(_AsyncTimed, http, manager)
    client.clock = clock

    async def request(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        answer = await inner(*args, **kwargs)
        clock.total = time.perf_counter() - begun
        return answer

    type(client).request = request
    return client


def _wrapped(kind: Any, http: Any, manager: Any) -> tuple[Any, Callable[..., Any]]:
    """Return a wrapped client and its `request`, which can be replaced in its class.

    The class is one of its own, so that `wrap` makes one of its own too.
    """
    own = type(kind.__base__.__name__, (kind,), {})
    client = manager.wrap(own(**CLIENT, http_client=http))
    return client, type(client).request
