"""Whether wrapped clients work in other libraries, each in an environment of its own.

    python -m benchmarks.integrations --json

No environment can hold them all: they pin different versions of openai. For each library uv makes
one from `tests/integrations/requirements` and this source tree, and pytest runs the library's tests
there against a fake Kimi on a socket. A request counts as compacted if it reached the server, was
accepted, was within the budget, and had notes behind its head.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks._report import Check, Report, Row
from benchmarks.peers.environments import ROOT, environ, python

__all__ = ("main", "measure")

TESTS: Final = ROOT / "tests" / "integrations"
LIBRARIES: Final[Mapping[str, str]] = {
    "langchain": "langchain-openai",
    "openai-agents": "openai-agents",
    "pydantic-ai": "pydantic-ai-slim",
    "instructor": "instructor",
    "litellm": "litellm",
}
"""The distribution of each library, whose version is told."""
REPORT: Final = "INTEGRATIONS_REPORT"
LIBRARY: Final = "INTEGRATIONS_LIBRARY"
"""The variables by which the tests are told where to report, and on what."""


def command(library: str) -> list[str]:
    """Return the command that runs the tests of a library, to be run outside of the project."""
    name = library.replace("-", "_")
    return [
        *python(TESTS / "requirements" / f"{library}.txt"),
        *("-m", "pytest", "--quiet", "--config-file", str(ROOT / "pyproject.toml")),
        str(TESTS / f"test_{name}.py"),
    ]


def measure(library: str) -> Row:
    """Run the tests of a library and return what came of it; what they print goes to stderr."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        done = subprocess.run(  # noqa: S603  # uv, with names of our own
            command(library),
            cwd=folder,
            env=environ() | {REPORT: str(file), LIBRARY: LIBRARIES[library]},
            stdout=sys.stderr,
            check=False,
        )
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {"library": library, **report, "exit code": done.returncode}


def checks(row: Row) -> list[Check]:
    """Return what has to hold for a library; what was not measured fails."""
    name = row["library"]
    return [
        Check(name=f"{name}: tests failed", value=row.get("failed"), op="==", bound=0),
        Check(name=f"{name}: exit code of pytest", value=row["exit code"], op="==", bound=0),
        Check(name=f"{name}: tests passed", value=row.get("passed"), op=">=", bound=1),
        Check(name=f"{name}: compacted requests", value=row.get("compacted"), op=">=", bound=1),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="run other libraries on wrapped clients")
    parser.add_argument(
        "libraries", nargs="*", metavar="LIBRARY", help=f"{', '.join(LIBRARIES)}; none for all"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if unknown := set(options.libraries) - set(LIBRARIES):
        parser.error(f"no such library: {', '.join(sorted(unknown))}")
    rows = [measure(library) for library in options.libraries or LIBRARIES]
    report = Report(
        benchmark="integrations",
        settings={"libraries": [row["library"] for row in rows]},
        rows={"libraries": rows},
        checks=[check for row in rows for check in checks(row)],
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
