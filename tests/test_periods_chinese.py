"""Time expressions in Chinese texts."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_periods_english import TODAY, days

from memory.recall.periods import date_of, periods

EXACT = [
    ("2023年5月7日", "2023-05-07"),
    ("二〇二三年五月七号", "2023-05-07"),
    ("2023年十二月三十一日", "2023-12-31"),
    ("在2023-05-07那天", "2023-05-07"),
    ("2023年5月", "2023-05-01/2023-05-31"),
    ("2023年5月份", "2023-05-01/2023-05-31"),
    ("2022年", "2022-01-01/2022-12-31"),
    ("2022年夏天", "2022-06-01/2022-08-31"),
    ("2023年5月初", "2023-05-01/2023-05-09"),
    ("2023年5月中旬", "2023-05-10/2023-05-22"),
    ("2023年年底", "2023-10-01/2023-12-31"),
    ("2023年上半年", "2023-01-01/2023-07-02"),
    ("2023年5月7日左右", "2023-05-04/2023-05-10"),
    ("大约在2023年5月7日", "2023-05-04/2023-05-10"),
    ("从2023年5月1日到2023年5月3日", "2023-05-01/2023-05-03"),
]
RELATIVE = [
    ("5月7日", "2024-05-07"),
    ("5月20号", "2023-05-20"),
    ("六月", "2023-06-01/2023-06-30"),
    ("去年五月", "2023-05-01/2023-05-31"),
    ("去年5月7日", "2023-05-07"),
    ("去年夏天", "2023-06-01/2023-08-31"),
    ("去年年底", "2023-10-01/2023-12-31"),
    ("昨天", "2024-05-14"),
    ("昨晚", "2024-05-14"),
    ("前天", "2024-05-13"),
    ("大前天", "2024-05-12"),
    ("上周", "2024-05-06/2024-05-12"),
    ("上上周", "2024-04-29/2024-05-05"),
    ("这周", "2024-05-13/2024-05-19"),
    ("上周五", "2024-05-10"),
    ("上个星期天", "2024-05-12"),
    ("上周末", "2024-05-11/2024-05-12"),
    ("周末", "2024-05-11/2024-05-12"),
    ("星期五", "2024-05-10"),
    ("在周三", "2024-05-15"),
    ("上个月", "2024-04-01/2024-04-30"),
    ("上个月5号", "2024-04-05"),
    ("上个月底", "2024-04-22/2024-04-30"),
    ("这个月", "2024-05-01/2024-05-31"),
    ("今年", "2024-01-01/2024-12-31"),
    ("去年", "2023-01-01/2023-12-31"),
    ("前年", "2022-01-01/2022-12-31"),
    ("三天前", "2024-05-12"),
    ("十二天前", "2024-05-03"),
    ("两三天前", "2024-05-12/2024-05-13"),
    ("几天前", "2024-05-08/2024-05-13"),
    ("两周前", "2024-04-28/2024-05-04"),
    ("2个月之前", "2024-02-29/2024-03-30"),
    ("半年前", "2023-10-31/2023-11-30"),
    ("前几天", "2024-05-08/2024-05-14"),
    ("最近三天", "2024-05-12/2024-05-15"),
    ("过去两个月", "2024-03-15/2024-05-15"),
    ("这个夏天", "2023-06-01/2023-08-31"),
]
NONE = [
    "今天天气真好",
    "明天",
    "下周五",
    "下个月",
    "明年",
    "三个月",
    "5个月大",
    "20天",
    "第5月",
    "每周五",
    "一周一次",
    "周一至周五上班",
    "周一 至 周日营业",
    "这周边有啥",
    "以前天气",
    "之前天真",
    "2022年款",
    "第三天前往",
    "2月30日",
]


@pytest.mark.parametrize(("text", "expected"), EXACT)
def test_what_is_said_in_full_needs_no_today(text: str, expected: str) -> None:
    """The same days are found without one."""
    assert ([expected], [expected]) == (days(text), days(text, None))


@pytest.mark.parametrize(("text", "expected"), RELATIVE)
def test_what_depends_on_today_is_reckoned_from_it(text: str, expected: str) -> None:
    """The latest such day, week, month or year; nothing without a today."""
    asked = f"我{text}说了什么？"
    assert ([expected], []) == (days(asked), days(asked, None))


@pytest.mark.parametrize("text", NONE)
def test_other_words_are_no_dates(text: str) -> None:
    """Nor is what has not been yet."""
    assert [] == days(text)


def test_a_day_of_the_week_after_its_date_says_nothing_new() -> None:
    """As at the beginning of messages."""
    assert ["2024-04-01"] == days("[2024年04月01日 周一 08:37 广东广州] 我的手机")


def test_a_full_date_is_read() -> None:
    """As it stands at the beginning of a message."""
    assert date(2023, 5, 8) == date_of("2023年5月8日 下午1点")


PIECES = st.sampled_from([text for text, _ in (*EXACT, *RELATIVE)] + [*"年月日周前上个半几十末"])


@given(st.lists(PIECES | st.text(max_size=4)).map("".join), st.none() | st.dates())
def test_any_text_on_any_day_gives_periods(text: str, today: date | None) -> None:
    """Their first day is never after their last one, and nothing is raised."""
    assert all(each.start <= each.stop for each in periods(text, today=today))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["年", "十", "上", "2023年", "上个", "几个", "大约", "周一"])
def test_a_long_text_takes_no_long(piece: str) -> None:
    """Whatever it repeats: its two ends are read, each once."""
    text = piece * (400_000 // len(piece)) + "，2023年5月7日"
    assert "2023-05-07" == days(text, TODAY)[-1]
