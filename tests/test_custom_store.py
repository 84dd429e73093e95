"""The store that the guide to custom stores shows is complete and keeps the contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memory.stores import Store
from memory.testing.conformance import CHECKS, Check, checks

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "custom-stores.md").read_text("utf-8")


@pytest.fixture(scope="session")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    """Return what opens the store of the page, in a directory of its own."""
    pytest.importorskip("fcntl")
    shown: dict[str, Any] = {}
    program, *_ = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(program, shown)  # noqa: S102  # a page of ours
    folder = tmp_path_factory.mktemp("store")
    return lambda: shown["FolderStore"](folder)


@pytest.mark.parametrize("check", checks(only=["store", "durable"]))
def test_the_store_of_the_guide_keeps_the_contract(
    check: Check, factory: Callable[[], Store]
) -> None:
    """Each behaviour is as the contract asks for; what needs other capabilities is skipped."""
    check(factory)


def test_the_guide_tells_how_many_checks_there_are() -> None:
    """The report that the page shows is of all checks there are."""
    passed, failed, absent = map(int, re.findall(r"(\d+) (?:passed|failed|absent)", PAGE))

    assert len(CHECKS) == passed + failed + absent
