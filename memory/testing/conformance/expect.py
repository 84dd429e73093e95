"""Comparing what a store says with what the contract says, with messages for whoever mends it."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from memory.errors import ConflictError
from memory.records import Log, Record
from memory.stores.codec import encode

__all__ = ("demand", "expect", "expect_conflict", "expect_log", "expect_records", "only_one")

T = TypeVar("T")

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 300
_short.maxtuple = _short.maxlist = _short.maxdict = _short.maxset = _short.maxfrozenset = 12


def demand(condition: object, message: str) -> None:
    """Fail with a message where a condition does not hold; unlike `assert`, under `-O` as well.

    Raises:
        AssertionError: It does not hold.
    """
    if not condition:
        raise AssertionError(message)


def expect(expected: object, actual: object, what: str) -> None:
    """Fail where two values differ.

    Raises:
        AssertionError: They do.
    """
    demand(
        expected == actual, f"{what}: expected {_short.repr(expected)}, got {_short.repr(actual)}"
    )


def only_one(values: Sequence[T], what: str) -> T:
    """Return the only one of some values.

    Raises:
        AssertionError: There are none, or others.
    """
    demand(len(values) == 1, f"{what}: expected one, got {_short.repr(values)}")
    return values[0]


def expect_records(expected: Sequence[Record], actual: Sequence[Record], what: str) -> None:
    """Fail where records differ, be it in the order of keys: 1 is not 1.0, and not True either.

    Raises:
        AssertionError: They do.
    """
    expect(len(expected), len(actual), f"{what}, the number of records")
    for place, (one, other) in enumerate(zip(expected, actual, strict=True)):
        here = f"{what}, record {place}"
        expect(one, other, here)
        expect(_text(one), _text(other), f"{here}, as JSON")


def expect_log(expected: Sequence[Record], version: int, actual: Log, what: str) -> None:
    """Fail where a log does not hold certain records at a version.

    Raises:
        AssertionError: It does not.
    """
    expect(version, actual.version, f"{what}, the version")
    demand(
        isinstance(actual.records, tuple),
        f"{what}: records are a {type(actual.records).__name__}, not a tuple",
    )
    expect_records(expected, actual.records, what)


def expect_conflict(append: Callable[[], object], *, expected: int, actual: int) -> None:
    """Fail where an append is not refused as one that expected another version.

    Raises:
        AssertionError: It is not, or the error names other versions.
    """
    what = f"an append that expects version {expected} of a log at version {actual}"
    try:
        version = append()
    except ConflictError as error:
        versions = (error.expected, error.actual)
        expect((expected, actual), versions, f"{what}, the versions that the error names")
        return
    msg = f"{what} is not refused with a ConflictError; it returned {version!r}"
    raise AssertionError(msg)


def _text(record: Record) -> Any:
    return encode(record)[1]
