"""A state machine for any store: all that the contract has, at length and in any order.

The conformance suite (`memory.testing.conformance`) looks at one behaviour at a time. This does
all of them by turns, for users and names that look alike, through two handles on the store that
are closed, or left behind as a crash leaves them, and opened again; after every step the store has
to hold what a model in plain Python holds. With pytest::

    from hypothesis import settings
    from memory.testing import store_machine

    TestMyStore = store_machine(lambda: MyStore("log.db")).TestCase
    TestMyStore.settings = settings(max_examples=50, deadline=None)

It needs hypothesis: `pip install "kimi-memory[testing]"`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from memory.errors import ConflictError, StoreError
from memory.records import Compaction, Logged, LogKey, Match, Record, Turn
from memory.testing._store_checks import ALIKE, OWNERS, PURPOSES, SPOTS, Handle, Spot, StoreChecks
from memory.testing._store_driver import Call
from memory.testing.conformance import strategies
from memory.testing.conformance.alike import NAMES, SPACES, USERS
from memory.testing.conformance.bench import Bench, Factory
from memory.testing.conformance.checks_health import capabilities_are_whole, health_tells_what_it_is
from memory.testing.conformance.expect import (
    demand,
    expect,
    expect_conflict,
    expect_log,
    expect_records,
)
from memory.testing.conformance.samples import KINDS, MESSAGES, a_hash, said, unstorable
from memory.testing.conformance.together import soon

__all__ = ("store_machine",)

HANDLES = 6
"""Handles that are open at most, those left behind included."""
LONG = 300.0
SHORT = 0.02
"""Seconds: a lease that does not run out here, and one that is waited for."""
LATEST = 10.0
"""Seconds after which a short lease must have run out, by the slowest of clocks."""
REFUSING = Spot(root="cc")
"""The log to which things are appended that a store may refuse."""
TICKS = (0, 1, 1, 2, 2, 3, 5, 8, 13)
"""Turns of the event loop after which an append is cancelled."""
ENDLESS = "a list in itself"
"""What cannot be compared with what a store that keeps it returns."""
WAITED = "summary of something else"
"""What a lease is for that runs out; all other leases do not."""
MARKER = Logged(index=0, link=b"marker", message=said("and on"))
"""Appended to see whether something that was cancelled may still come."""
CONFUSED = (
    *(("a", "A", "a "), ("é", "e\u0301", "É"), ("ss", "ß", "SS"), ("a", "a\0", "a\0b")),
    *(("\uff21", "😀", "A"), ("a/b", "a//b", "a%2Fb")),
)
"""Users that are confused by folding, by normal forms, by C, by sorting as UTF-16, by paths."""
ODD = (
    *KINDS.values(),
    *(Turn(start=0, messages=(MESSAGES[what],)) for what in MESSAGES if what != "a megabyte"),
)
"""Records that stores find hard to keep."""

spots = st.sampled_from(SPOTS)
sides: st.SearchStrategy[Handle] = st.sampled_from(("one", "other"))
owners, purposes = st.sampled_from(OWNERS), st.sampled_from(PURPOSES)
some_hashes = st.frozensets(st.sampled_from(strategies.HASHES))
texts = st.lists(strategies.words(), min_size=1, max_size=3)
matches: st.SearchStrategy[Match] = st.sampled_from(("all", "any"))


def _neighbours(texts: Sequence[str], number: int) -> st.SearchStrategy[tuple[str, ...]]:
    """Return some texts that stand side by side, since those look alike."""
    places = st.integers(0, len(texts) - number)
    return places.map(lambda place: tuple(texts[place : place + number]))


def _users() -> st.SearchStrategy[tuple[str, ...]]:
    confused, any_text = st.sampled_from(CONFUSED), strategies.texts().filter(bool)
    some = st.lists(any_text, min_size=ALIKE, max_size=ALIKE, unique=True).map(tuple)
    return st.one_of(confused, confused, _neighbours(USERS, ALIKE), some)


def _small() -> st.SearchStrategy[Compaction]:
    hashes = st.sampled_from(strategies.HASHES)
    return st.builds(
        Compaction,
        covered=st.just(1),
        coverage=hashes,
        adopted=st.integers(1, 9),
        adoption=hashes,
        mark=st.none() | hashes,
    )


def _batches() -> st.SearchStrategy[tuple[Record, ...]]:
    small, spoken = _small(), strategies.spoken()
    few = st.lists(st.one_of(spoken, small, st.sampled_from(ODD)), min_size=1, max_size=2)
    return st.one_of(few, few, few, few, strategies.records().map(lambda each: [each])).map(tuple)


def _first() -> st.SearchStrategy[list[tuple[Spot, Record]]]:
    """Return what is in logs at first: what was said in those with a name."""
    named = st.sampled_from([spot for spot in SPOTS if not spot.root])
    others = st.sampled_from([spot for spot in SPOTS if spot.root])
    turns = texts.map(lambda each: Turn(start=0, messages=tuple(map(said, each))))
    both = st.one_of(st.tuples(named, turns), st.tuples(others, _small()))
    return st.lists(both, max_size=10)


batches = _batches()

Rule = TypeVar("Rule", bound=Callable[..., None])


def _offering(capability: str) -> Callable[[Rule], Rule]:
    """Leave a rule out where the store does not offer what it is about."""
    return precondition(lambda machine: capability in machine.offered)


class _Logs(StoreChecks):
    """What is done with logs."""

    @initialize(
        users=_users(),
        names=_neighbours(NAMES, 2),
        spaces=_neighbours(SPACES[1:], 1),
        first=_first(),
    )
    def begin(
        self,
        users: tuple[str, ...],
        names: tuple[str, ...],
        spaces: tuple[str, ...],
        first: list[tuple[Spot, Record]],
    ) -> None:
        """Choose whose logs there are, and write some; the last user is nobody in particular."""
        capabilities_are_whole(self.bench)
        self.offered = self.asked()
        for spot in (*SPOTS, REFUSING):
            self.keys[spot] = self.bench.key(
                "" if spot.root else names[spot.name],
                user=(*users, "")[spot.user],
                root=spot.root,
                beside=("", *spaces)[spot.space],
            )
        for spot, record in first:
            self._append(spot, (record,), "one")

    @rule(spot=spots, batch=batches, handle=sides)
    def append(self, spot: Spot, batch: tuple[Record, ...], handle: Handle) -> None:
        """Append at the version that there is."""
        self._append(spot, batch, handle)

    @rule(spot=spots, batch=batches, handle=sides, which=st.integers(0, 9))
    def append_at_another_version(
        self, spot: Spot, batch: tuple[Record, ...], handle: Handle, which: int
    ) -> None:
        """Append at a version that was, or that never was: nothing changes."""
        key = self.writing(spot)
        every = self.model.wrong_versions(key)
        wrong = every[which % len(every)]
        expect_conflict(
            lambda: self.do(handle, "append", key, batch, expected=wrong),
            expected=wrong,
            actual=self.model.version(key),
        )

    @rule(what=st.sampled_from(sorted(unstorable().keys() - {ENDLESS})), handle=sides)
    def append_what_is_no_json(self, what: str, handle: Handle) -> None:
        """Append what may be refused: nothing of it is kept then, and else all of it."""
        key, before = self.keys[REFUSING], self.model.records(self.keys[REFUSING])
        batch = (MARKER, Turn(start=0, messages=(unstorable()[what],)), MARKER)
        try:
            version = self.do(handle, "append", key, batch, expected=self.model.version(key))
        except StoreError as error:
            demand(not isinstance(error, ConflictError), f"{what} was refused with: {error}")
            log = self.do("other", "load", key)
            expect_log(before, self.model.version(key), log, f"the log after {what} was refused")
            self._append(REFUSING, batch[:1], handle)
            return
        self.appended(key, batch, version)
        demand(self.do("other", "load", key).records == (*before, *batch), f"{what} was changed")
        self.forgotten([key], self.do("one", "forget", key))  # it cannot be compared as JSON

    @rule(spot=spots, one=batches, other=batches)
    def append_at_once(
        self, spot: Spot, one: tuple[Record, ...], other: tuple[Record, ...]
    ) -> None:
        """Append from two sides at the same time: one gets through, and the other is refused."""
        key = self.writing(spot)
        options = {"expected": self.model.version(key)}
        given = ((self.bench.one, one), (self.bench.other, other))
        done = self.driver.at_once(
            [Call(store, "append", (key, batch), options) for store, batch in given]
        )
        won = [place for place, each in enumerate(done) if not isinstance(each, ConflictError)]
        expect(1, len(won), "how many of two appends at one version got through")
        self.appended(key, given[won[0]][1], done[won[0]])

    @precondition(lambda self: self.asynchronous and "asynchronous" in self.offered)
    @rule(spot=spots, batch=batches, ticks=st.sampled_from(TICKS))
    def append_and_be_cancelled(self, spot: Spot, batch: tuple[Record, ...], ticks: int) -> None:
        """Cancel an append: all of it is written, or nothing, and nothing comes later."""
        key, batch = self.writing(spot), (*batch, MARKER)
        options = {"expected": self.model.version(key)}
        self.driver.cancelled(Call(self.bench.one, "append", (key, batch), options), ticks=ticks)
        for _ in range(2):  # it can come once
            log = self.do("other", "load", key)
            if log.version != self.model.version(key):
                self.appended(key, batch, log.version)
            expect_records(self.model.records(key), log.records, "the log after a cancelled append")
            try:
                version = self.do("other", "append", key, (MARKER,), expected=log.version)
            except ConflictError:
                continue
            self.appended(key, (MARKER,), version)
            return
        demand(condition=False, message="something else was written than what was cancelled")

    @rule(spot=spots, said_there=texts, back=st.sampled_from([0, 0, 1, 3]), handle=sides)
    def say(self, spot: Spot, said_there: list[str], back: int, handle: Handle) -> None:
        """Go on with a conversation, or with what it was a little before."""
        start = max(0, self.model.messages(self.keys[spot]) - back)
        self._append(spot, (Turn(start=start, messages=tuple(map(said, said_there))),), handle)

    @rule(spot=spots, start=st.integers(0, 4), handle=sides)
    def rewind(self, spot: Spot, start: int, handle: Handle) -> None:
        """Go back: what was said after that is not there to be counted or found."""
        self._append(spot, (Turn(start=start),), handle)

    @rule(data=st.data(), handle=sides)
    def forget(self, data: st.DataObject, handle: Handle) -> None:
        """Forget a log: one that is there, if there is any."""
        key = self.indexed(self.writing(data.draw(st.sampled_from(self.written or SPOTS), "spot")))
        self.forgotten([key], self.do(handle, "forget", key))

    @rule(spot=spots, handle=sides, hashes=some_hashes, others=st.sampled_from([0, 1, 5_000]))
    def find(self, spot: Spot, handle: Handle, hashes: frozenset[bytes], others: int) -> None:
        """Find the compactions that have one of some hashes, among others that none has."""
        self.compare_found(handle, self.keys[spot], hashes | {a_hash() for _ in range(others)})

    @precondition(lambda self: self.handles.separate and len(self.opened) < HANDLES)
    @rule(handle=sides, close=st.booleans())
    def begin_anew(self, *, handle: Handle, close: bool) -> None:
        """Go on with a new handle; the old one is closed, or left behind as by a crash."""
        left, new = getattr(self.handles, handle), self.handles.open()
        setattr(self.handles, handle, new)
        self.opened.append(new)
        if close:
            self.driver.close([left])
        self.look()

    def _append(self, spot: Spot, batch: tuple[Record, ...], handle: Handle) -> None:
        key = self.writing(spot)
        version = self.do(handle, "append", key, batch, expected=self.model.version(key))
        self.appended(key, batch, version)

    @precondition(lambda self: self.unseen)
    @rule()
    def look(self) -> None:
        """Compare everything."""
        for spot in SPOTS:
            self.compare(spot)
        self.unseen = False

    @invariant()
    def it_holds_what_it_should(self) -> None:
        """What was written is as it should be, and so is another log, each time the next one."""
        if self.touched is not None:
            self.compare(self.touched)
        self.compare(SPOTS[self.steps % len(SPOTS)], searching=False)
        self.touched, self.steps = None, self.steps + 1


class _Capabilities(_Logs):
    """What some stores can do besides."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = self.told = False

    @_offering("listing")
    @rule(spot=spots, handle=sides)
    def forget_user(self, spot: Spot, handle: Handle) -> None:
        """Forget all logs of a user."""
        key = self.indexed(self.writing(spot))
        gone = self.model.keys_of(key.namespace, key.user)
        self.forgotten(gone, self.do(handle, "forget_user", key.namespace, key.user))

    @_offering("listing")
    @rule(spot=spots, everybody=st.booleans(), inside=st.booleans(), size=st.integers(1, 4))
    def list_in_pages(self, *, spot: Spot, everybody: bool, inside: bool, size: int) -> None:
        """List conversations page by page, perhaps from one on that may not be there."""
        key = self.keys[spot]
        after = (key.user, key.name) if inside else None
        user = None if everybody else key.user
        page = self.compare_listed("one", key.namespace, user=user, after=after, limit=size)
        while page:
            after = page[-1][:2]
            page = self.compare_listed("other", key.namespace, user=user, after=after, limit=size)

    @_offering("searching")
    @rule(
        spot=spots,
        query=strategies.words(),
        match=matches,
        inside=st.booleans(),
        limit=st.integers(1, 12),
    )
    def search(self, *, spot: Spot, query: str, match: Match, inside: bool, limit: int) -> None:
        """Search what a user said, in all conversations or in one."""
        key = self.keys[spot]
        name = key.name if inside and key.name else None
        self.compare_search("other", key, query, name=name, match=match, limit=limit)

    @_offering("leasing")
    @rule(spot=spots, purpose=purposes, first=owners)
    def acquire(self, spot: Spot, purpose: str, first: str) -> None:
        """Have two ask for a lease, one after the other."""
        key = self.writing(spot)
        for handle, owner in zip(("one", "other"), sorted(OWNERS, key=first.__ne__), strict=True):
            self._acquire(cast("Handle", handle), key, purpose, owner, LONG)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), owner=owners, handle=sides)
    def release(self, data: st.DataObject, owner: str, handle: Handle) -> None:
        """Give up a lease, which may be another's."""
        spot, purpose = data.draw(st.sampled_from(self.leased), "lease")
        key = self.writing(spot)
        self.do(handle, "release", key, purpose, owner=owner)
        self.model.release(key, purpose, owner=owner)
        holder = self.do(handle, "holder", key, purpose)
        expect(self.model.holder(key, purpose), holder, f"who has {purpose!r} after a release")

    @precondition(lambda self: "leasing" in self.offered and not self.waited)
    @rule(spot=spots, renewed=st.booleans())
    def wait_for_a_lease(self, *, spot: Spot, renewed: bool) -> None:
        """Let a short lease run out, so that another takes it, unless it was renewed."""
        self.waited = True
        key, (ann, bob) = self.writing(spot), OWNERS
        self._acquire("one", key, WAITED, ann, SHORT)
        if renewed:
            self._acquire("other", key, WAITED, ann, LONG)
            time.sleep(2 * SHORT)
            self._acquire("one", key, WAITED, bob, LONG)
            return
        gone = soon(lambda: self.do("other", "holder", key, WAITED) is None, seconds=LATEST)
        demand(gone, f"a lease of {SHORT} s is still held after {LATEST} s")
        self.model.release(key, WAITED, owner=ann)
        self._acquire("other", key, WAITED, bob, LONG)

    @precondition(lambda self: "checking" in self.offered and not self.told)
    @rule()
    def ask_how_it_is(self) -> None:
        """Ask both handles for the health."""
        self.told = True
        one = SimpleNamespace(health=lambda: self.do("one", "health"))
        other = SimpleNamespace(health=lambda: self.do("other", "health"))
        health_tells_what_it_is(cast("Bench", SimpleNamespace(one=one, other=other)))

    def _acquire(
        self, handle: Handle, key: LogKey, purpose: str, owner: str, seconds: float
    ) -> None:
        expected = self.model.acquire(key, purpose, owner=owner)
        taken = self.do(handle, "acquire", key, purpose, owner=owner, seconds=seconds)
        expect(expected, taken, f"whether {owner} gets the lease {purpose!r} of {key}")


def store_machine(
    store_factory: Factory, *, asynchronous: bool = False
) -> type[RuleBasedStateMachine]:
    """Return a state machine that does with a store whatever the contract has, in any order.

    Each example has namespaces of its own and forgets them in the end; bounded stores need room for
    12 logs and 1,000 messages. What the store does not offer is left out. Run it as `TestCase`, or
    with `hypothesis.stateful.run_state_machine_as_test`; a failure is an `AssertionError`, or what
    the store raised, with the shortest program found that shows it.

    Args:
        store_factory: Returns a handle on one and the same store each time, as for `check_store`:
            another connection to the same data, or the same object where the store lives in one,
            which is then never closed. Handles it makes are closed after each example.
        asynchronous: Whether to call the store as asynchronous callers do, in one event loop for
            each example: its coroutines if it has any, else its functions in threads. No event
            loop may be running then.
    """
    members = {"factory": staticmethod(store_factory), "asynchronous": asynchronous}
    return type("StoreMachine", (_Capabilities,), members)
