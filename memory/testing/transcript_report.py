"""What came of checking recorded conversations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ("TranscriptReport", "Violation", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was not kept.

    Attributes:
        conversation: The id of the conversation.
        request: Which request of the replay, from 1; 0 where it is about all of them.
        budget: The budget in force, in tokens.
        seed: The seed that makes the same replay again.
        check: The name of the check.
        message: What is wrong and where, without the text of a message.
        described: The request as a table; empty where it is about all of them.
    """

    conversation: str
    request: int
    budget: int
    seed: int
    check: str
    message: str
    described: str = ""

    def __str__(self) -> str:
        """Tell it in one line."""
        place = f"request {self.request}: " if self.request else ""
        return f"{self.conversation}, budget {self.budget:,}: {place}{self.check}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptReport:
    """What came of checking a conversation, or several.

    Attributes:
        conversations: How many.
        requests: Requests that were checked.
        compactions: Compactions that were made for them.
        too_large: Requests refused because what may not be dropped is larger than the budget.
        violations: Promises that were not kept.
    """

    conversations: int = 0
    requests: int = 0
    compactions: int = 0
    too_large: int = 0
    violations: tuple[Violation, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def total(reports: Iterable[TranscriptReport]) -> TranscriptReport:
    """Return the sum of several reports."""
    every = [*reports]
    return TranscriptReport(
        conversations=sum(each.conversations for each in every),
        requests=sum(each.requests for each in every),
        compactions=sum(each.compactions for each in every),
        too_large=sum(each.too_large for each in every),
        violations=tuple(found for each in every for found in each.violations),
    )
