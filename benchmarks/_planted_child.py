"""A pytest plugin for runs on a copy of the package: quick failures, and what they say as JSON.

It refuses to run anything where the package that is imported is not the copy.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, Verbosity, settings

import memory

__all__ = ("COPY", "OUTCOME")

COPY = "KIMI_MEMORY_PLANTED_COPY"
"""The variable that names the folder in which the copy is."""
OUTCOME = "KIMI_MEMORY_PLANTED_OUTCOME"
"""The variable that names the file to write."""


class Outcome:
    """What the tests of one run came to."""

    def __init__(self) -> None:
        self.passed = 0
        self.skipped: list[str] = []
        self.failures: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended."""
        if report.failed:
            self.failures.append(_told(report))
        elif report.skipped:
            self.skipped.append(report.nodeid)
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot be collected: that is no finding of a test."""
        if report.failed:
            self.failures.append({**_told(report), "broken": "yes"})

    def pytest_sessionfinish(self) -> None:
        """Write it down."""
        told = {"passed": self.passed, "skipped": self.skipped, "failures": self.failures}
        Path(os.environ[OUTCOME]).write_text(json.dumps(told), encoding="utf-8")


def _told(report: pytest.TestReport | pytest.CollectReport) -> dict[str, str]:
    """Return the test that failed, its first line, and all lines of the error."""
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    lines = [line[1:].strip() for line in report.longreprtext.splitlines() if line.startswith("E ")]
    message = crash.message if crash else report.longreprtext
    return {"test": report.nodeid, "message": message, "error": "\n".join(lines)}


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check where the package is from, and make hypothesis stop at the first failure it finds.

    Raises:
        pytest.UsageError: The package is not the copy.
    """
    copy = Path(os.environ[COPY]).resolve()
    if not Path(memory.__file__).resolve().is_relative_to(copy):
        msg = f"{memory.__file__} is imported, which is not in {copy}"
        raise pytest.UsageError(msg)
    settings.register_profile(
        "planted",
        settings.get_profile("ci"),
        phases=(Phase.explicit, Phase.generate),
        verbosity=Verbosity.quiet,  # what is not made smaller takes long to print
        database=None,
        print_blob=False,
    )
    settings.load_profile("planted")
    config.pluginmanager.register(Outcome(), "planted-outcome")
