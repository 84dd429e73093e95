"""The store that the guide to custom stores shows is complete and keeps the contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from depth import examples
from hypothesis.stateful import run_state_machine_as_test

from memory.stores import Store
from memory.testing import store_machine
from memory.testing.conformance import CHECKS, Check, checks

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "custom-stores.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    """Return what opens the store of the page, in a directory of its own."""
    pytest.importorskip("fcntl")
    shown: dict[str, Any] = {}
    exec(PROGRAMS[0], shown)  # noqa: S102  # a page of ours
    folder = tmp_path_factory.mktemp("store")
    return lambda: shown["FolderStore"](folder)


@pytest.mark.parametrize("check", checks(only=["store", "durable"]))
def test_the_store_of_the_guide_keeps_the_contract(
    check: Check, factory: Callable[[], Store]
) -> None:
    """Each behaviour is as the contract asks for; what needs other capabilities is skipped."""
    check(factory)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["functions", "coroutines"])
def test_the_store_of_the_guide_does_what_the_model_does(
    factory: Callable[[], Store], *, asynchronous: bool
) -> None:
    """Whatever is done with it in any order, it holds what it should."""
    machine = store_machine(factory, asynchronous=asynchronous)
    run_state_machine_as_test(machine, settings=examples(4, steps=20))


def test_the_guide_has_a_machine_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factory: Callable[[], Store]
) -> None:
    """What the page has readers write down is a test case of what it says."""
    monkeypatch.chdir(tmp_path)
    (program,) = [each for each in PROGRAMS if "store_machine" in each]
    shown: dict[str, Any] = {"FolderStore": lambda _folder: factory()}
    exec(program, shown)  # noqa: S102  # a page of ours

    assert shown["StoreMachine"].TestCase is shown["TestFolderStore"]
    run_state_machine_as_test(shown["StoreMachine"], settings=examples(1, steps=5))


def test_the_guide_tells_how_many_checks_there_are() -> None:
    """The report that the page shows is of all checks there are."""
    passed, failed, absent = map(int, re.findall(r"(\d+) (?:passed|failed|absent)", PAGE))

    assert len(CHECKS) == passed + failed + absent
