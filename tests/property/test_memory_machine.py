"""Whatever is done with a manager, in any order, on any store: every promise holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from depth import examples
from hypothesis import seed
from hypothesis.errors import InvalidArgument
from hypothesis.stateful import run_state_machine_as_test
from store_factories import FACTORIES

from memory import AsyncMemoryManager, MemoryManager
from memory.stores import Store
from memory.testing import memory_machine
from memory.testing.machines import Mode

# A failure is shrunk to a short program, which takes minutes.
pytestmark = pytest.mark.timeout(400)

MODES: tuple[Mode, ...] = ("conversation", "transparent")
STEPS = 25
EXAMPLES = {"volatile": 8, "sqlite": 3, "sealed": 2, "postgres": 2, "redis": 2}
"""How many runs there are on each kind of store."""
VARIANTS: dict[str, dict[str, Any]] = {
    "more": {"target": 0.6, "notes": 0.3, "notes_role": "system", "clear_tool_results": "off"},
    "less": {"target": 0.3, "notes": 0.2, "standing": 0.05, "identifiers": 0.0},
    "background": {"compaction": "background", "ahead": 0.7},
    "recalling": {"recall": "auto", "recall_floor": 0.0},
    "recalling much": {
        "recall": "auto",
        "recall_floor": 0.0,
        "recall_share": 0.4,
        "notes_role": "system",
    },
}
"""Settings that differ from the usual ones."""


def four_bytes(text: str) -> int:
    """Count a token for each four bytes."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def manager(store: Store, **options: Any) -> MemoryManager:
    """Make a manager."""
    return MemoryManager(store=store, **options)


def async_manager(store: Store, **options: Any) -> AsyncMemoryManager:
    """Make an asynchronous manager."""
    return AsyncMemoryManager(store=store, **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", FACTORIES)
def test_every_promise_holds(kind: str, mode: Mode, tmp_path: Path) -> None:
    """Managers keep every promise, on each kind of store and in both modes."""
    with FACTORIES[kind](tmp_path) as factory:
        machine = memory_machine(manager, mode=mode, store_factory=factory, tokenizer=four_bytes)
        run_state_machine_as_test(
            seed(list(FACTORIES).index(kind))(machine),
            settings=examples(EXAMPLES[kind], steps=STEPS),
        )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", FACTORIES)
def test_every_promise_holds_for_asynchronous_managers(
    kind: str, mode: Mode, tmp_path: Path
) -> None:
    """Asynchronous managers keep every promise, on each kind of store and in both modes."""
    with FACTORIES[kind](tmp_path) as factory:
        machine = memory_machine(
            async_manager, mode=mode, store_factory=factory, asynchronous=True, tokenizer=four_bytes
        )
        run_state_machine_as_test(
            seed(10 + list(FACTORIES).index(kind))(machine),
            settings=examples(EXAMPLES[kind], steps=STEPS),
        )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_promise_holds_with_other_settings(variant: str, mode: Mode) -> None:
    """Managers keep every promise with other settings than the usual ones."""

    def chosen(store: Store, **options: Any) -> MemoryManager:
        return manager(store, **(options | VARIANTS[variant]))

    machine = memory_machine(chosen, mode=mode, tokenizer=four_bytes)
    run_state_machine_as_test(machine, settings=examples(3, steps=STEPS))


@pytest.mark.parametrize("mode", MODES)
def test_every_promise_holds_with_the_real_vocabulary(mode: Mode) -> None:
    """Managers keep every promise where both sides count with the vocabulary of Kimi."""
    pytest.importorskip("splintr")
    machine = memory_machine(manager, mode=mode, budget=1_800)
    run_state_machine_as_test(machine, settings=examples(3, steps=STEPS))


@pytest.mark.parametrize("wrong", [{"mode": "both"}, {"budget": 999}])
def test_what_is_wrong_is_told_at_once(wrong: dict[str, Any]) -> None:
    """A mode that does not exist, or a budget that has no room, is refused with its name."""
    with pytest.raises(InvalidArgument, match=next(iter(wrong))):
        memory_machine(manager, **wrong)
