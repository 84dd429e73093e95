"""Chinese time expressions; the grammar is in the docstring of `memory.recall.periods`."""

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

__all__ = ("chinese",)

_Reader = Callable[[re.Match[str], date | None], Period | None]

_DIGITS: Final = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2}
_UNITS: Final[dict[str, Unit]] = {"天": "day", "日": "day", "月": "month", "年": "year"}
_WEEKDAYS: Final = "一二三四五六日"
_BACK: Final = {"今": 0, "本": 0, "这": 0, "去": 1, "上": 1, "上上": 2, "前": 2, "大前": 3}
_LOOSE: Final = {"几": (2, 7), "数": (2, 9)}
_PARTS: Final[dict[str, Part]] = {
    "初": "start",
    **dict.fromkeys(("中", "中旬"), "mid"),
    **dict.fromkeys(("底", "末", "尾"), "end"),
    "上旬": "early",
    "下旬": "late",
    "上半": "first half",
    "下半": "second half",
}

_N = r"[0-9一二三四五六七八九十两]{1,3}"
_YEAR = r"(?P<year>(?:19|20)[0-9]{2}|[一二][〇零一二三四五六七八九]{3})\s?年"
_SOME = rf"(?:{_YEAR}|(?P<then>今|去|大?前)年)的?\s?"
_MONTH = r"(?P<month>1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])\s?月(?!份?[一两三]次)"
_DAY = (
    r"(?P<day>3[01]|[12][0-9]|0?[1-9]|三十一?|二?十[一二三四五六七八九]?|[一二三四五六七八九])"
    r"\s?[日号]"
)
_SEASON = r"(?P<season>春|夏|秋|冬)(?:天|季|日)"
_WEEK = r"(?:周|星期|礼拜)"
_PART = r"(?:年?(?P<part>[初中底末尾](?!心|国|文|午|间|学|秋)|[上中下]旬))?"
_ABOUT = r"(?:(?P<about>大约|大概|约)(?:在|是)?)?"
_AFTER = r"(?P<after>左右|前后|上下)?"
_OPEN = r"(?<![0-9A-Za-z])"


def chinese(text: str, today: date | None) -> Iterator[tuple[int, int, Period]]:
    """Yield where in a text each expression begins and ends, and the days it means."""
    for pattern, read in _READERS:
        for match in pattern.finditer(text):
            period = read(match, today)
            if period is not None:
                yield match.start(), match.end(), _shaped(match, period)


def _shaped(match: re.Match[str], period: Period) -> Period:
    """Return the part of a period that is meant, and more where the words are vague."""
    named = match.groupdict()
    if which := named.get("part"):
        period = part(period, _PARTS[which])
    return about(period) if named.get("about") or named.get("after") else period


def _number(text: str) -> int:
    """Return what a number of digits, or of Chinese ones up to 99, means."""
    if text.isascii():
        return int(text)
    if "十" in text:
        tens, _, ones = text.partition("十")
        return _digits(tens or "一") * 10 + _digits(ones or "零")
    return _digits(text)


def _digits(text: str) -> int:
    return int("".join(str(_DIGITS.get(each, each)) for each in text if each != "十") or "0")


def _year_of(match: re.Match[str], today: date | None) -> int | None:
    """Return the year that is named, or that 去年 means."""
    if match["year"]:
        return _number(match["year"])
    return today.year - _BACK[match["then"]] if today else None


def _year_month_day(match: re.Match[str], today: date | None) -> Period | None:
    """2023年5月7日, 去年五月, 2023年."""
    which = _year_of(match, today)
    if which is None:
        return None
    if match["season"]:
        return season(which, "春夏秋冬".index(match["season"]))
    if not match["month"]:
        return year(which)
    if not match["day"]:
        return month(which, _number(match["month"]))
    return day(which, _number(match["month"]), _number(match["day"]))


def _half(match: re.Match[str], today: date | None) -> Period | None:
    """2023年上半年."""
    which = _year_of(match, today)
    return None if which is None else year(which)


def _month_day(match: re.Match[str], today: date | None) -> Period | None:
    """5月7日, 五月: the latest one."""
    if today is None:
        return None
    number = _number(match["month"])
    if match["day"]:
        return latest_day(today, number, _number(match["day"]))
    return latest_month(today, number)


def _this_month(match: re.Match[str], today: date | None) -> Period | None:
    """上个月, 这个月, 上个月5号."""
    found = months_before(today, _BACK[match["which"]]) if today else None
    if found is None or not match["day"]:
        return found
    return day(found.start.year, found.start.month, _number(match["day"]))


def _this_week(match: re.Match[str], today: date | None) -> Period | None:
    """上周, 上周五, 这周末."""
    if today is None:
        return None
    back, what = _BACK[match["which"]], match["what"]
    if not what:
        return week(today, back)
    if what == "末":
        return weekend(today, back)
    monday = week(today, back).start
    index = _weekday_of(what)
    return Period(
        start=monday.fromordinal(monday.toordinal() + index),
        stop=monday.fromordinal(monday.toordinal() + index),
    )


def _weekday(match: re.Match[str], today: date | None) -> Period | None:
    """周五, 周末: the latest one."""
    if today is None:
        return None
    if match["what"] == "末":
        here = weekend(today, 0)
        return here if here.start <= today else weekend(today, 1)
    return latest_weekday(today, _weekday_of(match["what"]), before=False)


def _weekday_of(what: str) -> int:
    return _WEEKDAYS.index({"天": "日"}.get(what, what))


def _this_season(match: re.Match[str], today: date | None) -> Period | None:
    """这个夏天, 上个冬天."""
    number = "春夏秋冬".index(match["season"])
    return latest_season(today, number, over=match["which"] == "上") if today else None


def _ago(match: re.Match[str], today: date | None) -> Period | None:
    """三天前, 两周前, 几个月前, 半年前."""
    if today is None:
        return None
    unit = _unit(match["unit"])
    if match["number"] == "半":
        return ago(today, 6, 6, "month") if unit == "year" else ago(today, 15, 15, "day")
    least, most = _count(match["number"])
    return ago(today, least, most, unit)


def _lately(match: re.Match[str], today: date | None) -> Period | None:
    """最近三天, 过去两个月, 这几天."""
    if today is None:
        return None
    return lately(today, _count(match["number"])[1], _unit(match["unit"]))


def _before(match: re.Match[str], today: date | None) -> Period | None:
    """前几天, 前两天, 前阵子."""
    if today is None:
        return None
    return ago(today, 2, 30, "day") if "阵" in match[0] else ago(today, 1, 7, "day")


def _count(text: str) -> tuple[int, int]:
    if text in _LOOSE:
        return _LOOSE[text]
    if not text.isascii() and "十" not in text and len(text) == len("两三"):
        return _digits(text[0]), max(map(_digits, text))
    return _number(text), _number(text)


def _unit(text: str) -> Unit:
    return _UNITS.get(text, "week")


def _days(match: re.Match[str], today: date | None) -> Period | None:
    """昨天, 前天, 大前天."""
    back = {"昨": 1, "前": 2, "大前": 3}[match["which"]]
    return ago(today, back, back, "day") if today else None


_READERS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (
            (
                rf"{_ABOUT}{_OPEN}{_SOME}(?:(?:{_MONTH}份?\s?(?:{_DAY})?|{_SEASON})?{_PART})"
                rf"(?![款版级代]){_AFTER}"
            ),
            _year_month_day,
        ),
        (rf"{_ABOUT}{_OPEN}{_SOME}(?P<part>[上下]半)年", _half),
        (
            (
                rf"{_ABOUT}(?<![0-9A-Za-z第每个年十一二三四五六七八九]){_MONTH}份?\s?(?:{_DAY})?{_PART}"
                rf"{_AFTER}"
            ),
            _month_day,
        ),
        (rf"(?P<which>上上|上|这|本)个?月(?:{_DAY})?{_PART}{_AFTER}", _this_month),
        (
            rf"(?P<which>上上|上|这|本)个?{_WEEK}(?P<what>[一二三四五六日天末])?(?![边围身])",
            _this_week,
        ),
        (
            r"(?:(?<![日号0-9]\s)(?<![日号每下逢双单两个])(?:星期|礼拜)(?P<what>[一二三四五六日天])(?![-~—到至和、,次]))",
            _weekday,
        ),
        (
            (
                r"(?<![日号0-9到至]\s)(?<!周[一二三四五六日][-~—到至和、,])(?<![^\s，。！？、；：,.!?;:“”（）()在从到是我你他她们的了于这那])周"
                r"(?P<what>[一二三四五六日末])(?!\s?[-~—到至和、,次])"
            ),
            _weekday,
        ),
        (rf"(?P<which>这|上)个?{_SEASON}", _this_season),
        (
            (
                rf"{_ABOUT}{_OPEN}(?<![第十])(?P<number>{_N}|几|数|半)(?:个半?)?"
                rf"(?P<unit>天|日|{_WEEK}|(?<=个)月|年)多?[之以]?前(?!天){_AFTER}"
            ),
            _ago,
        ),
        (
            (
                rf"(?:最近|过去|近|这)(?:的)?(?P<number>{_N}|几|数)(?:个)?"
                rf"(?P<unit>天|{_WEEK}|(?<=个)月|年)(?!前|之前|以前|级)"
            ),
            _lately,
        ),
        (r"(?<![0-9年月周天以之目])前(?:些|几|两)(?:天|日)|前(?:一?阵子|一阵)", _before),
        (r"(?<![以之目眼提空面当此先年月周天日])(?P<which>大前|昨|前)[天日晚夜]", _days),
    )
)
"""What is looked for, the more exact before the less exact."""
