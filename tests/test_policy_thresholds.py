"""What a policy may say, and the token thresholds that follow from it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.errors import ConfigError
from memory.policy import Policy

LIMIT = 1_000
POLICY = Policy(budget=LIMIT, target=0.5, floor=0.2, notes=0.3)
WINDOW = 262_144
RESERVE = 8_192


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"budget": 0}, "budget"),
        ({"budget": -5}, "budget"),
        ({"target": 0.2}, "target"),
        ({"target": 1.0}, "target"),
        ({"target": float("nan")}, "target"),
        ({"floor": 0.0}, "floor"),
        ({"notes": 0.0}, "notes"),
        ({"notes": 0.4, "target": 0.4}, "notes"),
        ({"standing": -0.1}, "standing"),
        ({"standing": 1.0}, "standing"),
        ({"standing": float("nan")}, "standing"),
        ({"identifiers": -0.1}, "identifiers"),
        ({"identifiers": 1.0}, "identifiers"),
        ({"clear_tool_results": "sometimes"}, "clear_tool_results"),
        ({"oversize": "explode"}, "oversize"),
    ],
)
def test_values_out_of_range_are_named(wrong: dict[str, Any], named: str) -> None:
    """A policy that cannot work is refused when it is made."""
    with pytest.raises(ConfigError, match=named):
        Policy(**wrong)


@pytest.mark.parametrize(
    ("policy", "completion", "limit"),
    [
        (Policy(), None, WINDOW - RESERVE),
        (Policy(), 1_000, WINDOW - 1_000),
        (Policy(), WINDOW, WINDOW - RESERVE),
        (Policy(), 2 * WINDOW, WINDOW - RESERVE),
        (Policy(budget=32_000), None, 32_000),
        (Policy(budget=10**6), None, WINDOW - RESERVE),
        (Policy(budget=32_000), WINDOW - 10, 10),
    ],
)
def test_the_limit_leaves_room_for_the_reply(
    policy: Policy, completion: int | None, limit: int
) -> None:
    """The budget holds within the window less what the reply may take."""
    assert limit == policy.limit(model="kimi-k2.6", completion=completion)


def test_a_small_window_keeps_half_for_the_prompt() -> None:
    """The default reserve does not eat up a window of its own size."""
    assert 4_096 == Policy().limit(model="moonshot-v1-8k")


@pytest.mark.parametrize(
    ("measured", "exact", "trigger"),
    [(1.0, False, 980), (1.0, True, 980), (0.0, True, 970), (0.0, False, 880), (0.5, False, 930)],
)
def test_the_trigger_nears_the_limit_as_the_count_is_known(
    measured: float, trigger: int, *, exact: bool
) -> None:
    """The distance goes from that of a guess to that of a measured count."""
    budget = POLICY.thresholds(limit=LIMIT, measured=measured, exact=exact)

    assert trigger == pytest.approx(budget.trigger, abs=1)
    assert (LIMIT, 500) == (budget.limit, budget.target)


def test_unmeasured_tools_lower_the_trigger() -> None:
    """Their declarations are the least certain part of a first prompt."""
    budget = POLICY.thresholds(limit=LIMIT, measured=0, exact=True, cold_tools=200)

    assert 970 - 30 == budget.trigger


@given(
    limit=st.integers(1, 10**6),
    measured=st.floats(0, 1),
    exact=st.booleans(),
    cold=st.integers(0, 10**6),
    target=st.floats(0.29, 0.99),
)
def test_thresholds_are_in_order(
    limit: int, measured: float, cold: int, target: float, *, exact: bool
) -> None:
    """Target, trigger and limit come in this order, whatever the figures."""
    policy = Policy(target=target, floor=target / 2, notes=target / 2)
    budget = policy.thresholds(limit=limit, measured=measured, exact=exact, cold_tools=cold)

    assert 0 <= budget.target < budget.trigger <= budget.limit


@pytest.mark.parametrize(
    ("share", "limit", "room"),
    [
        (0.1, 1_000, 200),
        (0.1, 3_000, 600),
        (0.1, 5_000, 600),
        (0.1, 9_000, 900),
        (0.3, 1_000, 300),
        (0.0, 9_000, 0),
    ],
)
def test_identifiers_have_room_for_some_where_the_limit_is_small(
    share: float, limit: int, room: int
) -> None:
    """600 tokens at least, but no more than a fifth of the limit for that, and 0 for none."""
    assert room == Policy(identifiers=share).room_for_identifiers(limit)
