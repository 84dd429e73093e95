"""Several rankings made one, by places and not by scores.

Reciprocal rank fusion: Cormack, Clarke and Büttcher, *Reciprocal Rank Fusion outperforms Condorcet
and individual Rank Learning Methods*, SIGIR 2009. Scores of two retrievers cannot be compared; that
something is the second of one and the third of another can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import fsum

from memory.recall.contract import Found, Ranking

__all__ = ("fuse",)


def fuse(rankings: Iterable[Ranking], *, k: float = 60) -> Ranking:
    """Return one ranking of all that several found, best first.

    What stands at rank r of a ranking, counted from 1, gets 1 / (k + r) for it; its new score is
    the sum. One ranking keeps its order. Of equal sums the one with the better best rank comes
    first, then the higher place, which is the newer message. The order of the rankings is of no
    account.

    Args:
        rankings: What each retriever found, best first, each message at most once.
        k: How little the first ranks differ, over -1; 60 is what the authors found good.

    Raises:
        ValueError: `k` is -1 or less.
    """
    if not k > -1:
        msg = f"k has to be over -1, not {k}"
        raise ValueError(msg)
    ranks: defaultdict[int, list[int]] = defaultdict(list)
    for ranking in rankings:
        for rank, found in enumerate(ranking, 1):
            ranks[found.place].append(rank)
    # `fsum` is exact, so no order of the rankings makes another sum.
    scores = {place: fsum(1 / (k + rank) for rank in held) for place, held in ranks.items()}
    order = sorted(scores, key=lambda place: (-scores[place], min(ranks[place]), -place))
    return tuple(Found(place, scores[place]) for place in order)
