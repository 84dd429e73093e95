"""Outcomes in a file, so that a run that was stopped goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

from memory.testing.kimi_count import count_text
from memory.tuning.rehearsal import Outcome

__all__ = ("Kept", "fingerprint")


class Kept:
    """Outcomes by what they came from.

    A line that was only half written when a run was stopped is passed over; so is everything from
    another version of the library, whose sources are part of the key.

    Args:
        path: The file of JSON lines; None to keep nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Outcome] = {}
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8")
        for line in lines.splitlines():
            try:
                row = json.loads(line)
                self._known[row["key"]] = Outcome.read(row["outcome"])
            except (ValueError, KeyError, TypeError):
                continue
        if lines and not lines.endswith("\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")

    def get(self, key: str) -> Outcome | None:
        """Return the outcome of a key, if it is known."""
        return self._known.get(key)

    def put(self, key: str, outcome: Outcome) -> None:
        """Remember an outcome, at once and for the next run."""
        self._known[key] = outcome
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "outcome": outcome.row()}) + "\n")


def fingerprint(value: Any) -> str:
    """Return a text that stands for a JSON value and for the sources of the library."""
    found = blake2b(digest_size=16)
    found.update(_sources())
    found.update(json.dumps(value, sort_keys=True, default=_plain).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else repr(value)


@cache
def _sources() -> bytes:
    """Return a digest of what an outcome follows from besides its input."""
    found = blake2b(digest_size=16)
    root = Path(str(files("memory")))
    found.update(str(count_text("κόσμε " * 9)).encode())  # exact, or an estimate
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] != "cli":
            found.update(path.read_bytes())
    return found.digest()
