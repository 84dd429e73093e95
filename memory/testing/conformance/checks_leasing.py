"""Leases: one has it, keeps it by renewing it, gives it up, or loses it by doing nothing."""

from __future__ import annotations

import time
from functools import partial

from memory.testing.conformance.bench import Bench
from memory.testing.conformance.check import Group
from memory.testing.conformance.expect import demand, expect
from memory.testing.conformance.samples import turn
from memory.testing.conformance.together import soon, together

__all__ = ("LEASING",)

LEASING = Group("leasing")

LONG = 300.0
"""Seconds: longer than any check takes."""
SHORT = 0.3
"""Seconds: short enough to be waited for."""
LATEST = 10.0
"""Seconds after which a short lease must have run out, by the slowest of clocks."""


@LEASING.check
def lease_is_had_by_one(bench: Bench) -> None:
    """A lease that one has is refused to others, through any handle, and everybody sees whose."""
    key = bench.key("trip")
    expect(None, bench.one.holder(key, "turn"), "who has a lease that nobody took")
    demand(bench.one.acquire(key, "turn", owner="ann", seconds=LONG), "a free lease is refused")
    for handle in (bench.one, bench.other):
        taken = handle.acquire(key, "turn", owner="bob", seconds=LONG)
        demand(not taken, "a lease that somebody else has can be taken")
        expect("ann", handle.holder(key, "turn"), "who has the lease")


@LEASING.check
def lease_is_renewed_by_its_owner(bench: Bench) -> None:
    """Whoever has a lease can take it again, and has it for longer then."""
    key = bench.key("trip")
    bench.one.acquire(key, "turn", owner="ann", seconds=SHORT)
    renewed = bench.other.acquire(key, "turn", owner="ann", seconds=LONG)
    demand(renewed, "a lease cannot be renewed by its owner")
    time.sleep(2 * SHORT)
    expect("ann", bench.one.holder(key, "turn"), "who has a lease that was renewed")
    taken = bench.one.acquire(key, "turn", owner="bob", seconds=LONG)
    demand(not taken, "a lease that was renewed can be taken by another")


@LEASING.check
def lease_is_released_by_its_owner_only(bench: Bench) -> None:
    """Only its owner gives a lease up; then it is anybody's."""
    key = bench.key("trip")
    bench.one.acquire(key, "turn", owner="ann", seconds=LONG)
    bench.other.release(key, "turn", owner="bob")
    expect("ann", bench.one.holder(key, "turn"), "who has it after somebody else's release")
    bench.other.release(key, "turn", owner="ann")
    expect(None, bench.one.holder(key, "turn"), "who has it after its release")
    bench.one.release(key, "turn", owner="ann")
    taken = bench.one.acquire(key, "turn", owner="bob", seconds=LONG)
    demand(taken, "a lease that was released is refused")


@LEASING.check
def lease_runs_out(bench: Bench) -> None:
    """A lease that has run out is nobody's and can be taken by anybody."""
    key = bench.key("trip")
    bench.one.acquire(key, "turn", owner="ann", seconds=SHORT)
    gone = soon(lambda: bench.other.holder(key, "turn") is None, seconds=LATEST)
    demand(gone, f"a lease of {SHORT} s is still held after {LATEST} s")
    taken = bench.other.acquire(key, "turn", owner="bob", seconds=LONG)
    demand(taken, "a lease that has run out is refused")
    bench.one.release(key, "turn", owner="ann")
    again = bench.one.acquire(key, "turn", owner="ann", seconds=LONG)
    demand(not again, "who lost a lease by doing nothing can take it from the next one")
    expect("bob", bench.one.holder(key, "turn"), "who has it")


@LEASING.check
def lease_that_ran_out_is_taken_unasked(bench: Bench) -> None:
    """Whoever tries again and again gets a lease once it has run out, and not before."""
    key, start = bench.key("trip"), time.monotonic()
    bench.one.acquire(key, "turn", owner="ann", seconds=SHORT)
    taken = soon(
        lambda: bench.other.acquire(key, "turn", owner="bob", seconds=LONG), seconds=LATEST
    )
    demand(taken, f"a lease of {SHORT} s cannot be taken after {LATEST} s")
    demand(time.monotonic() - start >= SHORT / 2, f"a lease of {SHORT} s was taken at once")
    expect("bob", bench.one.holder(key, "turn"), "who has it")


@LEASING.check
def purposes_are_apart(bench: Bench) -> None:
    """Leases for different purposes, logs, users and namespaces do not concern each other."""
    keys = [bench.key("trip"), bench.key("walk"), bench.key(root="aa")]
    keys += [bench.key("trip", user="ann"), bench.key("trip", beside="x")]
    places = [(key, purpose) for key in keys for purpose in ("turn", "summary", "turn ", "")]
    for number, (key, purpose) in enumerate(places):
        taken = bench.one.acquire(key, purpose, owner=str(number), seconds=LONG)
        demand(taken, f"the lease {purpose!r} of {key} is refused, though nobody has it")
    for number, (key, purpose) in enumerate(places):
        expect(str(number), bench.other.holder(key, purpose), f"who has {purpose!r} of {key}")


@LEASING.check
def leases_do_not_touch_logs(bench: Bench) -> None:
    """A lease makes no log, and neither changes one nor keeps anybody from appending."""
    key = bench.key("trip")
    bench.one.acquire(key, "turn", owner="ann", seconds=LONG)
    expect(0, bench.other.load(key).version, "the version of a log of which there is only a lease")
    version = bench.other.append(key, [turn("a")], expected=0)
    bench.one.release(key, "turn", owner="ann")
    expect(version, bench.one.load(key).version, "the version after the lease was given up")


@LEASING.check
def of_many_at_once_one_gets_it(bench: Bench) -> None:
    """Of eight threads that want a lease at the same time exactly one gets it."""
    key = bench.key("trip")
    handles = (bench.one, bench.other)
    works = [
        partial(handles[n % 2].acquire, key, "turn", owner=str(n), seconds=LONG) for n in range(8)
    ]
    taken = together(works)
    expect(1, sum(taken), "the number of threads that got it")
    expect(str(taken.index(True)), bench.one.holder(key, "turn"), "who has it")
