"""One request under judgement: what was given, what was sent, and what is on record about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from memory.identity import digest
from memory.messages import WireMessage, head_length, role_of, text_of, tool_calls
from memory.records import Compaction, Record

__all__ = (
    "OPENING",
    "Check",
    "Sending",
    "chain_of",
    "describe",
    "head_of",
    "is_replaced",
    "is_same",
    "notes_of",
    "rest_of",
    "unpaired",
)

OPENING = "<conversation-notes>"
"""How a synthetic message begins."""
_EXCERPT = 60
"""Characters that are shown of a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What the caller passed, what was sent, and what is on record about the difference.

    Attributes:
        given: The caller's messages.
        sent: The messages that were sent, without the one that shows originals again.
        record: The compaction that the view follows, or None.
        log: The log of the conversation; None where it is not known, so that nothing is said of it.
        tokens: What the prompt cost, in tokens; None when not known.
        limit: What it may cost, in tokens; None for no limit.
        counted: What it counts once the server reported `tokens` for it; None when not known.
        before: A copy of `given`, made before anybody could change it; None for no copy.
        stored: `given` as it is put on record, where a redactor changes it; None for the same.
        pending: How many of the last of `given` go on record only with the reply.
        pinned: The digests of messages that stay verbatim; see `memory.identity.digest`.
        quoted: The sentences that notes have to quote.
        sizes: The tokens of each of `given`; None when not known.
        notes: The places of synthetic messages in `sent`, for views that no compaction of ours
            speaks for; None where one does: its message is known by its digest.
        recalled: The message that shows originals again, and where it stood among those that were
            sent; None for none.
    """

    given: Sequence[WireMessage]
    sent: Sequence[WireMessage]
    record: Compaction | None = None
    log: Sequence[Record] | None = ()
    tokens: int | None = None
    limit: int | None = None
    counted: int | None = None
    before: Sequence[WireMessage] | None = None
    stored: Sequence[WireMessage] | None = None
    pending: int = 0
    pinned: Collection[bytes] = frozenset()
    quoted: Sequence[str] = ()
    sizes: Sequence[int] | None = None
    notes: Sequence[int] | None = None
    recalled: tuple[WireMessage, int] | None = None


Check = Callable[[Sending], str | None]
"""Looks at one sending; None when all is well, else a sentence that says what is wrong."""


def _marks_of(sending: Sending) -> set[bytes]:
    """Return the digests of all synthetic messages on record."""
    records = [sending.record, *(sending.log or ())]
    marks = (record.mark for record in records if isinstance(record, Compaction))
    return {mark for mark in marks if mark is not None}


def head_of(sending: Sending) -> int:
    """Return how many of the caller's messages are the head.

    A synthetic message that went out as a system message, and was passed in again, is not; nor is
    one that was replaced and begins as ours do, since its record may be in another log.
    """
    size = head_length(sending.given)
    marks = _marks_of(sending) if size else set()
    for place, message in enumerate(sending.given[:size]):
        if is_replaced(sending, message) or digest(message) in marks:
            return place
    return size


def is_replaced(sending: Sending, message: WireMessage) -> bool:
    """Return whether a message of the caller reads as earlier notes, and other ones were sent."""
    return text_of(message).startswith(OPENING) and message not in sending.sent


def rest_of(sending: Sending) -> Sequence[WireMessage]:
    """Return the caller's messages after the head."""
    return sending.given[head_of(sending) :]


def chain_of(sending: Sending) -> Sequence[WireMessage]:
    """Return the messages after the head in the form that hashes are taken of."""
    given = sending.given if sending.stored is None else sending.stored
    return given[head_of(sending) :]


def notes_of(sending: Sending) -> list[int]:
    """Return the places of synthetic messages in what was sent.

    Those of earlier compactions count, unless the caller passed them as messages.
    """
    if sending.notes is not None:
        return list(sending.notes)
    marks = _marks_of(sending)
    if not marks:
        return []
    given, head = {digest(message) for message in rest_of(sending)}, head_of(sending)
    own = sending.record.mark if sending.record else None
    found = [(i, mark) for i, m in enumerate(sending.sent) if (mark := digest(m)) in marks]
    return [i for i, mark in found if mark not in given or (i == head and mark == own)]


def is_same(one: WireMessage, other: WireMessage) -> bool:
    """Return whether two messages are the same on the wire, the order of their keys included."""
    return one is other or (one == other and _shape(one) == _shape(other))


def _shape(value: object) -> object:
    """Return what `==` does not see: the order of keys, and what kind of value each is."""
    if isinstance(value, Mapping):
        return [(key, _shape(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [_shape(item) for item in value]
    return type(value)


def unpaired(messages: Sequence[WireMessage]) -> int | None:
    """Return the first message that breaks the pairing, or None; the last batch may be open."""
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        if role_of(message) == "tool":
            answers = str(message.get("tool_call_id"))
            if answers not in waiting:
                return index
            waiting.discard(answers)
            continue
        if waiting:
            return index
        waiting = {str(call.get("id")) for call in tool_calls(message)}
    return None


def describe(sending: Sending, *, contents: bool = False) -> str:
    """Return a request as a table: one line for each message given and for each one sent.

    Args:
        sending: The request.
        contents: Whether the first characters of texts are shown; else only how long they are.
    """
    record, notes = sending.record, notes_of(sending)
    told = [f"{sending.tokens} tokens"] if sending.tokens is not None else []
    told += [f"limit {sending.limit}"] if sending.limit is not None else []
    if record is not None:
        told.append(f"covers {record.covered} after the head, keeps {list(record.kept)}")
    told.insert(0, f"{len(sending.sent)} messages sent for {len(sending.given)}")
    lines = [", ".join(told)]
    lines += ["given:", *(_line(i, m, contents=contents) for i, m in enumerate(sending.given))]
    lines += ["sent:"]
    for place, message in enumerate(sending.sent):
        line = _line(place, message, contents=contents)
        lines.append(f"{line}{'  <- notes' if place in notes else ''}")
    return "\n".join(lines)


def _line(place: int, message: WireMessage, *, contents: bool) -> str:
    text = text_of(message)
    calls = [str(call.get("id")) for call in tool_calls(message)]
    answers = message.get("tool_call_id")
    parts = [f"{place:5} {role_of(message)!s:9} {len(text):6} characters"]
    parts += [f"calls {', '.join(calls)}"] if calls else []
    parts += [f"answers {answers}"] if answers is not None else []
    others = sorted(map(str, set(message) - {"role", "content", "tool_calls", "tool_call_id"}))
    parts += [f"keys {', '.join(others)}"] if others else []
    parts += [repr(text[:_EXCERPT])] if contents else []
    return "  ".join(parts)
