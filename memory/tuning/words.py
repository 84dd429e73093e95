"""Figures and names in words, as reports and the command show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from memory.config import Settings
from memory.tuning.study import Prefer, Reference, Study, Trial

__all__ = (
    "BEST",
    "ceiling_of",
    "dollars",
    "first_of",
    "floors_of",
    "marks_of",
    "names_of",
    "number_of",
    "percent",
    "recall_of",
    "seconds",
    "settings_of",
    "stood_in",
)

BEST: Final[Mapping[Prefer, str]] = {
    "cost": "the least cost",
    "recall": "the best recall",
    "latency": "the shortest wait",
    "balanced": "a balance of cost, recall and wait",
}
"""What settings are chosen for, by what is preferred."""
CEILING = "full history"
"""The name of the reference that nothing is left out of."""
SHORT = 24
"""Characters of a text among the settings that a table shows."""


def dollars(value: float) -> str:
    """Return US dollars, with tenths of a cent where it is less than one of them."""
    return f"${value:,.2f}" if value >= 1 else f"${value:.3f}"


def percent(share: float) -> str:
    """Return a share from 0 to 1 as a percentage."""
    return f"{share:.1%}".replace("%", " %")


def seconds(value: float) -> str:
    """Return seconds: two digits after the point, as far as anybody notices."""
    return f"{value:,.2f} s"


def recall_of(trial: Trial) -> str:
    """Return the recall of a trial, and its interval: one conversation alone has none."""
    if not trial.wanted:
        return "unknown, for nothing refers back"
    low, high = percent(trial.recall_low), percent(trial.recall_high)
    return percent(trial.recall) + ("" if low == high else f" ({low} to {high})")


def number_of(study: Study) -> str:
    """Return how many conversations there are."""
    return f"{study.conversations:,} conversation{'s' if study.conversations > 1 else ''}"


def names_of(files: Sequence[str]) -> str:
    """Return the names of files, in one line."""
    return ", ".join(files) or "no file"


def settings_of(settings: Mapping[str, Any]) -> str:
    """Return settings in one line, without those that have their defaults."""
    usual = Settings()
    changed = ((name, value) for name, value in settings.items() if value != getattr(usual, name))
    return ", ".join(f"{name} {_short(value)}" for name, value in changed) or "defaults"


def marks_of(study: Study, place: int) -> list[str]:
    """Return what is special about a trial: chosen, knee, defaults; nothing for most of them."""
    marked = (("chosen", study.chosen), ("knee", study.knee), (first_of(study), 0))
    return [name for name, where in marked if where == place]


def first_of(study: Study) -> str:
    """Return what the first trial is: that of the defaults, unless the grid does not have them."""
    rest = {name: value for name, value in study.trials[0].settings.items() if name != "budget"}
    return "defaults" if settings_of(rest) == settings_of({}) else "first"


def ceiling_of(study: Study) -> Reference | None:
    """Return what has everything in front of the model; None where it was not measured."""
    return next((each for each in study.references if each.name == CEILING), None)


def floors_of(study: Study) -> list[Reference]:
    """Return what remembers nothing that is no longer sent, by a name for each budget."""
    found = [each for each in study.references if each.name != CEILING]
    return [replace(each, name=_named(each)) for each in found] if found[1:] else found


def _named(reference: Reference) -> str:
    budget = reference.trial.settings.get("budget")
    return reference.name if budget is None else f"{reference.name} of {budget:,}"


def stood_in(study: Study) -> bool:
    """Return whether summaries were written offline, in place of a model."""
    return "offline" in study.summarizer.lower()


def _short(value: Any) -> str:
    if isinstance(value, str):
        line = " ".join(value.split())
        return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"
    return f"{value:,}" if isinstance(value, int) else str(value)
