"""Connections that break: something between a store and its server that can be cut."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

__all__ = ("Line",)


class Line:
    """Passes bytes between clients and a server, until it is told to break.

    Args:
        host: Where the server is.
        port: Its port.

    Attributes:
        port: Where clients find it.
        cuts: How many connections it broke.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self._marker = b""
        self._times = 0
        self._meanwhile: Callable[[], object] = int
        self._dead = False
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self, marker: bytes, *, times: int = 1, meanwhile: Callable[[], object] = int) -> None:
        """Break the next connections over which `marker` is sent, before the answer arrives.

        Args:
            marker: Some bytes.
            times: How many connections.
            meanwhile: Called between the loss of an answer and the end of its connection.
        """
        self._marker, self._times, self._meanwhile = marker, times, meanwhile

    def kill(self) -> None:
        """Break everything from now on, and let nobody in."""
        self._dead = True

    def revive(self) -> None:
        """Pass bytes again."""
        self._dead = False

    def __enter__(self) -> Self:
        """Return the line, to be stopped at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._dead = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(near,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            if self._dead:
                return
            with socket.create_connection(self._server, 5) as far:
                self._pass(near, far)

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        """Pass bytes on; the server does what was asked before a cut, and nobody hears of it."""
        cutting = False
        while not self._dead:
            for ready in select.select([near, far], [], [], 0.05)[0]:
                data = ready.recv(1 << 20)
                if not data or (cutting and ready is far):
                    if cutting:
                        self.cuts += 1
                        self._meanwhile()
                    return
                if ready is near and self._times and self._marker in data:
                    self._times, cutting = self._times - 1, True
                (far if ready is near else near).sendall(data)
