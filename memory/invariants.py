"""The promises of a view as named checks: used by tests, by `replay`, and on your transcripts.

Each check looks at one `Sending` and returns None, or a sentence that says what is wrong and
where. `violations` runs all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from memory.identity import digest
from memory.messages import WireMessage, head_length, last_user, role_of, tool_calls
from memory.records import Compaction, Logged, Record
from memory.view import Thread, View

__all__ = (
    "CHECKS",
    "Sending",
    "absent_messages_are_covered",
    "head_is_first",
    "kept_messages_are_verbatim",
    "last_user_message_is_sent",
    "one_synthetic_message",
    "prompt_is_within_limit",
    "tail_is_a_suffix",
    "tool_calls_are_paired",
    "violations",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What the caller passed, what was sent, and what is on record about the difference.

    Attributes:
        given: The caller's messages.
        sent: The messages that were sent.
        record: The compaction that the view follows, or None.
        log: The log of the conversation.
        tokens: What the prompt cost, in tokens; None when not known.
        limit: What it may cost, in tokens; None for no limit.
    """

    given: Sequence[WireMessage]
    sent: Sequence[WireMessage]
    record: Compaction | None = None
    log: Sequence[Record] = ()
    tokens: int | None = None
    limit: int | None = None


Check = Callable[[Sending], str | None]
"""Looks at one sending; None when all is well."""


def prompt_is_within_limit(sending: Sending) -> str | None:
    """Tokens of the view are within the limit."""
    if sending.tokens is None or sending.limit is None or sending.tokens <= sending.limit:
        return None
    return f"the prompt has {sending.tokens} tokens and may have {sending.limit}"


def head_is_first(sending: Sending) -> str | None:
    """The head comes first and is verbatim."""
    head = head_length(sending.given)
    if list(sending.sent[:head]) == list(sending.given[:head]):
        return None
    return "the leading system messages differ from those passed"


def one_synthetic_message(sending: Sending) -> str | None:
    """There is at most one synthetic message, directly after the head."""
    mark = sending.record.mark if sending.record else None
    if mark is None:
        return None
    places = [i for i, message in enumerate(sending.sent) if digest(message) == mark]
    head = head_length(sending.given)
    return None if places == [head] else f"synthetic messages at {places}, expected [{head}]"


def last_user_message_is_sent(sending: Sending) -> str | None:
    """The last user message is sent."""
    index = last_user(sending.given)
    if index is None or sending.given[index] in sending.sent:
        return None
    return f"the last user message, {index}, is not sent"


def kept_messages_are_verbatim(sending: Sending) -> str | None:
    """What is sent is the head, the synthetic message, and caller's messages in their order.

    Tool results that the record says are shortened are compared in their shortened form.
    """
    expected = View(Thread.of(sending.given), sending.record).messages()
    if list(sending.sent) == expected:
        return None
    pairs = enumerate(zip(sending.sent, expected, strict=False))
    place = next((i for i, (one, other) in pairs if one != other), "the end")
    return f"message {place} of what was sent is not what the record makes of the input"


def tail_is_a_suffix(sending: Sending) -> str | None:
    """What follows the covered messages is sent as it is, keys the API does not know included."""
    record = sending.record
    if record is None:
        return None if list(sending.sent) == list(sending.given) else "sent differs from given"
    short = {item.index for item in record.shortened}
    rest = sending.given[head_length(sending.given) :]
    tail = [rest[i] for i in range(record.covered, len(rest)) if i not in short]
    sent = sending.sent[len(sending.sent) - (len(rest) - record.covered) :]
    kept = [m for i, m in enumerate(sent, start=record.covered) if i not in short]
    return None if tail == kept else "the tail is not the end of the input"


def tool_calls_are_paired(sending: Sending) -> str | None:
    """A view of a paired conversation is paired: no orphan result, no unanswered call."""
    if _unpaired(sending.given) is not None:
        return None
    place = _unpaired(sending.sent)
    return None if place is None else f"message {place} breaks the pairing of tool calls"


def absent_messages_are_covered(sending: Sending) -> str | None:
    """Every message that is not sent is in a segment and in the log."""
    record = sending.record
    if record is None:
        return None
    thread = Thread.of(sending.given)
    held = {entry.link for entry in sending.log if isinstance(entry, Logged)}
    # An input that begins with an earlier synthetic message goes on where that one ended.
    before = max(0, max((s.last for s in record.segments), default=0) - record.covered)
    for index in range(record.covered):
        if index in record.kept or digest(thread.rest[index]) == record.mark:
            continue
        number = index + 1 + before
        if not any(number in segment.numbers for segment in record.segments):
            return f"message {index} is neither sent nor covered by a segment"
        if thread.links[index + 1] not in held:
            return f"message {index} is neither sent nor in the log"
    return None


CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        prompt_is_within_limit,
        head_is_first,
        one_synthetic_message,
        last_user_message_is_sent,
        kept_messages_are_verbatim,
        tail_is_a_suffix,
        tool_calls_are_paired,
        absent_messages_are_covered,
    )
}
"""All checks by name."""


def violations(sending: Sending) -> dict[str, str]:
    """Return what is wrong with a sending, by the name of the check; empty when all is well."""
    found = {name: check(sending) for name, check in CHECKS.items()}
    return {name: message for name, message in found.items() if message is not None}


def _unpaired(messages: Sequence[WireMessage]) -> int | None:
    """Return the first message that breaks the pairing, or None; the last batch may be open."""
    waiting: set[object] = set()
    for index, message in enumerate(messages):
        if role_of(message) == "tool":
            if message.get("tool_call_id") not in waiting:
                return index
            waiting.discard(message.get("tool_call_id"))
            continue
        if waiting:
            return index
        waiting = {call.get("id") for call in tool_calls(message)}
    return None
