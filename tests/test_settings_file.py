"""Files of settings: what is written reads back, and says where it is from."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from studies import DEFAULTS, study, trial

from memory.config import Settings
from memory.errors import ConfigError
from memory.testing.strategies import settings
from memory.tuning.settings_file import chosen_settings, settings_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
SECONDS = st.one_of(st.integers(0, 10**20), st.floats(0, allow_infinity=False, allow_nan=False))
REST = st.fixed_dictionaries(
    {},
    optional={
        "summary_prompt": TEXTS,
        "summarizer_model": TEXTS,
        "summary_deadline": SECONDS,
        "summary_pause": SECONDS,
        "turn_wait": SECONDS,
        "choice": st.integers(0, 2**70),
        "check": st.sampled_from(["off", "event", "raise"]),
    },
)
"""Settings that the strategy for managers leaves alone."""


def read_back(text: str) -> Settings:
    """Return the settings of a file with this text, with nothing from the environment."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        path.write_text(text, encoding="utf-8", newline="\n")
        return Settings.resolve({}, environ={}, file=path)


@given(settings(), REST)
@example({"budget": 700}, {"summary_prompt": 'a "b"\\\r\n\t\x00\x7f\u2028\U0001f600 # c = 1'})
@example({"budget": 700}, {"turn_wait": 1e-300, "summary_pause": 5e300, "summary_deadline": 0})
def test_every_value_reads_back_as_it_was(given_settings: dict[str, Any], rest: Any) -> None:
    """Numbers keep every digit and texts every character."""
    whole = Settings(**{**given_settings, **rest})

    found = read_back(settings_text(asdict(whole)))

    assert whole == found


@given(st.lists(st.text(), max_size=3), settings())
def test_no_remark_is_read_as_a_setting(remarks: list[str], given_settings: Any) -> None:
    """Whatever a remark says, it is a comment."""
    text = settings_text(given_settings, remarks=[r.replace("\ud800", "") for r in remarks])

    found = tomllib.loads(text)

    assert set(found) <= set(given_settings)


def test_defaults_are_left_out() -> None:
    """A file of nothing but defaults has no line."""
    assert "" == settings_text(asdict(Settings()))


def test_a_line_says_what_the_default_was() -> None:
    """Where there is one."""
    text = settings_text({"target": 0.3, "notes": 0.2, "budget": 9_000})

    assert "budget = 9000\ntarget = 0.3  # default 0.45\nnotes = 0.2  # default 0.35\n" == text


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"targets": 0.3}, "targets"),
        ({"target": 3}, "target"),
        ({"summary_prompt": "half \ud800"}, "summary_prompt"),
    ],
)
def test_what_could_not_be_read_is_not_written(wrong: dict[str, Any], named: str) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigError, match=named):
        settings_text(wrong)


def test_the_chosen_settings_read_back() -> None:
    """The file of a study has the settings of the trial that it chose."""
    made = study()
    chosen = made.trials[made.chosen].settings

    assert Settings(**chosen) == read_back(chosen_settings(made))


def test_the_file_says_what_it_was_chosen_by() -> None:
    """It has the figures, and who wrote the summaries."""
    text = chosen_settings(study(prefer="recall"))
    comments = " ".join(line.removeprefix("# ") for line in text.splitlines() if "#" in line[:1])

    for part in (
        "the best recall",
        "12 conversations of chats.jsonl, seed 7",
        "72.0 % (68.0 % to 75.0 %)",
        "names, numbers and dates",
        "price list of 2026-11-23",
        "the offline extractor",
    ):
        assert part in comments


def test_a_file_of_defaults_says_so_by_having_no_line() -> None:
    """Comments alone are a valid file."""
    plain = replace(study(trials=[trial(DEFAULTS)], pareto=[0]), knee=0, chosen=0)

    text = chosen_settings(plain)

    assert {"budget": 16_000} == tomllib.loads(text)
