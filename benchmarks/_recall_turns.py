"""Single turns found by the library's own lexical retriever, without a conversation around them.

For each question with an answer and evidence, both as the corpus was published, errors that an
audit found included, all messages of its conversation are searched. Recall@10
is the share of the messages of the evidence among the ten best, mean over the questions. The floor
is what ten messages drawn at random have on average, the ceiling is 100 but for questions with more
than ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import Recording, load
from benchmarks._recall_scores import Wanted, wanted
from memory.identity import chain, see
from memory.messages import role_of
from memory.recall import Passages, Question
from memory.retrievers import LexicalRetriever
from memory.said import searched_text

__all__ = ("LIMIT", "Turns", "turns")

LIMIT: Final = 10
"""Messages that are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What came of one conversation.

    Attributes:
        types: The kind of each question.
        found: The share of its evidence among those found, 0 to 1.
        chance: The share that as many drawn at random have on average.
        most: The share that can be among so many.
    """

    types: Sequence[str]
    found: Sequence[float]
    chance: Sequence[float]
    most: Sequence[float]


def turns(data: Path, corpus: str, *, limit: int | None = None) -> list[Turns]:
    """Search the conversations of a corpus, at most `limit` of them.

    Args:
        data: The directory of the corpora.
        corpus: Which.
        limit: The most conversations; None for all.
    """
    return [_turns(recording) for recording in load(data, corpus, limit=limit)]


def _turns(recording: Recording) -> Turns:
    passages, retriever = _passages(recording.messages), LexicalRetriever()
    found = wanted(recording.probes, recording.ids, audited=False)
    asked = [each for each in found if each.evidence]
    share = min(1.0, LIMIT / len(passages))
    return Turns(
        types=[each.type for each in asked],
        found=[_found(retriever, passages, each) for each in asked],
        chance=[share for _ in asked],
        most=[min(1.0, LIMIT / len(each.evidence)) for each in asked],
    )


def _found(retriever: LexicalRetriever, passages: Passages, asked: Wanted) -> float:
    ranking = retriever.retrieve(Question(text=asked.question), passages, limit=LIMIT)
    best = {found.place for found in ranking[:LIMIT]}
    return len(best & {*asked.evidence}) / len(asked.evidence)


def _passages(messages: Sequence[dict[str, Any]]) -> Passages:
    return Passages(
        messages,
        digests=[each.digest for each in see(messages)],
        links=chain(messages),
        text=searched_text,
        role=role_of,
    )
