"""Recorded conversations through a manager with recall, and what is asked at their end.

The conversation goes through `MemoryManager.fit` request by request. Then each question is appended
as the last user message and fitted, with nothing put on record, so that no question influences the
next; what is sent for it, without the question itself, is what counts. Beside it stand:

- `last n`: nothing but the latest messages, as many as the budget has room for; the floor of a
  memory.
- `random turns`: messages drawn at random, of which each is taken that the budget has room for.
- `random snippets`: what is sent, with messages drawn at random in the place of those recalled, in
  as many tokens; the floor of recall. Of a long one the beginning is shown, of the size of the
  product's excerpts.
- `full`: all messages; the ceiling.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks._corpora import Recording, load, session_summaries
from benchmarks._measures import count, shown
from benchmarks._recall_scores import Places, Reading, Showing, Wanted, passages, score, wanted
from benchmarks._stubs import Extractive, Recorded, Stub
from memory.events import Compacted, Event, Failed
from memory.flow.originals import EXCERPT
from memory.manager import MemoryManager
from memory.messages import role_of
from memory.recall import is_snippet

__all__ = ("CORPORA", "METHODS", "Asked", "Corpus", "Method", "Talk", "talk")

Message = Mapping[str, Any]
Method = Literal["sent", "last n", "random turns", "random snippets", "full"]
METHODS: Final[tuple[Method, ...]] = ("sent", "last n", "random turns", "random snippets", "full")
FRAME: Final = 12
"""Tokens of a line of a snippet message besides the text: number, role, quotation marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """How one corpus is measured.

    Attributes:
        name: Of its file.
        budget: Tokens a prompt may have.
        readings: How its probes are scored; by the first it is judged.
        recorded: Whether the summaries are those that a model once wrote of its sessions; else the
            product's own extractor writes them.
    """

    name: str
    budget: int
    readings: tuple[Reading, ...]
    recorded: bool = False


CORPORA: Final[Mapping[str, Corpus]] = {
    each.name: each
    for each in (
        Corpus(
            name="locomo",
            budget=6_000,
            readings=("parts", "words", "evidence", "whole", "verbatim"),
            recorded=True,
        ),
        Corpus(
            name="beam_100k",
            budget=16_000,
            readings=("evidence", "whole", "verbatim", "nuggets"),
        ),
        Corpus(name="zh_haystack", budget=2_000, readings=("evidence", "whole", "verbatim")),
        Corpus(name="bfcl_memory", budget=6_000, readings=("exact", "apart", "evidence")),
    )
}
"""What recall is measured on, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of one question.

    Attributes:
        qid: Which.
        type: Its kind.
        scores: By method and reading, the share from 0 to 1.
        tokens: Tokens of what was sent, the question included.
        recalled: Tokens of the snippet message in it; 0 without one.
        passages: How many messages that shows.
        compacted: Whether the question made the conversation be compacted once more.
    """

    qid: str
    type: str
    scores: Mapping[Method, Mapping[Reading, float]]
    tokens: int
    recalled: int
    passages: int
    compacted: bool


@dataclass(slots=True, kw_only=True)
class Talk:
    """What came of one conversation.

    Attributes:
        id: Which.
        asked: Each question.
        history: Tokens of the whole conversation.
        largest: Tokens of the largest prompt, on the way and with a question.
        snippets: How many requests on the way had a snippet message.
        requests: How many there were.
        compactions: How often it was compacted on the way.
        as_real: Whether the last question, asked again and put on record, was sent as before.
        failed: Searches and everything else that failed and was left out.
    """

    id: str
    asked: list[Asked] = field(default_factory=list)
    history: int = 0
    largest: int = 0
    snippets: int = 0
    requests: int = 0
    compactions: int = 0
    as_real: bool = True
    failed: int = 0


def talk(
    data: Path,
    corpus: Corpus,
    index: int,
    options: Mapping[str, Any],
    *,
    limit: int | None = None,
    methods: Sequence[Method] = METHODS,
) -> Talk:
    """Have one conversation and ask its questions.

    Args:
        data: The directory of the corpora.
        corpus: Which corpus, and how it is measured.
        index: Which conversation.
        options: The settings of the manager, besides budget and summariser.
        limit: The most messages of it; None for all.
        methods: What is scored.
    """
    recording = _cut(load(data, corpus.name, limit=index + 1)[index], limit)
    events = list[Event]()
    manager = MemoryManager(
        summarizer=_writer(data, corpus, recording),
        tokenizer=count,
        hooks=[events.append],
        **{"budget": corpus.budget, **options},
    )
    with manager:
        return _Interview(recording, corpus, manager, events, methods).run()


def _writer(data: Path, corpus: Corpus, recording: Recording) -> Stub:
    if not corpus.recorded:
        return Extractive()
    known = session_summaries(data)[recording.id]
    return Recorded(recording, [each for each in known if each.last in recording.ids])


def _cut(recording: Recording, limit: int | None) -> Recording:
    if limit is None:
        return recording
    ids = recording.ids[:limit]
    asked = [each for each in recording.probes if {*map(str, each["evidence"])} <= {*ids}]
    return replace(recording, messages=recording.messages[:limit], ids=ids, probes=asked)


class _Interview:
    """One conversation, the manager it goes through, and what it is asked."""

    def __init__(
        self,
        recording: Recording,
        corpus: Corpus,
        manager: MemoryManager,
        events: list[Event],
        methods: Sequence[Method],
    ) -> None:
        self._messages = recording.messages
        self._wanted = wanted(recording.probes, recording.ids)
        self._corpus, self._manager, self._events = corpus, manager, events
        self._methods = methods
        self._places = Places(recording.messages)
        costs = manager.count(recording.messages)
        self._costs = [*costs]
        self._found = Talk(id=recording.id, history=costs.total)
        everything = frozenset(range(len(self._messages)))
        self._full = Showing(text=shown(self._messages), verbatim=everything)

    def run(self) -> Talk:
        """Send request by request, then ask."""
        found = self._found
        for stop in _ends(self._messages):
            sent = self._manager.fit(self._messages[:stop])
            found.requests += 1
            found.snippets += any(map(is_snippet, sent))
            found.largest = max(found.largest, self._manager.count(sent).total)
        found.compactions = self._compactions()
        sent = ()
        for each in self._wanted:
            with self._manager.override(record=False):
                sent, asked = self._ask(each)
            found.asked.append(asked)
            found.largest = max(found.largest, asked.tokens)
        if self._wanted:
            found.as_real = [*sent] == [*self._ask(self._wanted[-1])[0]]
        found.failed = sum(isinstance(event, Failed) for event in self._events)
        return found

    def _compactions(self) -> int:
        return sum(isinstance(event, Compacted) and event.paid for event in self._events)

    def _ask(self, asked: Wanted) -> tuple[Sequence[Message], Asked]:
        """Ask one question; return what was sent and what came of it."""
        before, question = self._compactions(), {"role": "user", "content": asked.question}
        sent = self._manager.fit([*self._messages, question])
        costs = [*self._manager.count(sent)]
        at = next((i for i, each in enumerate(sent) if is_snippet(each)), None)
        recalled = 0 if at is None else costs[at]
        room = self._corpus.budget - costs[-1]
        seen = self._showings(asked, sent[:-1], room=room, recalled=recalled)
        return sent, Asked(
            qid=asked.qid,
            type=asked.type,
            scores={m: score(asked, seen[m], self._corpus.readings) for m in self._methods},
            tokens=self._manager.count(sent).total,
            recalled=recalled,
            passages=len(seen["sent"].cited),
            compacted=self._compactions() > before,
        )

    def _showings(
        self, asked: Wanted, sent: Sequence[Message], *, room: int, recalled: int
    ) -> dict[Method, Showing]:
        """Return what each method shows; `room` is what the budget leaves beside the question."""
        kept = [message for message in sent if not is_snippet(message)]
        read, quoted = passages(next(filter(is_snippet, sent), {"role": "user", "content": ""}))
        verbatim, draw = self._places.of(kept), random.Random(asked.qid)
        bare = Showing(text=shown(kept), verbatim=verbatim)
        found: dict[Method, Showing] = {"sent": self._cited(bare, read, quoted)}
        if "last n" in self._methods:
            found["last n"] = self._of(self._latest(room))
            found["random turns"] = self._of(self._drawn(draw, room))
            guessed = self._guessed(draw, verbatim, recalled)
            text = "\n".join(said for _, said in guessed)
            found["random snippets"] = self._cited(bare, text, guessed)
            found["full"] = self._full
        return found

    def _cited(self, bare: Showing, read: str, quoted: Sequence[tuple[int, str]]) -> Showing:
        return Showing(
            text=f"{bare.text}\n{read}",
            verbatim=bare.verbatim,
            cited=frozenset(place for place, _ in quoted),
            whole=frozenset(place for place, said in quoted if said == self._text(place)),
        )

    def _text(self, place: int) -> str:
        return shown([self._messages[place]])

    def _of(self, places: Iterable[int]) -> Showing:
        chosen = sorted(places)
        text = shown(self._messages[place] for place in chosen)
        return Showing(text=text, verbatim=frozenset(chosen))

    def _latest(self, room: int) -> range:
        """Return the longest run of the latest messages that has so many tokens at most."""
        start = stop = len(self._messages)
        while start and self._costs[start - 1] <= room:
            start -= 1
            room -= self._costs[start]
        return range(start, stop)

    def _drawn(self, draw: random.Random, room: int) -> list[int]:
        """Return messages in random order, each that still has room."""
        chosen = list[int]()
        for place in draw.sample(range(len(self._messages)), len(self._messages)):
            if self._costs[place] <= room:
                chosen.append(place)
                room -= self._costs[place]
        return chosen

    def _guessed(
        self, draw: random.Random, verbatim: frozenset[int], room: int
    ) -> list[tuple[int, str]]:
        """Return messages that the view leaves out, in random order, as snippets show them."""
        hidden = sorted({*range(len(self._messages))} - verbatim)
        chosen = list[tuple[int, str]]()
        for place in draw.sample(hidden, len(hidden)):
            said = _beginning(self._text(place), EXCERPT)
            room -= count(said) + FRAME
            if room < 0:
                break
            chosen.append((place, said))
        return chosen


def _ends(messages: Sequence[Message]) -> Iterable[int]:
    """Return how many messages each request has: it ends with what somebody else said."""
    return (stop for stop, each in enumerate(messages, start=1) if role_of(each) != "assistant")


def _beginning(text: str, tokens: int) -> str:
    """Return a text, or as many of its first words as have so many tokens at most."""
    while count(text) > tokens:
        share = 0.95 * tokens / count(text)
        text = text[: int(share * len(text))]
    return text
