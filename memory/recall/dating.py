"""What a time expression in a question does to what was found: "last May", 上周."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from memory.recall.contract import Found, Ranking
from memory.recall.periods_calendar import Calendar

if TYPE_CHECKING:
    from memory.recall.periods import Period

__all__ = ("dated",)

FACTOR = 1.5
"""How much more a message counts that was said in the time that a question names."""
ALONE = 0.3
"""What a message counts that has nothing but the time, in relation to the best that was found."""
MOST = 200
"""Messages of the time that a question names that are taken up for that alone."""


def dated(
    ranking: Ranking,
    text: str,
    dates: Calendar,
    stop: int,
    said: Sequence[float | None] = (),
) -> tuple[Ranking, bool]:
    """Return a ranking in which what was said in the time that a question names counts more.

    Messages of that time that nothing else speaks for come last. The time is taken wider than it
    is named: things are told some days after they happen.

    Args:
        ranking: What was found, best first.
        text: The question.
        dates: When the messages were said.
        stop: How many messages are searched.
        said: When each was put on record, in seconds since 1970; see `Prompt.said`.

    Returns:
        The ranking, and whether a time was named in which something was said.
    """
    from memory.recall.periods import periods, widened  # noqa: PLC0415  # 40 ms of patterns

    today = dates.day(max(0, stop - 1), said=said)
    wanted = [widened(each) for each in periods(text, today=today)]
    if not wanted:
        return ranking, False
    best = max((found.score for found in ranking), default=1.0)
    scores = {found.place: found.score for found in ranking}
    times = {
        place: score * (FACTOR if _in(wanted, dates, place, said) else 1.0)
        for place, score in scores.items()
    }
    spoken = [place for each in wanted for place in _places(each, dates, stop, said)][:MOST]
    times = dict.fromkeys(spoken, ALONE * best) | times
    ordered = (Found(place, score) for place, score in times.items())
    return sorted(ordered, key=lambda found: (-found.score, -found.place)), bool(spoken)


def _in(
    wanted: Sequence[Period], dates: Calendar, place: int, said: Sequence[float | None]
) -> bool:
    day = dates.day(place, said=said)
    return day is not None and any(day in each for each in wanted)


def _places(
    period: Period, dates: Calendar, stop: int, said: Sequence[float | None]
) -> Sequence[int]:
    """Return the places of the messages of a time, as far as days only go forward."""
    if not stop or dates.day(0, said=said) is None or dates.day(stop - 1, said=said) is None:
        return ()

    def day(place: int) -> date:
        return dates.day(place, said=said) or date.min

    places = range(stop)
    first = bisect_left(places, period.start, key=day)
    return range(first, bisect_right(places, period.stop, key=day))
