"""The fake server on a real socket, under uvicorn."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from memory.testing.asgi import asgi_app

if TYPE_CHECKING:
    from collections.abc import Generator

    from memory.testing.fake_kimi import FakeKimi

__all__ = (
    "run",
    "serve",
)

_POLL = 0.005
"""Seconds between two looks at whether the server is up."""
_PATIENCE = 1
"""Seconds that requests still unanswered have when the server stops; some hang for ever."""


@contextmanager
def serve(fake: FakeKimi, *, host: str = "127.0.0.1", port: int = 0) -> Generator[str, None, None]:
    """Serve `fake` over HTTP from a thread, and yield the base URL, `http://…/v1`.

    Port 0 takes any free one. Leaving the context stops the server and frees the port.

    Raises:
        OSError: If the port is taken.
    """
    with socket.create_server((host, port)) as listener:
        # asyncio sets this for sockets it makes itself; without it every reply waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = _server(fake)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(_POLL)
            yield f"http://{host}:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join()


def run(fake: FakeKimi, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve `fake` over HTTP until interrupted."""
    with suppress(KeyboardInterrupt):
        _server(fake, host=host, port=port).run()


def _server(fake: FakeKimi, **options: Any) -> Any:
    import uvicorn

    # Broken connections are part of the play, and uvicorn would log each as an error.
    config = uvicorn.Config(
        asgi_app(fake),
        log_level="critical",
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
        **options,
    )
    return uvicorn.Server(config)
