"""Conversations with a name: going on from what is on record, and adding to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from memory import events
from memory.errors import ConversationBusy, HistoryError
from memory.flow.effects import Await, Clock, Emit, Enter, Flow, Opened
from memory.flow.log import write
from memory.flow.past import Past, dated
from memory.flow.resume import best, find
from memory.flow.state import Context, Joined, Prompt
from memory.flow.store_effects import Load, Log
from memory.identity import digest
from memory.messages import (
    WireMessage,
    clone,
    head_length,
    is_partial,
    role_of,
    text_of,
    tool_calls,
)
from memory.records import Compaction, LogKey, Pinned, Record, Turn, Undone
from memory.redaction import redacted
from memory.replies import Reply
from memory.view import Thread

__all__ = (
    "add",
    "check_place",
    "commit",
    "fork",
    "in_use",
    "join",
    "past",
    "rewind",
    "standing",
    "undo",
    "whole",
)


def past(key: LogKey) -> Flow[Past]:
    """Return what a conversation has come to."""
    return Past.of((yield from Load(key=key).perform()))


def join(prompt: Prompt, *, patience: float = 0.0) -> Flow[Prompt]:
    """Return a prompt with the conversation on record before what is new in it.

    The head of the caller counts, and without one the newest on record.

    Args:
        prompt: What the caller sent.
        patience: Seconds to wait for the turn before.

    Raises:
        ConversationBusy: The conversation waits for tool results, and these are not.
        HistoryError: These are tool results, and it waits for none.
    """
    if prompt.log is None or prompt.conversation is None:
        return prompt
    while True:
        if prompt.record:
            yield from Enter(key=prompt.log, patience=patience).perform()
        log = yield from Load(key=prompt.log).perform()
        known = Past.of(log)
        head, before, shared = _aligned(known, _as_stored(prompt))
        given = tuple(prompt.messages[len(head) :])
        try:
            _check(known, given[shared:], prompt.conversation, whole=True)
        except ConversationBusy:
            waiting = Await(key=prompt.log, version=log.version, patience=patience)
            patience = (yield from waiting.perform()) if prompt.record else 0.0
            if patience <= 0:
                raise
        else:
            break
    return (yield from _joined(prompt, prompt.conversation, known, (head, before, shared)))


def _joined(
    prompt: Prompt,
    conversation: str,
    known: Past,
    aligned: tuple[tuple[WireMessage, ...], tuple[WireMessage, ...], int],
) -> Flow[Prompt]:
    """Return a prompt with what is on record before what is new."""
    head, before, shared = aligned
    given = tuple(prompt.messages[len(head) :])
    new = given[shared:]
    if not shared and known.messages and len(given) > 1 and role_of(given[0]) != "tool":
        event = events.Unaligned(namespace=prompt.namespace, messages=len(given))
        yield from Emit(event=event).perform()
    joined = Joined(
        conversation=conversation,
        new=tuple(map(clone, new)),  # the caller may change theirs before the reply is there
        start=len(before),
        head=tuple(map(clone, head)) if head and head != known.head else None,
        turns=known.turns,
        before=digest(before[-1]) if before else None,
        answers=bool(known.unanswered),
    )
    joint = [*(prompt.messages[: len(head)] or known.head), *before, *new]
    same = len(joint) == len(prompt.messages)
    messages = prompt.messages if same else joint
    said = (*known.said[: len(before)], *[None] * len(new))
    prompt = replace(_with_pins(prompt, known), known=len(before), said=said)
    return replace(prompt, messages=messages, joined=joined)


def _with_pins(prompt: Prompt, known: Past) -> Prompt:
    """Return a prompt with what is pinned in its conversation."""
    pinned = prompt.pinned | known.pinned
    return replace(prompt, pinned=pinned, lasting=known.pinned, quoted=known.quoted)


def commit(prompt: Prompt, reply: Reply, *, patience: float = 0.0) -> Flow[None]:
    """Put a turn on record: what was new, and the reply or its beginning.

    Whoever else added to the conversation meanwhile comes first, unless they wait for tool
    results: an exchange stays in one piece. A conversation that was forgotten meanwhile stays so.

    Args:
        prompt: The turn, joined.
        reply: What came back.
        patience: Seconds that a reply with calls waits for the end of somebody else's exchange;
            amid that its own calls could not be answered, and would be left out.

    Raises:
        ConflictError: Others kept writing.
    """
    joined = prompt.joined
    if joined is None or prompt.log is None or not prompt.record:
        return
    said = _said(joined.new, reply.message)
    turn = Turn(
        start=joined.start,
        messages=tuple(map(clone, said)),
        head=joined.head,
        complete=reply.complete,
        replied=reply.message is not None,
        usage=reply.usage,
        at=(yield from _today()),
    )
    calls = reply.message is not None and reply.complete and bool(tool_calls(reply.message))
    if calls:
        yield from _wait_for_room(prompt.log, turn, patience)
    before = yield from write(prompt.log, lambda log: _placed(turn, joined, log))
    if _is_forgotten(Past.of(before), joined):
        return
    if calls and _is_amid(Past.of(before), turn):
        event = events.Failed(
            namespace=prompt.namespace, error=ConversationBusy.__name__, unrecorded=True
        )
        yield from Emit(event=event).perform()
    elif calls or joined.answers:
        yield from Opened(key=prompt.log, open=calls).perform()
    recorded = events.Recorded(
        namespace=prompt.namespace, messages=len(said), complete=reply.complete
    )
    yield from Emit(event=recorded).perform()


def _today() -> Flow[float | None]:
    """Return the time of day, or None where the clock fails: a turn matters more than its date."""
    try:
        at = float((yield from Clock().perform()))
    except Exception:  # noqa: BLE001  # any clock may be given
        return None
    return at if math.isfinite(at) else None


def _wait_for_room(key: LogKey, turn: Turn, patience: float) -> Flow[None]:
    """Wait until nobody else's exchange is open, `patience` seconds at most."""
    while patience > 0:
        log = yield from Load(key=key).perform()
        if not _is_amid(Past.of(log), turn):
            return
        patience = yield from Await(key=key, version=log.version, patience=patience).perform()


def _is_amid(now: Past, turn: Turn) -> bool:
    """Return whether an exchange is open that a turn does not answer."""
    said = _unanswered(turn.messages, now)
    return bool(now.unanswered) and not (said and role_of(said[0]) == "tool")


def _aligned(
    known: Past, messages: tuple[WireMessage, ...]
) -> tuple[tuple[WireMessage, ...], tuple[WireMessage, ...], int]:
    """Return the head of the caller, what they go on from, and how much of that they sent again.

    A later system message may come first in the last messages of a conversation: leading ones are
    the head as far as more of the rest is known that way.
    """
    places = range(head_length(messages), -1, -1)
    found = [(messages[:place], *known.overlap(messages[place:])) for place in places]
    return max(found, key=lambda one: one[2])


def _as_stored(prompt: Prompt) -> tuple[WireMessage, ...]:
    """Return the messages of a prompt as they would be on record, to compare them with what is."""
    try:
        return tuple(redacted(message, prompt.redact) for message in prompt.messages)
    except Exception:  # noqa: BLE001  # told when the turn is to be stored
        return tuple(prompt.messages)


def _said(new: Sequence[WireMessage], reply: WireMessage | None) -> tuple[WireMessage, ...]:
    """Return what a turn adds: a `partial` message and the rest of it, the reply, are one."""
    if not is_partial(new):
        return (*new, reply) if reply is not None else tuple(new)
    if reply is None:
        return tuple(new[:-1])
    begun = {key: value for key, value in new[-1].items() if key != "partial"}
    text = text_of(begun) + text_of(reply)
    return (*new[:-1], {**begun, **reply, "content": text})


def _is_forgotten(now: Past, joined: Joined) -> bool:
    """Return whether the conversation that was joined is gone, if others go by its name now."""
    return now.turns < joined.turns


def _placed(turn: Turn, joined: Joined, log: Log) -> list[Turn]:
    """Return a turn where it belongs in a log that may have gone on since it was joined."""
    now = Past.of(log)
    if _is_forgotten(now, joined):
        return []
    before = now.messages[joined.start - 1 : joined.start] if joined.start else ()
    same = [joined.before] == [digest(m) for m in before] if joined.start else True
    if now.turns == joined.turns and same:
        return [turn]
    said = _unanswered(turn.messages, now)
    answers = bool(said) and role_of(said[0]) == "tool"
    if not now.unanswered or answers:
        return [replace(turn, start=len(now.ending), messages=said)]
    if turn.replied and (tool_calls(said[-1]) or not turn.complete):
        said = said[:-1]  # nobody could answer its calls there
    rest = now.messages[now.question :]
    moved = replace(turn, start=now.question, messages=(*said, *rest), complete=True, replied=True)
    return [moved]


def _unanswered(said: tuple[WireMessage, ...], now: Past) -> tuple[WireMessage, ...]:
    """Return what a turn adds without leading results of calls that somebody else has answered."""
    waits = now.unanswered
    leading = next((i for i, message in enumerate(said) if role_of(message) != "tool"), len(said))
    kept = (m for m in said[:leading] if str(m.get("tool_call_id")) in waits)
    return (*kept, *said[leading:])


def standing(prompt: Prompt, context: Context) -> Flow[Sequence[WireMessage]]:
    """Return what would be sent of a conversation as it stands, without paying for anything."""
    prompt = yield from whole(prompt)
    thread, records = yield from find(prompt, context, prompt.thread())
    return best(prompt, context, thread, records).messages


def whole(prompt: Prompt) -> Flow[Prompt]:
    """Return a prompt with the whole conversation on record in place of its messages."""
    if prompt.log is None:
        return prompt
    known = yield from past(prompt.log)
    messages, prompt = [*known.head, *known.messages], _with_pins(prompt, known)
    return replace(prompt, messages=messages, known=len(known.messages), said=known.said)


def add(key: LogKey, messages: Sequence[WireMessage]) -> Flow[int]:
    """Add messages to a conversation without asking for a reply; return how many it has then.

    Raises:
        ConversationBusy: It waits for tool results, and these are not.
        HistoryError: These are tool results, and it waits for none.
        ConflictError: Others kept writing.
    """
    start = head_length(messages)
    head, rest = messages[:start], tuple(map(clone, messages[start:]))
    new = tuple(map(clone, head)) or None
    at = yield from _today()

    def turn(log: Log) -> list[Turn]:
        now = Past.of(log)
        _check(now, rest, key.label, whole=False)
        return [Turn(start=len(now.ending), messages=rest, head=new, at=at)]

    before = yield from write(key, turn)
    return len(Past.of(before).ending) + len(rest)


def _check(known: Past, new: Sequence[WireMessage], conversation: str, *, whole: bool) -> None:
    """Refuse what comes between calls and their results, and results that nothing waits for.

    Args:
        known: What is on record.
        new: What comes next.
        conversation: The name, for the error.
        whole: Whether all results have to be there, as in a request.
    """
    leading = takewhile(lambda message: role_of(message) == "tool", new)
    given = [str(message.get("tool_call_id")) for message in leading]
    missing = tuple(name for name in known.unanswered if name not in given)
    stranger = bool(given) and given[0] not in known.unanswered
    if known.unanswered and (stranger or (missing and (whole or len(given) < len(new)))):
        raise ConversationBusy(conversation=conversation, missing=missing or known.unanswered)
    if given and not known.unanswered:
        msg = "a tool result has to follow the call that it answers: add the call first"
        raise HistoryError(msg, index=0)


def rewind(key: LogKey, to: int) -> Flow[int]:
    """Go back to where a conversation had `to` messages; return how many were left behind.

    Raises:
        HistoryError: It has fewer.
        ConflictError: Others kept writing.
    """

    def turn(log: Log) -> list[Turn]:
        held = len(Past.of(log).messages)
        check_place(to, held)
        return [Turn(start=to)] if to < held else []

    before = yield from write(key, turn)
    return len(Past.of(before).messages) - to


def check_place(place: object, held: int, *, message: bool = False) -> None:
    """Refuse what is no place in a conversation, or, if a `message` is wanted, no place of one.

    Raises:
        HistoryError: It is none.
    """
    most = held - message
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place <= most:
        msg = f"{place!r} is no place in a conversation of {held} messages: use 0 to {most}"
        raise HistoryError(msg, index=place if isinstance(place, int) else 0)


def undo(key: LogKey) -> Flow[Compaction | None]:
    """Take the latest compaction out of use and return it, or None where there is none.

    Raises:
        ConflictError: Others kept writing.
    """

    def undone(log: Log) -> list[Undone]:
        latest = in_use(Past.of(log))[-1:]
        return [Undone(mark=record.mark, content=record.content) for record in latest]

    before = yield from write(key, undone)
    return next(reversed(in_use(Past.of(before))), None)


def in_use(known: Past) -> list[Compaction]:
    """Return the compactions that speak for the messages there are, oldest first."""
    links = Thread.of(known.messages, start=0).links
    done = (r for r in known.compactions if r.covered or r.shortened)  # else it quotes pins only
    found = (r for r in done if links[r.covered : r.covered + 1] == [r.coverage])
    return list({record.content: record for record in found}.values())


def fork(key: LogKey, other: LogKey, at: int | None) -> Flow[int]:
    """Begin another conversation with the first `at` messages of one; return how many those are.

    What was summarised of them need not be summarised again, and they keep their times.

    Raises:
        HistoryError: It has fewer messages, or the other conversation has some.
        ConflictError: Others kept writing.
    """
    known = yield from past(key)
    held = len(known.messages)
    place = held if at is None else at
    check_place(place, held)
    times = known.said[:place]
    begun_with = replace(known, messages=known.ending[:place], said=times)
    records = in_use(begun_with)

    def begun(log: Log) -> list[Record]:
        if Past.of(log).messages:
            msg = "a conversation of that name has messages already: choose another name"
            raise HistoryError(msg, index=0)
        first = dated(Turn(start=0, messages=begun_with.messages, head=known.head or None), times)
        pins = (Pinned(digest=mark) for mark in sorted(known.pinned))
        return [*first, *records, *pins, *(Pinned(text=text) for text in known.quoted)]

    yield from write(other, begun)
    return len(begun_with.messages)
