"""Whether what should hold for the rest of a conversation is still in front of the model.

A conversation of real chats is kept by a manager, and wishes are planted in it one after the other:
some pinned, some as later system messages, some in passing among what a user says. The summariser
is of no use, and is asked all the same: with the defaults it would be left alone for a while. Each
wish has to stand word for word in every view from then on, until the last one planted has been
through `COMPACTIONS` compactions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import load
from benchmarks._measures import count, shown, sizes
from benchmarks._quality_sentences import PLANTED, Kind, Language, Planted
from benchmarks._stubs import stub
from memory.events import Compacted, Event, StandingCapped
from memory.manager import Conversation, MemoryManager

__all__ = ("COMPACTIONS", "Fate", "Held", "hold")

COMPACTIONS: Final = 10
"""How many compactions the last wish has to be through."""
SPREAD: Final = 4.0
"""The wishes are spread over so many budgets' worth of chat."""
_FILLER: Final[Mapping[Language, str]] = {"en": "locomo", "zh": "zh_haystack"}
"""The corpora that the chats are from."""

Message = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Fate:
    """What became of one wish.

    Attributes:
        wish: Which.
        planted: Compactions made before it was said.
        through: Compactions it has been through.
        views: Views since it was said.
        lost: Compactions it had been through in the first view without it; None if it never was.
    """

    wish: Planted
    planted: int
    through: int = 0
    views: int = 0
    lost: int | None = None

    def kept(self, compactions: int) -> bool:
        """Return whether it stood in every view up to so many compactions."""
        return self.lost is None or self.lost > compactions


@dataclass(slots=True, kw_only=True)
class Held:
    """What came of one conversation.

    Attributes:
        language: Its language.
        stub: Who wrote the summaries.
        fates: The wishes, in the order in which they were said.
        compactions: How many there were.
        capped: How many of them left out a wish because there was no room.
        largest: Tokens of the largest view.
    """

    language: Language
    stub: str
    fates: list[Fate] = field(default_factory=list)
    compactions: int = 0
    capped: int = 0
    largest: int = 0

    def of(self, kind: Kind) -> list[Fate]:
        """Return the fates of the wishes of one kind."""
        return [fate for fate in self.fates if fate.wish.kind == kind]


def hold(
    data: Path,
    language: Language,
    options: Mapping[str, Any],
    *,
    stub_name: str,
    every: int = 1,
    compactions: int = COMPACTIONS,
) -> Held:
    """Hold one conversation, and look for every wish in every view.

    Args:
        data: The directory of the corpora.
        language: Of chats and wishes.
        options: The settings of the manager.
        stub_name: Who writes the summaries; see `benchmarks._stubs.stub`.
        every: Only every so-manieth wish of each kind is planted.
        compactions: How many the last wish has to be through.
    """
    held, made = Held(language=language, stub=stub_name), list[Event]()
    manager = MemoryManager(
        summarizer=stub(stub_name),
        tokenizer=count,
        hooks=[made.append],
        summary_pause=0,
        **options,
    )
    conversation = manager.conversation("benchmark")
    wishes = _in_turn(PLANTED[language], every)
    for messages in _turns(data, language, wishes, options["budget"], held):
        conversation.add(messages)
        _pin(conversation, held)
        _compact(conversation)
        held.compactions = sum(isinstance(e, Compacted) and e.paid for e in made)
        _look(conversation.messages(), held)
        if len(held.fates) == len(wishes) and held.fates[-1].through >= compactions:
            break
    held.capped = sum(isinstance(event, StandingCapped) for event in made)
    return held


def _in_turn(wishes: Sequence[Planted], every: int) -> list[Planted]:
    """Return the wishes so that the kinds take turns."""
    kinds = dict.fromkeys(wish.kind for wish in wishes)
    queues = [[wish for wish in wishes if wish.kind == kind][::every] for kind in kinds]
    longest = max(map(len, queues))
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]


def _turns(
    data: Path, language: Language, wishes: Sequence[Planted], budget: int, held: Held
) -> Iterator[list[Message]]:
    """Yield what is said from one request to the next, wishes among it."""
    waiting, gap = list(wishes), SPREAD * budget / len(wishes)
    said, turn = 0.0, list[Message]()
    for message in chain.from_iterable(each.messages for each in load(data, _FILLER[language])):
        turn.append(dict(message))
        said += sum(sizes([message]))
        if message["role"] == "assistant":
            continue
        if waiting and said >= gap:
            said, wish = said - gap, waiting.pop(0)
            held.fates.append(Fate(wish=wish, planted=held.compactions))
            turn = _planted(turn, wish, first=len(waiting) % 2 == 0)
        yield turn
        turn = []


def _planted(turn: Sequence[Message], wish: Planted, *, first: bool) -> list[Message]:
    """Return a turn with a wish in it, before or after what the user says anyway."""
    *before, user = turn
    if wish.kind == "system":
        return [*before, {"role": "system", "content": wish.text}, user]
    if wish.kind == "pinned":
        return [*turn]
    words = (wish.text, user["content"]) if first else (user["content"], wish.text)
    return [*before, {**user, "content": " ".join(words)}]


def _pin(conversation: Conversation, held: Held) -> None:
    """Pin the wish that was planted last, if it is one to be pinned."""
    if held.fates and held.fates[-1].wish.kind == "pinned" and not held.fates[-1].views:
        conversation.pin(held.fates[-1].wish.text)


def _compact(conversation: Conversation) -> None:
    if conversation.plan().plan.action == "compact":
        conversation.compact()


def _look(view: Sequence[Message], held: Held) -> None:
    """Look for every wish in a view."""
    text = shown(view)
    held.largest = max(held.largest, count(text))
    for fate in held.fates:
        fate.through = held.compactions - fate.planted
        fate.views += 1
        if fate.lost is None and not _stands(fate.wish.text, text):
            fate.lost = fate.through


def _stands(wish: str, text: str) -> bool:
    """Tell whether a wish stands in a text word for word, as it is or as JSON quotes it."""
    return wish in text or json.dumps(wish, ensure_ascii=False)[1:-1] in text
