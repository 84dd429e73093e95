"""The fake server as an ASGI application, written on the protocol itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import TYPE_CHECKING, Any

from memory.testing.kimi_wire import Request
from memory.testing.transports import pause_async

if TYPE_CHECKING:
    from memory.testing.fake_kimi import FakeKimi
    from memory.testing.kimi_wire import Response

__all__ = (
    "Application",
    "Message",
    "Receive",
    "Send",
    "asgi_app",
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Coroutine[Any, Any, None]]
"""An ASGI 3 application."""


def asgi_app(fake: FakeKimi) -> Application:
    """Return an ASGI application that serves `fake`.

    A connection that is to break is broken by raising `ConnectionResetError` after the response
    has begun, at which servers close it.
    """

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            body = await _body(receive)
            if body is None:
                return
            request = _request(scope, body)
            response = await asyncio.to_thread(fake.handle, request)
            if response.delay == math.inf:
                await _until_gone(receive)
                return
            await pause_async(fake, response.delay)
            await _send(response, send)

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return


async def _until_gone(receive: Receive) -> None:
    """Wait until the client gives up; servers take no answer for a broken connection then."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request, or None where its sender went away amid it."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _request(scope: Message, body: bytes) -> Request:
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
    return Request(method=scope["method"], path=scope["path"], headers=headers, body=body)


async def _send(response: Response, send: Send) -> None:
    headers = dict(response.headers)
    if isinstance(response.body, bytes):
        headers["Content-Length"] = str(len(response.body))
    encoded = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    for chunk in response.chunks():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
