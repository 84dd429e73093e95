"""The days that a text speaks of: time expressions in a question, and dates of messages.

The grammar is our own because the core may not read a clock or the environment, as general date
parsers do, and because these find dates in "may", "second" and "2.10" when they search a text.
Only what has been is looked for: "today", "now", "tomorrow", "next week", 今天, 下周 mean nothing.
Case does not matter but for `may` and `march`.

**Exact**: `7 May 2023`, `May 7th, 2023`, `the 7th of May, 2023`, `7-May-2023`, `May 5-7, 2023`;
`2023-05-07`, also with `/` or `.`; `5/7/2023` and `5/7/23` with the month first, unless it is more
than 12; `7.5.2023` with the day first; 2023年5月7日, 二〇二三年五月七号.

**Months, years, seasons**: `May 2023`, `2023-05`, 2023年5月; `summer 2022`, `the fall of 2022`,
2022年夏天 (those of the northern half of the world; the winter of a year begins in it); a year
after `in`, `during`, `since`, `before`, `after`, `until` and the like, or `the year`, where nothing
or a function word follows, so that "in 2000 steps" is none; 2022年, but not 2022年款.

**Without a year, by `today`**: `May 7`, `7 May`, 5月7日: the latest such day that is not after it;
`in May`, `since August`, 五月, `during the summer`: the latest that has begun. A month alone
counts after a preposition, `last` or `this`; where `may` and `march` are written small, after
`in`, `during` and `last` only, and with a day only if that is an ordinal or a year follows:
"you may 7 times" is none.

**By `today`**: `yesterday`, `last night`, `the day before yesterday`, 昨天, 前天, 大前天; `3 days
ago`, `a couple of weeks ago`, `a few months back`, 三天前, 两周前, 几个月前, 半年前; `the past 3
days`, `the last few months`, 最近三天, 过去两个月; `last` or `this` with `week`, `weekend`,
`month`, `year` or a season, 上周, 上上周, 这周, 上个月, 这个月, 今年, 去年, 前年, 去年五月,
上个月5号, 周末, 这个夏天; `last Friday`, `on Friday`, 上周五, 星期五. Weeks begin on Monday.

**Vague**: `early`, `mid`, `late`, 上旬, 中旬, 下旬 are thirds, a bit wider; `beginning of`,
`end of`, 初, 底 quarters; `first half of`, 上半年 halves; `around`, `about`, 大约, 左右, 前后 add
3 days to a day, either side, 5 to a week, 10 to a month, 21 to a season, 90 to a year. Weeks ago
may miss by 3
days, months by 15, years by half a year; a couple is 2 to 3, a few 2 to 6, 几 2 to 7.
`from A to B`, `between A and B`, 从A到B are one period; `before`, `after` and `since` mean the time
that they name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from memory.recall.periods_days import Period, day, month, widened
from memory.recall.periods_en import english
from memory.recall.periods_zh import chinese

__all__ = ("Period", "date_of", "periods", "widened")

LONGEST = 20_000
"""Characters of a text that are read: its beginning and its end, half each."""

_NUMERIC = re.compile(
    r"(?<![A-Za-z0-9_.:/-])(?P<year>(?:19|20)[0-9]{2})"
    r"(?:(?P<sep>[-/.])(?P<month>[0-9]{1,2})(?P=sep)(?P<day>[0-9]{1,2})|-(?P<only>0[1-9]|1[0-2]))"
    r"(?![A-SU-Za-z0-9_/-]|[.:][0-9])"
)
_TO = re.compile(r"(?i)\s{0,2}(?:to|until|till|through|thru|[-–—~～至到])\s{0,2}(?:the\s)?")
_AND = re.compile(r"(?i)\s{0,2}(?:and|和|与|及)\s{0,2}(?:the\s)?")
_BETWEEN = re.compile(r"(?i)(?:between|在)\s{0,2}$")

_GAP = 16
"""Characters that may stand between the two ends of a range."""

_Found = tuple[int, int, Period]


def periods(text: str, *, today: date | None) -> tuple[Period, ...]:
    """Return the days that a text speaks of, in the order in which it does.

    Args:
        text: The text, in English, Chinese or both; of a very long one, its two ends.
        today: The day on which it is said; None if nobody knows, and then nothing that depends on
            it is found.
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}\n\n\n{text[-LONGEST // 2 :]}"
    return tuple(period for _, _, period in _joined(text, _apart(_candidates(text, today))))


def date_of(text: str) -> date | None:
    """Return the first day that a text names in full, as in `1:56 pm on 8 May, 2023`, or None."""
    text = text[:LONGEST]
    if match := _NUMERIC.search(text):  # most are of this form, and it is the quickest to read
        found = list(_numeric(match))
    else:
        found = _apart(_candidates(text, None))
    return next((each.start for _, _, each in found if each.start == each.stop), None)


def _candidates(text: str, today: date | None) -> Iterator[_Found]:
    for match in _NUMERIC.finditer(text):
        yield from _numeric(match)
    yield from english(text, today)
    if not text.isascii():
        yield from chinese(text, today)


def _numeric(match: re.Match[str]) -> Iterator[_Found]:
    """Yield the day or month of `2023-05-07` or `2023-05`, if there is such a one."""
    number = int(match["year"])
    if match["only"]:
        period = month(number, int(match["only"]))
    else:
        period = day(number, int(match["month"]), int(match["day"]))
    if period is not None:
        yield match.start(), match.end(), period


def _apart(found: Iterable[_Found]) -> list[_Found]:
    """Return what does not overlap: the longest of those that do, the first of equals."""
    apart: list[_Found] = []
    for each in sorted(found, key=lambda one: (one[0], -one[1])):
        if not apart or each[0] >= apart[-1][1]:
            apart.append(each)
        elif each[1] - each[0] > apart[-1][1] - apart[-1][0]:
            apart[-1] = each
    return apart


def _joined(text: str, found: list[_Found]) -> list[_Found]:
    """Return what was found with the two ends of a range as one."""
    joined: list[_Found] = []
    for start, stop, period in found:
        if joined and _is_range(text, joined[-1], start) and joined[-1][2].start <= period.stop:
            first, _, before = joined[-1]
            whole = Period(start=before.start, stop=max(before.stop, period.stop))
            joined[-1] = (first, stop, whole)
        else:
            joined.append((start, stop, period))
    return joined


def _is_range(text: str, before: _Found, start: int) -> bool:
    if start - before[1] > _GAP:
        return False
    between = text[before[1] : start]
    if _TO.fullmatch(between):
        return True
    lead = text[max(0, before[0] - _GAP) : before[0]]
    return bool(_AND.fullmatch(between) and _BETWEEN.search(lead))
