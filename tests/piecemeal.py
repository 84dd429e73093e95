"""Answers that have to be read, as those that come from a socket: of the fake, or of any kind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

from kimi_clients import MODEL, httpx_library

from memory.testing import FakeKimi, Request, Response

FINISH = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": MODEL,
    "choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 30, "completion_tokens": 3, "total_tokens": 33},
}
DONE = b"data: [DONE]\n\n"


class Piecemeal(FakeKimi):
    """A server whose answers arrive in small pieces, as from a socket, however short they are."""

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        response = super().handle(request)
        return replace(response, body=self._pieces(response.chunks()))

    @staticmethod
    def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield from (chunk[start : start + 50] for start in range(0, len(chunk), 50))


def event(data: object) -> bytes:
    """Return a server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


class Source(httpx_library.SyncByteStream, httpx_library.AsyncByteStream):
    """A stream of given pieces that notes how often it was closed."""

    def __init__(self, *given: bytes, error: Exception | None = None) -> None:
        """Take the pieces, and what goes wrong after them."""
        self.given = given
        self.error = error
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        """Return the pieces."""
        yield from self.given
        if self.error is not None:
            raise self.error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces."""
        for piece in self:
            yield piece

    def close(self) -> None:
        """Note it."""
        self.closed += 1

    async def aclose(self) -> None:
        """Note it."""
        self.closed += 1


def served(source: Source, **headers: str) -> Callable[[Any], httpx_library.Response]:
    """Return a handler that answers with a stream."""
    kind = {"content-type": "text/event-stream"}
    return lambda _: httpx_library.Response(200, headers=kind | headers, stream=source)
