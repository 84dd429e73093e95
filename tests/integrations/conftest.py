"""The server that every library talks to, and what the benchmark wants to know of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from integrations.kimi_service import Service

from memory.testing import FakeKimi, serve

COMPACTED = pytest.StashKey[int]()


@pytest.fixture
def kimi(request: pytest.FixtureRequest) -> Iterator[Service]:
    """Return a running server that nobody has asked anything."""
    fake = FakeKimi()
    with serve(fake) as url:
        service = Service(fake, url)
        yield service
    stash = request.config.stash
    stash[COMPACTED] = stash.get(COMPACTED, 0) + service.verdicts().count(True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file that `benchmarks/integrations.py` asks for; in other runs there is none."""
    path = os.environ.get("INTEGRATIONS_REPORT")
    if path is None:
        return
    reporter: Any = session.config.pluginmanager.getplugin("terminalreporter")
    number = {kind: len(each) for kind, each in reporter.stats.items()}
    report = {
        "version": version(os.environ["INTEGRATIONS_LIBRARY"]),
        "openai": version("openai"),
        "passed": number.get("passed", 0),
        "failed": number.get("failed", 0) + number.get("error", 0),
        "compacted": session.config.stash.get(COMPACTED, 0),
    }
    Path(path).write_text(json.dumps(report), encoding="utf-8")
