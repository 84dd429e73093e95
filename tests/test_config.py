"""Settings: where they come from, which wins, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memory.config import Settings
from memory.errors import ConfigError
from memory.policy import Policy


def test_the_defaults_are_valid() -> None:
    """They describe a policy without a word."""
    policy = Settings().policy()

    assert policy.budget is None
    assert ("raise", "before-summary", 8_192) == (
        policy.oversize,
        policy.clear_tool_results,
        policy.reply_reserve,
    )
    assert Policy() == replace(policy, floor=Policy().floor)
    assert Policy().floor == pytest.approx(policy.floor, abs=0.005)


def test_the_floor_follows_the_target() -> None:
    """A lower target has a lower floor."""
    assert 0.168 == pytest.approx(Settings(target=0.3, notes=0.2).policy().floor)


def test_a_tail_is_the_floor() -> None:
    """Who says how much stays verbatim is not asked for a share of the target."""
    assert 0.1 == Settings(tail=0.1).policy().floor


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"budget": 0}, "budget"),
        ({"budget": -1}, "budget"),
        ({"budget": 1.5}, "budget"),
        ({"budget": "9000"}, "budget"),
        ({"budget": True}, "budget"),
        ({"target": 0}, "target"),
        ({"target": 1.0}, "target"),
        ({"trigger": 0.45}, "trigger"),
        ({"trigger": 1.01}, "trigger"),
        ({"trigger": "late"}, "trigger"),
        ({"trigger": 0.7, "compaction": "background"}, "ahead"),
        ({"tail": 0}, "tail"),
        ({"tail": 0.45}, "tail"),
        ({"tail": "long"}, "tail"),
        ({"target": "half"}, "target"),
        ({"target": True}, "target"),
        ({"target": float("nan")}, "target"),
        ({"notes": 0.4, "target": 0.4}, "notes"),
        ({"notes": 0}, "notes"),
        ({"notes": None}, "notes"),
        ({"standing": -0.1}, "standing"),
        ({"standing": 1}, "standing"),
        ({"standing": "much"}, "standing"),
        ({"identifiers": 1.0}, "identifiers"),
        ({"identifiers": None}, "identifiers"),
        ({"clear_tool_results": "always"}, "clear_tool_results"),
        ({"clear_tool_results": None}, "clear_tool_results"),
        ({"clear_tool_results": ["off"]}, "clear_tool_results"),
        ({"summary_prompt": ""}, "summary_prompt"),
        ({"summary_prompt": " \n"}, "summary_prompt"),
        ({"summary_prompt": 7}, "summary_prompt"),
        ({"summary_pause": -1}, "summary_pause"),
        ({"summary_pause": "30"}, "summary_pause"),
        ({"summary_pause": float("inf")}, "summary_pause"),
        ({"oversize": "explode"}, "oversize"),
        ({"oversize": ["raise"]}, "oversize"),
        ({"notes_role": "tool"}, "notes_role"),
        ({"notes_role": None}, "notes_role"),
        ({"summarizer_model": 7}, "summarizer_model"),
        ({"summary_deadline": -1}, "summary_deadline"),
        ({"summary_deadline": "60"}, "summary_deadline"),
        ({"summary_deadline": float("nan")}, "summary_deadline"),
        ({"media_tokens": -1}, "media_tokens"),
        ({"media_tokens": 1.5}, "media_tokens"),
        ({"reply_reserve": -1}, "reply_reserve"),
        ({"reply_reserve": 0.5}, "reply_reserve"),
        ({"reply_reserve": None}, "reply_reserve"),
    ],
)
def test_wrong_values_are_named(wrong: dict[str, Any], named: str) -> None:
    """A setting of the wrong type or out of range is refused at once."""
    with pytest.raises(ConfigError, match=named):
        Settings(**wrong)


def test_an_unknown_argument_is_an_error() -> None:
    """It is named, and so is what there is."""
    with pytest.raises(ConfigError, match=r"unknown setting budgte; there are budget, .*target"):
        Settings.resolve({"budgte": 5}, environ={})


def test_variables_are_read() -> None:
    """Each setting has one, named after it."""
    environ = {
        "KIMI_MEMORY_BUDGET": "9000",
        "KIMI_MEMORY_TARGET": "0.4",
        "KIMI_MEMORY_OVERSIZE": "send",
        "KIMI_MEMORY_SUMMARIZER_MODEL": "kimi-k2.5",
        "KIMI_MEMORY_SUMMARY_DEADLINE": "5.5",
        "KIMI_MEMORY_SUMMARY_PAUSE": "7.5",
        "KIMI_MEMORY_SUMMARY_PROMPT": "Only {facts}.",
        "KIMI_MEMORY_STANDING": "0.05",
        "KIMI_MEMORY_IDENTIFIERS": "0",
        "KIMI_MEMORY_CLEAR_TOOL_RESULTS": "only",
        "KIMI_MEMORY_REPLY_RESERVE": "100",
        "OTHER": "x",
    }

    assert Settings(
        budget=9_000,
        target=0.4,
        oversize="send",
        summarizer_model="kimi-k2.5",
        summary_deadline=5.5,
        summary_pause=7.5,
        summary_prompt="Only {facts}.",
        standing=0.05,
        identifiers=0,
        clear_tool_results="only",
        reply_reserve=100,
    ) == Settings.resolve({}, environ=environ)


@pytest.mark.parametrize(
    ("name", "text"), [("BUDGET", "many"), ("BUDGET", "1.5"), ("TARGET", "half")]
)
def test_a_variable_that_is_no_number_is_an_error(name: str, text: str) -> None:
    """The message says which and what it held."""
    with pytest.raises(ConfigError, match=f"KIMI_MEMORY_{name}='{text}'"):
        Settings.resolve({}, environ={f"KIMI_MEMORY_{name}": text})


def test_an_empty_variable_is_none() -> None:
    """Shells set variables to nothing to unset them."""
    assert Settings() == Settings.resolve({}, environ={"KIMI_MEMORY_BUDGET": ""})


def test_a_file_is_read(tmp_path: Path) -> None:
    """Settings stand at the top level of a TOML file."""
    file = tmp_path / "memory.toml"
    file.write_text('budget = 9000\nnotes_role = "system"\n', encoding="utf-8")

    assert Settings(budget=9_000, notes_role="system") == Settings.resolve(
        {}, environ={}, file=file
    )


def test_arguments_win_over_variables_and_those_over_a_file(tmp_path: Path) -> None:
    """Each setting is taken from the nearest place that has it."""
    file = tmp_path / "memory.toml"
    file.write_text("budget = 1\ntarget = 0.3\nnotes = 0.1\n", encoding="utf-8")
    environ = {"KIMI_MEMORY_BUDGET": "2", "KIMI_MEMORY_TARGET": "0.4"}

    assert Settings(budget=3, target=0.4, notes=0.1) == Settings.resolve(
        {"budget": 3}, environ=environ, file=file
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budgte = 5", "unknown setting budgte"),
        ("budget = ", "TOML"),
        ("[memory]\nbudget=1", "memory"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The message says which file and what is wrong in it."""
    file = tmp_path / "memory.toml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=said) as caught:
        Settings.resolve({}, environ={}, file=file)
    assert "memory.toml" in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Who names a file wants it read."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        Settings.resolve({}, environ={}, file=tmp_path / "nowhere.toml")


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are no TOML."""
    file = tmp_path / "memory.toml"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match="TOML"):
        Settings.resolve({}, environ={}, file=file)


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another is given."""
    monkeypatch.setenv("KIMI_MEMORY_BUDGET", "4321")

    assert 4_321 == Settings.resolve({}).budget
