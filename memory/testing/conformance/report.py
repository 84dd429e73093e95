"""What a run of the suite found: one result for each check, as a table or as rows for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

__all__ = ("Outcome", "Report", "Result")

Outcome: TypeAlias = Literal["passed", "failed", "absent"]
"""How a check went: `"absent"` is for what the store does not offer, which is no failure."""

_COLUMNS = ("capability", "check", "outcome", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one check went.

    Attributes:
        name: Its name, by which it can be chosen.
        capability: What a store must offer for it, such as `"listing"`.
        description: What it checks, in a sentence.
        outcome: How it went.
        message: What was wrong, or what is absent; empty when it passed.
        seconds: How long it took.
    """

    name: str
    capability: str
    description: str
    outcome: Outcome
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a store did.

    Attributes:
        store: Which class of store.
        seed: What chance was seeded with: the same one repeats the same examples.
        results: One for each check, in the order in which they ran.
    """

    store: str
    seed: int
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed; look at `absent` for what was not checked."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The checks that failed."""
        return self._having("failed")

    @property
    def absent(self) -> tuple[Result, ...]:
        """The checks for something that the store does not offer."""
        return self._having("absent")

    @property
    def seconds(self) -> float:
        """How long all checks took together."""
        return sum(result.seconds for result in self.results)

    def raise_for_failures(self) -> None:
        """Do nothing where every check passed or was absent.

        Raises:
            AssertionError: Some failed; the text lists all of them.
        """
        if self.failures:
            failed = "\n".join(map(_told, self.failures))
            msg = f"{self._summary()}\n{failed}"
            raise AssertionError(msg)

    def rows(self) -> list[dict[str, Any]]:
        """Return the results as objects for JSON, in order."""
        return [asdict(result) for result in self.results]

    def __str__(self) -> str:
        """Return a table of the results, and below it what was wrong."""
        rows = [_COLUMNS, *map(_row, self.results)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        rule = "  ".join("-" * width for width in widths)
        table = [self._summary(), "", lines[0], rule, *lines[1:]]
        return "\n".join([*table, *([""] if self.failures else []), *map(_told, self.failures)])

    def _having(self, outcome: Outcome) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.outcome == outcome)

    def _summary(self) -> str:
        passed = len(self.results) - len(self.failures) - len(self.absent)
        return (
            f"{self.store}: {passed} passed, {len(self.failures)} failed, "
            f"{len(self.absent)} absent in {self.seconds:.1f} s (seed {self.seed})"
        )


def _row(result: Result) -> tuple[str, ...]:
    return result.capability, result.name, result.outcome, f"{result.seconds:7.3f}"


def _told(result: Result) -> str:
    message = result.message.replace("\n", "\n    ")
    return f"{result.name}: {result.description}\n    {message}"
