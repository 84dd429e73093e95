"""The cases of the fault matrix: what is wrong, from which turn to which, and what has to hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from memory.errors import StoreError
from memory.records import Compaction, LogKey, Record
from memory.stores import VolatileStore
from memory.testing import Fault

__all__ = ("BIG", "BIG_TURN", "CASES", "QUICK", "SMALL", "Case", "FaultyStore", "Way")

Way = Literal["transparent", "conversation"]

BIG: Final = 9_000
"""Tokens of the one turn that is larger than the budget."""
BIG_TURN: Final = 19
"""Which turn that is, from 0."""
SMALL: Final = "moonshot-v1-8k"
"""The name of the summariser with a window of 8,000 tokens."""
_AWAY: Final = (9, 25)
"""From which turn to before which, from 0, the summariser is down where it comes back."""


class FaultyStore(VolatileStore):
    """A store that fails when it is to keep a compaction.

    Args:
        times: How often.
        after: Whether it has kept it by then, so that only the answer is lost.
    """

    def __init__(self, times: int, *, after: bool = False) -> None:
        super().__init__()
        self._times = times
        self._after = after

    def append(self, key: LogKey, records: Sequence[Record], *, expected: int) -> int:
        """Append records, unless it is time to fail.

        Raises:
            StoreError: It is.
        """
        due = self._times > 0 and any(isinstance(each, Compaction) for each in records)
        if due:
            self._times -= 1
            if self._after:
                super().append(key, records, expected=expected)
            msg = "no space left on device"
            raise StoreError(msg)
        return super().append(key, records, expected=expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the matrix.

    Attributes:
        name: What is wrong.
        fault: What the server does to requests for summaries; None for nothing.
        span: From which turn to before which, from 0; None for all.
        hopeless: Whether no summary can be any good, so that none may be accepted.
        ways: How the client is used.
        options: Settings other than the defaults.
        store: Makes the store; None for the default one.
        filtered: The place of a fact whose text the summariser's filter refuses; None for none.
        size: Tokens of a turn.
        large: What the turn of 9,000 tokens is, where there is one.
        window: Tokens of the summariser's window; None for that of its model.
        joins: How many turns the caller brings along with the first request.
        silent: How many turns without a fact follow those with one.
        budgets: How many requests may exceed the budget.
        refused: How many turns are refused with a `BudgetError`.
    """

    name: str
    fault: Fault | None = None
    span: tuple[int, int] | None = None
    hopeless: bool = False
    ways: tuple[Way, ...] = ("transparent",)
    options: Mapping[str, Any] = field(default_factory=dict)
    store: Callable[[], VolatileStore] | None = None
    filtered: int | None = None
    size: int = 280
    large: Literal["question", "tool result"] | None = None
    window: int | None = None
    joins: int = 0
    silent: int = 0
    budgets: int = 0
    refused: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with the summariser, so that none of its work may be lost."""
        wrong = (self.fault, self.filtered, self.window)
        return not self.hopeless and all(each is None for each in wrong)


def _down(name: str, fault: Fault, **more: Any) -> Case:
    return Case(name=name, fault=fault, hopeless=True, **more)


CASES: Final = (
    Case(name="healthy", ways=("transparent", "conversation")),
    _down("500", Fault.SERVER_ERROR),
    _down("hangs beyond the deadline", Fault.HANG, options={"summary_deadline": 0.5}),
    _down("connection reset amid the summary", Fault.RESET),
    _down("429 with Retry-After: 1", Fault.RPM),
    _down("429 with Retry-After: 3600", Fault.COOLDOWN),
    _down("429 without Retry-After", Fault.OVERLOADED),
    _down("429 quota", Fault.QUOTA),
    _down("401", Fault.WRONG_KEY),
    # The server does not serve it any more: a true 404.
    Case(name="404 on its model", hopeless=True, options={"summarizer_model": "kimi-k2.5"}),
    Case(name="content filter on one slice", filtered=6),
    _down("empty", Fault.EMPTY),
    _down("truncated", Fault.TRUNCATED),
    _down("refusal", Fault.REFUSAL),
    _down("tool call", Fault.TOOL_CALL),
    _down("reasoning only, finish_reason length", Fault.REASONING_ONLY),
    _down("10,000 tokens, ignoring its cap", Fault.OVERLONG),
    _down("injected instruction", Fault.INJECTED),
    Case(
        name="window of 8,000, larger slices",
        window=8_000,
        options={"summarizer_model": SMALL},
        joins=39,
        silent=8,
    ),
    Case(name="turns of 2,300 tokens", size=2_300),
    Case(name="one turn of 9,000 tokens: raise", large="question", refused=1),
    Case(
        name="one turn of 9,000 tokens: send",
        large="question",
        options={"oversize": "send"},
        budgets=1,
    ),
    Case(
        name="one turn of 9,000 tokens: shorten-tool-results",
        large="tool result",
        options={"oversize": "shorten-tool-results"},
    ),
    Case(name="store fails once", store=lambda: FaultyStore(1)),
    Case(name="store fails once, after writing", store=lambda: FaultyStore(1, after=True)),
    Case(name="store always fails", store=lambda: FaultyStore(1_000_000)),
    Case(
        name="down for turns 10 to 25, and back",
        fault=Fault.SERVER_ERROR,
        span=_AWAY,
        options={"summary_pause": 0.05},
    ),
)
"""The matrix; `summary_deadline` and `summary_pause` are shortened where waiting shows nothing."""

QUICK: Final = ("healthy", "500", "empty", "one turn of 9,000 tokens: raise")
"""The rows that show in a few seconds that everything runs."""
