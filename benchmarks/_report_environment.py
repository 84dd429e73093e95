"""Where figures were measured: versions, the kind of machine, and the revision of the code.

Nothing here names a machine, a user or a directory, because results are published.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

__all__ = ("ROOT", "environment", "git", "revision")

ROOT: Final = Path(__file__).parents[1]
"""The directory of the repository."""
_PACKAGES: Final = (
    "kimi-memory",
    "openai",
    "httpx2",
    "tiktoken",
    "splintr-rs",
    "langchain-core",
    "pydantic",
)
_MEASURED: Final = ("memory", "benchmarks", "pyproject.toml", ":(exclude)benchmarks/results")
"""What figures depend on; that results are new says nothing about the code."""


def environment() -> dict[str, Any]:
    """Return the versions of Python and of the packages that figures depend on, and the machine."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.system(),
        "architecture": platform.machine(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def revision() -> dict[str, Any] | None:
    """Return the commit that is measured, and whether the code differs from it.

    Read once in a process, since modules are loaded once too. None outside a checkout.
    """
    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--", *_MEASURED)
    if commit is None or changed is None:
        return None
    return {"commit": commit, "dirty": bool(changed)}


def git(*arguments: str) -> str | None:
    """Return what git prints about this repository; None if it fails or there is no git."""
    program = shutil.which("git")
    if program is None:
        return None
    made = subprocess.run(  # noqa: S603  # the arguments are ours
        [program, *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return made.stdout.strip() if made.returncode == 0 else None
