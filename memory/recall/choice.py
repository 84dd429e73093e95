"""Which passages are shown, given what retrievers found and what there is room for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from memory.recall.contract import Found, Ranking

__all__ = ("Choice", "candidates", "chosen", "relevance")

BESIDE = 0.2
"""How much of the score of a message its neighbours have: what comes before and after it tells
what it is about, where there is room."""
MOST = 4.0
"""How many times better than what is shown already something can be at most, for its relevance."""
FULL = 80
"""Messages that one retriever is asked for."""
TOLD = 0.2
"""How relevant anything is to a message that asks nothing, against one that does."""


def relevance(
    rankings: Iterable[Ranking], *, hidden: Callable[[int], bool], asks: bool = True
) -> float:
    """Return how much better than what is still shown the best of what is not answers a question.

    For each retriever it is how many times more of the question its best message holds that is not
    shown than its best that is, `MOST` at most, times the square root of how much of it that is:
    0 where nothing was found, 1 where a message that is not shown holds all of the question, and so
    does one that is. The largest counts.

    Args:
        rankings: What each retriever found, best first.
        hidden: Whether a message is not shown, by its place.
        asks: Whether the last message asks something; else it counts a fifth.
    """
    best = max((_relevance(each, hidden) for each in rankings), default=0.0)
    return best * (1.0 if asks else TOLD)


def _relevance(ranking: Ranking, hidden: Callable[[int], bool]) -> float:
    best = max((found.matched for found in ranking if hidden(found.place)), default=0.0)
    # By words, what is not among the best has next to none of the question; vectors are all alike.
    by_words = any(found.match is not None for found in ranking)
    last = ranking[-1].matched if len(ranking) >= FULL and not by_words else 0.0
    shown = max((found.matched for found in ranking if not hidden(found.place)), default=last)
    if best <= 0:
        return 0.0
    return math.sqrt(best) * min(MOST, best / shown if shown > 0 else MOST)


def candidates(ranking: Ranking, *, hidden: Callable[[int], bool], size: int) -> list[Found]:
    """Return what may be shown, best first: what was found, and its neighbours for less.

    Args:
        ranking: What was found, all retrievers together.
        hidden: Whether a message is not shown, by its place.
        size: How many messages there are.
    """
    scores: dict[int, float] = {}
    for found in ranking:
        scores[found.place] = max(found.score, scores.get(found.place, 0.0))
        for place in (found.place - 1, found.place + 1):
            if 0 <= place < size:
                scores[place] = max(BESIDE * found.score, scores.get(place, 0.0))
    able = [Found(place, score) for place, score in scores.items() if hidden(place)]
    return sorted(able, key=lambda found: (-found.score, -found.place))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One passage that is shown.

    Attributes:
        place: Which message, counted from 0 without the head.
        score: How well it answers, in the eyes of all retrievers together.
        tokens: What it costs.
        text: What is shown of it.
    """

    place: int
    score: float
    tokens: int
    text: str


def chosen(
    found: Sequence[Found],
    *,
    room: float,
    text: Callable[[int], str],
    cost: Callable[[int, str], float],
    known: Collection[str] = (),
) -> list[Choice]:
    """Return as many passages as there is room for, best first; none twice.

    Args:
        found: What may be shown, best first.
        room: Tokens.
        text: What would be shown of a message, by its place; empty for nothing.
        cost: What a line with that costs, in tokens, by place and text.
        known: Texts that are shown already.
    """
    taken: dict[str, Choice] = {}
    for place, score, _ in found:
        said = text(place)
        if not said or said in taken or said in known:
            continue
        tokens = cost(place, said)
        if tokens <= room:
            room -= tokens
            taken[said] = Choice(place=place, score=score, tokens=round(tokens), text=said)
        if room <= 0:
            break
    return list(taken.values())
