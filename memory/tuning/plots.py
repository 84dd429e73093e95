"""What a study came to, drawn: the same bytes for the same study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

from memory.config import Settings
from memory.tuning.study import Study, Trial
from memory.tuning.words import ceiling_of, first_of, floors_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ("PLOTS", "Plot", "draw", "require")

INSTALL: Final = "plots need matplotlib: pip install 'kimi-memory[tune]'"
_WIDE: Final = 8
"""So many times the budget is too much for a scale on which the budget is seen as well."""
_SPREAD: Final = 20
"""So many times the shortest wait is too much for a scale on which short ones are told apart."""
_APART: Final = 16
"""Pixels between two numbers that can both be read."""
_COLUMNS: Final = 4
"""Entries in a line of a legend."""
_SHARES: Final = ("target", "trigger", "tail", "notes", "ahead")
"""Settings that the cached share is drawn against, the first that differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Theme:
    """Colours of a page; those of data keep apart for eyes that see fewer (Okabe and Ito)."""

    paper: str
    ink: str
    grid: str
    data: Sequence[str]


_LIGHT: Final = _Theme(
    paper="#ffffff",
    ink="#222222",
    grid="#dddddd",
    data=("#0072b2", "#d55e00", "#009e73", "#b0578d", "#8a7a00", "#56b4e9"),
)
_DARK: Final = _Theme(
    paper="#1b1d21",
    ink="#e4e4e4",
    grid="#3a3d44",
    data=("#56b4e9", "#e69f00", "#2bbf94", "#e09cc4", "#f0e442", "#8fa8d8"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One of the plots.

    Attributes:
        name: That of its file, without the ending.
        title: What it is about, in a few words.
        text: How to read it.
        paint: Puts a study into axes, in the colours of a page.
    """

    name: str
    title: str
    text: str
    paint: Callable[[Axes, Study, _Theme], None]


def require() -> None:
    """Do nothing where plots can be drawn.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to install it.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415  # an extra, and slow to import
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(INSTALL, name="matplotlib") from error
    del mpl


def draw(plot: Plot, study: Study, *, dark: bool = False) -> bytes:
    """Return a plot of a study as a PNG.

    Args:
        plot: One of `PLOTS`.
        study: What was measured.
        dark: Whether it is for a dark page.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to install it.
    """
    require()
    import matplotlib as mpl  # noqa: PLC0415  # an extra, and slow to import
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    theme = _DARK if dark else _LIGHT
    file = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # the style of whoever runs it would change the bytes
        figure = Figure(figsize=(8, 4.8), dpi=110, facecolor=theme.paper, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot(facecolor=theme.paper)
        plot.paint(axes, study, theme)
        _dress(figure, axes, plot.title, theme)
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _dress(figure: Figure, axes: Axes, title: str, theme: _Theme) -> None:
    """Give axes a title, a legend where it hides nothing, and the colours of the page."""
    axes.set_title(title, color=theme.ink, loc="left", fontsize=12)
    axes.grid(color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=theme.ink)
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    for name, spine in axes.spines.items():
        spine.set_color(theme.grid)
        spine.set_visible(name in {"left", "bottom"})
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=min(_COLUMNS, len(labels)),
            frameon=False,
            labelcolor=theme.ink,
            fontsize=9,
            markerscale=0.6,
            labelspacing=0.7,
        )


def _tokens(axes: Axes, study: Study, theme: _Theme) -> None:
    """Draw how large each turn of the longest conversation was."""
    chosen = study.trials[study.chosen]
    budget = chosen.settings.get("budget")
    top = ceiling_of(study)
    alike = [each for each in floors_of(study) if each.trial.settings.get("budget") == budget]
    courses = [("chosen settings", chosen.course)]
    courses += [(each.name, each.trial.course) for each in ([top] if top else []) + alike]
    colours = _by(range(len(courses)), theme)
    for place, (name, course) in reversed([*enumerate(courses)]):
        turns = range(1, len(course) + 1)
        style = ":" if place else "-"
        axes.plot(turns, course, style, color=colours[place], label=name, linewidth=1.7)
    if budget:
        axes.axhline(budget, color=theme.ink, linestyle="--", linewidth=1, label="budget")
    largest = max(max(course, default=0) for _, course in courses)
    if budget and largest > _WIDE * budget:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(xlabel="turn of the longest conversation", ylabel="prompt tokens")


def _cost(axes: Axes, study: Study, theme: _Theme) -> None:
    """Draw recall against dollars, with the intervals of the trials that none beats."""
    best = [study.trials[place] for place in study.pareto]
    axes.errorbar(
        [trial.usd_per_1000 for trial in best],
        [trial.recall for trial in best],
        yerr=(
            [max(0.0, trial.recall - trial.recall_low) for trial in best],
            [max(0.0, trial.recall_high - trial.recall) for trial in best],
        ),
        fmt="none",
        ecolor=theme.ink,
        elinewidth=0.8,
        capsize=2,
        label="95 % interval",
    )
    # Some that none beats wait less, and cost more for less recall: they lie below the line.
    line = [
        trial
        for rank, trial in enumerate(best)
        if all(trial.recall > cheaper.recall for cheaper in best[:rank])
    ]
    axes.plot(
        [trial.usd_per_1000 for trial in line],
        [trial.recall for trial in line],
        color=theme.ink,
        linewidth=1,
        label="none beats these (Pareto)",
    )
    _points(axes, study, theme, lambda trial: trial.usd_per_1000)
    axes.set(xlabel="US dollars for 1,000 turns", ylabel="recall")
    axes.xaxis.set_major_formatter(lambda value, _: f"${value:,.10g}")


def _wait(axes: Axes, study: Study, theme: _Theme) -> None:
    """Draw recall against the wait of the slowest turns."""
    from matplotlib.ticker import NullFormatter  # noqa: PLC0415  # an extra

    waits = [trial.wait_p95 for trial in study.trials]
    if max(waits) > _SPREAD * min(waits) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    _points(axes, study, theme, lambda trial: trial.wait_p95)
    axes.set(xlabel="seconds before the first token, 95th percentile", ylabel="recall")


def _points(axes: Axes, study: Study, theme: _Theme, x: Callable[[Trial], float]) -> None:
    """Draw the recall of every trial against something else, and the ends of the scale."""
    top, floors = ceiling_of(study), floors_of(study)
    if top is not None:
        axes.axhline(top.trial.recall, color=theme.ink, linestyle=":", label=f"{top.name}: ceiling")
    for place, each in enumerate(floors):
        label = f"{each.name}: floor"
        style = (0, (4, 2 + 3 * place))
        axes.axhline(each.trial.recall, color=theme.ink, linestyle=style, linewidth=1, label=label)
    _scatter(axes, study, theme, x, lambda trial: trial.recall)
    best = [study.trials[place] for place in study.pareto]
    _number(axes, [(x(trial), trial.recall) for trial in best], theme.ink)
    axes.yaxis.set_major_formatter(_percent)


def _cached(axes: Axes, study: Study, theme: _Theme) -> None:
    """Draw the cached share against the setting it depends on most."""
    name = next((share for share in _SHARES if len(_values(study, share)) > 1), None)
    if name is None:
        places = {id(trial): place for place, trial in enumerate(study.trials, 1)}
        _scatter(axes, study, theme, lambda t: places[id(t)], lambda t: t.cached_share)
    else:
        _scatter(axes, study, theme, lambda t: _value(t, name), lambda t: t.cached_share)
    axes.set(xlabel=name or "trial", ylabel="prompt tokens that were cached")
    axes.yaxis.set_major_formatter(_percent)


def _values(study: Study, name: str) -> set[float]:
    return {_value(trial, name) for trial in study.trials}


def _value(trial: Trial, name: str) -> float:
    """Return a share among the settings of a trial; that of None is what it amounts to."""
    settings = Settings(**trial.settings)
    value: float | None = getattr(settings, name)
    return settings.policy().floor if value is None else value


def _scatter(
    axes: Axes,
    study: Study,
    theme: _Theme,
    x: Callable[[Trial], float],
    y: Callable[[Trial], float],
) -> None:
    """Draw every trial as a point, by its budget, and mark the special ones."""
    budgets = sorted({_budget(trial) for trial in study.trials})
    for budget, colour in zip(budgets, _by(budgets, theme), strict=True):
        those = [trial for trial in study.trials if _budget(trial) == budget]
        label = f"budget {budget:,}" if budget else "no budget"
        axes.scatter(
            [x(t) for t in those],
            [y(t) for t in those],
            s=22,
            color=colour,
            alpha=0.75,
            label=label,
        )
    marks = (
        (first_of(study), 0, "s", 90),
        ("knee", study.knee, "D", 130),
        ("chosen", study.chosen, "o", 260),
    )
    for label, place, marker, size in marks:
        trial = study.trials[place]
        axes.scatter(
            x(trial),
            y(trial),
            s=size,
            marker=marker,
            facecolors="none",
            edgecolors=theme.ink,
            linewidths=1.4,
            label=label,
        )


def _number(axes: Axes, points: Sequence[tuple[float, float]], colour: str) -> None:
    """Number points from 1 as in the table, but for those that stand too close to another."""
    axes.autoscale_view()
    shown: list[tuple[float, float]] = []
    for number, point in enumerate(points, 1):
        here = axes.transData.transform(point)
        if all(max(abs(here[0] - x), abs(here[1] - y)) >= _APART for x, y in shown):
            shown.append((here[0], here[1]))
            axes.annotate(
                str(number),
                point,
                xytext=(7, 7),
                textcoords="offset points",
                fontsize=8,
                color=colour,
            )


def _budget(trial: Trial) -> int:
    budget: int | None = trial.settings.get("budget")
    return budget or 0


def _by(keys: Sequence[int], theme: _Theme) -> list[str]:
    """Return a colour for each of them, over again where there are not enough."""
    return [theme.data[place % len(theme.data)] for place in range(len(keys))]


def _percent(value: float, _: object) -> str:
    return f"{100 * value:.4g}%"


PLOTS: Final = (
    Plot(
        name="cost-recall",
        title="Cost and recall",
        text="One point for each combination of settings; numbers are those of the table below. "
        "Further left is cheaper, higher up remembers more.",
        paint=_cost,
    ),
    Plot(
        name="tokens-per-turn",
        title="Tokens per turn",
        text="How large the prompts of the longest conversation were, turn by turn: with the "
        "chosen settings, and without a memory.",
        paint=_tokens,
    ),
    Plot(
        name="wait-recall",
        title="Wait and recall",
        text="The same combinations by how long the slowest turns waited. Further left is faster.",
        paint=_wait,
    ),
    Plot(
        name="cached-share",
        title="Cached share",
        text="How much of the prompts the server had cached, which is cheaper and faster.",
        paint=_cached,
    ),
)
"""The plots, in the order of the report."""
