"""Generated settings are valid together, vary in everything, and keep what was fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from depth import HARD, examples
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from memory import MemoryManager
from memory.config import Settings
from memory.policy import Policy
from memory.testing import strategies

LEFT_ALONE = {"check", "summary_deadline", "summary_pause", "compaction", "choice", "turn_wait"}
"""Settings about time and threads, and those that change nothing about what is sent."""


@examples(100)
@given(strategies.settings())
def test_settings_are_valid_together(options: dict[str, Any]) -> None:
    """A manager takes them, and a policy can be made of them."""
    manager = MemoryManager(hooks=(), **options)

    assert options == {name: getattr(manager.settings, name) for name in options}


def test_every_setting_varies() -> None:
    """Each setting but those left alone has at least two values among 100 examples."""
    seen: dict[str, set[Any]] = {}

    @settings(HARD, max_examples=100)
    @given(strategies.settings())
    def collect(options: dict[str, Any]) -> None:
        for name, value in asdict(Settings(**options)).items():
            seen.setdefault(name, set()).add(value)

    collect()
    assert LEFT_ALONE == {name for name, values in seen.items() if len(values) == 1}


@examples(50)
@given(strategies.policies())
def test_policies_have_a_budget_and_thresholds_in_order(policy: Policy) -> None:
    """Each policy has a small budget and a target below its trigger."""
    limit = policy.limit(model="kimi-k2.6")
    thresholds = policy.thresholds(limit=limit, measured=0.0, exact=True)

    assert policy.budget is not None
    assert 200 <= policy.budget <= 4_000
    assert 0 < thresholds.target < thresholds.trigger


@pytest.mark.parametrize(
    "fixed",
    [
        {"oversize": "send"},
        {"target": 0.2},
        {"notes": 0.7},
        {"ahead": 0.3},
        {"notes": 0.3, "ahead": 0.301},
        {"budget": None},
        {"compaction": "background", "summary_deadline": 1.0},
    ],
)
@examples(15)
@given(data=st.data())
def test_what_is_fixed_stays(fixed: dict[str, Any], data: Any) -> None:
    """Whatever is fixed is in every example, and the rest goes with it."""
    options = data.draw(strategies.settings(**fixed))

    assert fixed == {name: options[name] for name in fixed}
    Settings(**options)


@examples(50)
@given(strategies.budgets(least=50, most=90))
def test_budgets_are_in_their_range(budget: int) -> None:
    """A budget is no less and no more than asked for."""
    assert 50 <= budget <= 90


def test_the_simplest_settings_are_the_defaults() -> None:
    """Whatever does not matter has its default value, or is not there at all."""
    smallest = find(strategies.settings(), lambda given: "oversize" in given, settings=HARD)

    assert "send" == smallest.pop("oversize")
    assert 400 == smallest.pop("budget")
    assert smallest == {name: getattr(Settings(), name) for name in smallest}
    assert {"target", "tail", "notes", "ahead", "trigger"} == {*smallest}


@pytest.mark.parametrize(
    ("strategy", "arguments", "said"),
    [
        (strategies.budgets, {"least": 0}, "least=0"),
        (strategies.budgets, {"least": 9, "most": 8}, "most=8"),
        (strategies.settings, {"colour": "red"}, "colour"),
        (strategies.settings, {"target": 1.5}, "target"),
        (strategies.settings, {"target": "half"}, "half|number|str"),
        (strategies.settings, {"oversize": "explode"}, "explode"),
        (strategies.settings, {"notes": 0.5, "target": 0.4}, "notes"),
        (strategies.settings, {"notes": 0.5, "ahead": 0.4}, "notes"),
        (strategies.settings, {"budget": -1}, "budget"),
        (strategies.policies, {"summary_prompt": "x"}, "summary_prompt"),
        (strategies.policies, {"floor": 0.5, "target": 0.4}, "floor"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    strategy: Callable[..., Any], arguments: dict[str, Any], said: str
) -> None:
    """The call says what is wrong, not the first example."""
    with pytest.raises(InvalidArgument, match=said):
        strategy(**arguments)
