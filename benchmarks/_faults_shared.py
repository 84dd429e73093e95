"""The rows of the fault matrix that make sense for every library, and what it takes to pass one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks._report import Row
from memory.testing import Fault

__all__ = ("PASSING", "QUICK_SHARED", "SHARED", "WELL_OVER", "Shared", "passed", "standings")

_AWAY: Final = (9, 25)
"""From which turn to before which, from 0, the summariser is down where it comes back."""

PASSING: Final = (
    "A row is passed by a library if, in each language, no exception reached the caller, the "
    "strict server rejected no request, the user's last message was in every request, no request "
    "passed on what a hijacked summariser orders, no request was over the budget by more than a "
    "hundredth (but the one whose own turn is larger than it), and all facts are in the view or "
    "in reach, which is what the library itself shows of them when asked. Where no summary can be "
    "any good, as many facts in the view as a sliding window of the same budget has are enough."
)
"""What passing means, for everybody."""
WELL_OVER: Final = "over by more than a hundredth"
"""Requests that are over the budget by more than counters differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One row.

    Attributes:
        name: What is wrong.
        fault: What the server does to requests for summaries; None for nothing.
        span: From which turn to before which, from 0; None for all.
        useless: Whether no summary can be any good.
        large: Whether one turn is larger than the budget.
        together: Whether turns come two at once.
        ours: Settings of `memory` for this row, other than its defaults.
    """

    name: str
    fault: Fault | None = None
    span: tuple[int, int] | None = None
    useless: bool = False
    large: bool = False
    together: bool = False
    ours: tuple[tuple[str, Any], ...] = ()


def _useless(name: str, fault: Fault) -> Shared:
    return Shared(name=name, fault=fault, useless=True)


SHARED: Final = (
    Shared(name="healthy"),
    _useless("500", Fault.SERVER_ERROR),
    _useless("empty", Fault.EMPTY),
    _useless("truncated", Fault.TRUNCATED),
    _useless("refusal", Fault.REFUSAL),
    _useless("tool call", Fault.TOOL_CALL),
    _useless("10,000 tokens, ignoring its cap", Fault.OVERLONG),
    _useless("injected instruction", Fault.INJECTED),
    Shared(name="slow by a second", fault=Fault.SLOW),
    # By default the turn is refused with an error that names the message; others have no such.
    Shared(name="one turn of 9,000 tokens", large=True, ours=(("oversize", "send"),)),
    # Turns follow each other at once, so that a pause of seconds would never be over.
    Shared(
        name="down for turns 10 to 25, and back",
        fault=Fault.SERVER_ERROR,
        span=_AWAY,
        ours=(("summary_pause", 0.05),),
    ),
    Shared(name="two turns at once", together=True),
)
"""The rows, in the order in which they are shown."""
QUICK_SHARED: Final = ("healthy", "500", "empty", "two turns at once")


def passed(row: Mapping[str, Any]) -> bool | None:
    """Return whether a library passed a row, as `PASSING` says; None where it is not offered."""
    if not row["offered"]:
        return None
    sound = row["in reach"] >= row["facts"]
    none = ("turns failed", "rejected", "last user message missing", "orders sent")
    return (
        all(row[column] == 0 for column in none)
        and row[WELL_OVER] <= row["over budget allowed"]
        and (sound or (row["useless"] and row["in view"] >= row["sliding window"]))
    )


def standings(rows: Sequence[Row]) -> list[Row]:
    """Return how many rows each library passed, and which not; one that it has twice counts once.

    Args:
        rows: Those of all libraries, in all languages and with all seeds.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for row in rows:
        mine = found.setdefault(row["peer"], {})
        if row["passed"] is not None:
            mine.setdefault(row["row"], []).append(row["passed"])
    return [
        {
            "peer": peer,
            "version": next(row["version"] for row in rows if row["peer"] == peer),
            "rows passed": sum(all(each) for each in mine.values()),
            "of": len(mine),
            "not passed": [name for name, each in mine.items() if not all(each)],
        }
        for peer, mine in found.items()
    ]
