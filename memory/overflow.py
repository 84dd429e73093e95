"""Telling from an error of the server that a prompt was too large, and by how much.

Moonshot sends no error code, so the status and the wording decide. Three wordings are known:
`Your request exceeded model token limit: 262144 (requested: 269030)` (recorded, with `Invalid
request: ` before it), the same with `limit : 262144` and no number requested, and `Input token
length too long` (both from the API reference). The number requested may hold
`max_completion_tokens` too, so it is an upper bound of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ("Overflow", "body_too_large", "overflow_of")

BAD_REQUEST = 400
TOO_LARGE = 413

_LIMIT = re.compile(
    r"exceeded model token limit\s*:?\s*(\d+)(?:\s*\(requested:\s*(\d+)\))?", re.IGNORECASE
)
_LENGTH = re.compile(r"input token length too long", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """What the server said about a prompt that was too large, in tokens.

    Attributes:
        window: What prompt and reply may have together; None where it did not say.
        requested: What was asked for, the room for the reply probably included; None likewise.
    """

    window: int | None = None
    requested: int | None = None


def overflow_of(error: BaseException) -> Overflow | None:
    """Return what an error says about the window, or None where it is about something else.

    Args:
        error: As the SDK raised it: with `status_code` and `body`.
    """
    if getattr(error, "status_code", None) != BAD_REQUEST:
        return None
    message = _message(error)
    found = _LIMIT.search(message)
    if found is None:
        return Overflow() if _LENGTH.search(message) else None
    window, requested = found.groups()
    return Overflow(window=int(window), requested=int(requested) if requested else None)


def body_too_large(error: BaseException) -> bool:
    """Return whether the server refused a request for its bytes, such as those of images."""
    return getattr(error, "status_code", None) == TOO_LARGE


def _message(error: BaseException) -> str:
    body = getattr(error, "body", None)
    text = body.get("message") if isinstance(body, Mapping) else None
    return text if isinstance(text, str) else str(error)
