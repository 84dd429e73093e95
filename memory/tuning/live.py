"""Conversations sent to the real API, which stops before more is spent than allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from memory.errors import KimiMemoryError
from memory.replay import Tap
from memory.testing.kimi_count import count_text
from memory.testing.kimi_wire import Served
from memory.tuning.prices import NOTHING, Tariff, Volume
from memory.tuning.recall import shown
from memory.tuning.rehearsal import Line

if TYPE_CHECKING:
    from openai import OpenAI

    from memory.recording import Step

__all__ = ("REPLY", "Purse", "SpendError", "live")

REPLY: Final = 16
"""Tokens that a reply to a turn may have: the recorded one goes on the history, and is billed."""
SUMMARY: Final = 2_048
"""Tokens that any other reply is expected to have where its request names no cap."""


class SpendError(KimiMemoryError):
    """The next request could cost more than is left; it was not sent."""


class Purse:
    """What may be spent, and what has been.

    Args:
        cap: US dollars.
        tariff: The prices.

    Attributes:
        spent: US dollars, as the server counted the tokens.
        empty: Whether a request was held back.
    """

    def __init__(self, cap: float, tariff: Tariff) -> None:
        self.spent = 0.0
        self.empty = False
        self._cap, self._tariff = cap, tariff

    def check(self) -> None:
        """Make sure that nothing was held back.

        Raises:
            SpendError: Something was.
        """
        if self.empty:
            msg = (
                f"stopped: US$ {self.spent:.2f} of the {self._cap:.2f} allowed are spent, and the "
                "next request could cost more than is left"
            )
            raise SpendError(msg)

    def reserve(self, body: Mapping[str, Any]) -> None:
        """Make sure that a request can be paid for, at a byte a token and with nothing cached.

        No byte-level vocabulary makes more tokens than a text has bytes; only pictures by their
        address can cost more.

        Raises:
            SpendError: It cannot.
        """
        size = len(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
        longest = body.get("max_completion_tokens") or body.get("max_tokens") or SUMMARY
        most = self._tariff.dollars(Volume(prompt=size, completion=int(longest)))
        self.empty = self.empty or self.spent + most > self._cap
        self.check()

    def pay(self, volume: Volume) -> None:
        """Take what a request cost."""
        self.spent += self._tariff.dollars(volume)


class _Account(Tap):
    """Remembers requests as a server would that keeps a log, and pays for them.

    Args:
        purse: What they are paid from.

    Attributes:
        log: The requests, oldest first; turns are billed for the reply that was recorded.
        recorded: How many tokens that of the next turn has.
    """

    def __init__(self, purse: Purse) -> None:
        super().__init__()
        self.log: list[Served] = []
        self.recorded = 0
        self._purse = purse

    def note(self, options: Any) -> bool:
        """Hold a request back that cannot be paid for."""
        is_summary = super().note(options)
        self._purse.reserve((self.summaries if is_summary else self.chats)[-1])
        return is_summary

    def failed(self, error: Exception, *, is_summary: bool) -> None:
        """Put a request that was refused in the log."""
        super().failed(error, is_summary=is_summary)
        status = getattr(error, "status_code", None) or 0
        self._log(is_summary=is_summary, status=status, error=type(error).__name__)

    def answered(self, response: Any, *, is_summary: bool) -> None:
        """Pay for a request, and put it in the log."""
        super().answered(response, is_summary=is_summary)
        usage = response.usage
        details = getattr(usage, "prompt_tokens_details", None)
        cached = getattr(details, "cached_tokens", None) or 0
        volume = Volume(
            prompt=usage.prompt_tokens, cached=cached, completion=usage.completion_tokens
        )
        self._purse.pay(volume)
        billed = volume if is_summary else replace(volume, completion=self.recorded)
        self._log(is_summary=is_summary, status=200, volume=billed)

    def _log(
        self, *, is_summary: bool, status: int, volume: Volume = NOTHING, error: str | None = None
    ) -> None:
        self.log.append(
            Served(
                kind="summary" if is_summary else "chat",
                method="POST",
                path="/chat/completions",
                body=dict((self.summaries if is_summary else self.chats)[-1]),
                headers={},
                status=status,
                prompt_tokens=volume.prompt,
                completion_tokens=volume.completion,
                cached_tokens=volume.cached,
                error=error,
            )
        )


@contextmanager
def live(connect: Callable[[], OpenAI], purse: Purse) -> Iterator[Line]:
    """Yield a line to a real server.

    Args:
        connect: Returns a client of it, without memory.
        purse: What its requests are paid from.
    """
    account = _Account(purse)

    def expect(step: Step) -> None:
        purse.check()
        account.recorded = count_text(shown([step.reply])) if step.reply else 0

    with connect().with_options(max_retries=0) as client:  # a retry would not be paid for here
        extra = {"max_completion_tokens": REPLY}
        yield Line(client=account.on(client), log=account.log, expect=expect, extra=extra)
    purse.check()  # the last turn may have gone out with a summary that was not paid for
