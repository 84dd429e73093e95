"""When what fails, and how: schedules of faults, and a store and a server that follow one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, get_args

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from memory.errors import ConflictError, CorruptError, StoreError
from memory.testing.fake_kimi import FakeKimi
from memory.testing.kimi_faults import Fault
from memory.testing.strategies.checking import among, wholes

if TYPE_CHECKING:
    from memory.stores import Store
    from memory.testing.kimi_wire import Request, Response

__all__ = (
    "KIMI_FAULTS",
    "STORE_FAULTS",
    "FaultSchedule",
    "FaultyKimi",
    "FaultyStore",
    "StoreFault",
    "fault_schedules",
)

F = TypeVar("F")

StoreFault = Literal["fails", "conflicts", "corrupt", "loses-the-answer"]
"""How a call of a store fails: nothing is done, somebody else was first, what is there cannot be
read, or all is done and the caller never learns of it."""

STORE_FAULTS: Final[tuple[StoreFault, ...]] = get_args(StoreFault)

KIMI_FAULTS: Final[tuple[Fault, ...]] = tuple(
    fault
    for fault in Fault
    if fault not in {Fault.HANG, Fault.SLOW, Fault.RPM, Fault.COOLDOWN, Fault.CONCURRENCY}
)
"""The faults of `FakeKimi` that nobody has to wait for."""

_VERBS: Final = frozenset(
    {
        *("load", "append", "known", "find", "forget", "forget_user", "conversations", "search"),
        *("acquire", "holder", "release", "health"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSchedule(Generic[F]):
    """Which effects fail, and how.

    Attributes:
        faults: The fault by the number of the effect, from 0; read-only.
    """

    faults: Mapping[int, F]

    def __post_init__(self) -> None:
        """Keep a copy that nobody can change."""
        object.__setattr__(self, "faults", MappingProxyType(dict(self.faults)))

    def at(self, number: int) -> F | None:
        """Return how the effect of that number fails; None if it does not."""
        return self.faults.get(number)


def fault_schedules(
    *, faults: Collection[F], effects: int = 12, least: int = 1, most: int = 3
) -> st.SearchStrategy[FaultSchedule[F]]:
    """Return a strategy for schedules; the simplest has one fault, the first, at the first effect.

    `faults=STORE_FAULTS` is for a `FaultyStore`, `faults=KIMI_FAULTS` for a `FaultyKimi`; any
    other values serve those who inject faults themselves.

    Args:
        faults: The ways to fail.
        effects: How many effects there are: those that fail are among the first so many.
        least: How many fail at least.
        most: How many fail at most.

    Raises:
        InvalidArgument: An argument is wrong.
    """
    if isinstance(faults, str) or not faults:
        msg = f"faults={faults!r} must be several ways to fail: use a tuple"
        raise InvalidArgument(msg)
    wholes(0, least=least)
    wholes(max(1, least), most=most)
    wholes(max(1, least), effects=effects)
    numbers, ways = st.integers(0, effects - 1), st.sampled_from(tuple(faults))
    table = st.dictionaries(numbers, ways, min_size=least, max_size=min(most, effects))
    return table.map(lambda drawn: FaultSchedule(faults=dict(sorted(drawn.items()))))


class _Counter:
    """Counts effects and looks up what is to become of each. Thread-safe."""

    def __init__(self, schedule: FaultSchedule[Any]) -> None:
        self.schedule = schedule
        self.names: list[str] = []
        self._lock = Lock()

    def due(self, name: str) -> Any:
        with self._lock:
            self.names.append(name)
            return self.schedule.at(len(self.names) - 1)


class FaultyStore:
    """A store that does what another one does, but for the calls that a schedule has fail.

    Every call is an effect, in the order of the calls; what the other store cannot do, this one
    cannot do either. Its coroutines are not offered: asynchronous callers run it in a thread, so
    that all calls are counted alike.

    Args:
        store: Where everything is kept.
        schedule: Which calls fail, and how.

    Raises:
        InvalidArgument: One of the faults is none of `STORE_FAULTS`.
    """

    def __init__(self, store: Store, schedule: FaultSchedule[StoreFault]) -> None:
        among("faults", schedule.faults.values(), STORE_FAULTS, empty=True)
        self._store = store
        self._counter = _Counter(schedule)

    @property
    def calls(self) -> list[str]:
        """The names of all calls so far, failed ones included."""
        return list(self._counter.names)

    def __getattr__(self, name: str) -> Any:
        """Return what the other store has of that name; its verbs may fail."""
        if name.startswith("_") or name == "asynchronous":
            raise AttributeError(name)
        found = getattr(self._store, name)
        return self._faulty(name, found) if name in _VERBS else found

    def _faulty(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            fault = self._counter.due(name)
            if fault is not None and fault != "loses-the-answer":
                raise _store_error(fault, name, named.get("expected"))
            done = call(*given, **named)
            if fault is not None:
                msg = f"the answer to {name} was lost"
                raise StoreError(msg)
            return done

        return called


def _store_error(fault: StoreFault, name: str, expected: int | None) -> StoreError:
    if fault == "conflicts" and expected is not None:
        return ConflictError(expected=expected, actual=expected + 1)
    if fault == "corrupt":
        return CorruptError(f"what {name} asked for", "a fault was injected")
    return StoreError(f"{name} failed")


class FaultyKimi(FakeKimi):
    """A `FakeKimi` whose requests fail as a schedule says; every request is an effect.

    A request that the API would refuse anyway leaves its fault to the next one.

    Args:
        schedule: Which requests fail, and how.
        **options: What `FakeKimi` takes.

    Raises:
        InvalidArgument: One of the faults is no `Fault`.
    """

    def __init__(self, schedule: FaultSchedule[Fault], **options: Any) -> None:
        among("faults", schedule.faults.values(), tuple(Fault), empty=True)
        super().__init__(**options)
        self._counter = _Counter(schedule)
        self._turn = Lock()

    def handle(self, request: Request) -> Response:
        """Answer a request, or let it fail."""
        with self._turn:
            fault = self._counter.due(request.path)
            if fault is not None:
                self.fail_next(fault)
            return super().handle(request)
