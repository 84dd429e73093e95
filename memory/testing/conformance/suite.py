"""All checks, and running them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memory.testing.conformance.bench import Factory, Handles
from memory.testing.conformance.check import CAPABILITIES, Check
from memory.testing.conformance.checks_async import ASYNCHRONOUS
from memory.testing.conformance.checks_find import FIND
from memory.testing.conformance.checks_forget import FORGET
from memory.testing.conformance.checks_health import CHECKING, DURABLE, SHAPE
from memory.testing.conformance.checks_keys import KEYS
from memory.testing.conformance.checks_leasing import LEASING
from memory.testing.conformance.checks_listing import LISTING
from memory.testing.conformance.checks_log import LOG
from memory.testing.conformance.checks_property import PROPERTIES
from memory.testing.conformance.checks_recall import RECALLING
from memory.testing.conformance.checks_search import SEARCHING
from memory.testing.conformance.checks_threads import THREADS
from memory.testing.conformance.report import Report

__all__ = ("CHECKS", "check_store", "checks")

_GROUPS = (
    *(SHAPE, LOG, FIND, FORGET, KEYS, THREADS, PROPERTIES),
    *(LISTING, SEARCHING, RECALLING, LEASING, CHECKING, DURABLE, ASYNCHRONOUS),
)

CHECKS: tuple[Check, ...] = tuple(check for group in _GROUPS for check in group.checks)
"""Every check, in the order in which they run."""


def checks(*, only: Iterable[str] | None = None, exclude: Iterable[str] = ()) -> tuple[Check, ...]:
    """Return some of the checks, in their order.

    Args:
        only: Names of checks or capabilities; None for all.
        exclude: Names of those to leave out.

    Raises:
        ValueError: There is no such name.
    """
    chosen = None if only is None else _known(only)
    unwanted = _known(exclude)
    return tuple(
        check
        for check in CHECKS
        if (chosen is None or {check.name, check.capability} & chosen)
        and not {check.name, check.capability} & unwanted
    )


def check_store(
    factory: Factory,
    *,
    only: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    seed: int = 0,
) -> Report:
    """Check whether a store does what the contract says, and report on each behaviour.

    Each check has a namespace of its own and forgets it in the end. No check raises for what the
    store does wrong: see `Report.raise_for_failures`. Handles that `factory` makes are closed.

    Args:
        factory: Returns a handle on one store, each time the same one: another connection to the
            same data, or the same object where the store lives in one.
        only: Names of checks or capabilities; None for all.
        exclude: Names of those to leave out.
        seed: What chance is seeded with; the same one makes the same examples.

    Raises:
        ValueError: There is no check and no capability of such a name.
    """
    chosen = checks(only=only, exclude=exclude)
    handles = Handles(factory)
    try:
        results = tuple(check.result(handles, seed=seed) for check in chosen)
    finally:
        handles.close()
    return Report(store=type(handles.one).__name__, seed=seed, results=results)


def _known(names: Iterable[str]) -> set[str]:
    wanted = {names} if isinstance(names, str) else set(names)
    unknown = wanted - {check.name for check in CHECKS} - CAPABILITIES.keys()
    if unknown:
        msg = f"no check and no capability is called {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    return wanted
