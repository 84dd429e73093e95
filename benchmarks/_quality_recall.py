"""Answer-content recall on LoCoMo: what is asked about a chat that a view still has the words for.

The chat goes through `MemoryManager.fit` request by request, as a client would send it. Beside the
view stand, at the same number of tokens:

- `static`: one summary of the recorded summaries of every session that is not wholly in the tail,
  each with as many leading sentences as make it as long as the view's segments, and as much tail
  as makes the whole as long as the view. What it does not pay for are frames, identifiers and the
  room that a view leaves until the next compaction: it is written anew for this one request.
- `same tail`: that summary with the messages that the view has verbatim.
- `last n`: nothing but the latest messages; the floor.
- `full`: all messages; the ceiling.

A content word of an answer counts when it stands in what is sent, in two readings: as a word
(`words`, as in `benchmarks.extractive`), and also as a part of a longer one (`parts`: "paint" in
"painting"). The bounds were set by reference figures in the second reading: 6,000 tokens of last n,
of all summaries with a tail, and the full text have 58.8, 76.9 and 92.9 there; here 59.1, 77.2 and
92.2, and as words 54.6, 74.3 and 91.5.

A probe whose answer an audit of the corpus found to be wrong is left out, except from the row that
says otherwise. How much the last view holds depends on how long ago the last compaction was, which
is chance. So there are averages over views as well, of the probes whose evidence has been said by
then: over every `STRIDE`th request from the first compaction on, and over those of the last `LATE`
messages, which is about as far as it is from one compaction to the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import Recording, SessionSummary, load, session_summaries
from benchmarks._measures import (
    Probe,
    answer_recall,
    answer_recall_in_text,
    content,
    count,
    probes,
    shown,
)
from benchmarks._stubs import Recorded, leading
from memory.events import Event, Rejected
from memory.manager import MemoryManager
from memory.replay import steps

__all__ = ("METHODS", "STRIDE", "Chat", "chat", "segments")

METHODS: Final = ("view", "static", "same tail", "last n", "full")
STRIDE: Final = 5
"""Requests from one view to the next that counts for an average."""
LATE: Final = 100
"""Messages at the end whose views count as late."""
_SEGMENT: Final = re.compile(r"<summary\b[^>]*>\n(.*?)\n</summary>", re.DOTALL)
_WRONG: Final = "audit:"
_CITATION: Final = "audit:WRONG_CITATION"
"""Says that the evidence is wrong, and not the answer."""

Message = Mapping[str, Any]
Shares = dict[str, list[float]]
"""For each method the recall of each probe, 0 to 1."""


@dataclass(slots=True, kw_only=True)
class Chat:
    """What came of one conversation.

    Attributes:
        id: Which.
        last: At the last view, by words.
        parts: At the last view, by parts of words.
        everything: At the last view, the probes with wrong answers included.
        late: Over the views of the last messages.
        late_parts: The same by parts of words.
        views: Over all views.
        tokens: Tokens of the last view.
        largest: Tokens of the largest view.
        history: Tokens of the whole conversation.
        segments: Tokens of the text of the last view's segments.
        calls: How often the summariser was asked.
        rejected: How many of its answers were not accepted.
    """

    id: str
    last: Shares = field(default_factory=dict)
    parts: Shares = field(default_factory=dict)
    everything: Shares = field(default_factory=dict)
    late: Shares = field(default_factory=dict)
    late_parts: Shares = field(default_factory=dict)
    views: Shares = field(default_factory=dict)
    tokens: int = 0
    largest: int = 0
    history: int = 0
    segments: int = 0
    calls: int = 0
    rejected: int = 0


def _by_words(asked: list[Probe], text: str) -> list[float]:
    return answer_recall(asked, content(text))


@dataclass(frozen=True, slots=True)
class _Rivals:
    """What else could be sent for a conversation; `costs` are tokens, message by message."""

    recording: Recording
    summaries: Sequence[SessionSummary]
    costs: Sequence[int]

    def texts(self, view: Sequence[Message], stop: int, tokens: int) -> dict[str, str]:
        """Return what each method shows in place of the first `stop` messages."""
        messages, notes = self.recording.messages[:stop], segments(view)
        verbatim = view[1:] if notes else view
        room = count("\n".join(notes))
        summary = self._summary(self._tail(stop, tokens - room), stop, room)
        tail = self._tail(stop, tokens - count(summary))
        ours = self._summary(stop - len(verbatim), stop, room)
        return {
            "view": shown(view),
            "static": f"{summary}\n{shown(messages[tail:])}",
            "same tail": f"{ours}\n{shown(verbatim)}",
            "last n": shown(messages[self._tail(stop, tokens) :]),
            "full": shown(messages),
        }

    def _tail(self, stop: int, tokens: int) -> int:
        """Return where the longest tail begins that has at most so many tokens."""
        start = stop
        while start and self.costs[start - 1] <= tokens:
            start -= 1
            tokens -= self.costs[start]
        return start

    def _summary(self, start: int, stop: int, cap: int) -> str:
        """Return a summary of the sessions that are over and begin before the tail."""
        said, begun = self.recording.ids[:stop], set(self.recording.sessions[:start])
        over = [each for each in self.summaries if each.last in said and each.session in begun]
        return leading([each.text for each in over], cap=cap)


@dataclass(frozen=True, slots=True)
class _Drive:
    """One conversation, the manager it goes through, and who writes its summaries."""

    recording: Recording
    rivals: _Rivals
    manager: MemoryManager
    found: Chat

    def run(self) -> None:
        """Send request by request, and the whole at the end."""
        recording, compacted = self.recording, 0
        for step in steps(recording.conversation()):
            view, stop = self._sent(step.messages), len(step.messages)
            if segments(view):
                compacted += 1
                if compacted % STRIDE == 1:
                    self._on_the_way(view, stop)
        view, stop = self._sent(recording.messages), len(recording.messages)
        self.found.segments = count("\n".join(segments(view)))
        asked = [probe for probe in recording.probes if not _is_wrong(probe)]
        self._score(self.found.last, view, stop, asked)
        self._score(self.found.parts, view, stop, asked, answer_recall_in_text)
        self._score(self.found.everything, view, stop, recording.probes)

    def _sent(self, messages: Sequence[Message]) -> Sequence[Message]:
        view = self.manager.fit(messages)
        self.found.tokens = self.manager.count(view).total
        self.found.largest = max(self.found.largest, self.found.tokens)
        return view

    def _on_the_way(self, view: Sequence[Message], stop: int) -> None:
        """Measure a view before the last one."""
        asked = self._askable(stop)
        self._score(self.found.views, view, stop, asked)
        if len(self.recording.messages) - stop < LATE:
            self._score(self.found.late, view, stop, asked)
            self._score(self.found.late_parts, view, stop, asked, answer_recall_in_text)

    def _askable(self, stop: int) -> list[Mapping[str, Any]]:
        """Return the probes whose evidence stands in the first `stop` messages."""
        said = set(self.recording.ids[:stop])
        return [
            probe
            for probe in self.recording.probes
            if not _is_wrong(probe) and probe["evidence"] and said >= set(probe["evidence"])
        ]

    def _score(
        self,
        shares: Shares,
        view: Sequence[Message],
        stop: int,
        asked: Sequence[Message],
        recall: Callable[[list[Probe], str], list[float]] = _by_words,
    ) -> None:
        for method, text in self.rivals.texts(view, stop, self.found.tokens).items():
            shares.setdefault(method, []).extend(recall(probes(asked), text))


def chat(data: Path, index: int, options: Mapping[str, Any], *, limit: int | None = None) -> Chat:
    """Send one conversation of LoCoMo through a manager, and measure what was sent.

    Args:
        data: The directory of the corpora.
        index: Which conversation.
        options: The settings of the manager.
        limit: The most messages of it; None for all.
    """
    recording = _cut(load(data, "locomo", limit=index + 1)[index], limit)
    summaries = [s for s in session_summaries(data)[recording.id] if s.last in recording.ids]
    stub, made = Recorded(recording, summaries), list[Event]()
    manager = MemoryManager(summarizer=stub, tokenizer=count, hooks=[made.append], **options)
    costs = manager.count(recording.messages)
    found = Chat(id=recording.id, history=costs.total)
    _Drive(recording, _Rivals(recording, summaries, costs), manager, found).run()
    found.calls = stub.calls
    found.rejected = sum(isinstance(event, Rejected) for event in made)
    return found


def segments(view: Sequence[Message]) -> list[str]:
    """Return the texts of the summaries in a view."""
    first = str(view[0].get("content") or "") if view else ""
    return _SEGMENT.findall(first) if first.startswith("<conversation-notes>") else []


def _cut(recording: Recording, limit: int | None) -> Recording:
    if limit is None:
        return recording
    ids = recording.ids[:limit]
    asked = [probe for probe in recording.probes if {*probe["evidence"]} <= {*ids}]
    return replace(recording, messages=recording.messages[:limit], ids=ids, probes=asked)


def _is_wrong(probe: Mapping[str, Any]) -> bool:
    flags = probe.get("flags") or ()
    return any(flag.startswith(_WRONG) and flag != _CITATION for flag in flags)
