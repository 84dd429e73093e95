"""Each library has its environment, tests, example and page, and they name the same versions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from integrations.kimi_service import ROOT

from benchmarks import integrations

HERE = ROOT / "tests" / "integrations"
PAGES = ROOT / "docs" / "how-to" / "integrations"
GOOD: dict[str, Any] = {
    "library": "langchain",
    "exit code": 0,
    "passed": 24,
    "failed": 0,
    "compacted": 26,
}


def pins(library: str) -> dict[str, str]:
    """Return the version of each distribution that the requirements of a library name."""
    text = (HERE / "requirements" / f"{library}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)$", text, re.MULTILINE))


@pytest.mark.parametrize("library", integrations.LIBRARIES)
def test_every_page_names_the_versions_that_were_tested(library: str) -> None:
    """The versions on the page and in the overview are those of the requirements."""
    name, pinned = integrations.LIBRARIES[library], pins(library)
    page = (PAGES / f"{library}.md").read_text(encoding="utf-8")
    (row,) = re.findall(
        rf"^\| .*\({library}\.md\).*$", (PAGES / "index.md").read_text("utf-8"), re.MULTILINE
    )

    assert {name, "openai"} == set(pinned)
    assert f"\nTested with {name} {pinned[name]} and openai {pinned['openai']}" in page
    assert row.endswith(f"| {name} {pinned[name]} | {pinned['openai']} |")


@pytest.mark.parametrize("library", integrations.LIBRARIES)
def test_every_page_shows_the_example_that_is_tested(library: str) -> None:
    """The page includes the program that the tests of the library run."""
    name = library.replace("-", "_")
    page = (PAGES / f"{library}.md").read_text(encoding="utf-8")
    tests = (HERE / f"test_{name}.py").read_text(encoding="utf-8")

    assert (ROOT / "docs" / "examples" / f"with_{name}.py").exists()
    assert f"examples/with_{name}.py" in page
    assert f'ask_example("with_{name}"' in tests


def test_a_library_that_works_holds() -> None:
    """A run in which something was tested, nothing failed, and something was compacted, is good."""
    assert all(check.holds for check in integrations.checks(GOOD))


@pytest.mark.parametrize(
    "change", [{"failed": 1}, {"exit code": 2}, {"passed": 0}, {"compacted": 0}, {"failed": None}]
)
def test_a_library_that_does_not_work_is_reported(change: dict[str, Any]) -> None:
    """A failure, a crash, a run without tests, one without compactions: each fails one check."""
    assert [False] == [
        check.holds for check in integrations.checks(GOOD | change) if not check.holds
    ]


def test_a_library_that_could_not_be_installed_is_reported() -> None:
    """Nothing was measured, so nothing holds."""
    row = {"library": "langchain", "exit code": 1}

    assert not any(check.holds for check in integrations.checks(row))
