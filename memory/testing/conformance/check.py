"""What a check is: one behaviour of a store, under a name, with what it needs."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias
from unittest import SkipTest

from memory.errors import UnsupportedError
from memory.stores.contract import Checking, Leasing, Listing, Recalling, Searching
from memory.testing.conformance.bench import Bench, Factory, Handles
from memory.testing.conformance.report import Outcome, Result

__all__ = ("CAPABILITIES", "Absent", "Check", "Group", "offers")

Behaviour: TypeAlias = Callable[[Bench], None]
"""Looks at one behaviour; raises `AssertionError` where it is not as the contract says."""


class Absent(Exception):  # noqa: N818  # no error: there is nothing to check
    """What a check is about is not there."""


def _has(protocol: Any) -> Callable[[object], bool]:
    return lambda store: isinstance(store, protocol)


CAPABILITIES: dict[str, Callable[[object], bool]] = {
    "store": lambda _store: True,
    "listing": _has(Listing),
    "searching": _has(Searching),
    "recalling": _has(Recalling),
    "leasing": _has(Leasing),
    "checking": _has(Checking),
    "durable": lambda store: bool(getattr(store, "durable", False)),
    "asynchronous": lambda store: getattr(store, "asynchronous", None) is not None,
}
"""What a store can offer, and how one sees that it does."""


def offers(store: object) -> tuple[str, ...]:
    """Return the capabilities of a store."""
    return tuple(name for name, offered in CAPABILITIES.items() if offered(store))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One behaviour that the contract asks for.

    Call it with a factory, in any test runner: it raises `AssertionError` where the store does
    something else, and `unittest.SkipTest` where the store does not offer what is checked.

    Attributes:
        name: By which it can be chosen.
        capability: What it belongs to.
        needs: What a store must offer for it, the capability included.
        description: What it checks, in a sentence.
        behaviour: The check itself.
    """

    name: str
    capability: str
    needs: tuple[str, ...]
    description: str
    behaviour: Behaviour = field(repr=False)

    @property
    def __name__(self) -> str:
        """The name; pytest makes the ids of parametrised tests of it."""
        return self.name

    def __call__(self, factory: Factory, *, seed: int = 0) -> None:
        """Check a store.

        Args:
            factory: Returns a handle on one store, each time the same one.
            seed: What chance is seeded with.

        Raises:
            AssertionError: The store does something else.
            SkipTest: It does not offer what is checked.
        """
        handles = Handles(factory)
        try:
            self.perform(handles, seed=seed)
        except Absent as absent:
            raise SkipTest(str(absent)) from None
        finally:
            handles.close()

    def perform(self, handles: Handles, *, seed: int = 0) -> None:
        """Check a store through handles that are open, in a namespace of its own.

        Raises:
            AssertionError: The store does something else.
            Absent: It does not offer what is checked.
        """
        missing = [need for need in self.needs if not CAPABILITIES[need](handles.one)]
        if missing:
            msg = f"the store does not offer {', '.join(missing)}"
            raise Absent(msg)
        bench = Bench(handles, seed=seed)
        try:
            self.behaviour(bench)
        except UnsupportedError as error:
            if set(self.needs) == {"store"}:
                raise
            raise Absent(str(error)) from error
        finally:
            bench.clear()

    def result(self, handles: Handles, *, seed: int = 0) -> Result:
        """Check a store through handles that are open and return how that went."""
        outcome: Outcome = "passed"
        message, start = "", perf_counter()
        try:
            self.perform(handles, seed=seed)
        except Absent as absent:
            outcome, message = "absent", str(absent)
        except Exception as error:  # noqa: BLE001  # whatever a store raises is told
            outcome, message = "failed", _told(error)
        return Result(
            name=self.name,
            capability=self.capability,
            description=self.description,
            outcome=outcome,
            message=message,
            seconds=perf_counter() - start,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """The checks of one capability, in the order in which they are written down.

    Attributes:
        capability: Which one.
        checks: Those written down so far.
    """

    capability: str
    checks: list[Check] = field(default_factory=list)

    def check(self, behaviour: Behaviour) -> Behaviour:
        """Write down a check, as a decorator; its docstring is what the report says of it."""
        return self.needing()(behaviour)

    def needing(self, *capabilities: str) -> Callable[[Behaviour], Behaviour]:
        """Write down a check that needs other capabilities as well."""

        def add(behaviour: Behaviour) -> Behaviour:
            description = (behaviour.__doc__ or "").strip()
            check = Check(
                name=behaviour.__name__,
                capability=self.capability,
                needs=(self.capability, *capabilities),
                description=description.partition("\n")[0],
                behaviour=behaviour,
            )
            self.checks.append(check)
            return behaviour

        return add


def _told(error: Exception) -> str:
    """Return what is known of a failure: what hypothesis notes, and where an error came from."""
    notes = "\n".join(["", *getattr(error, "__notes__", ())])
    if isinstance(error, AssertionError):
        return f"{error}{notes}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}{notes}"
