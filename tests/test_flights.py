"""Who is at work on which conversation: flights, and holding one."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from weakref import ref

import pytest
from claimants import LINKS, begun, is_free, outside
from workbench import SPACE

from memory.flights import Flight, Flights, Hold
from memory.outside import Outside


def test_one_at_a_time() -> None:
    """Whoever comes second gets the flight of the first."""
    flights = Flights()
    first, mine = flights.claim(SPACE, LINKS)
    second, yours = flights.claim(SPACE, LINKS)

    assert (True, False) == (mine, yours)
    assert second is first


def test_what_is_released_can_be_claimed() -> None:
    """And whoever waited is told."""
    flights = Flights()
    flight, _ = flights.claim(SPACE, LINKS)
    flights.release(flight)

    assert flight.landed.done()
    assert is_free(flights)


def test_releasing_twice_is_harmless() -> None:
    """The second time it may be somebody else's turn already."""
    flights = Flights()
    flight, _ = flights.claim(SPACE, LINKS)
    flights.release(flight)
    later, mine = flights.claim(SPACE, LINKS)
    flights.release(flight)

    assert mine
    assert not later.landed.done()


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (LINKS, True),
        ((*LINKS, b"one more", b"and one"), True),
        ((*LINKS[:5], b"x5", b"x6", b"x7", b"x8"), True),
        ((*LINKS[:4], b"x4", b"x5", b"x6", b"x7", b"x8"), False),
        (LINKS[:3], True),
        ((LINKS[0], b"x1", b"x2"), False),
    ],
    ids=["same", "longer", "other end", "other half", "shorter", "other beginning"],
)
def test_the_older_half_decides(other: tuple[bytes, ...], *, shared: bool) -> None:
    """That is what gets summarised; what comes after it may differ."""
    flights = Flights()
    flights.claim(SPACE, LINKS)

    assert shared is not is_free(flights, other)


async def broken(out: Outside, error: type[BaseException] | None) -> Flight:
    """Return the flight of a task that claimed and then broke off, or came to its end."""

    async def claims() -> Flight:
        flight, _ = out.flights.claim(SPACE, LINKS, asyncio.get_running_loop())
        found.append(flight)
        if error is not None:
            raise error
        return flight

    found = list[Flight]()
    await asyncio.wait([asyncio.create_task(claims())])
    return found[0]


def test_a_task_that_was_cancelled_holds_nothing() -> None:
    """It will never give up what it held."""

    async def scenario() -> None:
        out = outside()
        flight = await broken(out, asyncio.CancelledError)

        assert is_free(out.flights)
        assert flight.landed.done()

    asyncio.run(scenario())


def test_a_task_that_came_to_its_end_may_hold() -> None:
    """It may have left a stream for somebody else to read; with its loop that ends, too."""
    out = outside()

    async def scenario() -> None:
        await broken(out, None)
        assert not is_free(out.flights)

    asyncio.run(scenario())

    assert is_free(out.flights)


def test_namespaces_do_not_wait_for_each_other() -> None:
    """Their records are not shared, so their summaries cannot be."""
    flights = Flights()
    flights.claim("elsewhere", LINKS)

    assert is_free(flights)


def test_of_many_threads_one_gets_it() -> None:
    """Every time."""
    flights = Flights()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            got = list(pool.map(lambda _: flights.claim(SPACE, LINKS), range(8)))
            (mine,) = [flight for flight, first in got if first]

            assert {id(mine)} == {id(flight) for flight, _ in got}
            flights.release(mine)


def test_who_waits_cannot_cancel_a_flight() -> None:
    """A task that gives up waiting does not end the summary of another."""
    flight = begun(Flights())

    assert not flight.landed.cancel()
    assert not flight.landed.done()


def test_what_is_held_is_given_up_once() -> None:
    """It is free afterwards; with nothing held nothing happens."""
    flights = Flights()
    hold = Hold(flights)
    hold.release()

    assert hold.take(SPACE, LINKS, patience=0.0)
    assert not is_free(flights)
    hold.release()
    hold.release()
    assert is_free(flights)


def test_what_another_holds_is_not_given_up() -> None:
    """Whoever came second has nothing to release."""
    flights = Flights()
    first, second = Hold(flights), Hold(flights)
    first.take(SPACE, LINKS, patience=0.0)

    assert not second.take(SPACE, LINKS, patience=0.0)
    second.release()
    assert not is_free(flights)


def test_what_is_handed_over_outlasts_its_holder() -> None:
    """A stream goes on holding what the call held that began it."""
    flights = Flights()
    first = Hold(flights)
    first.take(SPACE, LINKS, patience=0.0)
    heir = first.hand_over()
    first.release()

    assert not is_free(flights)
    heir.release()
    assert is_free(flights)


def test_a_task_does_not_collect_what_it_held() -> None:
    """One that lives for long holds something with every turn, and keeps nothing of it."""

    async def scenario() -> list[ref[Flight]]:
        flights, seen = Flights(), list[ref[Flight]]()
        for _ in range(10):
            flight, _ = flights.claim(SPACE, LINKS, asyncio.get_running_loop())
            seen.append(ref(flight))
            flights.release(flight)
            del flight
            await asyncio.sleep(0)
        gc.collect()
        return [each for each in seen if each() is not None]

    assert [] == asyncio.run(scenario())
