"""The servers that tests need: where they are, and whether they are there."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import pytest

__all__ = ("postgres_url", "redis_url")

POSTGRES = ("KIMI_MEMORY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
REDIS = ("KIMI_MEMORY_TEST_REDIS", "redis://127.0.0.1:6379/0")


def postgres_url() -> str:
    """Return the URL of a PostgreSQL database; skip the test where nothing listens there."""
    return _reachable(*POSTGRES, port=5432)


def redis_url() -> str:
    """Return the URL of a Redis database; skip the test where nothing listens there."""
    return _reachable(*REDIS, port=6379)


def _reachable(variable: str, default: str, *, port: int) -> str:
    url = os.environ.get(variable) or default
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or port), 2).close()
    except OSError as error:
        reason = f"no server at {url}: point {variable} at one ({error})"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    return url
