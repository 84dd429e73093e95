"""The dates that messages open with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbench import Wire, assistant, picture, user

from memory.dates import span

NOW = "[1:56 pm on 8 May, 2023]"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("[1:56 pm on 8 May, 2023] Hi.", "1:56 pm on 8 May, 2023"),
        ("  [2023-05-08 13:56] Hi.", "2023-05-08 13:56"),
        ("(2023/5/8) Hi.", "2023/5/8"),
        ("[May 8, 2023] Hi.", "May 8, 2023"),
        ("[Monday 8th September] Hi.", "Monday 8th September"),
        ("[08/05/23 13:56] Hi.", "08/05/23 13:56"),
        ("[2023.05.08] Hi.", "2023.05.08"),
        ("【2023年5月8日 下午1点】你好", "2023年5月8日 下午1点"),
        ("（5月8日）你好", "5月8日"),
        ("[ 2023-05-08 ] Hi.", "2023-05-08"),
    ],
)
def test_a_date_in_brackets_at_the_beginning_is_found(text: str, date: str) -> None:
    """In any of the usual forms, as it was written."""
    assert (date, date) == span([user(text)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hi.",
        "On [8 May 2023] it rained.",
        "[note] Hi.",
        "[13:56] Hi.",
        "[1] Hi.",
        "[version 2.10] Hi.",
        "2023-05-08 Hi.",
        "[8 May 2023",
        "[8 May\n2023] Hi.",
        "[[8 May 2023]] Hi.",
        "[8 May 2023 " + "and so on " * 10 + "] Hi.",
        " " * 20 + "[8 May 2023] Hi.",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    """Only what stands in brackets, first, on one line, short, and holds a date."""
    assert ("", "") == span([user(text)])


def test_first_and_last_are_told() -> None:
    """Whoever said them; messages without a date are passed over."""
    messages = [
        user("Hi."),
        assistant("[7 May 2023] Hello."),
        user(f"{NOW} So?"),
        user("[9 May 2023] And?"),
        assistant("Well."),
    ]

    assert ("7 May 2023", "9 May 2023") == span(messages)


def test_no_messages_have_no_date() -> None:
    """Nor have messages without a text."""
    messages: list[Wire] = [{"role": "assistant"}, {"role": "user", "content": None}]

    assert ("", "") == span([]) == span(messages)


def test_a_text_in_parts_has_its_date() -> None:
    """The text counts, as it reads."""
    content = [{"type": "text", "text": f"{NOW} Look."}, picture("x")]

    assert "1:56 pm on 8 May, 2023" == span([{"role": "user", "content": content}])[0]


@given(st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text())))
def test_whatever_a_message_holds_it_can_be_asked(content: Any) -> None:
    """The answer is two texts that stand in it."""
    first, last = span([{"role": "user", "content": content}])

    assert first == last
    assert not first or first in str(content)
