"""Whether what a benchmark printed is what `benchmarks._report.Report` writes, and may be public.

The schema is small and fixed, so it stands here as types by key; every problem is a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

from benchmarks._report import SCHEMA, Check, Op

__all__ = ("private", "problems")

Kinds = type | tuple[type, ...]

_NUMBER: Final = (int, float, NoneType)
_REPORT: Final[Mapping[str, Kinds]] = {
    "schema": int,
    "benchmark": str,
    "date": str,
    "quick": bool,
    "seed": (int, NoneType),
    "revision": (dict, NoneType),
    "environment": dict,
    "settings": dict,
    "figures": list,
    "rows": dict,
    "checks": list,
}
_FIGURE: Final[Mapping[str, Kinds]] = {
    "name": str,
    "value": _NUMBER,
    "unit": str,
    "low": _NUMBER,
    "high": _NUMBER,
    "floor": _NUMBER,
    "ceiling": _NUMBER,
}
_CHECK: Final[Mapping[str, Kinds]] = {
    "name": str,
    "value": _NUMBER,
    "op": str,
    "bound": (int, float),
    "holds": bool,
}
_REVISION: Final[Mapping[str, Kinds]] = {"commit": str, "dirty": bool}
_ENVIRONMENT: Final[Mapping[str, Kinds]] = {
    "python": str,
    "implementation": str,
    "platform": str,
    "architecture": str,
    "processors": (int, NoneType),
    "packages": dict,
}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_RESERVED: Final = re.compile(r"[|@<>\n]|--")
"""What a figure's name may not hold, because a marker in a page could not quote it."""
_PATH: Final = re.compile(
    r"(?<![\w.~:/-])/(?:home|root|tmp|var|opt|usr|work|mnt|srv|private|Users|Volumes)/[\w.-]"
    r"|\b[A-Za-z]:\\\\?\w|\bfile://"
)
"""A path of a machine, as far as such things look alike."""


def problems(report: object) -> list[str]:
    """Return what is wrong with a report as read from JSON; empty if it is one."""
    if not isinstance(report, dict):
        return ["it is not an object"]
    if found := list(_shape("the report", report, _REPORT)):
        return found
    return [
        *_header(report),
        *_listed("figure", report["figures"], _FIGURE),
        *_figures(report["figures"]),
        *_listed("check", report["checks"], _CHECK),
        *_checks(report["checks"]),
        *_rows(report["rows"]),
        *(f"it names a place on a machine: {text}" for text in private(report)),
    ]


def private(value: object) -> Iterator[str]:
    """Yield the texts in a report that hold a path of the machine it was made on."""
    home, here = str(Path.home()), str(Path.cwd())
    places = [place for place in (home, here) if len(Path(place).parts) > 1]
    for text in _texts(value):
        if _PATH.search(text) or any(re.search(rf"{re.escape(p)}(?!\w)", text) for p in places):
            yield text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)


def _shape(what: str, found: Mapping[str, Any], wanted: Mapping[str, Kinds]) -> Iterator[str]:
    """Yield which keys are missing, which nobody knows, and which hold something else."""
    yield from (f"{what} has no {key!r}" for key in wanted if key not in found)
    yield from (f"{what} has {key!r}, which nobody knows" for key in found if key not in wanted)
    for key, kinds in wanted.items():
        if key in found and not _is(found[key], kinds):
            yield f"{key!r} of {what} is {found[key]!r}"


def _is(value: object, kinds: Kinds) -> bool:
    """Tell whether a value is of some type; to Python a truth value is a number too."""
    if isinstance(value, bool):
        return kinds is bool
    if isinstance(value, float) and not isfinite(value):
        return False
    return isinstance(value, kinds)


def _header(report: Mapping[str, Any]) -> Iterator[str]:
    if report["schema"] != SCHEMA:
        yield f"its schema is {report['schema']}, not {SCHEMA}"
    if not _DATE.fullmatch(report["date"]):
        yield f"its date is no time in UTC: {report['date']}"
    yield from _shape("the environment", report["environment"], _ENVIRONMENT)
    revision = report["revision"]
    if revision is not None:
        wrong = list(_shape("the revision", revision, _REVISION))
        yield from wrong
        if not wrong and not _COMMIT.fullmatch(revision["commit"]):
            yield f"its revision is no commit: {revision['commit']}"


def _listed(what: str, found: Sequence[Any], wanted: Mapping[str, Kinds]) -> Iterator[str]:
    """Yield what is wrong with a list of objects that have names."""
    names = list[object]()
    for number, each in enumerate(found, start=1):
        if isinstance(each, dict):
            yield from _shape(f"{what} {number}", each, wanted)
            names.append(each.get("name"))
        else:
            yield f"{what} {number} is not an object"
    twice = {name for name in names if names.count(name) > 1}
    yield from (f"there are two of {what} {name!r}" for name in sorted(map(str, twice)))


def _figures(found: Sequence[Any]) -> Iterator[str]:
    for each in found:
        name = each.get("name") if isinstance(each, dict) else None
        if isinstance(name, str) and (_RESERVED.search(name) or name != name.strip()):
            yield f"no page could quote figure {name!r}"


def _checks(found: Sequence[Any]) -> Iterator[str]:
    """Yield the checks whose result does not follow from their own figures."""
    for each in found:
        if not isinstance(each, dict) or list(_shape("", each, _CHECK)):
            continue
        if each["op"] not in get_args(Op):
            yield f"check {each['name']!r} compares by {each['op']!r}"
            continue
        again = Check(**{key: each[key] for key in ("name", "value", "op", "bound")})
        if again.holds is not each["holds"]:
            yield f"check {each['name']!r} says that it holds: {each['holds']}"


def _rows(found: Mapping[str, Any]) -> Iterator[str]:
    for heading, rows in found.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            yield f"rows {heading!r} are no list of objects"
