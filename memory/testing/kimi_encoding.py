"""Compressed bodies: whole ones at once, streams flushed after every event."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Literal

__all__ = (
    "Coding",
    "accepts",
    "compressed",
)

Coding = Literal["gzip", "deflate"]
"""A content coding, by its name in headers."""

_WINDOWS: dict[Coding, int] = {"gzip": 31, "deflate": 15}
"""What zlib calls the two formats; `deflate` has the header of zlib, as the standard says."""

_NOT_AT_ALL = re.compile(r"q=0(\.0*)?")


def accepts(header: str, coding: Coding) -> bool:
    """Tell whether an `Accept-Encoding` allows a coding; where there is none, it does not."""
    weights = dict(_weighed(one) for one in header.split(","))
    weight = weights.get(coding, weights.get("*"))
    return weight is not None and not _NOT_AT_ALL.fullmatch(weight)


def compressed(body: bytes | Iterator[bytes], coding: Coding) -> bytes | Iterator[bytes]:
    """Compress a body; of a stream every event can be read as soon as its bytes are there."""
    if isinstance(body, bytes):
        return b"".join(_packed(iter((body,)), coding))
    return _packed(body, coding)


def _packed(chunks: Iterator[bytes], coding: Coding) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=_WINDOWS[coding])
    for chunk in chunks:
        yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _weighed(accepted: str) -> tuple[str, str]:
    name, _, weight = accepted.lower().replace(" ", "").partition(";")
    return name, weight
