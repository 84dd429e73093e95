"""What has to be true of a conversation, whoever was killed and whoever spoke at the same time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from benchmarks._endurance_office import essence, is_fitting, refusal
from benchmarks._endurance_talk import HEAD
from memory.flow import Past
from memory.identity import link, see
from memory.invariants import Sending, violations
from memory.messages import tool_calls
from memory.records import Compaction, Log, Logged
from memory.view import Thread, View, adopted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import Record

__all__ = ("broken", "displaced", "lost", "misplaced", "originals", "paid", "repeated", "unseen")


def lost(history: Sequence[Any], said: Sequence[Mapping[str, Any]]) -> int:
    """Return how many messages that were acknowledged are not there."""
    there = Counter(map(essence, history))
    return sum((Counter(map(essence, said)) - there).values())


def repeated(history: Sequence[Any]) -> int:
    """Return how many messages are there more than once; no two of these runs are the same."""
    return len(history) - len(set(map(essence, history)))


def displaced(history: Sequence[Any], said: Sequence[Mapping[str, Any]]) -> int:
    """Return how many acknowledged messages of one caller stand before what was said earlier."""
    places = {essence(message): place for place, message in enumerate(history)}
    found = [places[each] for each in map(essence, said) if each in places]
    return sum(later < earlier for earlier, later in pairwise(found))


def misplaced(history: Sequence[Any]) -> list[int]:
    """Return the messages that do not stand where they belong.

    A reply follows what it replies to, a result its calls, nobody else's stands between, and no
    question is without its reply.
    """
    return [place for place in range(len(history)) if not _belongs(history, place)]


def _belongs(history: Sequence[Any], place: int) -> bool:
    message = history[place]
    before = history[place - 1] if place else {"role": "system", "content": ""}
    open_ = bool(tool_calls(before)) or (before["role"] == "tool" and message["role"] == "user")
    match message["role"]:
        case "user":
            return not open_ and place + 1 < len(history)
        case "tool":
            return bool(tool_calls(before)) or before["role"] == "tool"
    return before["role"] in ("user", "tool") and is_fitting(message, before)


def paid(log: Log) -> int:
    """Return how many compactions on record a model has written, each once."""
    marks = {
        record.mark
        for record in log.records
        if isinstance(record, Compaction) and record.segments[-1].author != "extractive"
    }
    return len(marks)


def broken(log: Log, before: Sequence[Record] = ()) -> list[str]:
    """Return what is wrong with the log of a conversation with a name.

    Args:
        log: The log.
        before: What it began with when it was read last.
    """
    found = []
    if log.version != len(log.records):
        found.append(f"version {log.version} of {len(log.records)} records")
    if log.records[: len(before)] != tuple(before):
        found.append("what was on record has changed")
    history = Past.of(log).messages
    if places := misplaced(history):
        found.append(f"messages {places[:5]} do not follow what stands before them")
    if again := repeated(history):
        found.append(f"{again} messages stand there twice")
    if (reason := refusal(history)) is not None:
        found.append(f"the API refuses it: {reason}")
    return found + _compactions(log, history)


def _compactions(log: Log, history: Sequence[Any]) -> list[str]:
    """Return what is wrong with the views that the compactions of a log make of it."""
    given, found = [HEAD, *history], []
    links = link(see(history))
    for record in log.records:
        if not isinstance(record, Compaction):
            continue
        if links[record.covered : record.covered + 1] != [record.coverage]:
            found.append(f"a compaction of {record.covered} messages covers others")
    latest = adopted(Past.of(log).compactions, links)
    sent = View(Thread.of(given), latest).messages()
    sending = Sending(given=given, sent=sent, record=latest, log=originals(history))
    return found + [f"{name}: {text}" for name, text in violations(sending).items()]


def originals(history: Sequence[Any]) -> list[Logged]:
    """Return messages of a conversation as those are on record that have no conversation."""
    links = link(see(history))
    return [
        Logged(index=place, link=links[place + 1], message=message)
        for place, message in enumerate(history)
    ]


def unseen(
    sent: Sequence[Mapping[str, Any]],
    given: Sequence[Mapping[str, Any]],
    records: Sequence[Record],
    known: Sequence[Record],
    *,
    tokens: int,
    budget: int,
) -> list[str]:
    """Return what is wrong with a request: it has to be what a compaction on record makes of it.

    Args:
        sent: Its messages.
        given: The messages it was made of.
        records: What is on record of the conversation.
        known: Which of its messages are.
        tokens: What it cost.
        budget: What it could cost.
    """
    thread = Thread.of(given)
    compactions = [each for each in records if isinstance(each, Compaction)]
    for record in (None, *compactions):
        if record is not None and thread.links[record.covered : record.covered + 1] != [
            record.coverage
        ]:
            continue
        if View(thread, record).messages() == list(sent):
            break
    else:
        return ["what was sent follows no compaction on record"]
    sending = Sending(given=given, sent=sent, record=record, log=known, tokens=tokens, limit=budget)
    return [f"{name}: {text}" for name, text in violations(sending).items()]
