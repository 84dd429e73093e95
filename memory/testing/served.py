"""A fake server that runs, with clients that reach it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from memory.testing.fake_kimi import FakeKimi
from memory.testing.server import serve

if TYPE_CHECKING:
    from collections.abc import Generator

    from openai import OpenAI

__all__ = ("ServedKimi", "served")


class ServedKimi(FakeKimi):
    """A `FakeKimi` that is served over HTTP; made by `served`.

    Attributes:
        url: The base URL, `http://127.0.0.1:…/v1`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.url = ""
        self._clients = ExitStack()

    def client(self, **options: Any) -> OpenAI:
        """Return a client of it, without memory and without retries; closed with the server.

        Args:
            **options: What else `OpenAI` takes.
        """
        from openai import DefaultHttpxClient, OpenAI

        # A proxy from the environment has no way to this machine's own loopback.
        http = self._clients.enter_context(DefaultHttpxClient(trust_env=False))
        given: dict[str, Any] = {"api_key": "sk-fake", "base_url": self.url, "max_retries": 0}
        return self._clients.enter_context(OpenAI(**{**given, "http_client": http, **options}))

    def close(self) -> None:
        """Close the clients."""
        self._clients.close()


@contextmanager
def served(**options: Any) -> Generator[ServedKimi, None, None]:
    """Serve a fake on a free port and yield it.

    Args:
        **options: What `FakeKimi` takes.
    """
    fake = ServedKimi(**options)
    with serve(fake) as fake.url:
        try:
            yield fake
        finally:
            fake.close()
