"""The errors this library raises, and what a caller can do about each.

::

    KimiMemoryError
    ├── ConfigError       a setting is wrong: correct the argument, variable or file it names
    ├── BudgetError       what may not be dropped is larger than the budget: see `culprits`
    ├── HistoryError      `messages` is not a list of wire messages: see `index`
    ├── InvariantError    a promise of this library is broken, under check="raise": see `violations`
    ├── SummaryError      the summariser failed; caught inside `fit`, which falls back
    ├── ConversationBusy  the conversation waits for tool results: send them, or go back
    └── StoreError        the store failed
        ├── ConflictError     somebody else wrote first: reload and try again
        ├── CorruptError      what is stored cannot be read: see `where`; the rest can
        ├── SchemaError       the database is of another version: `kimi-memory db upgrade`
        ├── SealedError       no key opens what is stored: see `where`; nothing is changed
        └── UnsupportedError  this kind of store cannot do that: see `capability`

The root is not called ``MemoryError``: that is a builtin of Python's, and ``except MemoryError``
would catch the wrong thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = (
    "BudgetError",
    "ConfigError",
    "ConflictError",
    "ConversationBusy",
    "CorruptError",
    "HistoryError",
    "InvariantError",
    "KimiMemoryError",
    "PatchedClientWarning",
    "SchemaError",
    "SealedError",
    "StoreError",
    "SummaryError",
    "UnsupportedError",
)


class KimiMemoryError(Exception):
    """The root of every error that this library raises on purpose."""


class ConfigError(KimiMemoryError):
    """A setting is unknown, of the wrong type or out of range; the message says what is allowed."""


class BudgetError(KimiMemoryError):
    """What may not be dropped is larger than the budget, so no valid request fits.

    Attributes:
        tokens: What the smallest possible request would cost, in tokens.
        limit: What it may cost, in tokens.
        culprits: Tokens by what they are for (``"system prompt"``, ``"tools"``,
            ``"last user message"``, ``"open tool exchange"``, …), largest first.
    """

    def __init__(self, *, tokens: int, limit: int, culprits: Mapping[str, int]) -> None:
        self.tokens = tokens
        self.limit = limit
        named = ((name, size) for name, size in culprits.items() if size > 0)
        self.culprits = dict(sorted(named, key=lambda item: -item[1]))
        parts = ", ".join(f"{name} {size:,}" for name, size in self.culprits.items())
        super().__init__(
            f"the messages that may not be dropped need {tokens:,} tokens and the limit is "
            f"{limit:,} ({parts}). Raise the budget, shorten the largest of these, or choose "
            f'oversize="shorten-tool-results" or oversize="send".'
        )


class HistoryError(KimiMemoryError):
    """`messages` is not a list of wire messages.

    Attributes:
        index: Which message is meant, counted from 0.
    """

    def __init__(self, message: str, *, index: int) -> None:
        self.index = index
        super().__init__(message)


class InvariantError(KimiMemoryError):
    """What was about to be sent breaks a promise of this library; raised under `check="raise"`.

    It is a defect, of the library, of a store or of a summariser: nothing was sent. The text
    shows the request without the contents of its messages, so that it can go into a report.

    Attributes:
        violations: What is wrong, by the name of the check in `memory.invariants`.
    """

    def __init__(self, violations: Mapping[str, str], request: str) -> None:
        self.violations = dict(violations)
        self._request = request
        found = "; ".join(f"{name}: {reason}" for name, reason in violations.items())
        super().__init__(f"{found}\n{request}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it cross processes."""
        return type(self), (self.violations, self._request)


class SummaryError(KimiMemoryError):
    """The summariser could not be asked, or did not answer in time.

    Attributes:
        retryable: Whether the same request may succeed a little later.
        retry_after: Seconds the server asked to wait, or None.
        final: Whether asking the same summariser for anything else cannot help either, as with a
            wrong key, a model that is gone or an empty account.
        filtered: Whether what was to be summarised was refused for its content; other messages
            may pass.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        final: bool = False,
        filtered: bool = False,
    ) -> None:
        self.retryable = retryable
        self.retry_after = retry_after
        self.final = final
        self.filtered = filtered
        super().__init__(message)


class ConversationBusy(KimiMemoryError):  # noqa: N818  # a state, not a mistake
    """The last reply of a conversation calls tools, and something else than their results was sent.

    The server would refuse such a request. Nothing was recorded.

    Attributes:
        conversation: Its name.
        missing: The ids of the tool calls that have no result.
    """

    def __init__(self, *, conversation: str, missing: Sequence[str]) -> None:
        self.conversation = conversation
        self.missing = tuple(missing)
        super().__init__(
            f"conversation {conversation!r} waits for the results of the tool calls "
            f"{', '.join(self.missing)}: send them first, or drop the calls with rewind()"
        )


class StoreError(KimiMemoryError):
    """The store could not be read or written; nothing was changed."""


class ConflictError(StoreError):
    """Somebody else appended to the same log first, so nothing was written.

    Attributes:
        expected: The version this writer had read.
        actual: The version the log has now.
    """

    def __init__(self, *, expected: int, actual: int) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(f"the log is at version {actual}, not {expected}: load it and try again")


class CorruptError(StoreError):
    """What is stored under a key cannot be read; the rest can, and nothing was overwritten.

    Attributes:
        where: Which row, key or file.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        super().__init__(
            f"{where} cannot be read: {reason}. It was left as it is; restore it from a backup, "
            "or forget that conversation"
        )


class SchemaError(StoreError):
    """The database has another schema than this version of the library reads and writes.

    Attributes:
        found: The version of the database.
        wanted: The version that is needed.
    """

    def __init__(self, message: str, *, found: int, wanted: int) -> None:
        self.found = found
        self.wanted = wanted
        super().__init__(message)


class SealedError(StoreError):
    """None of the keys opens what is stored; it was left as it is.

    Attributes:
        where: Which log.
    """

    def __init__(self, where: str, *, keys: bool = True) -> None:
        self.where = where
        what = (
            "is sealed with another key: give the key it was written with, after the newest one"
            if keys
            else "is sealed: open the store as sealed+…, with its keys"
        )
        super().__init__(f"{where} {what}. Nothing was changed")


class UnsupportedError(StoreError):
    """This kind of store cannot do what was asked.

    Attributes:
        capability: What it lacks, such as `"search"`.
    """

    def __init__(self, message: str, *, capability: str) -> None:
        self.capability = capability
        super().__init__(message)


class PatchedClientWarning(UserWarning):
    """A client was wrapped after something had patched it, so the patch is not in force there."""
