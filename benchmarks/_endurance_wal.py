"""The write-ahead log of a SQLite file from outside: whether a transaction broke off in it.

See https://www.sqlite.org/fileformat2.html#the_write_ahead_log for what is read here.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from benchmarks._endurance_places import Place

__all__ = ("file_of", "is_torn")

HEADER: Final = struct.Struct(">4I8s2I")
FRAME: Final = struct.Struct(">2I8s2I")


def file_of(place: Place) -> Path | None:
    """Return the file of a place, or None where it is no file."""
    _, mark, path = place.url.partition("sqlite:///")
    return Path(path) if mark else None


def is_torn(file: Path) -> bool:
    """Return whether the log of a file ends within a transaction, which never happened then."""
    try:
        log = Path(f"{file}-wal").read_bytes()
    except FileNotFoundError:
        return False
    if len(log) < HEADER.size:
        return bool(log)
    _, _, page, _, salt, _, _ = HEADER.unpack_from(log)
    committed, place = True, HEADER.size
    while place + FRAME.size <= len(log):
        _, size, mine, _, _ = FRAME.unpack_from(log, place)
        if mine != salt:  # from before the log was begun anew
            break
        committed = bool(size)
        place += FRAME.size + page
    return not committed or place > len(log)
