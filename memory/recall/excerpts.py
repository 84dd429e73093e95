"""What of a long message is shown: the sentences around those that answer a question best."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from memory.analysis import Term, terms_of
from memory.cache import GenerationCache

__all__ = ("ELLIPSIS", "excerpt", "weights_of")

ELLIPSIS = "…"
"""Stands where a message goes on before or after what is shown of it."""
READ = 60_000
"""Characters of a message that sentences are looked for in."""
_SENTENCE = re.compile(r"[^\n.!?。！？；;]*(?:[\n.!?。！？；;]+[\"'”’）)\]]*\s*|$)")
_LONGEST = 400
"""Characters of a sentence; a longer run, as of JSON, is cut into such pieces."""

Count = Callable[[str], float]
"""Text -> tokens."""


def weights_of(terms: Sequence[Term], texts: Sequence[str]) -> dict[str, float]:
    """Return how much each term of a question tells among some texts: 1 for one that is in none.

    Args:
        terms: The terms.
        texts: What was found.
    """
    held = [_parted(text).terms for text in texts]
    return {
        term.text: term.weight / (1 + sum(term.held(words) for words in held)) for term in terms
    }


def excerpt(text: str, *, weights: Mapping[str, float], room: float, count: Count) -> str:
    """Return a text, or the run of its sentences that says most, with `…` where it goes on.

    Args:
        text: What a message says.
        weights: How much each term counts.
        room: Tokens that the excerpt may have; it is never empty, so that one long sentence may
            have more.
        count: Counts tokens.
    """
    if count(text) <= room:
        return text
    pieces, held, _ = _parted(text)
    costs = [count(piece) for piece in pieces]
    values = [sum(weights[term] for term in each if term in weights) for each in held]
    start, stop = _window(values, costs, room)
    chosen = "".join(pieces[start:stop]).strip()
    before = f"{ELLIPSIS} " if start else ""
    after = f" {ELLIPSIS}" if stop < len(pieces) or len(text) > READ else ""
    return f"{before}{chosen}{after}"


class _Parted(NamedTuple):
    """A text in sentences, and which terms each has."""

    pieces: Sequence[str]
    held: Sequence[frozenset[str]]
    terms: frozenset[str]


_read: GenerationCache[_Parted] = GenerationCache(entries=4_000, weight=8_000_000)
"""What was looked at last, by the text; in characters."""


def _parted(text: str) -> _Parted:
    known = _read.get(text)
    if known is not None:
        return known
    pieces = _pieces(text[:READ])
    held = [frozenset(terms_of(piece)) for piece in pieces]
    parted = _Parted(pieces, held, frozenset().union(*held))
    return _read.put(text, parted, weight=len(text))


def _pieces(text: str) -> list[str]:
    """Return the sentences of a text, white space included, so that joined they are the text."""
    return [
        sentence[place : place + _LONGEST]
        for sentence in _SENTENCE.findall(text)
        for place in range(0, len(sentence), _LONGEST)
        if sentence
    ] or [text]


def _window(values: Sequence[float], costs: Sequence[float], room: float) -> tuple[int, int]:
    """Return the run with the highest value that has room; of equal ones the first, cut short.

    What stands beside a run and costs nothing in value is taken in as long as there is room: what
    comes before a sentence tells what it is about.
    """
    totals, prices = [0.0, *accumulate(values)], [0.0, *accumulate(costs)]
    best, at, start = -1.0, (0, 1), 0
    for stop in range(1, len(prices)):
        while start < stop - 1 and prices[stop] - prices[start] > room:
            start += 1
        if (value := totals[stop] - totals[start]) > best:
            best, at = value, (start, stop)
    first, last = at
    while first and prices[last] - prices[first - 1] <= room:
        first -= 1
    while last < len(costs) and prices[last + 1] - prices[first] <= room:
        last += 1
    return first, last
