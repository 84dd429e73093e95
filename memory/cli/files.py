"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from memory.cli.output import CommandError

__all__ = ("written",)


@contextmanager
def written(path: Path, *, force: bool) -> Generator[BinaryIO, None, None]:
    """Yield a file that stands under `path` once all is written, for its owner only.

    Args:
        path: Where.
        force: Whether it may take the place of another one.

    Raises:
        CommandError: There is one already.
        OSError: It cannot be written.
    """
    if not force and os.path.lexists(path):
        raise _taken(path)
    handle, name = tempfile.mkstemp(prefix=".kimi-memory-", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put(beside, path, force=force)
    finally:
        beside.unlink(missing_ok=True)


def _put(beside: Path, path: Path, *, force: bool) -> None:
    if force:
        beside.replace(path)
        return
    try:
        path.hardlink_to(beside)  # unlike a rename, this never takes the place of another file
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise _taken(path) from None
        beside.replace(path)


def _taken(path: Path) -> CommandError:
    return CommandError(f"{path} is there already: --force replaces it")
