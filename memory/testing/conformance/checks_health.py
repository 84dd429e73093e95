"""What a store says of itself, and what outlives it."""

from __future__ import annotations

import re

from memory.records import Health
from memory.testing.conformance.bench import Bench, Full, shut
from memory.testing.conformance.check import Absent, Group
from memory.testing.conformance.expect import demand, expect, expect_log, expect_records
from memory.testing.conformance.samples import KINDS, compaction

__all__ = ("CHECKING", "DURABLE", "SHAPE")

SHAPE = Group("store")
CHECKING = Group("checking")
DURABLE = Group("durable")

_VERBS = {
    "store": ("load", "append", "known", "find", "forget"),
    "listing": ("conversations", "forget_user"),
    "recalling": ("lookup", "index"),
    "leasing": ("acquire", "holder", "release"),
}
_PASSWORD = re.compile(r"//[^/@\s]*:[^/@\s]*[^*/@\s][^/@\s]*@|password=[^*\s]")


@SHAPE.check
def capabilities_are_whole(bench: Bench) -> None:
    """The store has all verbs of a capability or none, and says yes or no where it is asked."""
    for capability, verbs in _VERBS.items():
        missing = [verb for verb in verbs if not callable(getattr(bench.one, verb, None))]
        some = len(missing) < len(verbs) or capability == "store"
        demand(not (some and missing), f"{capability}: there is no {' and no '.join(missing)}")
    for attribute in ("durable", "immediate"):
        value = getattr(bench.one, attribute, False)
        demand(isinstance(value, bool), f"{attribute} is {value!r}, neither True nor False")


@CHECKING.check
def health_tells_what_it_is(bench: Bench) -> None:
    """The store tells its kind, where it is, without a password, and that its schema is new."""
    for handle in (bench.one, bench.other):
        health = handle.health()
        demand(isinstance(health, Health), f"health() returned a {type(health).__name__}")
        demand(health.kind, "the kind is empty")
        secret = _PASSWORD.search(health.location)
        demand(not secret, f"the location seems to hold a password: {secret and secret[0]!r}")
        expect(health.latest, health.schema, "the version of the schema")


@DURABLE.check
def logs_outlive_handles(bench: Bench) -> None:
    """What a handle wrote, one that is opened after it was closed loads and finds."""
    if not bench.handles.separate:
        msg = "the factory returns one object, so it cannot be opened again"
        raise Absent(msg)
    named, unnamed = bench.key("trip", user="ann"), bench.key(root="aa")
    first, found = list(KINDS.values()), compaction()
    handle = bench.handles.open()
    version = handle.append(named, first, expected=0)
    handle.append(unnamed, [found], expected=0)
    shut(handle)
    handle = bench.handles.open()
    expect_log(first, version, handle.load(named), "a log that was written before")
    here = handle.find(bench.namespace, frozenset({found.adoption}))
    expect_records([found], here, "a compaction that was written before")
    shut(handle)


@DURABLE.check
def handles_can_be_closed_twice(bench: Bench) -> None:
    """Closing a handle a second time does nothing, and others go on."""
    if not bench.handles.separate:
        msg = "the factory returns one object, which is not ours to close"
        raise Absent(msg)
    handle: Full = bench.handles.open()
    version = handle.append(bench.key("trip"), [compaction()], expected=0)
    for _ in range(2):
        shut(handle)
    expect(version, bench.one.load(bench.key("trip")).version, "the version, by another handle")
