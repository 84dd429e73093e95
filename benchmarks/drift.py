"""How much of the beginning of a conversation is left after many compactions.

    python -m benchmarks.drift --data ../shared/data --json

LoCoMo chats are joined and compacted ten times at the library's defaults, each time by a summariser
that writes the first sentences of what it reads and loses every sentence with probability 0.2. The
conversation ends there. After each compaction those probes are looked up in the view whose evidence
lies in the first tenth of that conversation: answer-content recall, the share of a gold answer's
content words in the text, in percent. Beside it stand the floor, the same view with an empty
summary, and the ceiling, the whole conversation so far. Some of the evidence is still verbatim
after the first compaction or two, so that the fall has a part of what the first summary costs.

The rolling form is the reference: each time the same summariser makes one text of the text before
and of what is newly dropped, and that may be as long as all that the library's notes hold, the
quoted instructions and identifiers included.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import accumulate
from math import log2
from multiprocessing import get_context
from statistics import fmean
from typing import Any, Final, NamedTuple

from benchmarks._corpora import Recording, add_data_argument, load
from benchmarks._measures import (
    Probe,
    answer_recall,
    content,
    count,
    interval,
    mean,
    probes,
    shown,
    sizes,
)
from benchmarks._report import Check, Figure, Report, Row
from benchmarks._stubs import Stub, stub
from memory import MemoryManager, Settings
from memory.events import Compacted, Event
from memory.messages import text_of
from memory.models import DEFAULT_MODEL
from memory.records import Compaction, Segment
from memory.summary import Draft, SummaryRequest
from memory.vocabulary import warmup

__all__ = ("Drift", "checks", "drifted", "falls", "main")

CORPUS: Final = "locomo"
STUB: Final = "lossy-0.2"
BUDGET: Final = 6_000
"""Tokens: a conversation is compacted for the tenth time when it has about 36,000."""
CHAIN: Final = 3
"""How many chats make one conversation, more than it needs."""
COMPACTIONS: Final = 10
EARLY: Final = 0.1
"""The share of a conversation's tokens in which the evidence of a probe has to lie."""
FALL: Final = 1.5
"""Points of recall that a compaction may cost on average."""
FORMS: Final = ("memory", "rolling", "notes alone", "empty summary", "full text")

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What became of the beginning of one conversation.

    Attributes:
        id: Which conversation.
        recalls: By form and compaction, the recall of each probe, 0 to 1.
        depths: How often each message that the last record covers was summarised on the way.
        reads: How often each of them was read by a summariser.
        tokens: By compaction, what the notes had.
        calls: Requests to the summariser.
    """

    id: str
    recalls: dict[str, list[list[float]]] = field(
        default_factory=lambda: {form: [] for form in FORMS}
    )
    depths: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    calls: int = 0

    @property
    def compactions(self) -> int:
        """How many were measured."""
        return len(self.tokens)


class State(NamedTuple):
    """A conversation right after a compaction."""

    size: int
    """How many messages it has."""
    view: Sequence[Any]
    record: Compaction


class Reader:
    """Passes requests on to a summariser and counts how often it reads each message.

    Args:
        base: The summariser.
        messages: The conversation, which has no head.
    """

    def __init__(self, base: Stub, messages: Sequence[Message]) -> None:
        self.reads = [0] * len(messages)
        self._base = base
        self._texts = [text_of(message) for message in messages]

    @property
    def calls(self) -> int:
        """How often the summariser was asked."""
        return self._base.calls

    def summarize(self, request: SummaryRequest, /) -> Draft:
        """Return the summariser's draft."""
        for place in self._places(request):
            self.reads[place] += 1
        return self._base.summarize(request)

    def _places(self, request: SummaryRequest) -> list[int]:
        """Return which messages are read: those numbered, else the first that nobody has read."""
        if request.numbers:
            return [number - 1 for number in request.numbers]
        place, found = -1, list[int]()
        for message in request.slice:
            text = text_of(message)
            unread = (i for i in range(place + 1, len(self.reads)) if not self.reads[i])
            place = next(i for i in unread if self._texts[i] == text)
            found.append(place)
        return found


class Rolling:
    """The reference: one summary that is summarised again at every compaction.

    Args:
        base: The summariser.
        messages: The conversation.
    """

    def __init__(self, base: Stub, messages: Sequence[Message]) -> None:
        self.text = ""
        self._base = base
        self._messages = messages
        self._covered = 0

    def cover(self, stop: int, *, cap: int) -> None:
        """Digest the messages before `stop` that are new, and the text there is, into one text."""
        new = tuple(self._messages[self._covered : stop])
        old = Segment(text=self.text, first=1, last=self._covered, tokens=cap, author="rolling")
        request = SummaryRequest(
            form="rendered",
            model=DEFAULT_MODEL,
            slice=new,
            numbers=tuple(range(self._covered + 1, stop + 1)),
            previous=(old,) if self.text else (),
            cap=cap,
            source_tokens=sum(sizes(new)) + cap,
        )
        self.text = self._base.summarize(request).text
        self._covered = stop


def drifted(recording: Recording, *, budget: int = BUDGET, limit: int = COMPACTIONS) -> Drift:
    """Compact a conversation so many times and look after each what is left of its beginning."""
    messages = list(recording.messages)
    reader = Reader(stub(STUB), messages)
    rolling = Rolling(stub(STUB), messages)
    found = [*compacted(messages, reader, budget=budget, limit=limit)]
    drift = Drift(id=recording.id)
    asked = early(recording, found[-1].size) if found else []
    for state in found:
        notes, tail = shown(state.view[:1]), shown(state.view[1:])
        drift.tokens.append(count(notes))
        rolling.cover(state.record.covered, cap=drift.tokens[-1])
        whole = shown(messages[: state.size])
        texts = (f"{notes}\n{tail}", f"{rolling.text}\n{tail}", notes, tail, whole)
        for form, text in zip(FORMS, texts, strict=True):
            drift.recalls[form].append(answer_recall(asked, content(text)))
    if found:
        drift.depths.extend(depths(found[-1].record))
        drift.reads.extend(reader.reads[: found[-1].record.covered])
    return replace(drift, calls=reader.calls)


def compacted(
    messages: Sequence[Message], reader: Reader, *, budget: int, limit: int
) -> Iterator[State]:
    """Yield what there is after each of so many compactions."""
    made: list[Event] = []
    manager = MemoryManager(summarizer=reader, budget=budget, hooks=(made.append,))
    for size, message in enumerate(messages, start=1):
        if message["role"] != "user":
            continue
        made.clear()
        view = manager.fit(messages[:size])
        record = manager.plan(messages[:size]).record
        if record is not None and any(isinstance(e, Compacted) and e.paid for e in made):
            yield State(size, view, record)
            limit -= 1
        if not limit:
            return


def chained(recordings: Sequence[Recording], *, chain: int) -> Iterator[Recording]:
    """Yield for each conversation the one that it begins, with as many that follow it."""
    for start, first in enumerate(recordings):
        following = [recordings[(start + step) % len(recordings)] for step in range(chain)]
        messages = [message for each in following for message in each.messages]
        ids = [f"{at}/{name}" if at else name for at, e in enumerate(following) for name in e.ids]
        yield replace(first, messages=messages, ids=ids)


def early(recording: Recording, size: int) -> list[Probe]:
    """Return the probes whose evidence lies in the first tenth of the tokens of `size` messages."""
    costs = sizes(recording.messages[:size])
    sums = accumulate(costs)
    most = EARLY * sum(costs)
    leading = {name for name, total in zip(recording.ids, sums, strict=False) if total <= most}
    asked = probes(recording.probes)
    return [each for each in asked if each.evidence and leading.issuperset(each.evidence)]


def depths(record: Compaction) -> Iterator[int]:
    """Yield how often each message that a record covers was summarised on the way to its notes."""
    for segment in record.segments:
        yield from [segment.depth] * (segment.last - segment.first + 1)


def falls(recalls: Sequence[Sequence[float]]) -> list[float]:
    """Return for each probe by how many points its recall falls with each compaction.

    That is the slope of a least squares fit with its sign turned; the mean over probes is the slope
    of the mean.
    """
    middle = (len(recalls) - 1) / 2
    spread = sum((k - middle) ** 2 for k in range(len(recalls)))
    return [
        -100 * sum((k - middle) * share for k, share in enumerate(probe)) / spread
        for probe in zip(*recalls, strict=True)
    ]


def curve(drifts: Sequence[Drift]) -> list[Row]:
    """Return the recall of every form after each compaction, over all probes."""
    least = min(drift.compactions for drift in drifts)
    return [
        {
            "compaction": k + 1,
            **{form: 100 * mean([drift.recalls[form][k] for drift in drifts]) for form in FORMS},
            "tokens of notes": fmean(drift.tokens[k] for drift in drifts),
        }
        for k in range(least)
    ]


def slopes(drifts: Sequence[Drift]) -> list[Row]:
    """Return how many points each form loses with a compaction, with a 95 % interval."""
    found = []
    for form in FORMS:
        groups = [falls(drift.recalls[form]) for drift in drifts]
        low, high = interval(groups)
        row = {"form": form, "points lost a compaction": mean(groups), "from": low, "to": high}
        found.append(row)
    return found


def figures(drifts: Sequence[Drift]) -> list[Figure]:
    """Return what the benchmark is run for; the floors are a rolling summary and an empty one."""
    if min((drift.compactions for drift in drifts), default=0) < 2:
        return []
    lost = {row["form"]: row for row in slopes(drifts)}
    ours, last = lost["memory"], curve(drifts)[-1]
    low, high = interval([drift.recalls["memory"][last["compaction"] - 1] for drift in drifts])
    return [
        Figure(
            name="recall of early facts lost with a compaction",
            value=ours["points lost a compaction"],
            unit="points",
            low=ours["from"],
            high=ours["to"],
            floor=lost["rolling"]["points lost a compaction"],
            ceiling=lost["full text"]["points lost a compaction"],
        ),
        Figure(
            name="recall of early facts after the last compaction",
            value=last["memory"],
            unit="%",
            low=100 * low,
            high=100 * high,
            floor=last["empty summary"],
            ceiling=last["full text"],
        ),
    ]


def about(drift: Drift) -> Row:
    """Return the figures of one conversation."""
    return {
        "conversation": drift.id,
        "probes": len(drift.recalls["memory"][0]) if drift.compactions else 0,
        "compactions": drift.compactions,
        "summaries": drift.calls,
        "messages covered": len(drift.depths),
        "deepest": max(drift.depths, default=0),
        "deepest allowed": deepest(drift.compactions),
        "deepest, rolling": drift.compactions,
        "reads of a message, most": max(drift.reads, default=0),
        "reads of a message, mean": fmean(drift.reads) if drift.reads else 0.0,
    }


def deepest(compactions: int) -> float:
    """Return how often a message may be summarised on the way."""
    return 2 + log2(max(1, compactions))


def checks(drifts: Sequence[Drift]) -> list[Check]:
    """Return what has to hold."""
    groups = [falls(drift.recalls["memory"]) for drift in drifts if drift.compactions > 1]
    fewest = min((drift.compactions for drift in drifts), default=0)
    return [
        Check(
            name="compactions of a conversation, fewest", value=fewest, op=">=", bound=COMPACTIONS
        ),
        Check(
            name="points of early recall lost a compaction",
            value=mean(groups) if any(groups) else None,
            op="<=",
            bound=FALL,
        ),
        Check(
            name="times a message was summarised on the way, most",
            value=max((depth for drift in drifts for depth in drift.depths), default=None),
            op="<=",
            bound=deepest(fewest),
        ),
    ]


def measure(recordings: Sequence[Recording], *, budget: int, limit: int) -> list[Drift]:
    """Return what became of each conversation, by as many processes as there are processors."""
    job = partial(drifted, budget=budget, limit=limit)
    if len(recordings) == 1:
        return [job(recordings[0])]
    # A fork would copy locks of the threads that count tokens.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(job, recordings))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure what compactions leave of the beginning")
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--budget", type=int, default=BUDGET, help="tokens of a prompt")
    parser.add_argument("--chain", type=int, default=CHAIN, help="chats of one conversation")
    options = parser.parse_args(arguments)
    recordings = load(options.data, CORPUS)
    recordings = list(chained(recordings, chain=options.chain))[: 1 if options.quick else None]
    limit = 3 if options.quick else COMPACTIONS
    drifts = measure(recordings, budget=options.budget, limit=limit)
    report = Report(
        benchmark="drift",
        settings={
            "corpus": CORPUS,
            "summariser": STUB,
            "early": EARLY,
            "counter": warmup().name,
            "memory": asdict(Settings(budget=options.budget)),
        },
        rows={
            "recall of early facts": curve(drifts),
            "slopes": slopes(drifts),
            "conversations": [about(drift) for drift in drifts],
        },
        checks=checks(drifts),
        figures=figures(drifts),
        quick=options.quick,
    )
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
