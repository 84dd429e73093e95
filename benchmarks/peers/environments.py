"""An environment of its own for each library, for no environment can hold them all.

uv makes it from a file of requirements and this source tree, keeps it in its cache, which lies
outside of the tree, and takes it from there the next time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

__all__ = ("ROOT", "environ", "python", "reported")

ROOT: Final = Path(__file__).parents[2]
_HIDDEN: Final = frozenset({"PYTHONPATH", "PYTEST_ADDOPTS", "VIRTUAL_ENV"})


def python(requirements: Path) -> list[str]:
    """Return the command that runs Python with these requirements, outside of the project.

    There the constraints of the project do not hold, and what a machine says about its package
    indexes does.

    Args:
        requirements: The file that names what to install beside this source tree.
    """
    return [
        *("uv", "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable),
        *("--with-requirements", str(requirements), "--with-editable", str(ROOT)),
        "python",
    ]


def reported(command: Sequence[str], *arguments: str) -> tuple[dict[str, Any], int]:
    """Run a module that writes a report; return that, empty if there is none, and the exit code.

    What it prints goes to stderr.

    Args:
        command: The one that runs Python.
        *arguments: What follows; `--report FILE` is added.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, "report.json")
        done = subprocess.run(  # noqa: S603  # uv, with names of our own
            [*command, *arguments, "--report", str(file)],
            cwd=folder,
            env=environ() | {"PYTHONPATH": str(ROOT)},
            stdout=sys.stderr,
            check=False,
        )
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found, done.returncode


def environ() -> dict[str, str]:
    """Return the variables of this process without those that name another environment."""
    return {name: value for name, value in os.environ.items() if name not in _HIDDEN}
