"""What holds of the message that shows originals again."""

from __future__ import annotations

from memory.invariants.sending import Sending, rest_of
from memory.messages import role_of, text_of
from memory.recall.rendering import is_snippet, quotes, says
from memory.said import text_of_message

__all__ = ("recalled_message_is_in_place", "recalled_passages_are_verbatim")


def recalled_message_is_in_place(sending: Sending) -> str | None:
    """Check that what is recalled stands, fenced, immediately before the last user message."""
    if sending.recalled is None:
        return None
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
