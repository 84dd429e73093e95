"""In-process transports that carry requests of httpx2 and httpx clients to a fake server.

Each library has its own base classes and errors under the same names, so the classes are made
from whichever library is asked for, when it is asked for.
"""

from __future__ import annotations

import asyncio
import math
import time
from threading import Event
from typing import TYPE_CHECKING, Any

from memory.testing.kimi_wire import Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx
    import httpx2

    from memory.testing.fake_kimi import FakeKimi
    from memory.testing.kimi_wire import Response

__all__ = (
    "async_httpx2_transport",
    "async_httpx_transport",
    "httpx2_transport",
    "httpx_transport",
    "pause",
    "pause_async",
)

_SLOW = "the server did not answer in time"
_RESET = "connection reset by peer"


def httpx2_transport(fake: FakeKimi) -> httpx2.BaseTransport:
    """Return a transport for `httpx2.Client`."""
    import httpx2

    transport: httpx2.BaseTransport = _transport(httpx2, fake)
    return transport


def async_httpx2_transport(fake: FakeKimi) -> httpx2.AsyncBaseTransport:
    """Return a transport for `httpx2.AsyncClient`."""
    import httpx2

    transport: httpx2.AsyncBaseTransport = _async_transport(httpx2, fake)
    return transport


def httpx_transport(fake: FakeKimi) -> httpx.BaseTransport:
    """Return a transport for `httpx.Client`."""
    import httpx

    transport: httpx.BaseTransport = _transport(httpx, fake)
    return transport


def async_httpx_transport(fake: FakeKimi) -> httpx.AsyncBaseTransport:
    """Return a transport for `httpx.AsyncClient`."""
    import httpx

    transport: httpx.AsyncBaseTransport = _async_transport(httpx, fake)
    return transport


def pause(fake: FakeKimi, seconds: float) -> None:
    """Wait as the server was told to wait."""
    if seconds:
        (fake.sleep or _slept)(seconds)


async def pause_async(fake: FakeKimi, seconds: float) -> None:
    """Wait as the server was told to wait, without holding the event loop up."""
    if not seconds:
        return
    if fake.sleep is None:
        await asyncio.sleep(seconds)
    else:
        fake.sleep(seconds)


def _slept(seconds: float) -> None:
    if seconds == math.inf:
        Event().wait()  # until the program is interrupted
    time.sleep(seconds)


def _transport(library: Any, fake: FakeKimi) -> Any:
    def handle_request(_self: object, request: Any) -> Any:
        response = fake.handle(_request(request, request.read()))
        patience = _patience(request)
        pause(fake, min(response.delay, patience))
        if response.delay > patience:
            raise library.ReadTimeout(_SLOW, request=request)
        return _response(library, response, _stream(library, response, request))

    members = {"handle_request": handle_request}
    return type("FakeKimiTransport", (library.BaseTransport,), members)()


def _async_transport(library: Any, fake: FakeKimi) -> Any:
    async def handle_async_request(_self: object, request: Any) -> Any:
        response = fake.handle(_request(request, await request.aread()))
        patience = _patience(request)
        await pause_async(fake, min(response.delay, patience))
        if response.delay > patience:
            raise library.ReadTimeout(_SLOW, request=request)
        return _response(library, response, _async_stream(library, response, request))

    members = {"handle_async_request": handle_async_request}
    return type("AsyncFakeKimiTransport", (library.AsyncBaseTransport,), members)()


def _request(request: Any, body: bytes) -> Request:
    return Request(
        method=request.method,
        path=request.url.raw_path.decode("ascii"),
        headers=dict(request.headers),
        body=body,
    )


def _response(library: Any, response: Response, stream: Any) -> Any:
    """Return a response that is still to be read, as one from a socket is."""
    headers = dict(response.headers)
    if isinstance(response.body, bytes):
        headers["Content-Length"] = str(len(response.body))
    return library.Response(response.status, headers=headers, content=stream)


def _patience(request: Any) -> float:
    """Return the read timeout of a request in seconds."""
    read = request.extensions.get("timeout", {}).get("read")
    return float("inf") if read is None else float(read)


def _stream(library: Any, response: Response, request: Any) -> Iterator[bytes]:
    try:
        yield from response.chunks()
    except ConnectionResetError as error:
        raise library.ReadError(_RESET, request=request) from error


async def _async_stream(library: Any, response: Response, request: Any) -> AsyncIterator[bytes]:
    try:
        for chunk in response.chunks():
            await asyncio.sleep(0)  # a chance to be cancelled between two chunks
            yield chunk
    except ConnectionResetError as error:
        raise library.ReadError(_RESET, request=request) from error
