"""What a question does not say, and the messages that answer it first do: their words count too.

"That man of 52, what does he like?" finds "my uncle is 52" and not "my uncle plays chess"; the word
that both messages have leads from one to the other. So a question is asked twice: the second time
with the words that set the best of the first answers apart. This is relevance feedback without a
judge, in the form of Lavrenko and Croft, *Relevance-Based Language Models*, SIGIR 2001, known as
RM3 where it is mixed with the question as here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from memory.analysis import Query, Term
from memory.analysis.terms import plain
from memory.bm25 import DIGITS, telling
from memory.recall.contract import Found, Ranking

__all__ = ("BEST", "expanded", "matched", "mentioned")

BEST = 5
"""How many of the first answers are listened to."""
WORDS = 20
"""How many of their words are added."""
WEIGHT = 0.8
"""How much the first of those counts, against a word of the question."""
KNOWN = 200
"""Different words of the first answers that are looked at."""


def mentioned(query: Query, answers: Sequence[tuple[float, str]]) -> dict[str, float]:
    """Return which words the first answers have that the question has not, and how much of them.

    Args:
        query: The question.
        answers: Score and terms of the messages that answer it best, best first; the terms have
            one space between two.
    """
    best = answers[0][0] if answers else 0.0
    if best <= 0:
        return {}
    asked = {term.text for term in query.terms}
    found: defaultdict[str, float] = defaultdict(float)
    for score, words in answers[:BEST]:
        said = [word for word in words.split(" ") if plain(word)]
        for word in said:
            if word not in asked:
                found[word] += score / best / len(said)
    ordered = sorted(found, key=lambda word: (-found[word], word))
    return {word: found[word] for word in ordered[:KNOWN]}


def expanded(
    query: Query, words: Mapping[str, float], frequencies: Mapping[str, int], documents: int
) -> Query:
    """Return a question with the words of its first answers that tell most.

    A word that is in no other message leads nowhere, and is not added.

    Args:
        query: The question.
        words: What `mentioned` returned.
        frequencies: In how many messages each of these is.
        documents: How many messages there are.
    """
    worth = {
        word: much * telling(documents, frequencies.get(word, 0))
        for word, much in words.items()
        if frequencies.get(word, 0) > 1
    }
    ordered = sorted(worth, key=lambda word: (-worth[word], word))[:WORDS]
    most = worth[ordered[0]] if ordered else 1.0
    added = (Term(word, weight=WEIGHT * worth[word] / most) for word in ordered)
    return Query((*query.terms, *added))


def matched(first: Ranking, second: Ranking, ideal: float, *, limit: int) -> Ranking:
    """Return what was found the second time, with how much of the question itself each message has.

    Args:
        first: What the question found.
        second: What it found with the words of its first answers, best first.
        ideal: The score of a message that holds all of the question; see `memory.bm25.ideal`.
        limit: How many are wanted.
    """
    known = {found.place: found.score / ideal for found in first}
    return tuple(
        Found(place, round(score / ideal, DIGITS), round(known.get(place, 0.0), DIGITS))
        for place, score, _ in second[:limit]
    )
