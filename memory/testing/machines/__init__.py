"""State machines that use a manager in every way there is, in any order, beside a plain model.

What they say is in `words`, where they act in `stage`, what goes wrong on purpose in `outage`, what
should be on record in `model`, and what is checked in `judge`.

::

    from memory import MemoryManager
    from memory.stores.sqlite import SqliteStore
    from memory.testing import memory_machine

    def manager(store, **options):
        return MemoryManager(store=store, target=0.5, summarizer=mine, **options)

    Machine = memory_machine(manager, store_factory=lambda: SqliteStore("test.db"))
    TestMemory = Machine.TestCase
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

    from memory.stores import Store

__all__ = ("Mode", "memory_machine")

Mode = Literal["conversation", "transparent"]
"""How callers use memory: they send what is new, or their whole list."""

LEAST_BUDGET = 1_000
"""Tokens below which what is protected may not leave room for notes."""


def memory_machine(
    manager_factory: Callable[..., Any],
    *,
    mode: Mode = "conversation",
    store_factory: Callable[[], Store] | None = None,
    asynchronous: bool = False,
    budget: int = 1_400,
    tokenizer: Callable[[str], int] | None = None,
) -> type[RuleBasedStateMachine]:
    """Return a hypothesis state machine that drives managers of yours and judges what they do.

    Two managers share a store. Through real clients of the SDK, on a `FakeKimi` in this process,
    they take turns with tools, streams, edits, branches, pins, compactions by hand, forks and all
    else; summaries are spoilt, the server refuses, the store fails, managers crash and are opened
    again, budgets and models change and the clock jumps. After each request it is checked for
    every promise of `memory.invariants`, and what is on record is compared with plain lists. A
    failure prints the steps as a program and shows the request.

    Give its `TestCase` to pytest, or the machine to `hypothesis.stateful`'s
    `run_state_machine_as_test`. About 25 steps (`stateful_step_count`) and 20 examples find most.

    Args:
        manager_factory: Called as `manager_factory(store, **options)` whenever a manager is
            opened: twice at the beginning of each run, and once for each crash. It has to make
            a new `MemoryManager`, or `AsyncMemoryManager` for an `asynchronous` machine, with
            `store=store` and all the options (`hooks`, `namespace`, `budget`, `turn_wait`,
            `redact`, and `tokenizer` where one is given below), to which it may add settings and
            a summariser of its own. It may not keep anything from one call to the next. The
            store it is given is yours, with outages now and then.
        mode: Whether callers go on from conversations with a name, or send their whole list.
        store_factory: Returns a handle on one and the same store each time: another connection to
            the same data, or the same object where the store lives in one. Runs have namespaces
            of their own in it. Handles are closed at the end of a run where they differ. None
            for a new store in memory for each run.
        asynchronous: Whether managers and clients are asynchronous; each run has an event loop.
        budget: Tokens that a prompt may have; small, so that there is much to compact.
        tokenizer: Counts the tokens of a text, in the managers and in the server, so that the
            counts of both are the same; it may be quicker than the real one. None for those of
            the `[exact]` extra. Limits are checked where the counter of a manager is exact.

    Raises:
        InvalidArgument: `mode` is unknown, or the budget is below 1,000 tokens.
    """
    from hypothesis.errors import InvalidArgument

    from memory.testing.machines.conversing import Conversing
    from memory.testing.machines.stage import Plan
    from memory.testing.machines.transparent import Transparent

    if mode not in get_args(Mode):
        msg = f"mode={mode!r}: use one of {', '.join(get_args(Mode))}"
        raise InvalidArgument(msg)
    if budget < LEAST_BUDGET:
        msg = f"budget={budget} must be at least {LEAST_BUDGET} tokens"
        raise InvalidArgument(msg)
    plan = Plan(
        manager_factory=manager_factory,
        store_factory=store_factory,
        asynchronous=asynchronous,
        budget=budget,
        tokenizer=tokenizer,
    )
    kind = Conversing if mode == "conversation" else Transparent
    return type("MemoryMachine", (kind,), {"plan": plan, "__module__": __name__})
