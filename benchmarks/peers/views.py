"""What a view still has of a conversation: words of answers, and what tools are called with.

Beside every view stand the latest messages of the same size, the floor, and the whole
conversation, the ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from benchmarks._measures import (
    answer_recall,
    answer_recall_in_text,
    content,
    probes,
    readable,
    shown,
    values,
)
from benchmarks.peers.talks import Talk
from memory.messages import WireMessage, head_length
from memory.meter import Meter
from memory.replay import Step
from memory.vocabulary import resolve

__all__ = ("METHODS", "READINGS", "Judge")

METHODS = ("view", "last n", "full")
"""The view itself, its floor and its ceiling."""
READINGS = ("parts", "words")
"""A word of an answer is found as a part of a longer one as well, or only as a word."""

Scores = dict[str, list[float]]
"""By method and reading the recall of each probe, 0 to 1."""


class Judge:
    """Judges the views of one conversation.

    Args:
        talk: The conversation.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._messages = talk.recording.messages
        self._head = head_length(self._messages)
        self._costs = list(Meter(resolve()).count(self._messages))

    @cached_property
    def _texts(self) -> list[str]:
        return [readable([message]) for message in self._messages]

    def recall(self, view: Sequence[WireMessage] | None, stop: int, tokens: int) -> Scores:
        """Return the recall of the probes whose evidence has been said.

        Args:
            view: What was sent; None where nothing was.
            stop: How many messages had been said.
            tokens: What the view costs.
        """
        said = set(self._talk.recording.ids[:stop])
        asked = probes(p for p in self._talk.probes if said >= {*map(str, p["evidence"])})
        start = self._tail(stop, tokens)
        head = self._messages[: self._head]
        texts = {
            "view": shown(view or ()),
            "last n": shown([*head, *self._messages[start:stop]]),
            "full": shown(self._messages[:stop]),
        }
        found: Scores = {}
        for method, text in texts.items():
            found[f"{method}, parts"] = answer_recall_in_text(asked, text)
            found[f"{method}, words"] = answer_recall(asked, content(text))
        return found

    def references(self, view: Sequence[WireMessage] | None, step: Step, tokens: int) -> Scores:
        """Return for each value that the next calls pass and that was said whether it is there.

        Args:
            view: What was sent; None where nothing was.
            step: The request, with the calls that followed.
            tokens: What the view costs.
        """
        wanted = list(values(step.reply or {}))
        found: Scores = {method: [] for method in METHODS}
        if not wanted:
            return found
        stop = len(step.messages)
        history, sent = "\n".join(self._texts[:stop]), readable(view or ())
        start = self._tail(stop, tokens)
        latest = "\n".join([*self._texts[: self._head], *self._texts[start:stop]])
        for value in (value for value in wanted if value in history):
            for method, text in zip(METHODS, (sent, latest, history), strict=True):
                found[method].append(float(value in text))
        return found

    def _tail(self, stop: int, tokens: int) -> int:
        """Return where the longest tail begins that fits beside the head."""
        left = tokens - sum(self._costs[: self._head])
        start = stop
        while start > self._head and self._costs[start - 1] <= left:
            start -= 1
            left -= self._costs[start]
        return start
