"""English time expressions; the grammar is in the docstring of `memory.recall.periods`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final

from memory.recall.periods_days import (
    Part,
    Period,
    Unit,
    about,
    ago,
    day,
    lately,
    latest_day,
    latest_month,
    latest_season,
    latest_weekday,
    month,
    months_before,
    part,
    season,
    week,
    weekend,
    year,
)

__all__ = ("english",)

_Reader = Callable[[re.Match[str], date | None], Period | None]

_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_NUMBERS: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
_WEEKDAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_SEASONS: Final = {"spring": 0, "summer": 1, "fall": 2, "autumn": 2, "winter": 3}
_PARTS: Final[dict[str, Part]] = {
    "early": "early",
    "mid": "mid",
    "middle": "mid",
    "late": "late",
    "beginning": "start",
    "start": "start",
    "end": "end",
}
_LOOSE: Final = {"couple": (2, 3), "few": (2, 6), "several": (3, 9)}

_PREP = (
    r"(?:in|of|by|on|for|from|to|until|till|through|during|since|before|after|between|and|late"
    r"|early|mid|around|about|last|this|past|previous|as\ of|year"
    r"|(?:beginning|start|middle|end)\ of)"
)
_SINCE = (
    r"(?:in|during|since|before|after|until|till|through|circa|as\ of|late|early|mid"
    r"|(?:beginning|start|middle|end)\ of)"
)
_WORDS_AFTER = (
    r"(?:and|or|when|while|where|who|which|that|what|how|did|do|does|was|were|is|are|has|have|had"
    r"|with|at|for|by|to|on|in|as|of|after|before|until|till|through|because|since|if|so|then|but"
    r"|the|a|an|i|he|she|we|they|you|it|his|her|their|my|our|your|its|there|from|about|would"
    r"|could|should|will|can|than|again|together|instead|alone|only|too|also)"
)
_FULL = (
    r"(?:jan(?:uary|\.)?|feb(?:ruary|\.)?|mar(?:ch|\.)?|apr(?:il|\.)?|may|june?|july?|aug(?:ust|\.)?"
    r"|sept?(?:ember|\.)?|oct(?:ober|\.)?|nov(?:ember|\.)?|dec(?:ember|\.)?)"
)
_LONG = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d\d"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_UNIT = r"(?P<unit>day|week|month|year)"
_COUNT = (
    r"(?:(?P<number>\d{1,3}|an?|" + "|".join(_NUMBERS[1:]) + r")"
    r"|(?:a\ )?(?P<loose>couple(?:\ of)?|few|several))"
)
_PART = (
    r"(?:(?:the\ )?(?P<part>early|mid|late|beginning\ of|start\ of|middle\ of|end\ of"
    r"|first\ half\ of|second\ half\ of)(?:\ |-)(?:the\ )?)?"
)
_ABOUT = r"(?P<about>(?:around|about|circa|roughly|approximately|near)\ )?"
_OPEN, _CLOSE = r"(?<![A-Za-z0-9_.$€£#/-])", r"(?![A-Za-z0-9_]|[.,:]\d)"
_STEM = len("jan")


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which an escaped space stands for one or two, or the end of a line."""
    spaced = pattern.replace(r"\ ", r"(?:\s{1,2})")
    return re.compile(_OPEN + spaced + _CLOSE, re.IGNORECASE | re.ASCII)


def english(text: str, today: date | None) -> Iterator[tuple[int, int, Period]]:
    """Yield where in a text each expression begins and ends, and the days it means."""
    for pattern, read in _READERS:
        for match in pattern.finditer(text):
            period = read(match, today)
            if period is not None:
                start = match.end("lead") if "lead" in pattern.groupindex else match.start()
                yield start, match.end(), _shaped(match, period)


def _shaped(match: re.Match[str], period: Period) -> Period:
    """Return the part of a period that is meant, and more where the words are vague."""
    named = match.groupdict()
    if which := (named.get("part") or "").lower():
        period = part(period, _part(" ".join(which.split())))
    return about(period) if named.get("about") else period


def _part(words: str) -> Part:
    for half in ("first half", "second half"):
        if words.startswith(half):
            return half
    return _PARTS[words.split(maxsplit=1)[0]]


def _month_day(match: re.Match[str], today: date | None) -> Period | None:
    """`May 7th, 2023`, `7 May`, `May 5-7, 2023`; without a year the latest one."""
    name, number = match["month"], int(re.sub(r"\D", "", match["day"]))
    if not match["year"] and _is_word(name) and match["day"].isdigit():
        return None  # "you may 7 times", "march 3 miles"
    if not match["year"] and today is None:
        return None
    first = _dated(name, number, match["year"], today)
    last = _dated(name, int(match["to"]), match["year"], today) if match["to"] else first
    if first is None or last is None or last < first:
        return first
    return Period(start=first.start, stop=last.stop)


def _dated(name: str, number: int, years: str | None, today: date | None) -> Period | None:
    which = _MONTHS.index(name[:_STEM].lower()) + 1
    if years:
        return day(int(years), which, number)
    return latest_day(today, which, number) if today else None


def _is_word(name: str) -> bool:
    """Return whether a name of a month is written as the verb `may` or `march`."""
    return name in {"may", "march", "mar"}


def _numeric(match: re.Match[str], _: date | None) -> Period | None:
    """`5/7/2023`, month first unless that cannot be; with dots, the day first."""
    first, second, years = int(match["a"]), int(match["b"]), match["y"]
    number = int(years) + (2000 if len(years) == len("23") else 0)
    if match["sep"] == ".":
        return day(number, second, first)
    return day(number, first, second) or day(number, second, first)


def _month_year(match: re.Match[str], _: date | None) -> Period | None:
    return month(int(match["year"]), _MONTHS.index(match["month"][:_STEM].lower()) + 1)


def _month_alone(match: re.Match[str], today: date | None) -> Period | None:
    """`in May`; `may` and `march` as a verb is written small, and follows other words."""
    before, name = match["before"].lower(), match["month"]
    if today is None or (_is_word(name) and before not in {"in", "during", "last"}):
        return None
    which = _MONTHS.index(name[:_STEM].lower()) + 1
    found = latest_month(today, which)
    if found is None:
        return None
    if before in {"last", "previous", "past"} and today in found:
        return month(today.year - 1, which)
    if before in {"around", "about"}:
        return about(found)
    return _led(before, found)


def _led(before: str, period: Period) -> Period:
    """Return the part of a period that the words before it mean, as in `early 2023`."""
    return part(period, _part(before)) if before.split(maxsplit=1)[0] in _PARTS else period


def _season_year(match: re.Match[str], _: date | None) -> Period | None:
    return season(int(match["year"]), _SEASONS[match["season"].lower()])


def _season_alone(match: re.Match[str], today: date | None) -> Period | None:
    over = match["which"].lower() in {"last", "past", "previous"}
    name = match["season"].lower()
    return latest_season(today, _SEASONS[name], over=over) if today else None


def _year(match: re.Match[str], _: date | None) -> Period | None:
    """`in 2022`, `early 2022`."""
    found = year(int(match["year"]))
    return found and _led((match["before"] or "the").lower(), found)


def _years(match: re.Match[str], _: date | None) -> Period | None:
    """`from 2019 to 2022`."""
    first, last = sorted((int(match["year"]), int(match["to"])))
    return Period(start=date(first, 1, 1), stop=date(last, 12, 31))


def _ago(match: re.Match[str], today: date | None) -> Period | None:
    """`3 days ago`, `a few weeks ago`."""
    least, most = _count(match)
    return ago(today, least, most, _unit(match)) if today else None


def _lately(match: re.Match[str], today: date | None) -> Period | None:
    """`in the past 3 days`, `over the last few months`."""
    return lately(today, _count(match)[1], _unit(match)) if today else None


def _count(match: re.Match[str]) -> tuple[int, int]:
    if match["loose"]:
        return _LOOSE[match["loose"].split()[0].lower()]
    number = match["number"].lower()
    if not number.isdigit():
        number = str(_NUMBERS.index(number)) if number in _NUMBERS else "1"
    return int(number), int(number)


def _unit(match: re.Match[str]) -> Unit:
    return match["unit"].lower()  # type: ignore[return-value]  # the pattern knows no others


def _calendar(match: re.Match[str], today: date | None) -> Period | None:
    """`last week`, `this month`."""
    if today is None:
        return None
    back, what = int(match["which"].lower() != "this"), match["what"].lower()
    if match["which"].lower() == "past" and what != "weekend":
        # "over the past year": the twelve months up to now
        return lately(
            today, 1, "week" if what == "week" else "month" if what == "month" else "year"
        )
    match what:
        case "week":
            return week(today, back)
        case "month":
            return months_before(today, back)
        case "year":
            return year(today.year - back)
    return weekend(today, back)


def _weekday(match: re.Match[str], today: date | None) -> Period | None:
    """`last Friday`, `on Friday`: the latest one."""
    if today is None:
        return None
    before = match["which"].lower() in {"last", "past", "previous"}
    number = _WEEKDAYS.index(match["weekday"][:_STEM].lower())
    return latest_weekday(today, number, before=before)


def _days(match: re.Match[str], today: date | None) -> Period | None:
    """`yesterday`, `last night`, `the day before yesterday`."""
    back = 2 if match[0].lower().startswith(("the", "day")) else 1
    return ago(today, back, back, "day") if today else None


_S = r"(?:\ ?,\ ?|\ |[-/.])"
_READERS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = tuple(
    (_compiled(pattern), read)
    for pattern, read in (
        (
            (
                rf"{_ABOUT}(?P<month>{_FULL})(?:\ |-|/)(?:the\ )?(?P<day>{_DAY}(?:st|nd|rd|th)?)"
                rf"(?:\ ?[-–—]\ ?(?P<to>{_DAY})(?:st|nd|rd|th)?)?(?:{_S}(?P<year>{_YEAR}))?"
            ),
            _month_day,
        ),
        (
            (
                rf"{_ABOUT}(?:the\ )?(?P<day>{_DAY}(?:st|nd|rd|th)?)(?:\ ?[-–—]\ ?(?P<to>{_DAY})"
                rf"(?:st|nd|rd|th)?)?(?:\ of\ |\ |[-/.])(?P<month>{_FULL})"
                rf"(?:{_S}(?P<year>{_YEAR}))?"
            ),
            _month_day,
        ),
        (rf"{_ABOUT}(?P<a>\d\d?)(?P<sep>[/.])(?P<b>\d\d?)(?P=sep)(?P<y>{_YEAR})", _numeric),
        (rf"{_ABOUT}(?P<a>\d\d?)(?P<sep>/)(?P<b>\d\d?)/(?P<y>\d\d)(?!/)", _numeric),
        (rf"{_ABOUT}{_PART}(?P<month>{_FULL})(?:\ of\ |{_S})(?P<year>{_YEAR})", _month_year),
        (
            (
                rf"{_ABOUT}{_PART}(?P<season>spring|summer|fall|autumn|winter)"
                rf"(?:\ of\ |\ ?,\ ?|\ )(?P<year>{_YEAR})"
            ),
            _season_year,
        ),
        (
            rf"(?P<lead>(?P<before>{_PREP})(?:\ |-)(?:the\ )?)(?P<month>{_LONG})(?!\ ?-?\d)",
            _month_alone,
        ),
        (
            (
                rf"{_ABOUT}{_PART}"
                r"(?P<which>last|past|previous|this|(?:in|during|over|since)\ the)\ "
                r"(?P<season>spring|summer|fall|autumn|winter)"
            ),
            _season_alone,
        ),
        (
            (
                rf"(?:from|between|in)\ (?P<year>{_YEAR})"
                rf"(?:\ (?:to|and|until|through)\ |\ ?[-–—]\ ?)(?P<to>{_YEAR})"
                rf"(?=\ ?$|\ ?[?!;,.)\]]|\ {_WORDS_AFTER}\b)"
            ),
            _years,
        ),
        (
            (
                rf"(?P<lead>(?P<before>{_SINCE})(?:\ |-)(?:the\ year\ )?|the\ year\ )"
                rf"(?P<year>{_YEAR})"
                rf"(?=['’]?s?(?:\ ?$|\ ?[?!;,.)\]–—]|\ ?-\ ?\d|\ {_WORDS_AFTER}\b))"
            ),
            _year,
        ),
        (rf"{_ABOUT}{_COUNT}\ {_UNIT}s?\ (?:ago|back)", _ago),
        (rf"(?:last|past|previous)\ {_COUNT}\ {_UNIT}s?", _lately),
        (
            (
                rf"{_ABOUT}{_PART}(?P<which>last|past|previous|this)\ "
                r"(?P<what>weekend|week|month|year)(?!\ of\b)"
            ),
            _calendar,
        ),
        (rf"(?P<which>last|past|previous|this|on)\ (?P<weekday>{_WEEKDAY})", _weekday),
        (r"(?:(?:the\ )?day\ before\ )?yesterday|last\ night", _days),
    )
)
"""What is looked for, the more exact before the less exact."""
