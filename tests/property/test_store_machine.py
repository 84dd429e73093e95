"""Every store does what the model does, whatever is done with it; stores that do not are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import broken_capabilities as capable
import broken_stores as broken
import pytest
from depth import examples
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from store_factories import FACTORIES

from memory.records import Hit, LogKey, Match
from memory.stores import Store, VolatileStore
from memory.testing import store_machine

# A failure is shrunk to a short program, which takes minutes.
pytestmark = pytest.mark.timeout(400)

STEPS = 20
EXAMPLES = {"volatile": 8, "sqlite": 6, "sealed": 5, "redis": 4, "postgres": 2}
"""How many examples each store has time for."""
SHORT = settings(
    max_examples=60,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=False,
)
"""Looks for a failure and not for the shortest one."""


class SearchesWhatIsForgotten(VolatileStore):
    """Leaves the entries of its search index behind."""

    def __init__(self) -> None:
        super().__init__()
        self._said = VolatileStore()

    def append(self, key: LogKey, records: Any, *, expected: int) -> int:
        """Append to the log and to the index."""
        version = super().append(key, records, expected=expected)
        self._said.append(key, records, expected=self._said.load(key).version)
        return version

    def search(
        self,
        namespace: str,
        query: str,
        *,
        user: str = "",
        name: str | None = None,
        match: Match = "all",
        limit: int = 10,
    ) -> tuple[Hit, ...]:
        """Search the index."""
        found = self._said.search(namespace, query, user=user, name=name, match=match, limit=limit)
        return tuple(found)


class LosesOnClosing:
    """A handle that takes back what it wrote last when it is closed."""

    def __init__(self, inner: VolatileStore) -> None:
        self._inner, self._last = inner, LogKey(namespace="")
        self.load, self.known, self.find = inner.load, inner.known, inner.find
        self.forget = inner.forget

    def append(self, key: LogKey, records: Any, *, expected: int) -> int:
        """Append and remember where."""
        self._last = key
        return self._inner.append(key, records, expected=expected)

    def close(self) -> None:
        """Take it back."""
        self._inner.forget(self._last)


class Plain:
    """A store that can do no more than it must."""

    def __init__(self) -> None:
        inner = VolatileStore()
        self.load, self.append, self.known = inner.load, inner.append, inner.known
        self.find, self.forget = inner.find, inner.forget


class Remembering(VolatileStore):
    """A store in memory that knows which logs it ever had."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[LogKey] = set()

    def append(self, key: LogKey, records: Any, *, expected: int) -> int:
        """Append and remember the log."""
        self.seen.add(key)
        return super().append(key, records, expected=expected)


class Closing(VolatileStore):
    """A handle that counts how often it was closed."""

    closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


def one(kind: Callable[[], Any]) -> Callable[[], Any]:
    """Return a factory for a store that lives in one object."""
    store = kind()
    return lambda: store


def handles(kind: Callable[[VolatileStore], Any]) -> Callable[[], Any]:
    """Return a factory for handles on a store in memory."""
    inner = VolatileStore()
    return lambda: kind(inner)


WRONG: dict[str, Callable[[], Callable[[], Any]]] = {
    "closing": lambda: handles(LosesOnClosing),
    "conflicts": lambda: one(broken.ForgetsOnConflict),
    "halves": lambda: one(broken.WritesByHalves),
    "index": lambda: one(broken.LeavesTheIndex),
    "leases": lambda: one(capable.SharesLeases),
    "numbers": lambda: one(broken.CountsWrong),
    "order": lambda: one(broken.Reorders),
    "renewal": lambda: one(capable.NeverRenews),
    "search index": lambda: one(SearchesWhatIsForgotten),
    "search terms": lambda: one(capable.SearchesAnyTerm),
    "stale handles": lambda: handles(broken.StaleHandle),
    "users": lambda: one(broken.FindsForEverybody),
    "versions": lambda: one(broken.IgnoresVersions),
}
"""Stores that are wrong in one way, by what is wrong with them."""


@pytest.mark.parametrize("asynchronous", [False, True], ids=["functions", "coroutines"])
@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_store_does_what_the_model_does(kind: str, tmp_path: Path, *, asynchronous: bool) -> None:
    """Whatever is done in any order, by two handles, after crashes too: it holds what it should."""
    with FACTORIES[kind](tmp_path) as factory:
        machine = store_machine(factory, asynchronous=asynchronous)
        run_state_machine_as_test(machine, settings=examples(EXAMPLES[kind], steps=STEPS))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_store_is_found(wrong: str) -> None:
    """A store that breaks its contract in one way is told apart from one that keeps it."""
    machine = store_machine(WRONG[wrong]())

    with pytest.raises(AssertionError):
        run_state_machine_as_test(seed(1)(machine), settings=SHORT)


def test_a_cancelled_append_that_is_written_by_halves_is_found() -> None:
    """Coroutines are cancelled at any of their steps."""
    machine = store_machine(one(capable.CancelledByHalves), asynchronous=True)

    with pytest.raises(AssertionError, match="after a cancelled append"):
        run_state_machine_as_test(seed(1)(machine), settings=SHORT)


@pytest.mark.parametrize("store", [Plain, capable.CannotSearch])
def test_what_is_not_offered_is_left_out(store: Callable[[], Store]) -> None:
    """A store without capabilities, or one that refuses a verb, passes with what it has."""
    machine = store_machine(one(store))
    run_state_machine_as_test(machine, settings=examples(2, steps=STEPS))


def test_nothing_is_left_behind() -> None:
    """What an example wrote is forgotten in the end."""
    store = Remembering()
    run_state_machine_as_test(store_machine(lambda: store), settings=examples(2, steps=STEPS))

    assert store.seen
    assert [] == [key for key in store.seen if store.load(key).records]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["functions", "coroutines"])
def test_handles_are_closed(*, asynchronous: bool) -> None:
    """Each handle that the factory made is closed at the end, those left behind too."""
    made: list[Closing] = []

    def factory() -> Closing:
        made.append(Closing())
        vars(made[-1]).update(
            {name: each for name, each in vars(made[0]).items() if name != "closed"}
        )
        return made[-1]

    machine = store_machine(factory, asynchronous=asynchronous)
    run_state_machine_as_test(machine, settings=examples(2, steps=STEPS))

    assert 2 < len(made)
    assert {0} != {handle.closed for handle in made}
    assert all(handle.closed for handle in made)


def test_a_failure_is_told_as_a_program() -> None:
    """What was done comes with what was expected of it."""
    machine = seed(1)(store_machine(one(broken.KnowsNothing)))
    with pytest.raises(AssertionError, match="known for") as caught:
        run_state_machine_as_test(machine, settings=SHORT)
    told = "\n".join(caught.value.__notes__)

    assert "state = StoreMachine()" in told
    assert "state.begin(users=(" in told
