"""What holds of the message that shows originals again."""

from __future__ import annotations

from collections.abc import Sequence

from memory.invariants.sending import Sending, rest_of
from memory.messages import WireMessage, role_of, text_of
from memory.recall.rendering import OPENING, is_snippet, quotes, says
from memory.said import text_of_message

__all__ = (
    "parted",
    "recalled_message_is_in_place",
    "recalled_passages_are_verbatim",
    "whole",
)


def parted(
    given: Sequence[WireMessage], sent: Sequence[WireMessage]
) -> tuple[Sequence[WireMessage], tuple[WireMessage, int] | None]:
    """Part what was sent from the message that shows originals again.

    A message that only reads like one is the caller's if the caller passed it.

    Args:
        given: The caller's messages.
        sent: The messages that were sent.

    Returns:
        What was sent without it, itself where there is none; and the message with its place in
        `sent`, the last where there are several, or None.
    """
    able = [i for i, each in enumerate(sent) if text_of(each).startswith(OPENING)]
    found = [i for i in able if is_snippet(sent[i]) and sent[i] not in given]
    if not found:
        return sent, None
    place = found[-1]
    return [*sent[:place], *sent[place + 1 :]], (sent[place], place)


def whole(sending: Sending) -> Sequence[WireMessage]:
    """Return all messages that were sent, with the one that shows originals again."""
    if sending.recalled is None:
        return sending.sent
    message, place = sending.recalled
    return [*sending.sent[:place], message, *sending.sent[place:]]


def recalled_message_is_in_place(sending: Sending) -> str | None:
    """Check that what is recalled stands, fenced, immediately before the last user message.

    It does so once.
    """
    if sending.recalled is None:
        return None
    if parted(sending.given, sending.sent)[1] is not None:
        return "originals are shown again by more than one message"
    message, place = sending.recalled
    if not is_snippet(message):
        return "the message that shows originals again is not fenced, or is not a user's"
    roles = [role_of(each) for each in sending.sent]
    last = max((i for i, role in enumerate(roles) if role == "user"), default=None)
    if place != last:
        return f"originals are shown at {place}, and the last user message is at {last}"
    return None


def recalled_passages_are_verbatim(sending: Sending) -> str | None:
    """Check that each passage stands word for word in the message that it names."""
    if sending.recalled is None:
        return None
    rest = rest_of(sending)
    shown = [*quotes(text_of(sending.recalled[0]))]
    if not shown:
        return "the message that shows originals again shows none"
    for number, role, said in shown:
        if not 0 < number <= len(rest):
            return f"message {number} is shown again, and there is none"
        original = rest[number - 1]
        if role != role_of(original) or not says(text_of_message(original), said):
            return f"message {number} is shown again with words that it does not have"
    return None
