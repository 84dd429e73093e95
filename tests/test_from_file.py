"""Managers from a file of settings, and which source of a setting wins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from openai import OpenAI

from memory import AsyncMemoryManager, MemoryManager, manager_of, wrap
from memory.errors import ConfigError
from memory.testing.unreliable import Unreliable

MANAGERS = [MemoryManager, AsyncMemoryManager]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in list(os.environ):
        if name.startswith("KIMI_MEMORY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a budget and a target."""
    path = tmp_path / "settings.toml"
    path.write_text('budget = 9000\ntarget = 0.4\noversize = "send"\n', encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", MANAGERS)
def test_a_manager_has_the_settings_of_the_file(kind: type[MemoryManager], file: Path) -> None:
    """What the file does not say has its default."""
    settings = kind.from_file(file).settings

    assert (9_000, 0.4, "send", 0.35) == (
        settings.budget,
        settings.target,
        settings.oversize,
        settings.notes,
    )


@pytest.mark.parametrize("kind", MANAGERS)
def test_the_environment_wins_over_the_file(
    kind: type[MemoryManager], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments win over both."""
    monkeypatch.setenv("KIMI_MEMORY_BUDGET", "8000")
    monkeypatch.setenv("KIMI_MEMORY_TARGET", "0.42")

    settings = kind.from_file(str(file), budget=7_000).settings

    assert (7_000, 0.42, "send") == (settings.budget, settings.target, settings.oversize)


def test_a_manager_from_a_file_takes_everything_else() -> None:
    """A store, hooks and a summariser go with it."""
    written = Path(os.devnull)
    summarizer = Unreliable("seed")

    manager = MemoryManager.from_file(written, summarizer=summarizer, namespace="desk", hooks=())

    assert ("desk", summarizer) == (manager.namespace, manager.summarizer)


def test_a_subclass_makes_its_own_kind(file: Path) -> None:
    """`from_file` of a subclass returns one of it."""

    class Own(MemoryManager):
        """A manager of somebody's own."""

    assert isinstance(Own.from_file(file), Own)


@pytest.mark.parametrize("kind", MANAGERS)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("budget = ", "cannot be read as TOML"),
        ("bugdet = 9000", "unknown setting bugdet"),
        ("target = 2", "target"),
        ("budget = 9000.5", "budget=9000.5"),
        ('check = "always"', "check='always'"),
    ],
)
def test_what_is_wrong_with_a_file_names_it(
    kind: type[MemoryManager], text: str, told: str, file: Path
) -> None:
    """The message has the file and the setting."""
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as raised:
        kind.from_file(file)

    assert str(file) in str(raised.value)
    assert told in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """It is an error of the configuration, as any other."""
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        MemoryManager.from_file(tmp_path / "none.toml")


def test_what_is_wrong_with_an_argument_does_not_blame_the_file(file: Path) -> None:
    """The file is only named where it is at fault."""
    with pytest.raises(ConfigError) as raised:
        MemoryManager.from_file(file, budget=-1)

    assert str(file) not in str(raised.value)


def test_an_argument_and_a_file_that_disagree_name_both(file: Path) -> None:
    """A tail that goes with the default target may be too long for that of the file."""
    with pytest.raises(ConfigError) as raised:
        MemoryManager.from_file(file, tail=0.42)

    assert f"{file}: 0 < tail < target must hold: tail=0.42, target=0.4" == str(raised.value)


def test_there_is_one_file(file: Path) -> None:
    """A second one is refused instead of passed over."""
    with pytest.raises(ConfigError, match="one file"):
        MemoryManager.from_file(file, settings_file=file)


def test_a_client_is_wrapped_with_a_file(file: Path) -> None:
    """With a manager from it, or with the file itself."""
    client = OpenAI(api_key="sk-none", base_url="http://127.0.0.1:9/v1")

    managed = manager_of(wrap(client, manager=MemoryManager.from_file(file)))
    own = manager_of(wrap(client, settings_file=file))

    assert managed.settings == own.settings
    assert 9_000 == own.settings.budget
