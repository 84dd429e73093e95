"""A fault at every effect of every operation: nothing is lost, nothing is held, and it works again.

`docs/reference/effects.md` is the table of what callers see; it is measured by the same code.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from memory.manager import MemoryManager
from memory.records import LogKey
from memory.stores import VolatileStore
from memory.stores.sqlite import SqliteStore
from memory.testing.effect_faults import (
    OPERATIONS,
    Case,
    Operation,
    Outcome,
    Place,
    effect_faults,
    usual,
    whole,
)
from scripts.effect_table import PAGE, page

ASYNCHRONOUS = ("fit(messages)", "call of a wrapped client", "turn of a conversation", "compact()")
DURABLE = ("turn of a conversation", "turn with tool results", "undo()", "import_(…)", "forget()")
"""Operations whose every case opens a file several times; the others differ by no kind of write."""

Places = Callable[[], Place]


def volatile() -> Place:
    """Return a function that opens managers on one store in memory."""
    store = VolatileStore()
    return lambda: usual(store)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Places]:
    """Return what makes a file for each case; each manager opens it anew."""
    opened: list[SqliteStore] = []
    made = iter(range(1_000_000))

    def place() -> Place:
        while opened:
            opened.pop().close()
        path = tmp_path / f"{next(made)}.db"

        def manager() -> MemoryManager:
            opened.append(SqliteStore(path))
            return usual(opened[-1])

        return manager

    yield place
    for store in opened:
        store.close()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Hooks that fail are logged, with a traceback each."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@cache
def measured(operation: Operation) -> list[Outcome]:
    """Return the outcomes of an operation in memory, which two tests look at."""
    return list(effect_faults(operation, volatile))


def wrong(outcomes: Iterable[Outcome]) -> dict[Case, dict[str, str]]:
    """Return what is wrong, by case; there has to be a case."""
    found = {outcome.case: outcome.wrong for outcome in outcomes}
    assert found
    return {case: each for case, each in found.items() if each}


def named(names: tuple[str, ...]) -> list[Operation]:
    """Return operations by their names."""
    return [operation for operation in OPERATIONS if operation.name in names]


def label(operation: Operation) -> str:
    """Return the name of an operation, for the names of tests."""
    return operation.name


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_a_fault_at_any_effect_does_no_harm(operation: Operation) -> None:
    """In memory: every operation, every effect, every fault."""
    assert {} == wrong(measured(operation))


@pytest.mark.parametrize("operation", named(ASYNCHRONOUS), ids=label)
def test_a_cancelled_task_does_no_harm(operation: Operation) -> None:
    """In an event loop: the same, with cancellation at the `await`."""
    assert {} == wrong(effect_faults(operation, volatile, asynchronous=True))


@pytest.mark.parametrize("operation", named(DURABLE), ids=label)
def test_a_crash_leaves_a_file_that_can_be_opened(operation: Operation, files: Places) -> None:
    """In a file: what is on record is what another process finds, leases included."""
    assert {} == wrong(effect_faults(operation, files))


class _Forgetful(VolatileStore):
    """A store that says it wrote what it did not."""

    def append(self, key: LogKey, records: Any, *, expected: int) -> int:
        if expected:
            return expected + len(records)
        return super().append(key, records, expected=expected)


def test_a_store_that_forgets_is_found_out() -> None:
    """An acknowledged turn that is not on record does not go unnoticed."""
    (turn,) = named(("turn of a conversation",))
    honest = whole(turn, volatile())

    def place() -> Place:
        store = _Forgetful()
        return lambda: usual(store)

    lied = whole(turn, place())
    assert honest.after[0].said != lied.after[0].said
    assert lied.before.said == lied.after[0].said


def test_every_operation_reads_or_writes() -> None:
    """No operation is left out because it asks for nothing."""
    silent = [each.name for each in OPERATIONS if not whole(each, volatile()).effects]
    assert [] == silent


def test_the_faults_reach_each_kind_of_effect() -> None:
    """A turn that compacts loads, claims, summarises, sends, writes and tells."""
    (turn,) = named(("turn of a conversation",))
    kinds = {type(effect).__name__ for effect in whole(turn, volatile()).effects}
    expected = {"Append", "Claim", "Emit", "Enter", "Load", "Now", "Release", "Send", "Summarize"}
    assert expected <= kinds


def test_the_page_is_current() -> None:
    """What the documentation says callers see is what they see: `-m scripts.effect_table`."""
    assert PAGE.read_text(encoding="utf-8") == page(measured)
