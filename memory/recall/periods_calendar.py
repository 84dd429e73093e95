"""On which day each message of a conversation was said."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from memory.cache import GenerationCache
from memory.dates import opening
from memory.identity import link, see
from memory.messages import WireMessage

__all__ = ("Calendar", "calendar", "dates_of", "labels_of")

NEAR = 64
"""How many messages a list may have grown by for what was read of its beginning to be found."""

TRIES = 8
"""How many openings in a row may look like a date and be none before one gives up."""

_YEAR = re.compile(r"(?:19|20)[0-9]{2}|[0-9]/[0-9]{1,2}/[0-9]{2}")
_EPOCH = date(1970, 1, 1)
_DAY = 86_400
_read: GenerationCache[Calendar] = GenerationCache(entries=256, weight=1_000_000)
"""What was read of the latest lists, by their chain hash; weighed by messages that have a date."""
_known: GenerationCache[tuple[date | None]] = GenerationCache(entries=4_096)
"""The days of the latest openings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The dates that the messages of a conversation open with.

    A message that opens with no date is of the time at which it was put on record, in UTC, where
    that is known. Else it is of the day of the one before it: a conversation often dates the first
    message of a sitting only.

    Attributes:
        size: How many messages were read.
        places: Which of them open with a date and a year, counted from 0 without the head.
        labels: How it is written there, for each.
    """

    size: int = 0
    places: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()

    def day(self, place: int, *, said: Sequence[float | None] = ()) -> date | None:
        """Return the day of a message, or None where nobody knows it, in O(log n).

        Args:
            place: Which message, counted from 0 without the head.
            said: When each was put on record, in seconds since 1970; see `Prompt.said`.
        """
        recorded = None if self._opens(place) else _recorded(place, said)
        found = None if recorded else self._at(place)
        return found[0] if found else recorded or _recorded(place, said)

    def label(self, place: int, *, said: Sequence[float | None] = ()) -> str:
        """Return the date of a message as it is written, else as in `2023-05-08`; empty for none.

        Args:
            place: Which message, counted from 0 without the head.
            said: When each was put on record, in seconds since 1970; see `Prompt.said`.
        """
        recorded = None if self._opens(place) else _recorded(place, said)
        if recorded is None and (found := self._at(place)):
            return found[1]
        when = recorded or _recorded(place, said)
        return when.isoformat() if when else ""

    def extended(self, messages: Sequence[WireMessage]) -> Calendar:
        """Return the calendar of a list that begins with the messages of this one."""
        found = [*_dated(messages, self.size)]
        return Calendar(
            size=len(messages),
            places=(*self.places, *(place for place, _ in found)),
            labels=(*self.labels, *(label for _, label in found)),
        )

    def _opens(self, place: int) -> bool:
        """Return whether a message itself opens with a date."""
        index = bisect_right(self.places, place)
        return bool(index) and self.places[index - 1] == place

    def _at(self, place: int) -> tuple[date, str] | None:
        """Return the day that holds for a message, and how it is written.

        Days are reckoned only here, which for all messages would take seconds; one that does not
        exist, such as 31 February, is passed over.
        """
        index = bisect_right(self.places, place)
        for label in reversed(self.labels[max(0, index - TRIES) : index]):
            if when := _day_of(label):
                return when, label
        return None


def calendar(messages: Sequence[WireMessage], *, links: Sequence[bytes] | None = None) -> Calendar:
    """Return the calendar of a conversation; only what is new since the last time is read.

    Args:
        messages: The messages, without the head.
        links: Their chain hashes, one more than there are messages; None to reckon them.
    """
    links = link(see(messages)) if links is None else links
    size = len(messages)
    places = range(size, max(-1, size - NEAR - 1), -1)
    found = (_read.get(links[place]) for place in places)
    before = next((each for each in found if each is not None), None) or Calendar()
    if before.size == size:
        return before
    made = before.extended(messages)
    return _read.put(links[size], made, weight=len(made.places))


def dates_of(
    messages: Sequence[WireMessage], *, said: Sequence[float | None] = ()
) -> list[date | None]:
    """Return the day of each message, or None where nobody knows it; see `Calendar`."""
    known = calendar(messages)
    return [known.day(place, said=said) for place in range(len(messages))]


def labels_of(messages: Sequence[WireMessage], *, said: Sequence[float | None] = ()) -> list[str]:
    """Return the date of each message as it is written, or empty texts; see `Calendar`."""
    known = calendar(messages)
    return [known.label(place, said=said) for place in range(len(messages))]


def _dated(messages: Sequence[WireMessage], start: int) -> Iterator[tuple[int, str]]:
    """Yield where a message from `start` on opens with a date and a year, and how it is written."""
    for place in range(start, len(messages)):
        label = opening(messages[place])
        if label and _YEAR.search(label):
            yield place, label


def _day_of(label: str) -> date | None:
    known = _known.get(label)
    if known is None:
        from memory.recall.periods import date_of  # noqa: PLC0415  # 40 ms of patterns

        known = _known.put(label, (date_of(label),))
    return known[0]


def _recorded(place: int, said: Sequence[float | None]) -> date | None:
    at = said[place] if place < len(said) else None
    with suppress(OverflowError, ValueError):
        return None if at is None else _EPOCH + timedelta(days=at // _DAY)
    return None
