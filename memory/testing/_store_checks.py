"""A store beside the model: doing something with it, and comparing the two."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from hypothesis.stateful import RuleBasedStateMachine

from memory.errors import UnsupportedError
from memory.records import Forgotten, Hit, LogKey, Match, Record
from memory.testing._store_driver import Call, Driver
from memory.testing._store_model import Listed, Model
from memory.testing.conformance.bench import Bench, Factory, Handles, counts
from memory.testing.conformance.check import offers
from memory.testing.conformance.expect import demand, expect, expect_log, expect_records
from memory.testing.conformance.strategies import HASHES

__all__ = ("ALIKE", "OWNERS", "PURPOSES", "SPOTS", "Handle", "Spot", "StoreChecks")

Handle: TypeAlias = Literal["one", "other"]

ALIKE = 3
"""Users that look alike in one example."""
OWNERS = ("ann", "bob")
PURPOSES = ("turn", "summary")
EVERYTHING = "fox* 京 cafe 12"
"""Finds most of what the strategies have people say."""
MANY = 1_000
"""More than there is to list, or to find."""
SKEW = 3_600.0
"""Seconds by which the clock of a server may differ from ours."""


class Spot(NamedTuple):
    """Which log: numbers of namespaces, users and names that an example began with."""

    space: int = 0
    user: int = 0
    name: int = 0
    root: str = ""


SPOTS = (
    *(Spot(), Spot(user=1), Spot(root="aa"), Spot(user=1, root="aa"), Spot(name=1)),
    *(Spot(root="bb"), Spot(user=2), Spot(user=ALIKE), Spot(user=ALIKE, root="aa")),
    *(Spot(space=1), Spot(space=1, root="aa")),
)
"""Logs that differ in one thing from the first one, or from the first without a name."""


class StoreChecks(RuleBasedStateMachine):
    """A store, a model of what it should hold, and how they are compared.

    Attributes:
        factory: Returns a handle on the store.
        asynchronous: Whether coroutines are called.
        offered: What the store can do.
        keys: The logs of this example.
        touched: Which of them was just written, if one was.
        unseen: Whether something was written since all was compared.
    """

    factory: ClassVar[Factory]
    asynchronous: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(asynchronous=self.asynchronous)
        self.handles = Handles(type(self).factory)
        self.opened: list[Any] = [self.handles.one, self.handles.other]
        self.bench = Bench(self.handles)
        self.model = Model()
        self.keys: dict[Spot, LogKey] = {}
        self.touched: Spot | None = None
        self.unseen = False
        self.compared = self.steps = 0
        self.offered: frozenset[str] = frozenset()

    def teardown(self) -> None:
        """Forget what was written, and close the handles."""
        self.bench.clear()
        if self.handles.separate:
            self.driver.close(self.opened)
        self.driver.stop()

    @property
    def written(self) -> list[Spot]:
        """Where there are logs."""
        return [spot for spot in SPOTS if self.model.version(self.keys[spot])]

    @property
    def leased(self) -> list[tuple[Spot, str]]:
        """Where there are leases, and for what."""
        places = [(spot, purpose) for spot in SPOTS for purpose in PURPOSES]
        return [place for place in places if self.model.holder(self.keys[place[0]], place[1])]

    def writing(self, spot: Spot) -> LogKey:
        """Return the key of a log that is about to be written."""
        self.touched, self.unseen = spot, True
        return self.keys[spot]

    def do(self, handle: Handle, verb: str, *args: Any, **options: Any) -> Any:
        """Call a verb of the store, by one of the handles."""
        return self.driver.do(Call(getattr(self.handles, handle), verb, args, options))

    def appended(self, key: LogKey, batch: Sequence[Record], version: Any) -> None:
        """Note an append, which has to have made the version larger."""
        before = self.model.version(key)
        larger = type(version) is int and version > before
        demand(larger, f"an append at version {before} returned {version!r}")
        self.model.append(key, batch, version=version)

    def forgotten(self, keys: Iterable[LogKey], removed: Forgotten) -> None:
        """Note what was forgotten, whose numbers have to be true; search for what is left."""
        gone = set(keys)
        documents = self.model.documents(gone)
        expect(self.model.forget(gone), counts(removed), "logs, records, messages, compactions")
        expect(self.model.release_all(gone), removed.leases, "the number of leases removed")
        true = removed.documents in (documents, 0)
        demand(true, f"{removed.documents} entries of the index were removed, of {documents}")
        for key in sorted(gone, key=repr)[:1]:
            self.indexed(key)

    def indexed(self, key: LogKey) -> LogKey:
        """Search all that a user said, so that it is in the index; return the key."""
        if "searching" in self.offered:
            self.compare_search("other", key, EVERYTHING, match="any", limit=MANY)
        return key

    def compare(self, spot: Spot, *, searching: bool = True) -> None:
        """Fail where a log, or what is said of it, is not as it should be."""
        key, handle, purpose = self.keys[spot], *self._next()
        log = self.do(handle, "load", key)
        expect_log(self.model.records(key), self.model.version(key), log, f"load({key})")
        if not key.name:
            self.compare_found(handle, key, frozenset(HASHES))
            self._compare_known(handle, key)
        elif "listing" in self.offered:
            self.compare_listed(handle, key.namespace, user=key.user)
        if searching and key.name and "searching" in self.offered:
            match: Match = ("any", "all")[self.compared % 3 == 0]
            self.compare_search(handle, key, EVERYTHING, match=match, limit=MANY)
        if "leasing" in self.offered:
            holder = self.do(handle, "holder", key, purpose)
            expect(self.model.holder(key, purpose), holder, f"who has {purpose!r} of {key}")

    def compare_found(self, handle: Handle, key: LogKey, hashes: frozenset[bytes]) -> None:
        """Fail where other compactions are found for a user."""
        expected = self.model.find(key.namespace, hashes, user=key.user)
        found = self.do(handle, "find", key.namespace, hashes, user=key.user)
        expect_records(expected, found, f"find for {key.user!r} in {key.namespace!r}")

    def compare_listed(
        self,
        handle: Handle,
        namespace: str,
        *,
        user: str | None,
        after: tuple[str, str] | None = None,
        limit: int = MANY,
    ) -> list[Listed]:
        """Return what is listed; fail where that is another page than it should be."""
        every = self.model.listed(namespace, user=user)
        expected = [each for each in every if after is None or each[:2] > after][:limit]
        options = {"user": user, "after": after, "limit": limit}
        page = self.do(handle, "conversations", namespace, **options)
        listed = [(each.user, each.name, each.version, each.messages) for each in page]
        expect(expected, listed, f"conversations({namespace!r}, {options})")
        now = time.time()
        late = [each.updated for each in page if abs(each.updated - now) > SKEW]
        demand(not late, f"conversations were updated at {late} and now it is {now}")
        return listed

    def compare_search(
        self,
        handle: Handle,
        key: LogKey,
        query: str,
        *,
        name: str | None = None,
        match: Match = "all",
        limit: int = 10,
    ) -> None:
        """Fail where a search for a user finds other messages, or in another order."""
        options: dict[str, Any] = {
            "user": key.user,
            "name": name,
            "match": match,
            "limit": limit,
        }
        expected = self.model.search(key.namespace, query, **options)
        found = self.do(handle, "search", key.namespace, query, **options)
        what = f"search({key.namespace!r}, {query!r}, {options})"
        expect(_brief(expected), _brief(found), what)
        expect(expected, found, what)

    def _compare_known(self, handle: Handle, key: LogKey) -> None:
        least = self.model.known(key.namespace, user=key.user)
        known = self.do(handle, "known", key.namespace, user=key.user)
        told = known is None or type(known) is int
        message = f"known for {key.user!r} in {key.namespace!r}: expected {least}, got {known!r}"
        demand(told and known in (least, 0), message)

    def _next(self) -> tuple[Handle, str]:
        """Return by which handle to look now, and at the lease for what."""
        self.compared += 1
        return ("one", "other")[self.compared % 2], PURPOSES[self.compared // 2 % 2]

    def asked(self) -> frozenset[str]:
        """Return what the store can do; one with another one inside may say so only when asked."""
        questions: dict[str, tuple[str, tuple[Any, ...]]] = {
            "listing": ("conversations", (self.bench.namespace,)),
            "searching": ("search", (self.bench.namespace, "fox")),
            "leasing": ("holder", (self.bench.key("asked"), PURPOSES[0])),
            "checking": ("health", ()),
        }
        able = set(offers(self.bench.one))
        for capability in able & questions.keys():
            verb, args = questions[capability]
            try:
                self.do("one", verb, *args)
            except UnsupportedError:
                able.discard(capability)
        return frozenset(able)


def _brief(hits: Sequence[Hit]) -> list[tuple[str, int]]:
    """Return what tells hits apart, for messages that can be read."""
    return [(hit.name, hit.place) for hit in hits]
