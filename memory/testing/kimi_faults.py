"""Faults the fake server can be told to have, one by one or for good."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import TYPE_CHECKING, Literal

from memory.testing.kimi_wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memory.testing.kimi_wire import Kind

__all__ = (
    "Content",
    "Effect",
    "Fault",
    "Faults",
)

Content = Literal["whole", "empty", "half", "refusal", "call", "reasoning", "overlong", "injected"]
"""What becomes of the text of a reply; see `memory.testing.kimi_spoiled`."""

_ACCOUNT = "Your account org-fake<ak-fake>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a fault does: refuse with an error, spoil the reply, or break its transmission.

    Attributes:
        status: The status of the refusal; 200 for none.
        kind: Its type.
        message: Its message; `{model}` is filled in.
        headers: Its additional headers.
        content: What becomes of the text.
        ending: What becomes of the transmission; `reset` concerns whole bodies as well as
            streams.
        slow: Whether the reply takes its time.
        hang: Whether there is no reply at all, for as long as the client waits.
    """

    status: int = 200
    kind: str = ""
    message: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content: Content = "whole"
    ending: Literal["whole", "reset", "cut", "no_done"] = "whole"
    slow: bool = False
    hang: bool = False

    def error(self, model: str) -> ApiError | None:
        """Return the refusal, if this is one."""
        if self.status == 200:  # noqa: PLR2004
            return None
        message = self.message.format(model=model)
        return ApiError(message, status=self.status, kind=self.kind, headers=dict(self.headers))


def _limited(message: str, *, wait: int | None = None) -> Effect:
    names = ("Retry-After", "X-Retry-After", "Msh-Cooldown-Seconds")
    again = "" if wait is None else f", please try again after {wait} seconds"
    return Effect(
        status=429,
        kind="rate_limit_reached_error",
        message=f"{_ACCOUNT} request reached organization {message}{again}",
        headers=() if wait is None else tuple((name, str(wait)) for name in names),
    )


class Fault(Enum):
    """One way to fail; texts and types are those of the API (503 and 504: of the gateway)."""

    OVERLOADED = Effect(
        status=429,
        kind="engine_overloaded_error",
        message="The engine is currently overloaded, please try again later",
    )
    """429 without a `Retry-After` header."""
    RPM = _limited("max RPM: 3", wait=1)
    """429 with `Retry-After: 1`: too many requests a minute."""
    COOLDOWN = _limited("max RPM: 3", wait=3600)
    """429 with `Retry-After: 3600`: too many requests, and an hour to wait."""
    CONCURRENCY = _limited("max concurrency: 1", wait=1)
    """429 with `Retry-After: 1`: too many requests at once."""
    TPD = _limited("TPD rate limit, current: 1505241, limit: 1500000")
    """429: the tokens of the day are used up."""
    QUOTA = Effect(
        status=429,
        kind="exceeded_current_quota_error",
        message="You exceeded your current token quota: <org-fake> 0, please check your account "
        "balance",
    )
    """429 that no retry mends."""
    BALANCE = Effect(
        status=429,
        kind="exceeded_current_quota_error",
        message=f"{_ACCOUNT} is suspended due to insufficient balance, please recharge your "
        "account or check your plan and billing details",
    )
    """429 that no retry mends: the account is empty."""
    WRONG_KEY = Effect(
        status=401,
        kind="incorrect_api_key_error",
        message="Incorrect API key provided",
    )
    """401: the key was revoked, or is one of the other host."""
    SERVER_ERROR = Effect(status=500, kind="server_error", message="invalid state transition")
    """500."""
    UNAVAILABLE = Effect(status=503, kind="server_unavailable", message="server unavailable")
    """503."""
    GATEWAY_TIMEOUT = Effect(status=504, kind="gateway_timeout", message="gateway timeout")
    """504."""
    CONTENT_FILTER = Effect(
        status=400,
        kind="content_filter",
        message="The request was rejected because it was considered high risk",
    )
    """400: the prompt was filtered."""
    RETIRED = Effect(
        status=404,
        kind="resource_not_found_error",
        message="Not found the model {model} or Permission denied",
    )
    """404: the model is gone, as kimi-k2.5 is since 2026-08-31."""
    RESET = Effect(ending="reset")
    """The connection breaks half way through the reply."""
    CUT = Effect(ending="cut")
    """A stream ends half way through the reply, cleanly: no finish, no usage, no `[DONE]`."""
    NO_DONE = Effect(ending="no_done")
    """A stream is whole but for its `[DONE]`, or for the last event of a response."""
    EMPTY = Effect(content="empty")
    """The reply has no text, and says it finished."""
    TRUNCATED = Effect(content="half")
    """The reply stops half way, with `finish_reason: length`."""
    REFUSAL = Effect(content="refusal")
    """The model says that it cannot help, in the language of the reply it would have given."""
    TOOL_CALL = Effect(content="call")
    """The reply has no text and calls a tool, whatever `tool_choice` says."""
    REASONING_ONLY = Effect(content="reasoning")
    """The thought fills the whole cap: no text, and `finish_reason: length`."""
    OVERLONG = Effect(content="overlong")
    """The reply goes on for about 10,000 tokens, ignoring its cap, and says it finished."""
    INJECTED = Effect(content="injected")
    """The reply orders its reader about, in the name of the system and of the user."""
    SLOW = Effect(slow=True)
    """The reply takes its time: `slow_seconds` of the server."""
    HANG = Effect(hang=True)
    """There is no reply: the connection stays open until the client gives up."""


@dataclass(frozen=True, slots=True)
class _Order:
    fault: Fault
    only: Kind | None

    def meets(self, kind: Kind) -> bool:
        return self.only in {None, kind}


class Faults:
    """The faults still to come: a queue, and those that stay on. Thread-safe.

    Args:
        queued: Faults for the first requests, whatever they are for.
    """

    def __init__(self, queued: Iterable[Fault] = ()) -> None:
        self._next = deque(_Order(fault, None) for fault in queued)
        self._always: list[_Order] = []
        self._lock = Lock()

    def queue(self, fault: Fault, *, times: int, only: Kind | None) -> None:
        """Add a fault to the queue, several times over.

        Raises:
            TypeError: It is no `Fault`.
        """
        _check(fault)
        with self._lock:
            self._next.extend([_Order(fault, only)] * times)

    def keep(self, fault: Fault, *, only: Kind | None) -> None:
        """Switch a fault on until `clear`.

        Raises:
            TypeError: It is no `Fault`.
        """
        _check(fault)
        with self._lock:
            self._always.append(_Order(fault, only))

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._next.clear()
            self._always.clear()

    def take(self, kind: Kind) -> Effect:
        """Return what the next request of this kind suffers: queued faults come first."""
        with self._lock:
            due = next((order for order in self._next if order.meets(kind)), None)
            if due is not None:
                self._next.remove(due)
            else:
                due = next((order for order in self._always if order.meets(kind)), None)
        return Effect() if due is None else due.fault.value


def _check(fault: object) -> None:
    if not isinstance(fault, Fault):
        msg = f"{fault!r} is no Fault; there are {', '.join(Fault.__members__)}"
        raise TypeError(msg)
