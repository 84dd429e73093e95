"""Many examples: any record comes back, and any order of calls does what the reference does."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from memory.errors import ConflictError
from memory.records import LogKey
from memory.stores.contract import Listing
from memory.stores.volatile import VolatileStore
from memory.testing.conformance.bench import Bench, Full, counts
from memory.testing.conformance.check import Absent, Group
from memory.testing.conformance.checks_search import Corpus
from memory.testing.conformance.expect import demand, expect, expect_log, expect_records

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from memory.testing.conformance.strategies import Step

__all__ = ("PROPERTIES",)

T = TypeVar("T")

PROPERTIES = Group("store")

ROUND_TRIPS = 30
SEQUENCES = 25
SHRINKING = 5.0
"""Seconds after which no simpler example of a failure is looked for."""


@PROPERTIES.check
def any_conversation_comes_back(bench: Bench) -> None:
    """Records of any kind, with any messages, in any batches, come back equal and in order."""
    strategies, st = _hypothesis()
    batches = st.lists(st.lists(strategies.records(), min_size=1, max_size=4), max_size=4)
    numbers = count()

    def check(example: Any) -> None:
        named, split = example
        number = next(numbers)
        key = bench.key(f"trip {number}") if named else bench.key(root=f"{number:04x}")
        version = 0
        for batch in split:
            version = bench.one.append(key, batch, expected=version)
        expected = [record for batch in split for record in batch]
        expect_log(expected, version, bench.other.load(key), "the log")
        bench.one.forget(key)

    _explore(st.tuples(st.booleans(), batches), check, seed=bench.seed, examples=ROUND_TRIPS)


@PROPERTIES.check
def any_calls_do_what_they_should(bench: Bench) -> None:
    """Any sequence of calls, for several users and logs, does what it does in the reference."""
    strategies, st = _hypothesis()
    numbers = count()

    def check(steps: list[Step]) -> None:
        model = _Model(bench, f"/{next(numbers)}", strategies.PLACES)
        for step in steps:
            model.take(step)
            model.compare(strategies.HASHES)

    sequences = st.lists(strategies.steps(), min_size=1, max_size=12)
    _explore(sequences, check, seed=bench.seed, examples=SEQUENCES)


@PROPERTIES.needing("searching")
def any_search_finds_what_it_should(bench: Bench) -> None:
    """Any query finds, in any conversations, what one who reads all of them finds."""
    strategies, st = _hypothesis()
    numbers = count()

    def check(example: Any) -> None:
        conversations, queries = example
        corpus, user = Corpus(bench), f"user {next(numbers)}"
        for place, turns in enumerate(conversations):
            corpus.add(bench.key(f"trip {place}", user=user), *turns)
        for query, match in queries:
            corpus.agrees(query, user=user, match=match)

    conversations = st.lists(
        st.lists(strategies.spoken(), min_size=1, max_size=4), min_size=1, max_size=3
    )
    queries = st.lists(
        st.tuples(strategies.words(), st.sampled_from(["all", "any"])), min_size=1, max_size=4
    )
    examples = st.tuples(conversations, queries)
    _explore(examples, check, seed=bench.seed, examples=SEQUENCES)


class _Model:
    """A store beside the reference, which is given the same calls."""

    def __init__(self, bench: Bench, beside: str, places: tuple[tuple[str, str, str], ...]) -> None:
        self.bench = bench
        self.namespace = bench.namespace + beside
        self.keys = [bench.key(n, user=u, root=r, beside=beside) for u, n, r in places]
        self.reference = VolatileStore()
        self.versions = dict.fromkeys(self.keys, 0)

    def take(self, step: Step) -> None:
        """Do one thing with both and compare what they return."""
        store, key = (self.bench.other if step.other else self.bench.one), self.keys[step.place]
        match step.verb:
            case "append":
                self._append(store, key, step)
            case "stale":
                self._append_stale(store, key, step)
            case "forget":
                self.versions[key] = 0
                removed = counts(self.reference.forget(key))
                expect(removed, counts(store.forget(key)), f"forget({key})")
            case "forget_user" if isinstance(store, Listing):
                self._forget_user(store, key.user)
            case "find":
                self._find(store, step.hashes, key.user)

    def compare(self, hashes: tuple[bytes, ...]) -> None:
        """Fail where the store does not hold what the reference holds."""
        store = self.bench.one
        for key in self.keys:
            expected = self.reference.load(key).records
            expect_log(expected, self.versions[key], store.load(key), f"load({key})")
        for user in dict.fromkeys(key.user for key in self.keys):
            least = self.reference.known(self.namespace, user=user)
            demand(store.known(self.namespace, user=user) in (least, 0), f"known for {user!r}")
            self._find(store, frozenset(hashes), user)
        if isinstance(store, Listing):
            expect(self._listed(self.reference), self._listed(store), "the list")

    def _append(self, store: Full, key: LogKey, step: Step) -> None:
        self.reference.append(key, step.records, expected=self.reference.load(key).version)
        before = self.versions[key]
        version = store.append(key, step.records, expected=before)
        demand(version > before, f"an append at version {before} returned {version}")
        self.versions[key] = version

    def _append_stale(self, store: Full, key: LogKey, step: Step) -> None:
        wrong = max(0, self.versions[key] + step.off)
        if wrong == self.versions[key]:
            return
        try:
            store.append(key, step.records, expected=wrong)
        except ConflictError:
            return
        demand(condition=False, message=f"append expected {wrong} and raised no ConflictError")

    def _forget_user(self, store: Full, user: str) -> None:
        removed = counts(self.reference.forget_user(self.namespace, user))
        expect(removed, counts(store.forget_user(self.namespace, user)), f"forget_user({user!r})")
        for key in self.keys:
            self.versions[key] = 0 if key.user == user else self.versions[key]

    def _find(self, store: Full, hashes: frozenset[bytes], user: str) -> None:
        expected = self.reference.find(self.namespace, hashes, user=user)
        found = store.find(self.namespace, hashes, user=user)
        expect_records(expected, found, f"find for {user!r}")

    def _listed(self, store: Listing) -> list[tuple[str, str, int]]:
        page = store.conversations(self.namespace)
        return [(entry.user, entry.name, entry.messages) for entry in page]


def _hypothesis() -> tuple[Any, Any]:
    """Return our strategies and those of hypothesis.

    Raises:
        Absent: It is not installed.
    """
    try:
        from hypothesis import strategies as st

        from memory.testing.conformance import strategies
    except ImportError as error:
        msg = 'hypothesis is not installed: pip install "kimi-memory[testing]"'
        raise Absent(msg) from error
    return strategies, st


class _Enough(BaseException):  # no `Exception`: hypothesis takes those for failures
    """No simpler example is looked for."""


def _explore(
    strategy: SearchStrategy[T], check: Callable[[T], None], *, seed: int, examples: int
) -> None:
    """Check examples, the same ones for the same seed, and tell the shortest found that fails.

    Hypothesis would look for a simpler one for up to five minutes where a store is slow.
    """
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    failed: list[tuple[str, Exception]] = []
    began = 0.0

    def attempt(example: T) -> None:
        nonlocal began
        if failed and time.monotonic() - began > SHRINKING:
            raise _Enough
        try:
            check(example)
        except Exception as error:
            began = began or time.monotonic()
            failed.append((repr(example), error))
            raise

    quiet = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
        report_multiple_bugs=False,
    )
    try:
        seeded(seed)(quiet(given(strategy)(attempt)))()
    except (_Enough, Exception):
        if not failed:
            raise
    if failed:
        example, error = min(failed, key=lambda each: len(each[0]))
        error.__notes__ = [f"for example {example}"]
        raise error
