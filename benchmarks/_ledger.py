"""Forward-reference recall of the identifier ledger: can the next tool call still be made?

    python -m benchmarks._ledger --data ../shared/data --json

Before every recorded tool call, its argument values (of three characters and more) that stand in
the history are looked up in what would be sent. Two settings, each with its floor, the same
without a ledger:

- `simulated`: what a view would be were every summary empty: head, ledger, last user message and
  tail. A compaction is due above 97 % of the limit and leaves 45 %. It measures the ranking alone.
- `managed`: `MemoryManager.fit` with its defaults and a summariser that says nothing of use.

The weights were set by hand on these corpora. Halving or doubling any one of them leaves the
simulated rows that have a bound above 99. Rows with little room are there to show the ranking; the
ceiling of every row is 100.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks._corpora import add_data_argument, chained
from benchmarks._measures import count as kimi_tokens
from benchmarks._measures import readable, shown, values
from benchmarks._report import Check, Report, Row
from benchmarks._stubs import Void
from memory import ledger
from memory.manager import MemoryManager
from memory.messages import head_length, last_user, split
from memory.replay import Step, steps

__all__ = ("Recall", "Setting", "main", "managed", "measure", "simulated")

TRIGGER: Final = 0.97
TARGET: Final = 0.45
SHARE: Final = 0.1
LEAST: Final = 600
FRAME: Final = 6
"""Tokens around a message."""
NOTES: Final = 120
"""Tokens of the synthetic message around the ledger."""

Message = Mapping[str, Any]
Conversation = Mapping[str, Any]
"""One made by `memory.replay.join`."""

count = lru_cache(maxsize=None)(kimi_tokens)


class Setting(NamedTuple):
    """What is measured in one row.

    Attributes:
        corpus: Its name.
        chain: How many of its conversations make one.
        limit: Tokens a prompt may have.
        room: Tokens the ledger may have; None for the library's default.
        bound: Percent that recall has to reach; None where it is for information.
    """

    corpus: str
    chain: int
    limit: int
    room: int | None = None
    bound: float | None = None


SIMULATED: Final = (
    Setting("tau_airline", 8, 8_000, bound=99.0),
    Setting("tau_airline", 8, 4_000, bound=95.0),
    Setting("tau_airline", 8, 4_000, 400),
    Setting("tau_airline", 8, 4_000, 200),
    Setting("tau_airline", 1, 3_000, 300),
    Setting("bfcl_multi_turn", 20, 1_000, 200),
    Setting("bfcl_multi_turn", 20, 600, 60),
)
MANAGED: Final = (
    Setting("tau_airline", 8, 8_000, bound=99.0),
    Setting("tau_airline", 8, 4_000, bound=95.0),
    Setting("tau_airline", 1, 3_000),
    Setting("bfcl_multi_turn", 20, 2_000),
)


@dataclass(slots=True)
class Recall:
    """How many values were there when they were wanted.

    Attributes:
        found: Those in the view.
        known: Those in the history.
        compactions: How often the view was made anew.
        largest: Tokens of the largest view.
        missing: The id of the conversation, the number of messages before the call, the value.
    """

    found: int = 0
    known: int = 0
    compactions: int = 0
    largest: int = 0
    missing: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """The recall, 0 to 100."""
        return 100 * self.found / self.known if self.known else float("nan")

    def look_up(self, name: str, step: Step, *, view: str, history: str) -> None:
        """Note for each value of the call that follows whether the view has it."""
        for value in values(step.reply or {}):
            if value in history:
                self.known += 1
                self.found += value in view
                if value not in view:
                    self.missing.append((name, len(step.messages), value))


def managed(
    conversations: Sequence[Conversation], *, limit: int, summarizer: Any = None, **options: Any
) -> Recall:
    """Return the recall of what `MemoryManager.fit` returns.

    Args:
        conversations: Made by `memory.replay.join`.
        limit: The budget in tokens.
        summarizer: Who writes summaries; None for `Void`.
        **options: Further settings of the manager.
    """
    recall = Recall()
    for conversation in conversations:
        manager = MemoryManager(
            budget=limit,
            oversize="shorten-tool-results",
            summarizer=summarizer or Void(),
            tokenizer=count,
            hooks=(),
            **options,
        )
        texts = [readable([message]) for message in conversation["messages"]]
        notes: object = None
        for step in steps(conversation):
            view = manager.fit(step.messages)
            recall.largest = max(recall.largest, manager.count(view).total)
            head = head_length(view)
            latest = view[head].get("content") if view[head] != step.messages[head] else None
            recall.compactions += latest != notes
            notes = latest
            history = "\n".join(texts[: len(step.messages)])
            recall.look_up(conversation["id"], step, view=readable(view), history=history)
    return recall


def simulated(
    conversations: Sequence[Conversation], *, limit: int, share: float = SHARE, least: int = LEAST
) -> Recall:
    """Return the recall were every summary empty.

    Args:
        conversations: Made by `memory.replay.join`.
        limit: Tokens a prompt may have.
        share: How much of it the ledger may have.
        least: Tokens that it may have however small the limit is; with a share of 0, the room.
    """
    recall, room = Recall(), max(int(share * limit), least)
    for conversation in conversations:
        view = _View(conversation["messages"], limit, room)
        for step in steps(conversation):
            stop = len(step.messages)
            recall.compactions += view.extend(stop)
            recall.largest = max(recall.largest, view.tokens(stop))
            history = "\n".join(view.texts[:stop])
            recall.look_up(conversation["id"], step, view=view.text(stop), history=history)
    return recall


class _View:
    """Head, ledger, last user message and tail of a conversation, as it grows."""

    def __init__(self, messages: Sequence[Message], limit: int, room: int) -> None:
        self.texts = [readable([message]) for message in messages]
        self._messages = messages
        self._limit, self._room = limit, room
        self._costs = [FRAME + count(shown([message])) for message in messages]
        self._head = self._cut = head_length(messages)
        self._kept: list[int] = []
        self._notes = ""

    def text(self, stop: int) -> str:
        """Return everything there is to read."""
        return "\n".join([self._notes, *(self.texts[i] for i in self._shown(stop))])

    def tokens(self, stop: int) -> int:
        notes = NOTES + count(self._notes) if self._cut > self._head else 0
        return notes + sum(self._costs[i] for i in self._shown(stop))

    def extend(self, stop: int) -> bool:
        """Compact if that is due; tell whether it was."""
        if self.tokens(stop) <= TRIGGER * self._limit:
            return False
        before = self._cut
        for part in split(self._messages[:stop], start=self._head):
            if part.stop > before and not part.open:
                self._drop(part.stop, stop)
                after = NOTES + self._room + sum(self._costs[i] for i in self._shown(stop))
                if after <= TARGET * self._limit:
                    break
        self._list(stop)
        return self._cut > before

    def _shown(self, stop: int) -> list[int]:
        return [*range(self._head), *self._kept, *range(self._cut, stop)]

    def _drop(self, cut: int, stop: int) -> None:
        user = last_user(self._messages[:stop])
        self._cut = cut
        self._kept = [user] if user is not None and self._head <= user < cut else []

    def _list(self, stop: int) -> None:
        gone = [self._messages[i] for i in range(self._head, self._cut) if i not in self._kept]
        beside = "\n".join(self.texts[i] for i in self._shown(stop))
        ranked = ledger.identifiers(gone)
        listed = ledger.fitting(ranked, room=self._room, count=count, shown=beside)
        self._notes = ledger.render(listed)


def _simulate(conversations: Sequence[Conversation], each: Setting, *, floor: bool) -> Recall:
    if floor:
        return simulated(conversations, limit=each.limit, share=0.0, least=0)
    if each.room is None:
        return simulated(conversations, limit=each.limit)
    return simulated(conversations, limit=each.limit, share=0.0, least=each.room)


def _manage(conversations: Sequence[Conversation], each: Setting, *, floor: bool) -> Recall:
    off = {"identifiers": 0.0} if floor else {}
    return managed(conversations, limit=each.limit, **off)


def measure(
    data: Path, settings: Sequence[Setting], run: Callable[..., Recall], *, limit: int | None = None
) -> list[Row]:
    """Return a row for each setting; `limit` is the most chained conversations of each."""
    return [_row(chained(data, s.corpus, chain=s.chain, limit=limit), s, run) for s in settings]


def _row(conversations: Sequence[Conversation], each: Setting, run: Callable[..., Recall]) -> Row:
    ours, floor = run(conversations, each, floor=False), run(conversations, each, floor=True)
    return {
        "suite": f"{each.corpus} x{each.chain} at {each.limit:,}",
        "room": each.room or max(int(SHARE * each.limit), LEAST),
        "values": ours.known,
        "compactions": ours.compactions,
        "largest": ours.largest,
        "without": floor.percent,
        "ledger": ours.percent,
    }


def _checks(heading: str, settings: Sequence[Setting], rows: Sequence[Row]) -> Iterator[Check]:
    for each, row in zip(settings, rows, strict=True):
        if each.bound is not None:
            name = f"{heading}: {row['suite']}: percent of values there when wanted"
            yield Check(name=name, value=row["ledger"], op=">=", bound=each.bound)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if a check does not hold."""
    parser = argparse.ArgumentParser(description="measure the identifier ledger")
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="one conversation of each corpus")
    options = parser.parse_args(arguments)
    limit = 1 if options.quick else None
    rows = {
        "simulated": measure(options.data, SIMULATED, _simulate, limit=limit),
        "managed": measure(options.data, MANAGED, _manage, limit=limit),
    }
    checks = [
        *_checks("simulated", SIMULATED, rows["simulated"]),
        *_checks("managed", MANAGED, rows["managed"]),
    ]
    settings = {"trigger": TRIGGER, "target": TARGET, "share": SHARE, "least": LEAST}
    report = Report(benchmark="ledger", settings=settings, rows=rows, checks=checks)
    return report.finish(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
