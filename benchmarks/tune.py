"""Tuning on any conversations: `python -m benchmarks.tune FILE… --budget TOKENS` is the command.

It takes what `kimi-memory tune` takes and writes what that writes, beside the other benchmarks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from memory.cli.app import app

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: What follows its name; None for those of the process.

    Raises:
        SystemExit: Always, with the exit code of the command.
    """
    app(["tune", *(sys.argv[1:] if arguments is None else arguments)], prog_name="kimi-memory")


if __name__ == "__main__":
    main()
