"""Quoting what somebody else wrote, so that it can neither end its quotation nor begin another."""

from __future__ import annotations

import json
import re

__all__ = ("TAGS", "fenced", "quoted")

TAGS = (
    "conversation-notes",
    "conversation",
    "standing-instructions",
    "identifiers",
    "summary",
    "recalled-messages",
)
"""The tags of our own messages; see `memory.notes`, `memory.summary` and `memory.recall`."""

_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""What nobody sees and a model may read over: zero widths, directions, variation selectors."""
_WIDE = 0xFEE0
"""How far full-width letters lie behind those of ASCII."""


def _spelled(tag: str) -> str:
    """Return a pattern of a tag's name: also full-width, with unseen characters, another dash."""
    wide = (f"[{c}{chr(ord(c) + _WIDE)}]" if c.isalpha() else r"[\W_]" for c in tag)
    return f"[{_UNSEEN}]*+".join(wide)


_OPENING = re.compile(
    rf"[<＜﹤](?=[\s/\\／{_UNSEEN}]*+(?:{'|'.join(map(_spelled, TAGS))})(?![^\W_]))",
    re.IGNORECASE,
)
# U+200C and U+200D join and part letters in Persian and in emoji, so they stay.
_CONTROLS = re.compile(
    "[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


def fenced(text: str) -> str:
    """Return quoted text that cannot close or open one of our tags, however they are spelled."""
    return _OPENING.sub("‹", text)


def quoted(text: str) -> str:
    """Return a text on one line, in quotation marks, its own escaped, and fenced.

    What breaks a line, changes its direction or cannot be seen is escaped too.
    """
    return fenced(_CONTROLS.sub(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
