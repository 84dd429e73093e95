"""What is done with events: log lines, and a queue to look at later."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from memory.events import (
    Accepted,
    Compacted,
    Counted,
    CounterChosen,
    Event,
    Evicted,
    Failed,
    FellBack,
    InvariantBroken,
    MemorySearched,
    Overflowed,
    Planned,
    PrefixDiverged,
    Recalled,
    Recorded,
    Rejected,
    Resent,
    ResultsCleared,
    Skipped,
    StandingCapped,
    SummarizerPaused,
    Summarizing,
    Unaligned,
    WindowLearned,
)
from memory.hooks import LogHook, QueueHook

SPACE = "trip"
EVENTS: list[tuple[Event, str]] = [
    (CounterChosen(namespace=SPACE, name="kimi", exact=True), "debug"),
    (CounterChosen(namespace=SPACE, name="classes", exact=False, reason="no extra"), "warning"),
    (Counted(namespace=SPACE, tokens=9, messages=2, trigger=8, limit=10, measured=0.5), "debug"),
    (Planned(namespace=SPACE, tokens=9, projected=5, dropped=3), "debug"),
    (Summarizing(namespace=SPACE, messages=3, tokens=4, cap=2, form="shared"), "info"),
    (Accepted(namespace=SPACE, author="kimi-k2.6", tokens=2, cap=2), "debug"),
    (Rejected(namespace=SPACE, author="kimi-k2.6", reason="it is blank"), "debug"),
    (FellBack(namespace=SPACE, reason="it is blank"), "warning"),
    (SummarizerPaused(namespace=SPACE, model="kimi-k2.6", seconds=30.0), "warning"),
    (ResultsCleared(namespace=SPACE, messages=4, tokens=2_000), "info"),
    (Compacted(namespace=SPACE, messages=3, tokens_before=9, tokens_after=5, paid=True), "info"),
    (Overflowed(namespace=SPACE, tokens=12, limit=10, policy="send"), "warning"),
    (PrefixDiverged(namespace=SPACE, index=1, key="content"), "warning"),
    (StandingCapped(namespace=SPACE, dropped=1), "warning"),
    (Evicted(namespace=SPACE, messages=5, compactions=1), "warning"),
    (Failed(namespace=SPACE, error="StoreError"), "error"),
    (InvariantBroken(namespace=SPACE, check="head_is_first", reason="it is not"), "error"),
    (WindowLearned(namespace=SPACE, model="kimi-k2.6", window=8_192, stated=True), "warning"),
    (Resent(namespace=SPACE, change="media", tokens=9), "debug"),
    (Skipped(namespace=SPACE, reason="it goes on from what the server keeps"), "warning"),
    (Recorded(namespace=SPACE, conversation="user-42/trip", messages=2, complete=True), "debug"),
    (Unaligned(namespace=SPACE, conversation="user-42/trip", messages=7), "warning"),
    (
        Recalled(
            namespace=SPACE, passages=((3, 0.9, 40),), relevance=0.9, floor=0.5, tokens=60, room=90
        ),
        "debug",
    ),
    (MemorySearched(namespace=SPACE, rounds=1, results=3, tokens=900), "debug"),
]
each = pytest.mark.parametrize(
    ("event", "level"), EVENTS, ids=[f"{type(event).__name__}-{level}" for event, level in EVENTS]
)


@pytest.fixture
def _unconfigured() -> Iterator[None]:
    """Leave structlog as an application leaves it that does not use it."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_every_event_is_known_here() -> None:
    """A new kind of event needs a level."""
    known = {type(event).__name__ for event, _ in EVENTS}

    assert known == {kind.__name__ for kind in Event.__subclasses__()}


@each
@pytest.mark.usefixtures("_unconfigured")
def test_events_become_log_lines(
    event: Event, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line of the logger `memory`, at the level of its weight, with all that it holds."""
    caplog.set_level(logging.DEBUG, logger="memory")
    LogHook()(event)
    (line,) = caplog.records

    assert ("memory", level.upper()) == (line.name, line.levelname)
    assert line.getMessage().startswith(type(event).__name__)
    assert f"namespace={SPACE!r}" in line.getMessage()


@each
def test_events_become_structured_lines(event: Event, level: str) -> None:
    """Where the application has configured structlog, that is used."""
    with capture_logs() as lines:
        structlog.configure(processors=structlog.get_config()["processors"])
        LogHook()(event)
    structlog.reset_defaults()
    (line,) = lines

    assert (type(event).__name__, level, SPACE) == (
        line["event"],
        line["log_level"],
        line["namespace"],
    )


@pytest.mark.usefixtures("_unconfigured")
def test_nothing_is_printed_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output belongs to the application."""
    for event, _ in EVENTS:
        LogHook()(event)

    assert "" == capsys.readouterr().out


def test_a_queue_hands_out_what_came() -> None:
    """Oldest first, each event once."""
    queue = QueueHook()
    for event, _ in EVENTS[:3]:
        queue(event)

    assert [event for event, _ in EVENTS[:3]] == queue.drain()
    assert [] == queue.drain()


def test_a_queue_keeps_the_latest() -> None:
    """When it is full the oldest go."""
    queue = QueueHook(size=2)
    for event, _ in EVENTS[:3]:
        queue(event)

    assert [event for event, _ in EVENTS[1:3]] == queue.drain()


def test_events_say_nothing_about_their_namespace_by_default() -> None:
    """An event made by hand belongs to nobody."""
    assert "" == Event().namespace
