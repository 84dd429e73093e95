"""Requests for notes: how they are recognised, and what they ask to be rewritten."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.testing.kimi_answer import last_user_index
from memory.testing.kimi_wire import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memory.testing.kimi_wire import Wire

__all__ = (
    "DEFAULT_BUDGET",
    "MARK",
    "NOTES",
    "SummaryJob",
    "extract",
    "is_summary",
    "summary_job",
)

MARK = "[kimi-memory/notes"
"""What the last user message of a request for notes begins with."""

NOTES = "<conversation-notes>"
"""What the message that holds earlier notes contains."""

DEFAULT_BUDGET = 1_024
"""Length in tokens of notes whose request names none."""

_BUDGETS = (
    # A task of the caller's own, which comes first, may name other lengths.
    re.compile(r"^Write at most ([\d,]+) tokens", re.MULTILINE),
    re.compile(r"at most ([\d,]+) tokens"),
)
_SUMMARY = re.compile(r"<summary[^>]*>(.*?)</summary>", re.DOTALL)
_SUMMARY_WHOLE = re.compile(r"<summary[^>]*>.*?</summary>", re.DOTALL)
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_LINE = re.compile(
    r"^(?:\d+ )?(user|assistant|tool|system|developer)\b"
    rf"(?: {_STRING})?(?: called ({_STRING}|[^:\n]*))?: ?(.*)$",
    re.MULTILINE,
)
_BLOCK = re.compile(r"<conversation>(.*?)</conversation>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryJob:
    """A request for notes, as a summariser sees it.

    Attributes:
        messages: What is to be summarised.
        budget: The length asked for, in tokens.
        text: The instruction.
    """

    messages: tuple[Wire, ...]
    budget: int
    text: str


def is_summary(messages: object) -> bool:
    """Tell whether a request asks for notes: by how its last user message begins."""
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return False
    last = last_user_index(messages)
    return last is not None and text_of(messages[last]).startswith(MARK)


def summary_job(messages: Sequence[Wire]) -> SummaryJob:
    """Read a request for notes.

    The messages are the quoted conversation where there is one; else those sent, without the
    head and, unless earlier notes are to be folded in, without what is already covered.
    """
    last = last_user_index(messages) or 0
    text = text_of(messages[last])
    budget = next(filter(None, (pattern.search(text) for pattern in _BUDGETS)), None)
    fold = "fold" in text.partition("\n")[0].split("]")[0].split()
    return SummaryJob(
        messages=_quoted(text) or _sent(messages[:last], fold=fold),
        budget=int(budget[1].replace(",", "")) if budget else DEFAULT_BUDGET,
        text=text,
    )


def extract(job: SummaryJob, count_text: Callable[[str], int]) -> str:
    """Write the notes with the library's offline summariser."""
    from memory.summarizers import extractive

    notes = [text for one in job.messages if NOTES in (text := text_of(one))]
    earlier = "\n".join(part.strip() for text in notes for part in _SUMMARY.findall(text))
    said = [one for one in job.messages if NOTES not in text_of(one)]
    return extractive.extract(said, budget=job.budget, count=count_text, previous=earlier)


def _quoted(text: str) -> tuple[Wire, ...]:
    # The instruction may name the tags before it uses them: the longest block is the text.
    block = max(_BLOCK.findall(text), key=len, default="").strip()
    earlier = "\n".join(_SUMMARY_WHOLE.findall(block))
    notes = ({"role": "user", "content": f"{NOTES}\n{earlier}"},) if earlier else ()
    said = _LINE.findall(_SUMMARY_WHOLE.sub("", block))
    return (*notes, *(_message(*line) for line in said))


def _message(role: str, called: str, text: str) -> Wire:
    """Read one line of a quoted conversation."""
    if not called:
        return {"role": role, "content": _unquoted(text)}
    function = {"name": _unquoted(called), "arguments": _unquoted(text)}
    return {"role": role, "content": "", "tool_calls": [{"type": "function", "function": function}]}


def _unquoted(text: str) -> str:
    """Return what a JSON string says; a text that is none is what it is."""
    try:
        said = json.loads(text)
    except ValueError:
        return text
    return said if isinstance(said, str) else text


def _sent(messages: Sequence[Wire], *, fold: bool) -> tuple[Wire, ...]:
    notes = [index for index, one in enumerate(messages) if NOTES in text_of(one)]
    body = [index for index, one in enumerate(messages) if one["role"] != "system"]
    start = min([*notes, *body], default=len(messages))
    if notes and not fold:
        start = notes[-1] + 1
    return tuple(messages[start:])
