"""What later turns of a conversation ask for or refer to, and how much of it a prompt still has.

With questions (`probes`) that come with a conversation, it is the content words of their answers,
asked of every few prompts once all the evidence has been said. Without, it is what the recorded
conversation itself refers to: the values that its tool calls pass, and the rare words that its
replies take from messages before the last exchange.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from memory.messages import WireMessage, role_of, text_of
from memory.recording import Step, steps
from memory.tuning.recall import (
    answer_recall_in_text,
    content,
    probes,
    readable,
    shown,
    values,
)

__all__ = ("Questions", "Recalled", "References", "asked_of", "wanted")

RARE: Final = 3
"""A word that stands in more messages than so many is not taken for a reference."""
STRIDE: Final = 5
"""Requests from one prompt that is asked to the next."""
_WRONG: Final = "audit:"
_CITATION: Final = "audit:WRONG_CITATION"
"""Says that the evidence is wrong, and not the answer."""

Conversation = Mapping[str, Any]


class Recalled(Protocol):
    """Asks the prompts of one conversation, one after the other."""

    def ask(self, step: Step, prompt: Sequence[WireMessage]) -> Sequence[float]:
        """Return the share, 0 to 1, of each thing wanted here that the prompt has.

        Args:
            step: The request, with the whole history and what was replied.
            prompt: What was sent for it; empty where nothing could be.
        """


class References:
    """What calls and replies take from the history.

    Args:
        conversation: One made by `memory.replay.join`.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._messages: Sequence[WireMessage] = conversation["messages"]
        self._readable: list[str] = []
        self._places = defaultdict[str, list[int]](list)

    def ask(self, step: Step, prompt: Sequence[WireMessage]) -> list[float]:
        """Return 1.0 or 0.0 for each value and each rare word that the reply takes up."""
        stop = len(step.messages)
        self._read(stop)
        if step.reply is None:
            return []
        history = "\n".join(self._readable)
        passed = [value for value in values(step.reply) if value in history]
        words = self._rare(content(text_of(step.reply)), stop)
        if not passed and not words:
            return []
        sent = readable(prompt)
        known = content(sent) if words else frozenset[str]()
        return [
            *(float(value in sent) for value in passed),
            *(float(word in known) for word in words),
        ]

    def _read(self, stop: int) -> None:
        for place in range(len(self._readable), stop):
            message = self._messages[place]
            self._readable.append(readable([message]))
            for word in content(shown([message])):
                self._places[word].append(place)

    def _rare(self, words: frozenset[str], stop: int) -> list[str]:
        """Return those of some words that only few messages have, none since the last reply."""
        fresh = stop
        while fresh and role_of(self._messages[fresh - 1]) != "assistant":
            fresh -= 1
        found = {word: self._places.get(word, []) for word in words}
        return sorted(
            word
            for word, places in found.items()
            if 0 < len(places) <= RARE and places[-1] < fresh - 1
        )


class Questions:
    """What is asked afterwards, as the file with the conversation says.

    Args:
        conversation: One made by `memory.replay.join`, with `probes` and `ids`.
    """

    def __init__(self, conversation: Conversation) -> None:
        right = [each for each in conversation.get("probes") or () if not _is_wrong(each)]
        self._probes = probes(right)
        self._places = {each: place for place, each in enumerate(conversation.get("ids") or ())}
        self._requests = 0
        self._last = sum(1 for _ in steps(conversation))

    def ask(self, step: Step, prompt: Sequence[WireMessage]) -> list[float]:
        """Return the share of each answer's words, for questions whose evidence has been said.

        Where nobody knows when that was, the last prompt alone is asked.
        """
        self._requests += 1
        if self._requests % STRIDE and self._requests != self._last:
            return []
        stop, never = len(step.messages), len(self._places) + 1
        asked = [
            probe
            for probe in self._probes
            if self._requests == self._last
            or (probe.evidence and max(self._places.get(e, never) for e in probe.evidence) < stop)
        ]
        return answer_recall_in_text(asked, shown(prompt))


def asked_of(conversations: Sequence[Conversation]) -> str:
    """Return in words what recall is measured of."""
    if _with_probes(conversations):
        return "the answers to the questions that come with the conversations"
    return "what later replies and tool calls take from the history"


def wanted(
    conversation: Conversation, conversations: Sequence[Conversation] | None = None
) -> Recalled:
    """Return what to ask of the prompts of a conversation.

    Args:
        conversation: The conversation.
        conversations: All that are measured together; None for this one alone. Where one of them
            has questions, those are what counts.
    """
    if _with_probes([conversation] if conversations is None else conversations):
        return Questions(conversation)
    return References(conversation)


def _with_probes(conversations: Sequence[Conversation]) -> bool:
    return any(each.get("probes") for each in conversations)


def _is_wrong(probe: Mapping[str, Any]) -> bool:
    """Return whether an audit of the corpus found that the answer itself is wrong."""
    flags = probe.get("flags") or ()
    return any(flag.startswith(_WRONG) and flag != _CITATION for flag in flags)
