"""Settings: from arguments, else the environment, else a file; an unknown one is an error."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from memory.breaker import PAUSE
from memory.errors import ConfigError
from memory.flow import Severity
from memory.notes import Role
from memory.policy import FLOOR_OF_TARGET, Clearing, Oversize, Policy
from memory.recall import Recall, RecallMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("Mode", "Options", "Settings")

Mode = Literal["inline", "background"]
"""When summaries are written: before the prompt that needs them, or after a reply."""

PREFIX = "KIMI_MEMORY_"
_WHOLE = frozenset({"budget", "media_tokens", "reply_reserve", "choice", "recall_rounds"})
_SWITCHES = {"1": True, "true": True, "yes": True, "on": True} | {
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
_TEXTS = frozenset(
    {
        "clear_tool_results",
        "oversize",
        "notes_role",
        "summarizer_model",
        "summary_prompt",
        "compaction",
        "check",
        "recall",
    }
)


class Options(TypedDict, total=False):
    """The settings as keyword arguments; see `Settings` for what each means."""

    budget: int | None
    trigger: float
    target: float
    tail: float | None
    notes: float
    standing: float
    identifiers: float
    clear_tool_results: Clearing
    oversize: Oversize
    notes_role: Role
    summarizer_model: str | None
    summary_prompt: str | None
    summary_deadline: float
    summary_pause: float
    media_tokens: int
    reply_reserve: int
    compaction: Mode
    ahead: float
    choice: int
    turn_wait: float
    check: Severity
    recall: RecallMode
    recall_share: float
    recall_floor: float
    recall_rounds: int
    execute: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, with its default.

    Attributes:
        budget: Prompt tokens as the server counts them, tools included; None for the window of
            the request's model.
        trigger: The share of the limit from which a compaction is due; at 1.0 the limit less a
            margin for what is not yet counted exactly, which always holds.
        target: Where a compaction brings the prompt, as a share of the limit.
        tail: The share of the limit that stays verbatim, head included, where a compaction can
            help it; None for 0.56 of the target.
        notes: How much of the limit the summaries may have together.
        standing: How much of the limit quoted instructions may have together.
        identifiers: How much of the limit the list of identifiers may have, at least 600 tokens;
            0 for no list.
        clear_tool_results: What to do with old tool results when a prompt has to become smaller:
            take them out `"before-summary"`, so that there may be none to pay for, leave them to
            the summary (`"off"`), or do without summaries (`"only"`).
        oversize: What to do when what may not be dropped is larger than the limit: `"raise"` a
            `BudgetError`, `"send"` it all the same, or `"shorten-tool-results"`.
        notes_role: The role of the synthetic message: `"user"`, `"system"` or `"assistant"`.
        summarizer_model: The model that writes summaries; None for that of the request.
        summary_prompt: The instruction for summaries; None for the library's. What stands in it
            is literal, braces included; the length wanted is added to it.
        summary_deadline: Seconds that the summaries of one compaction may take, retries and merges
            included; a synchronous client waits longer for a server that keeps sending a byte now
            and then.
        summary_pause: Seconds that a summariser is left alone after three failures in a row, or
            one that no retry mends; twice as long each time it fails again.
        media_tokens: Tokens an image or video is taken to cost before the server said so.
        reply_reserve: Tokens of the window kept for a reply without `max_completion_tokens`.
        compaction: `"inline"`, when a prompt needs it, or `"background"`, after a reply, so that
            turns do not wait; small Kimi accounts allow one request at a time.
        ahead: The share of the limit from which a summary is written in the background.
        choice: Which choice of a reply goes on record where there are several, from 0.
        turn_wait: Seconds that a turn of a conversation waits for the turn before.
        check: Whether every prompt is judged by `memory.invariants` before it is sent: `"off"`,
            `"event"` (`memory.events.InvariantBroken`) or `"raise"` an `InvariantError`.
        recall: Whether originals that were compacted come back: `"auto"`, those that a prompt
            asks for, within its budget; `"tool"`, those that the model searches for with a tool
            that it is offered; or `"off"`.
        recall_share: The most that they may have of the limit; half of that is kept free for
            them at all times.
        recall_floor: How relevant the best of them has to be for any to be shown, where 0 is
            anything and 1 is a message that has all of the question: see `memory.recall`.
        recall_rounds: How many searches of the model one call may wait for, with `execute`.
        execute: Whether the wrapped client answers the searches of the model; else the caller
            does, with `search_memory`.
    """

    budget: int | None = None
    trigger: float = 1.0
    target: float = 0.45
    tail: float | None = None
    notes: float = 0.35
    standing: float = 0.1
    identifiers: float = 0.1
    clear_tool_results: Clearing = "before-summary"
    oversize: Oversize = "raise"
    notes_role: Role = "user"
    summarizer_model: str | None = None
    summary_prompt: str | None = None
    summary_deadline: float = 60.0
    summary_pause: float = PAUSE
    media_tokens: int = 2_000
    reply_reserve: int = 8_192
    compaction: Mode = "inline"
    ahead: float = 0.8
    choice: int = 0
    turn_wait: float = 60.0
    check: Severity = "off"
    recall: RecallMode = "off"
    recall_share: float = 0.25
    recall_floor: float = 0.55
    recall_rounds: int = 3
    execute: bool = False

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: One is of the wrong type or out of range; the message names it.
        """
        for name in ("summary_deadline", "summary_pause", "turn_wait"):
            _number(name, getattr(self, name))
        for name in ("media_tokens", "reply_reserve", "choice"):
            _whole(name, getattr(self, name))
        for name in ("summarizer_model", "summary_prompt"):
            _text(name, getattr(self, name))
        _one_of("notes_role", self.notes_role, get_args(Role))
        _one_of("compaction", self.compaction, get_args(Mode))
        _one_of("check", self.check, get_args(Severity))
        self._check_recall()
        _number("ahead", self.ahead)
        self.policy()
        if not self.target < self.ahead <= 1:
            msg = f"target < ahead <= 1 must hold: target={self.target}, ahead={self.ahead}"
            raise ConfigError(msg)
        if self.compaction == "background" and self.ahead > self.trigger:
            msg = (
                "ahead <= trigger must hold in the background, or every summary is written inline: "
                f"ahead={self.ahead}, trigger={self.trigger}"
            )
            raise ConfigError(msg)

    def _check_recall(self) -> None:
        """Check the settings of recall.

        Raises:
            ConfigError: One is wrong, or `execute` stands without what it executes.
        """
        _one_of("recall", self.recall, get_args(RecallMode))
        _number("recall_share", self.recall_share)
        _number("recall_floor", self.recall_floor)
        _whole("recall_rounds", self.recall_rounds)
        if not 0 < self.recall_share < 1:
            msg = f"recall_share={self.recall_share} must be a share of the limit, above 0, below 1"
            raise ConfigError(msg)
        _flag("execute", self.execute)
        if self.execute and self.recall != "tool":
            msg = f'execute=True runs the searches of recall="tool", and recall={self.recall!r}'
            raise ConfigError(msg)

    def recalling(self, *, by_store: bool = False) -> Recall | None:
        """Return how originals come back, or None for not at all.

        Args:
            by_store: Whether the store can search conversations with a name.
        """
        if self.recall == "off":
            return None
        return Recall(
            mode=self.recall,
            share=self.recall_share,
            floor=self.recall_floor,
            execute=self.execute,
            rounds=self.recall_rounds,
            by_store=by_store,
        )

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
        for name in ("trigger", "target", "notes", "standing", "identifiers"):
            _number(name, getattr(self, name))
        if self.tail is not None:
            _number("tail", self.tail)
            if not 0 < self.tail < self.target:
                msg = f"0 < tail < target must hold: tail={self.tail}, target={self.target}"
                raise ConfigError(msg)
        if self.budget is not None:
            _whole("budget", self.budget)
        return Policy(
            budget=self.budget,
            trigger=self.trigger,
            target=self.target,
            floor=self.target * FLOOR_OF_TARGET if self.tail is None else self.tail,
            notes=self.notes,
            standing=self.standing,
            identifiers=self.identifiers,
            clear_tool_results=self.clear_tool_results,
            oversize=self.oversize,
            reply_reserve=self.reply_reserve,
            reserved=self.recall_share / 2 if self.recall == "auto" else 0.0,
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
    if name in _TEXTS:
        return text
    if name == "execute":
        return _switch(name, text)
    try:
        return int(text) if name in _WHOLE else float(text)
    except ValueError:
        msg = f"{PREFIX}{name.upper()}={text!r} is not a number"
        raise ConfigError(msg) from None


def _switch(name: str, text: str) -> bool:
    found = _SWITCHES.get(text.strip().lower())
    if found is None:
        msg = f"{PREFIX}{name.upper()}={text!r} is neither true nor false"
        raise ConfigError(msg)
    return found


def _number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        msg = f"{name}={value!r} must be a number that is not negative"
        raise ConfigError(msg)


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        msg = f"{name}={value!r} must be True or False"
        raise ConfigError(msg)


def _one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        msg = f"{name}={value!r}: use one of {', '.join(allowed)}"
        raise ConfigError(msg)


def _text(name: str, value: object) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        msg = f"{name}={value!r} must be a text that is not empty, or None"
        raise ConfigError(msg)


def _whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"{name}={value!r} must be a whole number of tokens"
        raise ConfigError(msg)
