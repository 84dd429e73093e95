"""What each turn of a growing conversation is billed, and what it were with the full history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from statistics import fmean
from time import thread_time
from typing import Any, Final

from benchmarks._stubs import Stub
from memory.messages import text_of
from memory.meter import Meter
from memory.summary import Draft, SummaryRequest, request_body
from memory.tuning.prices import Tariff, Volume

__all__ = ("Account", "Billed")

MODEL: Final = "kimi-k2.6"
LATEST: Final = 200
"""Turns over which the money of a turn is averaged: several compactions."""

Message = Mapping[str, Any]


class Account:
    """The bill of one conversation, turn by turn.

    What a prompt begins with as the one before did is billed as cached, to the last token.

    Args:
        meter: Counts prompts; one that learns nothing.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self._tariff = Tariff.of(MODEL)
        self._before: Sequence[Message] = ()
        self._whole = self._last = 0
        self._owed = 0.0
        self.turns: list[float] = []
        self.full: list[float] = []
        self.tokens: list[int] = []

    def turn(self, sent: Sequence[Message], new: Sequence[Message], reply: Message) -> None:
        """Bill a turn: what was sent, and what was new in the whole of it, head included."""
        prompt, cached = self._prompt(sent)
        written = self._cost([reply])
        volume = Volume(prompt=prompt, cached=cached, completion=written)
        self.turns.append(self._tariff.dollars(volume) + self._owed)
        self.tokens.append(prompt)
        self._before, self._owed = list(sent), 0.0  # the caller may add to theirs
        whole = self._whole + self._last + self._cost(new)
        in_full = Volume(prompt=whole, cached=self._whole, completion=written)
        self.full.append(self._tariff.dollars(in_full))
        self._whole, self._last = whole, written

    def summary(self, asked: Sequence[Message], text: str) -> None:
        """Bill a summary together with the turn that it is written for."""
        prompt, cached = self._prompt(asked)
        volume = Volume(prompt=prompt, cached=cached, completion=round(self.meter.text(text)))
        self._owed += self._tariff.dollars(volume)

    def latest(self, count: int = LATEST) -> tuple[float, float, float]:
        """Return what the latest turns cost on average, in full too, and their prompt tokens."""
        return fmean(self.turns[-count:]), fmean(self.full[-count:]), fmean(self.tokens[-count:])

    def _prompt(self, sent: Sequence[Message]) -> tuple[int, int]:
        """Return the tokens of a prompt and how many of them the turn before began with."""
        counts = self.meter.count(sent)
        cached = 0
        for cost, old, new in zip(counts, self._before, sent, strict=False):
            if old == new:
                cached += cost
                continue
            cached += round(self.meter.text(_begun(text_of(old), text_of(new))))
            break
        return counts.total, min(cached, counts.total)

    def _cost(self, messages: Sequence[Message]) -> int:
        return sum(self.meter.count(messages))


def _begun(one: str, other: str) -> str:
    """Return what two texts begin with alike."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return one[: sum(1 for _ in pairs)]


class Billed:
    """A summariser whose texts are billed, and whose own time is kept apart.

    Args:
        writer: Who writes.
        account: The bill.

    Attributes:
        seconds: Processor time of the writer and of the bill, which is not the library's.
    """

    def __init__(self, writer: Stub, account: Account) -> None:
        self._writer = writer
        self._account = account
        self.seconds = 0.0

    def summarize(self, request: SummaryRequest) -> Draft:
        """Return what the writer writes."""
        begun = thread_time()
        draft = self._writer.summarize(request)
        self._account.summary(request_body(request)["messages"], draft.text)
        self.seconds += thread_time() - begun
        return draft
