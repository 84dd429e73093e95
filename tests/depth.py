"""How many examples a property is tried on: a number of its own, scaled by the profile in force."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

__all__ = ("HARD", "examples", "scaled")

USUAL = 100
"""Examples of a property in the profiles `ci` and `dev`, where a test names no number."""

HARD = settings(
    max_examples=2_000,
    database=None,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
)
"""For `find`: many tries, the same every time, and no explanation, which takes seconds."""


def scaled(number: int) -> int:
    """Return a number of examples in proportion to the profile in force; at least one."""
    return max(1, number * settings().max_examples // USUAL)


def examples(number: int, *, steps: int = 50) -> settings:
    """Return settings with so many examples in the profile `ci`, and more in `nightly`.

    Args:
        number: Examples.
        steps: Rules that a state machine runs in one example.
    """
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(
        max_examples=scaled(number),
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=slow,
    )
