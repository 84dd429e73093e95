"""How well a text answers a question in words: BM25, and which texts are worth the arithmetic.

The formula is that of Robertson and Zaragoza, *The Probabilistic Relevance Framework: BM25 and
Beyond* (2009), with the inverse document frequency that is never negative, ln(1 + (N - n + 0.5) /
(n + 0.5)). Terms of a question count as much as their own weight says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

__all__ = (
    "CANDIDATES",
    "DIGITS",
    "K1",
    "damping",
    "gain",
    "ideal",
    "rarest",
    "score",
    "telling",
)

K1 = 1.2
"""How much it counts that a term comes again."""
_B = 0.75
"""How much the length of a text counts."""
DIGITS = 6
"""Digits of a score: logarithms may differ in the last bit between machines."""
CANDIDATES = 1_000
"""Texts that are ranked for one question, so that no question takes longer than that."""

T = TypeVar("T")


def telling(documents: int, held: int) -> float:
    """Return how much it tells that one of `documents` texts holds a term that `held` of them do.

    More may hold it than there are: counts of two moments need not fit.
    """
    return math.log(1 + (max(documents, held) - held + 0.5) / (held + 0.5))


def damping(length: int, average: float) -> float:
    """Return what damps the terms of a text.

    Args:
        length: How many terms the text has.
        average: How many terms a text has on average; 0 where there are none.
    """
    return K1 * (1 - _B + _B * length / (average or 1.0))


def gain(weight: float, times: int, damped: float) -> float:
    """Return what a term adds to the score of a text.

    Args:
        weight: How much the term counts, times how much it tells.
        times: How often it is in the text.
        damped: The `damping` of the text.
    """
    return weight * times * (K1 + 1) / (times + damped)


def score(held: Iterable[tuple[float, int]], damped: float) -> float:
    """Return the score of a text.

    Args:
        held: The weight of each term of the question and how often it is in the text.
        damped: The `damping` of the text.
    """
    # `fsum` is exact: a sum of floats depends on their order, and on the version of Python.
    return round(math.fsum(gain(weight, times, damped) for weight, times in held), DIGITS)


def ideal(terms: Iterable[tuple[float, float]]) -> float:
    """Return the score of a text that holds all of a question, endlessly often; never 0.

    Terms that weigh less than half of the heaviest do not count: what stands around a question need
    not be in its answer.

    Args:
        terms: The weight of each term, and how much it tells.
    """
    known = [*terms]
    most = max((weight for weight, _ in known), default=0.0)
    return (K1 + 1) * sum(weight * tells for weight, tells in known if weight * 2 >= most) or 1.0


def rarest(terms: Sequence[T], frequencies: Mapping[T, int]) -> tuple[T, ...]:
    """Return as many terms, rarest first, as cannot be in more texts than `CANDIDATES`.

    At least one is returned, though more texts may hold it: its newest ones are ranked then.
    Of terms that equally many texts hold, the one that was asked for first comes first.

    Args:
        terms: Terms that some text holds.
        frequencies: In how many texts each is.
    """
    found: list[T] = []
    room = CANDIDATES
    for term in sorted(terms, key=frequencies.__getitem__):
        room -= frequencies[term]
        if found and room < 0:
            break
        found.append(term)
    return tuple(found)
