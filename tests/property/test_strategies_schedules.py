"""Schedules of faults are followed to the letter, by a store and by a server."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from depth import HARD, examples
from hypothesis import find, given, settings
from hypothesis.errors import InvalidArgument
from kimi_clients import ask, connect, talk
from pairs import unpaired

from memory import MemoryManager, wrap
from memory.errors import ConflictError, CorruptError, StoreError
from memory.records import LogKey, Turn
from memory.stores import Listing, Searching, Store, VolatileStore
from memory.testing import FakeKimi, Fault, strategies
from memory.testing.strategies import (
    KIMI_FAULTS,
    STORE_FAULTS,
    FaultSchedule,
    FaultyKimi,
    FaultyStore,
    StoreFault,
    Wire,
)

KEY = LogKey(namespace="tests", user="", name="trip")
TURN = Turn(start=0, messages=({"role": "user", "content": "hello"},))


def store(**faults: StoreFault) -> FaultyStore:
    """Return a store in memory whose calls fail as said: `at_2="fails"`."""
    table = {int(name.removeprefix("at_")): fault for name, fault in faults.items()}
    return FaultyStore(VolatileStore(), FaultSchedule(faults=table))


def written(faulty: FaultyStore, expected: int = 0) -> int:
    """Append a turn."""
    version: int = faulty.append(KEY, [TURN], expected=expected)
    return version


@examples(60)
@given(strategies.fault_schedules(faults=("a", "b"), effects=6, least=2, most=4))
def test_schedules_are_within_their_bounds(schedule: FaultSchedule[str]) -> None:
    """As many effects fail as asked for, among the first so many, each in a way that was given."""
    assert 2 <= len(schedule.faults) <= 4
    assert {*range(6)} >= {*schedule.faults}
    assert {"a", "b"} >= {*schedule.faults.values()}
    assert [schedule.at(n) for n in range(6)] == [schedule.faults.get(n) for n in range(6)]


def test_every_place_and_every_fault_occurs() -> None:
    """Among 200 schedules each effect fails in each way."""
    seen = set[tuple[int, str]]()

    @settings(HARD, max_examples=200)
    @given(strategies.fault_schedules(faults=STORE_FAULTS, effects=5))
    def collect(schedule: FaultSchedule[StoreFault]) -> None:
        seen.update(schedule.faults.items())

    collect()
    assert {(place, fault) for place in range(5) for fault in STORE_FAULTS} == seen


def test_a_schedule_shrinks_to_one_fault() -> None:
    """Only the fault that matters is left."""
    smallest = find(
        strategies.fault_schedules(faults=STORE_FAULTS),
        lambda schedule: "corrupt" in schedule.faults.values(),
        settings=HARD,
    )

    assert {0: "corrupt"} == smallest.faults


def test_a_schedule_cannot_be_changed() -> None:
    """What was drawn stays what it is."""
    table: dict[int, StoreFault] = {0: "fails"}
    schedule = FaultSchedule(faults=table)
    table[1] = "fails"

    assert {0: "fails"} == schedule.faults


def test_a_failing_call_does_nothing() -> None:
    """Only the call of that number fails, nothing was written, and the next one succeeds."""
    faulty = store(at_0="fails")
    with pytest.raises(StoreError, match="append failed"):
        written(faulty)

    assert 0 == faulty.load(KEY).version
    assert 1 == written(faulty)
    assert ["append", "load", "append"] == faulty.calls


def test_an_answer_that_is_lost_was_written() -> None:
    """The caller is told of a failure, and the record is there."""
    faulty = store(at_0="loses-the-answer")
    with pytest.raises(StoreError, match="lost"):
        written(faulty)

    assert (TURN,) == faulty.load(KEY).records


def test_a_conflict_is_one_where_something_is_written() -> None:
    """An append finds another version; a call that writes nothing just fails."""
    faulty = store(at_0="conflicts", at_1="conflicts")
    with pytest.raises(ConflictError):
        written(faulty)
    with pytest.raises(StoreError) as caught:
        faulty.load(KEY)

    assert StoreError is type(caught.value)


def test_what_is_corrupt_cannot_be_read() -> None:
    """The error is that of a store which cannot read what it has."""
    with pytest.raises(CorruptError):
        store(at_0="corrupt").load(KEY)


def test_a_faulty_store_can_do_what_the_other_can() -> None:
    """It is a store, lists and searches, and has no coroutines of its own."""
    faulty: Any = store()

    assert isinstance(faulty, Store)
    assert isinstance(faulty, Listing)
    assert isinstance(faulty, Searching)
    assert not hasattr(faulty, "asynchronous")
    assert getattr(VolatileStore(), "immediate", None) == getattr(faulty, "immediate", None)


def words(text: str) -> int:
    """Count words."""
    return len(text.split())


def fitted(store: Any, request: Any) -> list[Any] | None:
    """Return what a manager of its own makes of a request, or None when the store failed."""
    with MemoryManager(
        store=store, namespace="tests", budget=400, oversize="send", tokenizer=words, hooks=()
    ) as manager:
        try:
            return [*manager.fit(request)]
        except StoreError:
            return None


@examples(20)
@given(
    strategies.fault_schedules(faults=STORE_FAULTS, effects=16, most=5),
    strategies.conversations(least=5, most=10, largest=20, without=["huge"]),
)
def test_a_store_that_failed_is_whole(
    schedule: FaultSchedule[StoreFault], conversation: list[Wire]
) -> None:
    """After all faults, each manager on the store sends the same, and what is sent is in order."""
    faulty = FaultyStore(VolatileStore(), schedule)
    for request in strategies.requests(conversation):
        fitted(faulty, request)
    while len(faulty.calls) <= max(schedule.faults):
        fitted(faulty, conversation)
    sent = fitted(faulty, conversation)

    assert sent is not None
    assert sent == fitted(faulty, conversation)
    assert [] == unpaired(sent)


@examples(8)
@given(strategies.fault_schedules(faults=STORE_FAULTS, effects=12, most=4))
def test_no_call_of_a_client_fails_because_of_the_store(
    schedule: FaultSchedule[StoreFault],
) -> None:
    """Whichever calls of the store fail, every request of a wrapped client is answered."""
    fake = FakeKimi()
    with connect(fake) as client:
        wrapped = wrap(client, budget=900, hooks=(), store=FaultyStore(VolatileStore(), schedule))
        for turns in (10, 20, 30):
            ask(wrapped, talk(turns))

    assert {200} == {request.status for request in fake.requests}


def test_requests_fail_as_scheduled() -> None:
    """The second and the third request to the server fail, each in its way, and no other."""
    schedule = FaultSchedule(faults={1: Fault.SERVER_ERROR, 2: Fault.QUOTA})
    fake = FaultyKimi(schedule)
    with connect(fake) as client:
        ask(client, talk(1))
        with pytest.raises(openai.InternalServerError):
            ask(client, talk(1))
        with pytest.raises(openai.RateLimitError):
            ask(client, talk(1))
        ask(client, talk(1))

    assert [200, 500, 429, 200] == [request.status for request in fake.requests]


@examples(10)
@given(strategies.fault_schedules(faults=KIMI_FAULTS, effects=4))
def test_a_wrapped_client_raises_what_the_server_said(schedule: FaultSchedule[Fault]) -> None:
    """Faults reach the caller as errors of the SDK, or not at all."""
    fake = FaultyKimi(schedule)
    with connect(fake) as client:
        wrapped = wrap(client, budget=900, hooks=())
        for turn in range(2):
            try:
                ask(wrapped, talk(30, start=turn))
            except openai.OpenAIError:
                continue

    assert fake.requests


def test_nobody_waits_for_the_faults_of_kimi() -> None:
    """Faults that take time, or ask the client to wait, are left out."""
    waiting = {Fault.HANG, Fault.SLOW, Fault.RPM, Fault.COOLDOWN, Fault.CONCURRENCY}

    assert waiting == {*Fault} - {*KIMI_FAULTS}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"faults": ()}, "faults"),
    ({"faults": "fails"}, "tuple"),
    ({"faults": ("a",), "effects": 0}, "effects=0"),
    ({"faults": ("a",), "least": 4, "most": 3}, "most=3"),
    ({"faults": ("a",), "least": 4, "most": 5, "effects": 3}, "effects=3"),
    ({"faults": ("a",), "least": -1}, "least=-1"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_wrong_arguments_are_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    """The call says what is wrong, not the first example."""
    with pytest.raises(InvalidArgument, match=said):
        strategies.fault_schedules(**arguments)


def test_a_store_takes_only_its_own_faults() -> None:
    """A schedule for the server is refused by a store, and the other way round."""
    schedule: Any = FaultSchedule(faults={0: Fault.QUOTA})
    with pytest.raises(InvalidArgument, match="QUOTA"):
        FaultyStore(VolatileStore(), schedule)
    other: Any = FaultSchedule(faults={0: "fails"})
    with pytest.raises(InvalidArgument, match="fails"):
        FaultyKimi(other)
