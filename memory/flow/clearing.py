"""Taking old tool results out of the view: what was read and used already is looked up first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memory.flow.state import Context, Prompt, State
from memory.messages import role_of
from memory.policy import Plan
from memory.records import Compaction, Shortened
from memory.view import View

__all__ = ("cleared", "intended")

LEAST_RESULT = 200
"""Tokens below which a result stays: what is left out has to be worth the line that says so."""
ENOUGH = "old tool results are enough to leave out"
LATEST = 6
"""How many of the latest tool results stay, whatever they cost."""


def cleared(prompt: Prompt, context: Context, state: State) -> State | None:
    """Return a view without old tool results, or None where there are none to leave out."""
    if context.policy.clear_tool_results == "off":
        return None
    places = _old_results(state)
    if not places:
        return None
    record = _without(state.view, places)
    return State.of(prompt, context, View(state.view.thread, record))


def intended(
    prompt: Prompt, context: Context, state: State, todo: Plan
) -> tuple[Plan, State | None]:
    """Return what a plan comes to where old tool results are left out first, and the view of that.

    Where that alone makes the view small enough, nothing is cut and no segment is wanted. Where it
    does not, and a summary is paid for anyway, results stay for that: it is written from the
    prompt as it was sent, which is what the server's cache holds.

    Args:
        prompt: Whose conversation it is.
        context: How it is judged.
        state: The view before.
        todo: The plan for it.
    """
    bare = cleared(prompt, context, state)
    if bare is None:
        return todo, None
    if _suffices(bare):
        plan = Plan(
            action="compact",
            reason=ENOUGH,
            tokens=todo.tokens,
            projected=bare.counts.total,
            limit=todo.limit,
        )
        return plan, bare
    if context.policy.clear_tool_results != "only":
        return todo, None
    deeper = bare.plan(context.policy, due=True)
    return (todo if deeper.action == "send" else deeper), bare


def _suffices(state: State) -> bool:
    """Return whether a view without old results is so small that no summary is needed.

    The next one should not be due for half the distance that a summary would give.
    """
    budget = state.budget
    return 2 * state.counts.total <= budget.trigger + budget.target


def _old_results(state: State) -> list[int]:
    """Return the tool results that are old, large and whole, by index, oldest first."""
    view = state.view
    sizes = dict(zip(view.loose, state.sizes, strict=True))
    short = {item.index for item in view.record.shortened} if view.record else set[int]()
    results = [
        (index, protected)
        for indexes, protected in view.parts()
        for index in indexes
        if role_of(view.thread.rest[index]) == "tool"
    ]
    return [
        index
        for index, protected in results[:-LATEST]
        if not protected and index not in short and sizes[index] >= LEAST_RESULT
    ]


def _without(view: View, places: Sequence[int]) -> Compaction:
    """Return a record under which these results are not shown."""
    gone = (Shortened(index=index, head=0, tail=0) for index in places)
    return replace(view.base, shortened=(*view.base.shortened, *gone))
