"""The bar that shows on standard error how much is done."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from memory.cli.output import Output

__all__ = ("progress_bar",)


def progress_bar(out: Output) -> Progress:
    """Return a bar that goes when it is done, and is not shown where there is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=out.aside,
        transient=True,
        disable=not out.aside.is_terminal,
    )
