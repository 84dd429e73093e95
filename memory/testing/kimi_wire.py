"""What crosses the boundary of the fake server: requests, responses, errors, log entries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = (
    "MEDIA_PARTS",
    "ApiError",
    "Kind",
    "Request",
    "Response",
    "Served",
    "UnknownRouteError",
    "Wire",
    "dumps",
    "media_url",
    "text_of",
)

Wire = Mapping[str, Any]
"""A decoded JSON object, as it was sent."""

Kind = Literal["chat", "summary", "other"]
"""What a request was for: a turn of the user, a request for notes, or another route."""

MEDIA_PARTS = frozenset({"image_url", "video_url"})
"""The types of the content parts that are not text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request, detached from any HTTP library.

    Attributes:
        method: In upper case.
        path: With or without `/v1` before it and a query after it.
        headers: By name, in any case.
        body: The bytes as sent.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return the value of a header, or an empty string."""
        return next((v for k, v in self.headers.items() if k.lower() == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP response, detached from any HTTP library.

    Attributes:
        status: The status code.
        headers: By name.
        body: Whole, or an iterator that raises `ConnectionResetError` where the connection is
            meant to break.
        delay: Seconds the server thinks before it answers; whoever carries the response waits.
            Infinite where it does not answer at all.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | Iterator[bytes]
    delay: float = 0.0

    def chunks(self) -> Iterator[bytes]:
        """Iterate over the body, whichever form it has."""
        return iter((self.body,)) if isinstance(self.body, bytes) else self.body


class ApiError(Exception):
    """A refusal of the API, with the body Moonshot sends: a message and a type, nothing else.

    There is no `code` and no `param` on the wire (recorded from api.moonshot.ai, 2026-09).

    Args:
        message: What went wrong.
        status: The status code.
        kind: The type of the error.
        headers: Additional headers.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})

    def body(self) -> Wire:
        """Return the JSON body."""
        return {"error": {"message": self.message, "type": self.kind}}


class UnknownRouteError(ApiError):
    """No such URL: the gateway answers, in a form of its own and before it looks at the key.

    Args:
        request: What was asked for; the answer describes it.
    """

    def __init__(self, request: Request) -> None:
        super().__init__("没找到对象", status=404, kind="url.not_found")
        self._request = request

    def body(self) -> Wire:
        """Return the JSON body: `error` is a string here."""
        return {
            "code": 5,
            "error": self.kind,
            "message": self.message,
            "method": self._request.method,
            "scode": "0x5",
            "status": False,
            "ua": self._request.header("user-agent"),
            "url": self._request.path,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One request as the server saw it, and what it answered.

    Attributes:
        kind: What it was for.
        method: Of the request.
        path: Of the request.
        body: The decoded body as received; empty where it was no JSON object.
        headers: Of the request, names in lower case.
        status: The status code of the response.
        stream: Whether the reply was streamed.
        prompt_tokens: As billed; 0, as the two below, where nothing was generated.
        completion_tokens: As billed.
        cached_tokens: The part of the prompt that was cached.
        error: The message of a refusal.
    """

    kind: Kind
    method: str
    path: str
    body: Wire
    headers: Mapping[str, str]
    status: int
    stream: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    error: str | None = None


def dumps(value: Wire) -> bytes:
    """Encode JSON the way the API does: compact, and not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def text_of(message: Wire) -> str:
    """Return the text of a message: its content, or its text parts joined.

    Whatever else stands there, unchecked, counts as no text.
    """
    content = message.get("content")
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "".join(text for text in parts if isinstance(text, str))


def media_url(part: Wire) -> str:
    """Return the URL of an image or a video part, which may be wrapped or bare."""
    value = part.get(part["type"])
    return str(value.get("url", "") if isinstance(value, dict) else value or "")
