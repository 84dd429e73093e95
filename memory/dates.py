"""The dates that messages open with, as in `[1:56 pm on 8 May, 2023] Hello`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memory.messages import WireMessage, text_of

__all__ = ("is_plain", "opening", "span")

_BRACKETED = re.compile(r"\s{0,8}[\[【(（]([^\[\]【】()（）\n]{4,60})[\]】)）]")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DATE = re.compile(
    rf"(?i)\d{{4}}[-/.年]\d{{1,2}}|\d{{1,2}}月\d{{1,2}}|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}"
    rf"|{_MONTH}[a-z]*\W{{1,2}}\d|\d{{1,2}}(?:st|nd|rd|th)?\W{{1,2}}{_MONTH}"
)


_PLAIN = re.compile(
    rf"(?i)(?:\d{{1,4}}|{_MONTH}[a-z]{{0,6}}|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{{0,6}}"
    r"|st|nd|rd|th|am|pm|a\.m|p\.m|at|on|of|the|utc|gmt|z|t|[年月日号时分秒点周星期一二三四五六天]"
    r"|[\s,.:/+()-])+"
)


def is_plain(label: str) -> bool:
    """Return whether a date is made of the words and signs of dates and times, and nothing else."""
    return _PLAIN.fullmatch(label) is not None


def span(messages: Sequence[WireMessage]) -> tuple[str, str]:
    """Return the first and the last date that messages open with; empty texts where none does."""
    found = [date for message in messages if (date := opening(message))]
    return (found[0], found[-1]) if found else ("", "")


def opening(message: WireMessage) -> str:
    """Return the date that a message opens with, as it stands in the brackets; empty for none."""
    content = message.get("content")
    text = content if isinstance(content, str) else text_of(message)
    match = _BRACKETED.match(text, 0, 80)
    return match[1].strip() if match and _DATE.search(match[1]) else ""
