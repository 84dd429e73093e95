"""LongMemEval: a list of questions, each with the sessions of chat that it is asked about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from memory.formats.failures import wrong
from memory.formats.wire import Row, content, messages_of, texts

__all__ = ("recognises", "row")

_DATE: Final = re.compile(r"\d{4}/\d\d/\d\d \(\w+\) \d\d:\d\d")
"""How the files write dates; in this form their order is the order of their texts."""
_ABSTENTION: Final = "_abs"


def recognises(value: Any) -> bool:
    """Return whether a value is a question with its sessions."""
    return isinstance(value, dict) and "haystack_sessions" in value


def row(value: Mapping[str, Any], *, place: str, number: int) -> Row:
    """Return a question with its sessions as a row.

    The sessions are one conversation, by date: in `longmemeval_oracle.json` they are not in order.
    The first turn of each begins with its date. The id of a turn is that of its session and its
    number there, from 1.

    Args:
        value: The question.
        place: Where it stands.
        number: Its place in the file; nothing depends on it.

    Raises:
        TranscriptError: Something in it is not what it should be.
    """
    del number
    messages: list[dict[str, Any]] = []
    evidence: list[str] = []
    for session, (name, date, turns) in enumerate(_sessions(value, place=place), start=1):
        for index, turn in enumerate(messages_of(turns, place=f"{place}: session {name!r}"), 1):
            ident = f"{name}_{index}"
            message = {key: each for key, each in turn.items() if key != "has_answer"}
            text = content(message.get("content"))
            if date and index == 1:
                text = f"[{date}] {text}"
            notes = {"_id": ident, "_session": session, "_time": date}
            messages.append({**message, "content": text, **notes})
            if turn.get("has_answer"):
                evidence.append(ident)
    name = content(value.get("question_id"))
    probe = {
        "qid": name,
        "type": content(value.get("question_type")),
        "question": content(value.get("question")),
        "answers": texts(value.get("answer")),
        "evidence": evidence,
        "flags": [],
        "question_date": content(value.get("question_date")),
        "evidence_sessions": texts(value.get("answer_session_ids")),
        **({"abstain": True} if name.endswith(_ABSTENTION) else {}),
    }
    named = {"id": name} if name else {}
    return {**named, "source": "LongMemEval", "lang": "en", "messages": messages, "probes": [probe]}


def _sessions(value: Mapping[str, Any], *, place: str) -> Sequence[tuple[str, str, Any]]:
    """Return name, date and turns of each session, by date where all dates can be compared."""
    turns = value["haystack_sessions"]
    if not isinstance(turns, list):
        raise wrong(place, "`haystack_sessions` is not a list of sessions")
    numbers = range(1, len(turns) + 1)
    names = _same_length(value, "haystack_session_ids", [f"session_{n}" for n in numbers], place)
    dates = _same_length(value, "haystack_dates", [""] * len(turns), place)
    found = [*zip(_unique(names), dates, turns, strict=True)]
    if all(_DATE.fullmatch(date) for date in dates):
        found.sort(key=lambda each: each[1])
    return found


def _same_length(value: Mapping[str, Any], key: str, otherwise: list[str], place: str) -> list[str]:
    if value.get(key) is None:
        return otherwise
    found = texts(value[key])
    if len(found) != len(otherwise):
        raise wrong(place, f"`{key}` has {len(found)} entries for {len(otherwise)} sessions")
    return found


def _unique(names: Sequence[str]) -> Iterator[str]:
    """Yield names, the second of the same with `#2` after it: ids of turns are made of them."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield f"{name}#{seen[name]}" if seen[name] > 1 else name
