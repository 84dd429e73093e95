"""Settings that are valid together: budgets, policies, and what a manager takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, Final, get_args

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from memory.config import Settings
from memory.errors import ConfigError
from memory.notes import Role
from memory.policy import Clearing, Oversize, Policy
from memory.recall import RecallMode
from memory.testing.strategies.checking import wholes

__all__ = ("budgets", "policies", "settings")

_USUAL: Final = (400, 700, 1_000, 1_500, 2_500)
_PARTS: Final = 100
"""In how many steps a share goes from the least to the most."""

_BOTH: Final[Mapping[str, tuple[Any, ...]]] = {
    "clear_tool_results": get_args(Clearing),
    "oversize": get_args(Oversize),
    "standing": (0.1, 0.0, 0.02, 0.3),
    "identifiers": (0.1, 0.0, 0.3),
    "reply_reserve": (8_192, 0, 1_000),
}
"""What a policy and a manager can have, the default first."""
_OF_POLICIES: Final[Mapping[str, tuple[Any, ...]]] = {
    "margin_measured": (0.02, 0.0, 0.1),
    "margin_exact": (0.03, 0.0, 0.1),
    "margin_estimated": (0.12, 0.0, 0.3),
    "margin_tools": (0.15, 0.0, 0.5),
}
_OF_MANAGERS: Final[Mapping[str, tuple[Any, ...]]] = {
    "notes_role": get_args(Role),
    "summarizer_model": (None, "kimi-k2.5"),
    "summary_prompt": (None, "Write down {what} was said, in 100% plain words."),
    "media_tokens": (2_000, 0, 50),
    "recall": get_args(RecallMode),
    "recall_share": (0.25, 0.1, 0.4),
    "recall_floor": (0.5, 0.0),
    "recall_rounds": (3, 1),
    "execute": (False, True),
}

_Pick = Callable[[], int]
_Usual = Mapping[str, float | None]
"""Defaults by name."""


def budgets(*, least: int = 200, most: int = 4_000) -> st.SearchStrategy[int]:
    """Return a strategy for budgets in tokens, so small that short conversations exceed them.

    Args:
        least: The smallest.
        most: The largest.

    Raises:
        InvalidArgument: An argument is no number of tokens, or `most` is less than `least`.
    """
    wholes(1, least=least)
    wholes(least, most=most)
    usual = [tokens for tokens in _USUAL if least <= tokens <= most]
    anything = st.integers(least, most)
    return st.one_of(st.sampled_from(usual), anything) if usual else anything


def policies(**fixed: Any) -> st.SearchStrategy[Policy]:
    """Return a strategy for policies, each with a small budget; see `memory.policy.Policy`.

    Args:
        **fixed: What is to be the same in all of them, by name.

    Raises:
        InvalidArgument: There is no such field, its value is wrong, or two do not go together.
    """
    shares = partial(_shares, fixed, below={"notes": 0.35, "floor": 0.25}, above={"trigger": 1.0})
    _check(Policy, fixed, shares)
    options = _options({**_BOTH, **_OF_POLICIES}, fixed, shares)
    return options.map(lambda given: Policy(**given))


def settings(**fixed: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for the settings of a manager, as keyword arguments that go together.

    What is not among them has its default. Summaries are written inline and nothing is asked of
    time, so that a test depends on neither; both can be fixed to something else::

        @given(settings(oversize="send", compaction="background"))
        def test_my_agent(options):
            manager = MemoryManager(**options)

    Args:
        **fixed: What is to be the same in all of them, by name; see `memory.config.Settings`.

    Raises:
        InvalidArgument: There is no such setting, its value is wrong, or two do not go together.
    """
    background = fixed.get("compaction") == "background"  # then `ahead` lies below the trigger
    above = {"ahead": 0.8} | ({} if background else {"trigger": 1.0})
    shares = partial(_shares, fixed, below={"notes": 0.35, "tail": None}, above=above)
    _check(Settings, fixed, shares)
    return _options({**_BOTH, **_OF_MANAGERS}, fixed, shares)


def _check(kind: type[Any], fixed: Mapping[str, Any], shares: Callable[[_Pick], Any]) -> None:
    names = {field.name for field in fields(kind)}
    if unknown := sorted(fixed.keys() - names):
        msg = f"{', '.join(unknown)}: no such setting; there are {', '.join(sorted(names))}"
        raise InvalidArgument(msg)
    try:
        kind(**shares(lambda: _PARTS // 2) | dict(fixed))
    except (ConfigError, TypeError) as error:
        raise InvalidArgument(str(error)) from error


def _shares(
    fixed: Mapping[str, Any], pick: _Pick, *, below: _Usual, above: _Usual
) -> dict[str, Any]:
    """Return a target, and shares that have to be below and above it, around those that are fixed.

    Args:
        fixed: What has its value already.
        pick: Chooses how far a share is from the least to the most, in hundredths; 0 for its
            default, where that is possible.
        below: Names and defaults.
        above: Names and defaults.
    """
    least = max((fixed[name] for name in below if fixed.get(name) is not None), default=0.05)
    most = min((fixed[name] for name in above if name in fixed), default=0.95)
    target: float = fixed["target"] if "target" in fixed else _between(pick(), least, most, 0.45)
    made: dict[str, Any] = {"target": target}
    for name, usual in below.items():
        made[name] = fixed[name] if name in fixed else _share(pick(), 0.0, target, usual)
    for name, usual in above.items():
        nearest = (target + 1) / 2 if usual == 1 else target
        made[name] = fixed[name] if name in fixed else _share(pick(), nearest, 1.0, usual)
    return made


def _share(part: int, least: float, most: float, usual: float | None) -> float | None:
    """Return a number between two others, or None where that is its default."""
    return None if part == 0 and usual is None else _between(part, least, most, usual or 0.0)


def _between(part: int, least: float, most: float, usual: float) -> float:
    """Return a number between two others, rounded where there is room for that."""
    if part == 0 and least < usual <= most:
        return usual
    exact = least + (most - least) * max(part, 1) / _PARTS
    rounded = round(exact, 3)
    return rounded if least < rounded < most else exact


@st.composite
def _options(
    draw: st.DrawFn,
    known: Mapping[str, tuple[Any, ...]],
    fixed: Mapping[str, Any],
    shares: Callable[[_Pick], dict[str, Any]],
) -> dict[str, Any]:
    made: dict[str, Any] = {"budget": fixed["budget"] if "budget" in fixed else draw(budgets())}
    made |= shares(lambda: draw(st.integers(0, _PARTS - 1)))
    for name, choices in known.items():
        if name not in fixed:
            value = draw(st.sampled_from(choices))
            made |= {} if value == choices[0] else {name: value}
    made |= dict(fixed)
    if made.get("recall", "off") != "tool" and "execute" not in fixed:
        made.pop("execute", None)  # nothing is searched for that it could run
    return made
