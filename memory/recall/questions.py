"""What is looked for on behalf of a message."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memory.analysis import sentences
from memory.messages import WireMessage, is_partial, last_user, role_of, text_of
from memory.recall.contract import Question
from memory.said import text_of_message

__all__ = ("asks", "question_of")

CONTEXT = 2_000
"""Characters of the context of a question."""
_QUESTION = re.compile(
    r"\b(?:who|whom|whose|what|when|where|which|why|how)\b"
    r"|[吗谁哪]|什么|多少|怎么|怎样|如何|为何|几",
    re.IGNORECASE,
)
_REQUEST = re.compile(r"\b(?:can|could|would|will|may) (?:you|i|we)\b|\bplease\b", re.IGNORECASE)
_REMIND = re.compile(
    r"\b(?:remind me|do you (?:remember|recall)|tell me|i forgot|i forget|look up|like to know)\b"
    r"|记得|来着|告诉我|忘了|谁|什么|多少|吗\W*$",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"\W*(?:and |so |but )?(?:who|whom|whose|what|when|where|which|why|how)\b", re.IGNORECASE
)


def asks(text: str) -> bool:
    """Return whether a message asks for what is known, and not for something to be done.

    "What was it?" and "Is it mine?" do, and whoever asks to be reminded; "Can you book it?" does
    not, though it ends in a question mark.
    """
    said = sentences(text)
    return bool(_REMIND.search(text)) or any(
        _BEGINS.match(each)
        or (_marked(each) and (_QUESTION.search(each) or not _REQUEST.search(each)))
        for each in said
    )


def _marked(sentence: str) -> bool:
    return "?" in sentence or "？" in sentence


def question_of(messages: Sequence[WireMessage], *, adopted: int) -> tuple[int, Question] | None:
    """Return what to look for, and the place of the user message that it is on behalf of.

    The context is the exchange that the turn had come to when the conversation was compacted last,
    and nothing that came later: between two compactions the question stays the same, and with it
    what was sent before.

    Args:
        messages: The messages without the head.
        adopted: For how many of them the compaction was made.

    Returns:
        None where the user has said nothing, or where a reply has begun already.
    """
    if is_partial(messages):
        return None
    place = last_user(messages)
    if place is None:
        return None
    text = text_of(messages[place])
    since = messages[place + 1 : adopted]
    start = max((i for i, each in enumerate(since) if role_of(each) == "assistant"), default=0)
    context = "\n".join(map(text_of_message, since[start:]))[-CONTEXT:]
    return (place, Question(text=text, context=context)) if text.strip() else None
