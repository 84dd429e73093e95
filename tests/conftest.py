"""Hypothesis profiles: `dev` looks for new failures, `ci` repeats the same examples every time.

`nightly` looks for new failures for as long as a night has room: twenty times the examples.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

NIGHTLY = 20
"""How many times the examples of `ci` a run of `nightly` has."""

settings.register_profile("dev")
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile(
    "nightly", max_examples=100 * NIGHTLY, derandomize=False, deadline=None, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a test more time where it has more examples."""
    times = max(1, settings().max_examples // 100)
    if times == 1:
        return
    for item in items:
        marker = item.get_closest_marker("timeout")
        seconds = marker.args[0] if marker else 120
        item.add_marker(pytest.mark.timeout(seconds * times), append=False)
