"""What is done at once, in every order of its effects: one summary, nothing lost, nothing broken.

`benchmarks/interleavings.py` runs all orders of these scenarios; here each stops at few switches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from depth import scaled

from benchmarks.interleavings import PLANTED
from memory import MemoryManager
from memory.flow import LogKey
from memory.records import Compaction, Record
from memory.stores.sqlite import SqliteStore
from memory.testing.interleavings import (
    SCENARIOS,
    Act,
    Actor,
    Notes,
    Scenario,
    Schedule,
    Stage,
    schedules,
    talk,
)

WHOLE = talk(10, size=15)
TRIP = "ann/trip"


def at_once(stage: Stage) -> Sequence[Act]:
    """Two identical fits."""
    return stage.fit(WHOLE), stage.fit(WHOLE)


def turns(stage: Stage) -> Sequence[Act]:
    """Two turns of a short conversation."""
    stage.run(stage.add(TRIP, [{"role": "user", "content": "We go to Lisbon."}]))
    return stage.turn(TRIP, "this"), stage.turn(TRIP, "that")


def few(scenario: Scenario) -> Scenario:
    """Return a scenario with fewer switches than it has by itself, but for the profile nightly.

    Foreign messages get into an exchange after two; of three actors, none has to stop.
    """
    if scaled(1) > 1:
        return scenario
    most = 2 if "tool calls" in scenario.name else 1
    return replace(scenario, switches=min(most, (scenario.switches or 2) - 1))


def alone() -> tuple[Schedule, list[Record]]:
    """Return the schedule of one fit, and what it puts on record."""
    (schedule,) = schedules(lambda stage: [stage.fit(WHOLE)])
    return schedule, [record for _, records in schedule.stage.appended for record in records]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_order_ends_well(scenario: Scenario) -> None:
    """Nothing acknowledged is lost, no exchange is broken, and one summary is paid where it can."""
    for schedule in few(scenario).schedules():
        assert {} == schedule.violations(), str(schedule)


def test_identical_fits_make_one_view() -> None:
    """Whoever comes second is given what the first one made."""
    for schedule in schedules(at_once, switches=2):
        first, second = (actor.results[0] for actor in schedule.actors)
        assert list(first.messages) == list(second.messages)


def test_turns_are_on_record_one_after_the_other() -> None:
    """In one order or the other, each with its reply."""
    seen = set()
    for schedule in schedules(turns, impatient=True):
        history = schedule.stage.history(schedule.stage.key(TRIP))
        seen.add(tuple(m["content"] for m in history if m["role"] == "user")[1:])
        assert 5 == len(history)
    assert {("this", "that"), ("that", "this")} == seen


def test_whoever_is_stopped_leaves_nothing_half_done() -> None:
    """After any of its effects: all of a compaction is on record or nothing, and others go on."""
    whole, records = alone()
    for stop in range(len(whole.order)):
        stage = Stage()
        stopped, other = (Actor(stage, [act], []) for act in at_once(stage))
        for _ in range(stop):
            stopped.go_on()
        stopped.close()
        while not other.is_done:
            assert other.can_go_on
            other.go_on()
        assert 1 == sum(isinstance(r, Compaction) for _, rs in stage.appended for r in rs)
        assert records == [record for _, rs in stage.appended for record in rs]


def test_an_order_can_be_run_again() -> None:
    """The same order does the same, so that a schedule that fails can be looked at."""
    first = [str(schedule) for schedule in schedules(at_once, switches=1)]
    assert first == [str(schedule) for schedule in schedules(at_once, switches=1)]


def test_users_bring_their_own_store_and_summariser(tmp_path: Path) -> None:
    """A stage is made of a manager, so whatever a manager takes can be on trial."""
    opened: list[SqliteStore] = []

    def stage(impatient: bool) -> Stage:  # noqa: FBT001  # as `schedules` calls it
        opened.append(SqliteStore(tmp_path / f"{len(opened)}.db"))
        manager = MemoryManager(store=opened[-1], summarizer=Notes(), budget=1_000, hooks=())
        return Stage(manager, impatient=impatient)

    ends = [schedule.violations() for schedule in schedules(turns, stage=stage, switches=1)]
    for store in opened:
        store.close()
    assert [{}] * len(ends) == ends


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_what_is_planted_is_found(planted: Any) -> None:
    """A store without a version check, or claims that are always granted, do not go unnoticed."""
    scenario = next(each for each in SCENARIOS if each.name == planted.scenario)
    orders = replace(scenario, switches=1).schedules(planted.stage)
    assert any(planted.caught_by & schedule.violations().keys() for schedule in orders)


def test_a_conversation_that_is_forgotten_stays_so() -> None:
    """A turn that was joined before is not written after it, and nobody is told that it was."""
    scenario = next(each for each in SCENARIOS if each.name == "turn beside forget()")
    for schedule in scenario.schedules():
        key: LogKey = schedule.stage.key(TRIP)
        held = schedule.stage.history(key)
        assert len(held) in {0, 2, *range(17, 20)}
