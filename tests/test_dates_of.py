"""On which day each message of a conversation was said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from workbench import Wire, assistant, user

from memory.recall.periods_calendar import Calendar, calendar, dates_of, labels_of

FIRST, SECOND = date(2023, 5, 8), date(2023, 5, 25)
TALK = [
    user("Hello?"),
    user("[1:56 pm on 8 May, 2023] Caroline: Hey!"),
    assistant("Melanie: Hey!"),
    user("[note] Nothing."),
    user("[2023-05-25] Melanie: So."),
    assistant("Caroline: Well."),
]


class Counted(list[Wire]):
    """A list that tells how many of its messages were read one by one."""

    reads = 0

    def __getitem__(self, place: Any) -> Any:
        """Return a message."""
        self.reads += 1
        return super().__getitem__(place)


def links(size: int, name: str) -> list[bytes]:
    """Return chain hashes for a list that is known by a name."""
    return [f"{name}{place}".encode() for place in range(size + 1)]


def test_a_date_holds_until_the_next_one() -> None:
    """What comes before the first one has none."""
    assert [None, FIRST, FIRST, FIRST, SECOND, SECOND] == dates_of(TALK)


def test_a_date_is_told_as_it_is_written() -> None:
    """In the words of the message that it was taken from."""
    first = "1:56 pm on 8 May, 2023"
    assert ["", first, first, first, "2023-05-25", "2023-05-25"] == labels_of(TALK)


def test_the_time_of_the_record_stands_in_for_a_date() -> None:
    """In UTC, and only where no message had one yet."""
    said = [1_683_590_399.5, 0.0, None]
    assert [date(2023, 5, 8), FIRST, FIRST] == dates_of(TALK[:3], said=said)


def test_the_time_of_the_record_is_told_as_a_day() -> None:
    """As in a list of files; nothing is told of a time that no calendar has."""
    said = [1_683_590_400.0, 1e300]
    assert ["2023-05-09", "", ""] == labels_of([user("a"), user("b"), user("c")], said=said)


def test_a_date_without_a_year_says_nothing() -> None:
    """Nobody knows which one is meant."""
    assert [FIRST, FIRST] == dates_of([TALK[1], user("[25 May] Melanie: So.")])


def test_a_day_that_does_not_exist_is_passed_over() -> None:
    """The date before it holds."""
    assert [FIRST, FIRST] == dates_of([TALK[1], user("[2023-02-30] Melanie: So.")])


def test_an_empty_conversation_has_no_dates() -> None:
    """Nor has it messages."""
    assert [] == dates_of([])


def test_only_what_is_new_is_read() -> None:
    """A list that grew by two messages since the last time is read from there on."""
    long, chained = Counted([*TALK] * 50), links(302, "grown")
    calendar(long, links=chained[:301])
    long.extend(TALK[:2])
    long.reads = 0
    calendar(long, links=chained)
    assert 2 == long.reads


def test_what_went_back_is_told_as_it_is_now() -> None:
    """A conversation that goes on otherwise has other dates."""
    calendar(TALK)
    other = [*TALK[:4], user("[2023-06-01] Otherwise.")]
    assert date(2023, 6, 1) == dates_of(other)[-1]


def _messages() -> st.SearchStrategy[list[Wire]]:
    texts = st.sampled_from(
        ["Hi.", "[2023-05-08] a", "[9 May 2023] b", "[x] c", "（2023年1月2日）"]
    )
    return st.lists(texts.map(user), max_size=40)


@given(_messages(), st.data())
def test_a_calendar_that_grew_is_that_of_the_whole(messages: list[Wire], data: Any) -> None:
    """Wherever the list was cut in between."""
    cut = data.draw(st.integers(0, len(messages)))
    grown = Calendar().extended(messages[:cut]).extended(messages)
    assert Calendar().extended(messages) == grown


@given(_messages())
def test_every_date_is_that_of_the_latest_message_with_one(messages: list[Wire]) -> None:
    """As if one went back from each message."""
    known = calendar(messages)
    assert [*_slowly(messages)] == [known.day(place) for place in range(len(messages))]


def _slowly(messages: list[Wire]) -> Iterator[date | None]:
    days = {"[2023-05-08] a": FIRST, "[9 May 2023] b": date(2023, 5, 9)}
    latest = None
    for message in messages:
        latest = ({"（2023年1月2日）": date(2023, 1, 2)} | days).get(message["content"], latest)
        yield latest


def test_a_date_in_an_old_message_does_not_date_what_is_said_today() -> None:
    """When a message was put on record counts for more than what one before it opened with."""
    said = [{"role": "user", "content": "[8 May, 2023] A note."}, {"role": "user", "content": "Hi"}]
    assert calendar(said).label(1, said=[None, 1_790_000_000.0]) == "2026-09-21"
