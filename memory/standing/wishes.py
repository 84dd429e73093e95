"""Which sentences of a user's message are to hold from now on, and which take that back.

Marker rules for English and Chinese; see `english` and `chinese`. A sentence of a
third language is never one. Time is linear in the text: the rules read one sentence at a time, of
at most 400 characters.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from memory.standing import chinese, english
from memory.standing.said import Sentence, sentences

__all__ = ("Wish", "instructions", "retracts", "wishes")

_SHORTEST: Final = 4  # characters
_LONGEST: Final = 400  # characters; what is longer tells a story
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


class Wish(NamedTuple):
    """A sentence that asks for something from now on, or takes such a wish back, or both."""

    text: str
    plain: str
    """The text without what is quoted; see `Sentence.plain`."""
    holds: bool
    """Whether it is an instruction."""
    ends: str
    """How it takes a wish back: "cancels", "allows", "stops", or empty where it does not."""


def wishes(text: str) -> list[Wish]:
    """Return the sentences of a user's message that are wishes or take wishes back, in order."""
    said = (each for each in sentences(text) if _SHORTEST <= len(each.text) <= _LONGEST)
    read = map(_read, said)
    return [wish for wish in read if wish.holds or wish.ends]


def instructions(text: str) -> list[str]:
    """Return the sentences of a user's message that are to hold from now on, in order.

    Verbatim but for white space. Left out are questions, what is told of others or of the past,
    what is quoted or pasted, and orders for the moment.
    """
    return [wish.text for wish in wishes(text) if wish.holds]


def retracts(text: str) -> list[str]:
    """Return the sentences of a user's message that take a standing wish back, in order.

    An order to stop something counts: what it ends is decided where both are compared.
    """
    return [wish.text for wish in wishes(text) if wish.ends]


def _read(sentence: Sentence) -> Wish:
    rules = chinese if _CHINESE.search(sentence.plain) else english
    holds, ends = rules.directs(sentence.plain), rules.takes_back(sentence.plain)
    return Wish(sentence.text, sentence.plain, holds, ends)
