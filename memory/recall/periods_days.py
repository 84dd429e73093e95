"""Periods of days, and the arithmetic of calendars on them."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

__all__ = (
    "Part",
    "Period",
    "Unit",
    "about",
    "ago",
    "day",
    "lately",
    "latest_day",
    "latest_month",
    "latest_season",
    "latest_weekday",
    "month",
    "months_before",
    "part",
    "season",
    "week",
    "weekend",
    "widened",
    "year",
)

Unit = Literal["day", "week", "month", "year"]
Part = Literal["start", "early", "mid", "late", "end", "first half", "second half"]

_WINTER = 3
_DAYS: dict[Unit, int] = {"day": 1, "week": 7, "month": 30, "year": 365}
_VAGUE: dict[Unit, int] = {"day": 0, "week": 3, "month": 15, "year": 183}
"""By how many days "two weeks ago" may miss, either side, for each unit."""
_PARTS: dict[Part, tuple[int, int]] = {
    "start": (0, 25),
    "early": (0, 40),
    "mid": (30, 70),
    "late": (60, 100),
    "end": (75, 100),
    "first half": (0, 50),
    "second half": (50, 100),
}
"""Which share of a period is meant, in hundredths."""
_SLACK = ((3, 1, 7, 3), (10, 3, 7, 5), (45, 7, 21, 10), (120, 14, 30, 21), (10**7, 30, 60, 90))
"""For periods of at most so many days: days before and after, and either side of "around"."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Period:
    """A run of days.

    Attributes:
        start: The first day.
        stop: The last day, which is in it.
    """

    start: date
    stop: date

    def __contains__(self, when: date) -> bool:
        """Return whether a day is in it."""
        return self.start <= when <= self.stop

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.stop - self.start).days + 1


def widened(period: Period) -> Period:
    """Return a period with the days around it on which messages still, or already, speak of it.

    People tell of a day within a week after it ("last Saturday"), of a month for three weeks into
    the next one, and plan things shortly before:

    | a period of     | days before | days after |
    | --------------- | ----------- | ---------- |
    | 1 to 3 days     | 1           | 7          |
    | 4 to 10 days    | 3           | 7          |
    | 11 to 45 days   | 7           | 21         |
    | 46 to 120 days  | 14          | 30         |
    | more            | 30          | 60         |
    """
    before, after, _ = _slack(period)
    return Period(start=_moved(period.start, -before), stop=_moved(period.stop, after))


def about(period: Period) -> Period:
    """Return what "around" a period means.

    A day may miss by 3 days either side, a week by 5, a month by 10, a season by 21, a year by 90.
    """
    *_, around = _slack(period)
    return Period(start=_moved(period.start, -around), stop=_moved(period.stop, around))


def day(year: int, month: int, number: int) -> Period | None:
    """Return one day, or None where there is no such day."""
    with suppress(ValueError, OverflowError):
        when = date(year, month, number)
        return Period(start=when, stop=when)
    return None


def month(year: int, number: int) -> Period | None:
    """Return a calendar month, or None where there is no such month."""
    with suppress(ValueError, OverflowError):
        last = monthrange(year, number)[1]
        return Period(start=date(year, number, 1), stop=date(year, number, last))
    return None


def year(number: int) -> Period | None:
    """Return a calendar year, or None where there is no such year."""
    with suppress(ValueError, OverflowError):
        return Period(start=date(number, 1, 1), stop=date(number, 12, 31))
    return None


def season(year: int, number: int) -> Period | None:
    """Return a season of the northern half of the world: 0 for spring, from March, to 3 for winter.

    The winter of a year is the one that begins in it.
    """
    first = month(year, 3 + 3 * number)
    last = month(year + 1, 2) if number == _WINTER else month(year, 5 + 3 * number)
    return Period(start=first.start, stop=last.stop) if first and last else None


def week(today: date, back: int) -> Period:
    """Return the week, Monday to Sunday, `back` weeks before that of a day."""
    monday = _moved(today, -today.weekday() - 7 * back)
    return Period(start=monday, stop=_moved(monday, 6))


def weekend(today: date, back: int) -> Period:
    """Return the Saturday and Sunday of the week `back` weeks before that of a day."""
    sunday = week(today, back).stop
    return Period(start=_moved(sunday, -1), stop=sunday)


def months_before(today: date, back: int) -> Period | None:
    """Return the calendar month `back` months before that of a day."""
    years, rest = divmod(today.year * 12 + today.month - 1 - back, 12)
    return month(years, rest + 1)


def latest_day(today: date, month: int, number: int) -> Period | None:
    """Return the latest such day of a year that is not after a day, or None."""
    found = (day(each, month, number) for each in _years(today))
    return next((one for one in found if one and one.start <= today), None)


def latest_month(today: date, number: int) -> Period | None:
    """Return the latest such month that has begun by a day, or None."""
    found = (month(each, number) for each in _years(today))
    return next((one for one in found if one and one.start <= today), None)


def latest_season(today: date, number: int, *, over: bool) -> Period | None:
    """Return the latest such season that has begun by a day, or, if `over`, that has ended."""
    found = (season(each, number) for each in _years(today))
    return next((s for s in found if s and (s.stop < today if over else s.start <= today)), None)


def latest_weekday(today: date, number: int, *, before: bool) -> Period:
    """Return the latest such day of the week, from 0 for Monday, by a day or, if so, before it."""
    start = _moved(today, -1) if before else today
    when = _moved(start, -((start.weekday() - number) % 7))
    return Period(start=when, stop=when)


def ago(today: date, least: int, most: int, unit: Unit) -> Period | None:
    """Return when it was `least` to `most` units before a day, as vague as the unit is.

    Days are exact; weeks may miss by 3 days, months by 15, years by half a year.
    """
    first, last, vague = _back(today, most, unit), _back(today, least, unit), _VAGUE[unit]
    if first is None or last is None:
        return None
    stop = min(_moved(last, vague), _moved(today, -1)) if least else _moved(last, vague)
    return Period(start=_moved(first, -vague), stop=max(stop, first))


def lately(today: date, number: int, unit: Unit) -> Period | None:
    """Return the last so many units, up to and with a day."""
    first = _back(today, number, unit)
    return None if first is None else Period(start=first, stop=today)


def part(period: Period, which: Part) -> Period:
    """Return a part of a period: a third and a bit, a quarter at its ends, or a half."""
    first, last = _PARTS[which]
    start = period.start + timedelta(days=(period.days - 1) * first // 100)
    stop = period.start + timedelta(days=-(-(period.days - 1) * last // 100))
    return Period(start=start, stop=stop)


def _slack(period: Period) -> tuple[int, int, int]:
    return next((b, a, around) for most, b, a, around in _SLACK if period.days <= most)


def _back(today: date, number: int, unit: Unit) -> date | None:
    """Return the day so many units before one; the 31st of a short month is its last day."""
    if unit in {"day", "week"}:
        with suppress(OverflowError):
            return today - timedelta(days=number * _DAYS[unit])
        return None
    target = months_before(today, number * (12 if unit == "year" else 1))
    if target is None:
        return None
    return target.start.replace(day=min(today.day, target.stop.day))


def _moved(when: date, days: int) -> date:
    """Return a day so many days later; the calendar ends where `date` does."""
    try:
        return when + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def _years(today: date) -> Iterator[int]:
    """Yield years backwards, as many as a 29 February may be away."""
    return iter(range(today.year, max(0, today.year - 9), -1))
