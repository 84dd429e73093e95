"""Requests to the Responses route of the fake server, and the reply most of them are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_kimi_requests import CALL, OFF, send
from kimi_clients import connect, httpx_library

from memory.testing import FakeKimi

if TYPE_CHECKING:
    from openai import OpenAI

TEXT = "A reply that is long enough to be streamed in several pieces. " * 5
CALLS = {"role": "assistant", "content": "Look:", "tool_calls": [CALL]}
"""A reply that says something and calls a tool."""


def client_of(fake: FakeKimi) -> OpenAI:
    """Return a client that refuses replies that are not what they should be."""
    # Types of openai before 3 want a name where the arguments of a call end; the API sends none.
    strict = httpx_library.__name__ == "httpx2"
    return connect(fake, _strict_response_validation=strict)


def ask(fake: FakeKimi, given: Any, **more: Any) -> Any:
    """Send a request without thinking and return whatever the SDK returns."""
    create: Any = client_of(fake).responses.create
    return create(input=given, **({"model": "kimi-k2.6", "extra_body": OFF} | more))


def refusal(given: Any, fake: FakeKimi | None = None, **more: Any) -> tuple[int, str]:
    """Send a request that is to be refused; return the status and the message."""
    body = {"model": "kimi-k2.6", "input": given, **OFF, **more}
    status, reply = send(fake or FakeKimi(), body, "/v1/responses")
    return status, reply["error"]["message"]
