"""Policies at their edges: what they may say, and the thresholds that follow."""

from __future__ import annotations

import pytest

from memory.errors import ConfigError
from memory.policy import NO_NOTES, Budget, Policy, Sized, plan

WIDE_POLICY = Policy(target=0.5, floor=0.2, notes=0.3)
WINDOW = 262_144
RESERVE = 8_192


class TestPolicies:
    """What a policy may say, and what follows from it."""

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"budget": 0}, "budget=0 must be a positive number of tokens"),
            (
                {"floor": 0.45},
                "0 < floor < target <= 1 must hold: floor=0.45, target=0.45",
            ),
            ({"notes": 0.5}, "0 < notes < target <= 1 must hold: notes=0.5, target=0.45"),
            ({"standing": 1.0}, "standing=1.0 must be a share of the limit, 0 to below 1"),
            ({"identifiers": -0.1}, "identifiers=-0.1 must be a share of the limit, 0 to below 1"),
            (
                {"clear_tool_results": "on"},
                'clear_tool_results=\'on\': use one of "before-summary", "off", "only"',
            ),
            (
                {"oversize": "cut"},
                'oversize=\'cut\': use one of "raise", "send", "shorten-tool-results"',
            ),
        ],
    )
    def test_what_is_wrong_is_told_in_full(self, wrong: dict[str, object], told: str) -> None:
        """The value, and what it may be."""
        with pytest.raises(ConfigError) as caught:
            Policy(**wrong)  # type: ignore[arg-type]

        assert told == str(caught.value)

    def test_the_ends_of_the_ranges_are_allowed(self) -> None:
        """One token, and no room for quotes of either kind."""
        policy = Policy(budget=1, standing=0.0, identifiers=0.0)

        assert (1, 0.0, 0.0) == (policy.budget, policy.standing, policy.identifiers)

    @pytest.mark.parametrize(
        ("completion", "window", "limit"),
        [
            (None, 100_000, 100_000 - RESERVE),
            (1_000, 100_000, 99_000),
            (50_000, 100_000, 100_000 - RESERVE),
            (None, 10_000, 5_000),
            (None, 1, 1),
            (WINDOW - 1, None, 1),
            (WINDOW, None, WINDOW - RESERVE),
        ],
    )
    def test_what_the_server_told_of_its_window_counts(
        self, completion: int | None, window: int | None, limit: int
    ) -> None:
        """Then the reply gives way first; without that its room is kept as it was asked for."""
        policy = Policy()

        assert limit == policy.limit(model="kimi-k2.6", completion=completion, window=window)

    def test_a_budget_holds_for_models_that_nobody_knows(self) -> None:
        """There is no window that it would have to keep to, until the server tells one."""
        policy = Policy(budget=10**6)

        assert 10**6 == policy.limit(model="gpt-something")
        assert 50_000 - RESERVE == policy.limit(model="gpt-something", window=50_000)
        assert WINDOW - RESERVE == policy.limit(model="kimi-k2.6")
        assert 20_000 == Policy(budget=20_000).limit(model="gpt-something", window=50_000)

    def test_half_of_a_small_window_is_for_the_prompt(self) -> None:
        """The reserve takes no more than the other half of it."""
        assert [6, 8_193] == [Policy().limit(model="kimi-k2.6", window=n) for n in (11, 16_385)]
        assert 8_192 == Policy().limit(model="kimi-k2.6", window=16_384)

    @pytest.mark.parametrize(
        ("measured", "exact", "cold", "trigger"),
        [
            (1.0, True, 0, 98_000),
            (0.0, True, 0, 97_000),
            (0.0, False, 1_000, 87_850),
            (0.25, False, 0, 90_500),
            (0.25, True, 2_000, 96_950),
        ],
    )
    def test_margins_add_up(self, measured: float, cold: int, trigger: int, *, exact: bool) -> None:
        """That of what was measured, that of the rest, and that of tools nobody has measured."""
        made = WIDE_POLICY.thresholds(
            limit=100_000, measured=measured, exact=exact, cold_tools=cold
        )

        assert trigger == pytest.approx(made.trigger, abs=1)
        assert (100_000, 50_000) == (made.limit, made.target)

    def test_without_tools_there_is_no_margin_for_them(self) -> None:
        """Not even of a fraction of a token."""
        assert 97 == WIDE_POLICY.thresholds(limit=100, measured=0.0, exact=True).trigger

    def test_a_trigger_is_above_its_target(self) -> None:
        """By one token at least, whatever the margins are."""
        made = WIDE_POLICY.thresholds(limit=100_000, measured=0, exact=True, cold_tools=10**6)

        assert (50_001, 50_000) == (made.trigger, made.target)

    def test_tokens_are_whole_numbers(self) -> None:
        """Also where half of an odd distance stays free."""
        budget = Budget(limit=1_000, trigger=971, target=500)
        parts = [Sized(20, protected=False)] * 20
        made = plan(parts, fixed=600, notes=NO_NOTES, budget=budget, policy=WIDE_POLICY)
        figures = (made.tokens, made.projected, made.cap, made.share, made.spare, made.missing)

        assert "compact" == made.action
        assert {int} == {type(each) for each in figures}

    @pytest.mark.parametrize(
        ("share", "measured", "cold", "trigger"),
        [(0.8, 0.0, 0, 80_000), (0.99, 1.0, 0, 98_000), (0.8, 0.0, 200_000, 67_000)],
    )
    def test_a_trigger_of_ones_own_counts_where_it_is_lower(
        self, share: float, measured: float, cold: int, trigger: int
    ) -> None:
        """The margin keeps a prompt under the limit, so nobody can go above it."""
        policy = Policy(trigger=share)

        made = policy.thresholds(limit=100_000, measured=measured, exact=True, cold_tools=cold)

        assert trigger == pytest.approx(made.trigger, abs=1)
