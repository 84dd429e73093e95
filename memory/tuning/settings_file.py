"""A file of settings as TOML: what `Settings.resolve(file=...)` reads back, with remarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from textwrap import wrap
from typing import Any, Final

from memory.config import Settings
from memory.errors import ConfigError
from memory.tuning.study import Study
from memory.tuning.words import BEST, dollars, names_of, number_of, percent, recall_of, seconds

__all__ = ("chosen_settings", "settings_text")

WIDTH: Final = 100
"""Columns of a comment."""
_ESCAPES: Final = {
    ord("\\"): "\\\\",
    ord('"'): '\\"',
    ord("\t"): "\\t",
    ord("\r"): "\\r",
    ord("\n"): "\\n",
}


def settings_text(settings: Mapping[str, Any], *, remarks: Iterable[str] = ()) -> str:
    """Return a TOML file of settings, which reads back as exactly these.

    What has its default is left out.

    Args:
        settings: Their values by the names of `memory.Settings`.
        remarks: Lines of comment before them.

    Raises:
        ConfigError: A setting is unknown or wrong, or a text cannot be written as UTF-8.
    """
    values, usual = asdict(Settings.resolve(settings, environ={})), asdict(Settings())
    lines = [line for remark in remarks for line in _comment(remark)]
    lines += [
        f"{name} = {_value(name, value)}{_default(usual[name])}"
        for name, value in values.items()
        if value != usual[name]
    ]
    return "".join(f"{line}\n" for line in lines)


def chosen_settings(study: Study) -> str:
    """Return the file of the settings that a study chose: what by, with which figures.

    Raises:
        ConfigError: A text among them cannot be written as UTF-8.
    """
    trial = study.trials[study.chosen]
    measured = f"{number_of(study)} of {names_of(study.files)}"
    wait = f"{seconds(trial.wait_p50)} at the median, {seconds(trial.wait_p95)} at the"
    remarks = (
        "Settings for MemoryManager.from_file(...), and for commands with --settings.",
        f"Chosen by kimi-memory tune for {BEST[study.prefer]}.",
        f"Tried {len(study.trials):,} combinations on {measured}, seed {study.seed}.",
        f"Recall {recall_of(trial)}: {study.recall_of}.",
        *(
            [f"{trial.too_large:,} turns were not sent: too large for the budget."]
            if trial.too_large
            else []
        ),
        f"Cost {dollars(trial.usd_per_1000)} for 1,000 turns; {study.prices}.",
        f"Wait {wait} 95th percentile; {percent(trial.cached_share)} of the tokens were cached.",
        f"Model {study.model}; summaries by {study.summarizer}.",
        "What does not stand here has its default.",
    )
    return settings_text(trial.settings, remarks=remarks)


def _comment(remark: str) -> list[str]:
    """Return a remark as lines of comment, which may have printable characters only."""
    words = "".join(c if c.isprintable() else " " for c in remark)
    return wrap(words, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _default(value: Any) -> str:
    return "" if value is None else f"  # default {_value('', value)}"


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        # A number of another library is one of ours in the file.
        return repr(float(value) if isinstance(value, float) else int(value))
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        msg = f"{name}={value!r} cannot be written to a file: {error.reason}"
        raise ConfigError(msg) from error
    return f'"{"".join(_escaped(c) for c in value)}"'


def _escaped(character: str) -> str:
    known = _ESCAPES.get(ord(character))
    if known is not None:
        return known
    return character if character.isprintable() else f"\\U{ord(character):08X}"
