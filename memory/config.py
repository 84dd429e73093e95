"""Settings: from arguments, else the environment, else a file; an unknown one is an error."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from memory.errors import ConfigError
from memory.policy import FLOOR_OF_TARGET, Oversize, Policy
from memory.summary import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("Mode", "Options", "Settings")

Mode = Literal["inline", "background"]
"""When summaries are written: before the prompt that needs them, or after a reply."""

PREFIX = "KIMI_MEMORY_"


class Options(TypedDict, total=False):
    """The settings as keyword arguments; see `Settings` for what each means."""

    budget: int | None
    target: float
    notes: float
    oversize: Oversize
    notes_role: Role
    summarizer_model: str | None
    summary_deadline: float
    media_tokens: int
    reply_reserve: int
    compaction: Mode
    ahead: float
    choice: int
    turn_wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, with its default.

    Attributes:
        budget: Prompt tokens as the server counts them, tools included; None for the window of
            the request's model.
        target: Where a compaction brings the prompt, as a share of the limit.
        notes: How much of the limit the summaries may have together.
        oversize: What to do when what may not be dropped is larger than the limit: `"raise"` a
            `BudgetError`, `"send"` it all the same, or `"shorten-tool-results"`.
        notes_role: The role of the synthetic message: `"user"`, `"system"` or `"assistant"`.
        summarizer_model: The model that writes summaries; None for that of the request.
        summary_deadline: Seconds that asking for one summary may take, retries included; a server
            that keeps sending a byte now and then can take longer.
        media_tokens: Tokens an image or video is taken to cost before the server said so.
        reply_reserve: Tokens of the window kept for a reply without `max_completion_tokens`.
        compaction: `"inline"`, when a prompt needs it, or `"background"`, after a reply, so that
            turns do not wait; small Kimi accounts allow one request at a time.
        ahead: The share of the limit from which a summary is written in the background.
        choice: Which choice of a reply goes on record where there are several, from 0.
        turn_wait: Seconds that a turn of a conversation waits for the turn before.
    """

    budget: int | None = None
    target: float = 0.5
    notes: float = 0.2
    oversize: Oversize = "raise"
    notes_role: Role = "user"
    summarizer_model: str | None = None
    summary_deadline: float = 60.0
    media_tokens: int = 2_000
    reply_reserve: int = 8_192
    compaction: Mode = "inline"
    ahead: float = 0.8
    choice: int = 0
    turn_wait: float = 60.0

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: One is of the wrong type or out of range; the message names it.
        """
        for name in ("summary_deadline", "turn_wait"):
            _number(name, getattr(self, name))
        for name in ("media_tokens", "reply_reserve", "choice"):
            _whole(name, getattr(self, name))
        _name("summarizer_model", self.summarizer_model)
        _one_of("notes_role", self.notes_role, get_args(Role))
        _one_of("compaction", self.compaction, get_args(Mode))
        _number("ahead", self.ahead)
        self.policy()
        if not self.target < self.ahead <= 1:
            msg = f"target < ahead <= 1 must hold: target={self.target}, ahead={self.ahead}"
            raise ConfigError(msg)

    @classmethod
    def resolve(
        cls,
        given: Mapping[str, Any],
        *,
        environ: Mapping[str, str] | None = None,
        file: str | os.PathLike[str] | None = None,
    ) -> Settings:
        """Return the settings from arguments, else the environment, else a TOML file.

        Args:
            given: Arguments by name.
            environ: Where variables such as `KIMI_MEMORY_BUDGET` are looked up; None for those
                of the process.
            file: A TOML file with the settings at its top level.

        Raises:
            ConfigError: A setting is unknown or wrong; the message says where it stands.
        """
        variables = os.environ if environ is None else environ
        values = _known(_file(file), source=str(file))
        for name in _names():
            text = variables.get(PREFIX + name.upper())
            if text:
                values[name] = _parsed(name, text)
        return cls(**(values | _known(given, source="the arguments")))

    def policy(self) -> Policy:
        """Return the policy that these settings describe.

        Raises:
            ConfigError: A share is out of range.
        """
        for name in ("target", "notes"):
            _number(name, getattr(self, name))
        if self.budget is not None:
            _whole("budget", self.budget)
        return Policy(
            budget=self.budget,
            target=self.target,
            floor=self.target * FLOOR_OF_TARGET,
            notes=self.notes,
            oversize=self.oversize,
            reply_reserve=self.reply_reserve,
        )


def _names() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Settings))


def _known(values: Mapping[str, Any], *, source: str) -> dict[str, Any]:
    unknown = sorted(set(values) - set(_names()))
    if unknown:
        msg = f"{source}: unknown setting {', '.join(unknown)}; there are {', '.join(_names())}"
        raise ConfigError(msg)
    return dict(values)


def _file(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as TOML: {error}"
        raise ConfigError(msg) from error


def _parsed(name: str, text: str) -> Any:
    if name in ("oversize", "notes_role", "summarizer_model", "compaction"):
        return text
    real = ("target", "notes", "ahead", "summary_deadline", "turn_wait")
    try:
        return float(text) if name in real else int(text)
    except ValueError:
        msg = f"{PREFIX}{name.upper()}={text!r} is not a number"
        raise ConfigError(msg) from None


def _number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        msg = f"{name}={value!r} must be a number that is not negative"
        raise ConfigError(msg)


def _one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        msg = f"{name}={value!r}: use one of {', '.join(allowed)}"
        raise ConfigError(msg)


def _name(name: str, value: object) -> None:
    if not isinstance(value, str | None):
        msg = f"{name}={value!r} must be the name of a model"
        raise ConfigError(msg)


def _whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"{name}={value!r} must be a whole number of tokens"
        raise ConfigError(msg)
