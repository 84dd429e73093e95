"""Time expressions in English texts."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.recall.periods import Period, date_of, periods, widened

TODAY = date(2024, 5, 15)  # a Wednesday


def days(text: str, today: date | None = TODAY) -> list[str]:
    """Return the periods of a text, each as its first day or its first and last."""
    found = periods(text, today=today)
    return [
        f"{each.start}" if each.start == each.stop else f"{each.start}/{each.stop}"
        for each in found
    ]


EXACT = [
    ("7 May 2023", "2023-05-07"),
    ("May 7th, 2023", "2023-05-07"),
    ("the 7th of May, 2023", "2023-05-07"),
    ("Sunday, 7 may 2023", "2023-05-07"),
    ("7-May-2023", "2023-05-07"),
    ("Dec. 1,2023", "2023-12-01"),
    ("2023-05-07", "2023-05-07"),
    ("2023/5/7", "2023-05-07"),
    ("2023-05-07T15:00:00", "2023-05-07"),
    ("5/7/2023", "2023-05-07"),
    ("13/7/2023", "2023-07-13"),
    ("5/7/23", "2023-05-07"),
    ("7.5.2023", "2023-05-07"),
    ("May 5-7, 2023", "2023-05-05/2023-05-07"),
    ("5–7 May 2023", "2023-05-05/2023-05-07"),
    ("May 2023", "2023-05-01/2023-05-31"),
    ("31 February 2023", "2023-02-01/2023-02-28"),
    ("2023-02", "2023-02-01/2023-02-28"),
    ("in 2022", "2022-01-01/2022-12-31"),
    ("the year 2022", "2022-01-01/2022-12-31"),
    ("in 2022, when we met", "2022-01-01/2022-12-31"),
    ("since 2019 he did", "2019-01-01/2019-12-31"),
    ("summer 2022", "2022-06-01/2022-08-31"),
    ("the winter of 2022", "2022-12-01/2023-02-28"),
    ("from 2020 to 2022", "2020-01-01/2022-12-31"),
    ("between 1 May 2023 and 9 May 2023", "2023-05-01/2023-05-09"),
    ("early May 2023", "2023-05-01/2023-05-13"),
    ("the end of May 2023", "2023-05-23/2023-05-31"),
    ("first half of September 2022", "2022-09-01/2022-09-16"),
    ("around 7 May 2023", "2023-05-04/2023-05-10"),
]
RELATIVE = [
    ("May 7", "2024-05-07"),
    ("June 7", "2023-06-07"),
    ("29 February", "2024-02-29"),
    ("on July 8?", "2023-07-08"),
    ("in May", "2024-05-01/2024-05-31"),
    ("in may", "2024-05-01/2024-05-31"),
    ("in August?", "2023-08-01/2023-08-31"),
    ("last May", "2023-05-01/2023-05-31"),
    ("in early May", "2024-05-01/2024-05-13"),
    ("around August", "2023-07-22/2023-09-10"),
    ("during the summer", "2023-06-01/2023-08-31"),
    ("last spring", "2023-03-01/2023-05-31"),
    ("this spring", "2024-03-01/2024-05-31"),
    ("yesterday", "2024-05-14"),
    ("last night", "2024-05-14"),
    ("the day before yesterday", "2024-05-13"),
    ("3 days ago", "2024-05-12"),
    ("two weeks ago", "2024-04-28/2024-05-04"),
    ("a month ago", "2024-03-31/2024-04-30"),
    ("a year ago", "2022-11-13/2023-11-14"),
    ("a few days ago", "2024-05-09/2024-05-13"),
    ("a couple of weeks back", "2024-04-21/2024-05-04"),
    ("about 3 days ago", "2024-05-09/2024-05-15"),
    ("the past 3 days", "2024-05-12/2024-05-15"),
    ("over the last few weeks", "2024-04-03/2024-05-15"),
    ("over the past year", "2023-05-15/2024-05-15"),
    ("last week", "2024-05-06/2024-05-12"),
    ("this week", "2024-05-13/2024-05-19"),
    ("last month's", "2024-04-01/2024-04-30"),
    ("this month", "2024-05-01/2024-05-31"),
    ("last year", "2023-01-01/2023-12-31"),
    ("this year", "2024-01-01/2024-12-31"),
    ("last weekend", "2024-05-11/2024-05-12"),
    ("this weekend", "2024-05-18/2024-05-19"),
    ("last Friday", "2024-05-10"),
    ("last Wednesday", "2024-05-08"),
    ("on Wednesday", "2024-05-15"),
    ("between May 5 and May 9", "2024-05-05/2024-05-09"),
]
NONE = [
    "",
    "May I ask?",
    "it may be so",
    "this may be",
    "you may 7 times",
    "1 may be",
    "they march on",
    "march 3 miles",
    "the march of time",
    "in 2000 steps",
    "in 1024 tokens",
    "a total of 2000.",
    "a second",
    "version 2.10",
    "2023.1.2.3",
    "10.0.0.1",
    "2023-24",
    "2023-13-01",
    "$2000",
    "1/2 of it",
    "at 5:30",
    "next week",
    "tomorrow",
    "today",
    "now",
    "last week of term",
    "at last",
    "on Fridays",
    "maybe",
    "room 2024",
]


@pytest.mark.parametrize(("text", "expected"), EXACT)
def test_what_is_said_in_full_needs_no_today(text: str, expected: str) -> None:
    """The same days are found without one."""
    assert ([expected], [expected]) == (days(text), days(text, None))


@pytest.mark.parametrize(("text", "expected"), RELATIVE)
def test_what_depends_on_today_is_reckoned_from_it(text: str, expected: str) -> None:
    """The latest such day, week, month or year."""
    assert [expected] == days(text)


@pytest.mark.parametrize(("text", "_expected"), RELATIVE)
def test_what_depends_on_today_is_nothing_without_it(text: str, _expected: str) -> None:
    """Nobody guesses."""
    assert [] == days(text, None)


@pytest.mark.parametrize("text", NONE)
def test_other_words_and_numbers_are_no_dates(text: str) -> None:
    """Nor is what has not been yet."""
    assert [] == days(text)


def test_several_are_found_in_order() -> None:
    """Each once, where expressions do not overlap."""
    text = "Was it on May 7, 2023, last Friday, or in 2019?"
    assert ["2023-05-07", "2024-05-10", "2019-01-01/2019-12-31"] == days(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:56 pm on 8 May, 2023", date(2023, 5, 8)),
        ("2023/05/20 (Sat) 02:21", date(2023, 5, 20)),
        ("March-15-2024", date(2024, 3, 15)),
        ("2024-05-15T15:00:00", date(2024, 5, 15)),
        ("08/05/23 13:56", date(2023, 8, 5)),
        ("May 2023", None),
        ("8 May", None),
        ("2023-02-30", None),
        ("", None),
    ],
)
def test_a_full_date_is_read(text: str, expected: date | None) -> None:
    """A month or a day without a year is none."""
    assert expected == date_of(text)


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (date(2023, 5, 7), date(2023, 5, 7), "2023-05-06/2023-05-14"),
        (date(2023, 5, 1), date(2023, 5, 31), "2023-04-24/2023-06-21"),
        (date(2023, 1, 1), date(2023, 12, 31), "2022-12-02/2024-02-29"),
        (date.min, date.max, "0001-01-01/9999-12-31"),
    ],
)
def test_a_period_is_widened_by_its_length(start: date, stop: date, expected: str) -> None:
    """As far as messages speak of it before and after."""
    wide = widened(Period(start=start, stop=stop))
    assert expected == f"{wide.start}/{wide.stop}"


WORDS = [text for text, _ in (*EXACT, *RELATIVE)]
SOME = st.lists(st.sampled_from(WORDS) | st.text(max_size=9)).map(" ".join)


@given(SOME | st.text(), st.none() | st.dates())
def test_any_text_on_any_day_gives_periods(text: str, today: date | None) -> None:
    """Their first day is never after their last one, and nothing is raised."""
    assert all(each.start <= each.stop for each in periods(text, today=today))


@given(SOME, st.dates())
def test_what_is_found_lies_within_what_is_widened(text: str, today: date) -> None:
    """No day is lost by widening."""
    found = periods(text, today=today)
    wide = map(widened, found)
    assert all(w.start <= p.start and p.stop <= w.stop for p, w in zip(found, wide, strict=True))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", [" ", "May ", "1", "1-", "in the ", "a few ", "of ", "2023-05-"])
def test_a_long_text_takes_no_long(piece: str) -> None:
    """Whatever it repeats: its two ends are read, each once."""
    text = piece * (400_000 // len(piece)) + " on 7 May 2023"
    assert "2023-05-07" == days(text)[-1]
