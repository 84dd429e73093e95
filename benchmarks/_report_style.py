"""How plots look: on white and on black alike, without relying on colour, byte for byte again.

matplotlib is loaded with this module, so it is imported by nothing but the plots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ("COLOURS", "INK", "MARKS", "lines", "panels", "svg")

INK: Final = "#767676"
"""Of text and axes: the grey with the same contrast, 4.6, to white and to black."""
COLOURS: Final = ("#D55E00", "#1F83C4", "#009E73", "#B8699A", INK, "#A07A00")
"""Okabe and Ito's colours, some moved until all have a contrast of 3 to white and to black."""
MARKS: Final = ("o", "s", "^", "D", "v", "P")
"""One for each colour, so that a line is known without it."""
_WIDTH: Final = 7.2
"""Inches of a plot; pages are about as wide."""
_STYLE: Final[dict[str, Any]] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.color": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "kimi-memory",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def panels(
    number: int = 1, *, height: float = 3.4, shared: bool = True, columns: int | None = None
) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """Give a figure with so many panels, in our style while it is drawn.

    Args:
        number: How many.
        height: Inches of one row of them.
        shared: Whether those of a row have one vertical axis.
        columns: How many stand side by side; None for all.
    """
    across = columns or number
    rows = -(-number // across)
    settings: Any = {**mpl.rcParamsDefault, **_STYLE}
    del settings["backend"]  # a figure of its own needs none, and to name one would load it
    with mpl.rc_context(settings):
        figure = Figure(figsize=(_WIDTH, height * rows), layout="constrained")
        axes = figure.subplots(rows, across, sharey="row" if shared else False, squeeze=False)
        flat = [each for row in axes for each in row]
        for each in flat[number:]:
            each.set_visible(False)
        yield figure, flat[:number]


def svg(figure: Figure) -> str:
    """Return a figure as SVG, without the date and the version that would change it."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def lines(axes: Axes, at: Sequence[float], values: Mapping[str, Sequence[float]]) -> None:
    """Draw lines by name, each with a colour and a mark of its own."""
    for number, (name, each) in enumerate(values.items()):
        colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
        dashed = "--" if number >= len(COLOURS) else "-"
        axes.plot(at, each, marker=mark, color=colour, linestyle=dashed, label=name)
