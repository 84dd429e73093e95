"""Keys of logs as databases can hold them: of any text, of one length, and never the same twice."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memory.records import LogKey

__all__ = ("key_digest", "owner_digest", "readable", "unreadable")

# What databases cannot hold, and what its escapes begin with, which keep the order of code points.
_UNSTORABLE = re.compile("[\0\x01\ud800-\udfff\ue000]")
_ESCAPE = re.compile("\x01([\x01\x02])|\ue000(?:\x03|\x02([\u0100-\u08ff]))")
SIZE = 20
"""Bytes of a digest: 2^80 keys before two are likely to be the same."""


@lru_cache(maxsize=4_096)
def owner_digest(namespace: str, user: str) -> bytes:
    """Return what stands for a user of a namespace."""
    return _digest(namespace, user)


@lru_cache(maxsize=4_096)
def key_digest(key: LogKey) -> bytes:
    """Return what stands for a log."""
    return _digest(key.namespace, key.user, key.name, key.root)


def readable(text: str) -> str:
    """Return a text as every database can hold it: NUL and half surrogate pairs are escaped.

    Escaped texts sort as the texts do.
    """
    return _UNSTORABLE.sub(_escaped, text)


def unreadable(text: str) -> str:
    """Return the text that `readable` was given."""
    return _ESCAPE.sub(_unescaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character < "\x02":
        return "\x01\x01" if character == "\0" else "\x01\x02"
    return "\ue000\x03" if character == "\ue000" else f"\ue000\x02{chr(ord(character) - 0xD700)}"


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        return "\0" if found[1] == "\x01" else "\x01"
    return chr(ord(found[2]) + 0xD700) if found[2] else "\ue000"


def _digest(*texts: str) -> bytes:
    found = blake2b(digest_size=SIZE)
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        found.update(len(encoded).to_bytes(8, "big"))
        found.update(encoded)
    return found.digest()
