"""Many processes in one conversation: everything is on record once, in one order, in one piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from store_workers import Workers, place_of, workers

from benchmarks._endurance_checks import broken, displaced, lost, misplaced, repeated
from benchmarks._endurance_crowd import Crowd, meet
from benchmarks._endurance_office import replied
from benchmarks._endurance_places import PLACES
from memory.records import Log, Turn

CROWD = Crowd(processes=4, turns=15, patience=100.0)
WELL = {
    "turns": CROWD.processes * CROWD.turns,
    "lost": 0,
    "unasked": 0,
    "displaced": 0,
    "orders": 1,
    "over budget": 0,
    "summaries beside compactions": 0,
    "wrong": [],
}


@pytest.fixture(scope="module")
def crew() -> Iterator[Workers]:
    """Return where processes come from."""
    with workers() as crew:
        yield crew


@pytest.mark.parametrize("kind", PLACES)
def test_processes_share_a_conversation(crew: Workers, kind: str) -> None:
    """Threads, tasks and processes, with tools and without, inline and in the background.

    Each message is there once, every process reads the same order, the server would take the
    whole, and each compaction was paid for once.
    """
    with place_of(kind)() as place:
        row = meet(CROWD, crew.nursery, crew.office, crew.address, place)

    assert WELL == {name: row[name] for name in WELL}
    assert row["compactions"]


def test_threads_of_several_processes_share_a_conversation(crew: Workers) -> None:
    """Leases tell the turns of one process apart, too."""
    crowd = Crowd(processes=2, callers=3, turns=6, patience=100.0)
    with place_of("sqlite")() as place:
        row = meet(crowd, crew.nursery, crew.office, crew.address, place)

    assert WELL | {"turns": 36} == {name: row[name] for name in WELL}


def asked(text: str) -> list[dict[str, Any]]:
    """Return a question and its reply."""
    question = {"role": "user", "content": f"{text} Note: it came in."}
    reply = replied(question)
    return [question, reply if isinstance(reply, dict) else {"role": "assistant", "content": reply}]


def weighed(text: str) -> list[dict[str, Any]]:
    """Return a question, the call of its reply, the result and the reply to that."""
    question = {"role": "user", "content": f"{text} Weigh 1: it came in."}
    result = {"role": "tool", "tool_call_id": "weigh:0", "content": f"{text} weigh:0 has 0 kg"}
    calling, end = replied(question), replied(result)
    assert isinstance(calling, dict)
    return [question, calling, result, {"role": "assistant", "content": end}]


ONE, OTHER, TOOLS = asked("p0-1"), asked("p1-1"), weighed("p2-1")


def log_of(*turns: Sequence[dict[str, Any]]) -> Log:
    """Return a log of these turns, one after the other."""
    records, start = [], 0
    for messages in turns:
        records.append(Turn(start=start, messages=tuple(messages), replied=True))
        start += len(messages)
    return Log(records=tuple(records), version=len(records))


def test_nothing_is_wrong_with_a_good_conversation() -> None:
    """Turns one after the other, an exchange in one piece, and one that is still open."""
    log = log_of(ONE, TOOLS, OTHER, weighed("p3-1")[:2])

    assert [] == broken(log)


@pytest.mark.parametrize(
    "history",
    [
        [*ONE[:1], *OTHER[:1], *ONE[1:], *OTHER[1:]],
        [*TOOLS[:2], *ONE, *TOOLS[2:]],
        [*TOOLS[:3], *ONE, *TOOLS[3:]],
        [*ONE, *OTHER[:1]],
        [*ONE[1:], *OTHER],
        [*ONE[:1], *OTHER[1:]],
    ],
    ids=["mixed", "amid calls", "before the reply", "half a turn", "no question", "another's"],
)
def test_what_does_not_belong_there_is_found(history: list[dict[str, Any]]) -> None:
    """The checks of these runs are able to fail: where messages do not follow each other."""
    assert misplaced(history)
    assert broken(log_of(history))


def test_what_is_missing_or_doubled_is_found() -> None:
    """A message that was acknowledged and is not there, and one that is there twice."""
    assert 1 == lost([*ONE, *OTHER[:1]], [*ONE, *OTHER])
    assert 2 == repeated([*ONE, *OTHER, *ONE])
    assert broken(log_of(ONE, OTHER, ONE))


def test_what_has_changed_place_is_found() -> None:
    """What one caller said later stands before what they had said."""
    assert 0 == displaced([*ONE, *OTHER, *TOOLS], [*ONE, *TOOLS])
    assert displaced([*OTHER, *ONE], [*ONE, *OTHER])


def test_a_log_that_was_rewritten_is_found() -> None:
    """What was on record before has to be there as it was."""
    before = log_of(ONE, OTHER).records

    assert [] == broken(log_of(ONE, OTHER, TOOLS), before)
    assert broken(log_of(OTHER, ONE), before)
