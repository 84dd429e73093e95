"""An environment of its own for each library, for no environment can hold them all.

uv makes it from a file of requirements and this source tree, keeps it in its cache, which lies
outside of the tree, and takes it from there the next time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

__all__ = ("ROOT", "environ", "python")

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


def environ() -> dict[str, str]:
    """Return the variables of this process without those that name another environment."""
    return {name: value for name, value in os.environ.items() if name not in _HIDDEN}
