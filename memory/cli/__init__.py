"""The command `kimi-memory`: see what memory saves and what a store holds, chat, diagnose."""

from __future__ import annotations

import sys

__all__ = ("main",)


def main() -> None:
    """Run the command; its parts are imported now and not with this package.

    Without the `[cli]` extra, one line says how to install it and the exit code is 2.
    """
    try:
        from memory.cli.app import app  # noqa: PLC0415  # needs the extra

        app()
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in {"plotext", "rich", "typer", "uvicorn"}:
            raise
        sys.stderr.write(f"kimi-memory needs {module}: pip install 'kimi-memory[cli]'\n")
        sys.exit(2)
