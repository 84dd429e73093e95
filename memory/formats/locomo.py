"""LoCoMo: `locomo10.json`, a list of samples of a talk between two people in dated sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from memory.formats.failures import wrong
from memory.formats.wire import Row, content, object_of, texts

__all__ = ("TYPES", "recognises", "row")

TYPES: Final = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}
"""What the categories of the questions mean; the numbers do not follow the order of the paper."""
_ADVERSARIAL: Final = 5
_SESSION: Final = re.compile(r"session_([1-9]\d*)")
_EVIDENCE: Final = re.compile(r"D:?(\d+):(\d+)")
"""The id of a turn as evidence has it: some fields hold several, and some are misspelt."""


def recognises(value: Any) -> bool:
    """Return whether a value is a sample."""
    talk = value.get("conversation") if isinstance(value, dict) else None
    return isinstance(talk, dict) and ("speaker_a" in talk or any(map(_number, talk)))


def row(value: Mapping[str, Any], *, place: str, number: int) -> Row:
    """Return a sample as a row.

    `speaker_a` is the user and the other one the assistant. A turn begins with the name of its
    speaker, the first of a session with the time of that, and a photo is told by its caption.

    Args:
        value: The sample.
        place: Where it stands.
        number: Its place in the file, from 0; the ids of the probes have it.

    Raises:
        TranscriptError: Something in it is not what it should be.
    """
    talk = value["conversation"]
    messages = [*_messages(talk, place=place)]
    if not messages:
        raise wrong(place, "no `session_1` and so on with turns in its `conversation`")
    ids = {message["_id"] for message in messages}
    asked = value.get("qa", [])
    if not isinstance(asked, list):
        raise wrong(place, "`qa` is not a list")
    probes = [
        _probe(object_of(each, place=place, what=f"qa {index}"), f"locomo_{number}_qa{index}", ids)
        for index, each in enumerate(asked)
    ]
    speakers = [content(talk.get(key)) for key in ("speaker_a", "speaker_b")]
    named = {"id": str(value["sample_id"])} if value.get("sample_id") is not None else {}
    return {
        **named,
        "source": "LoCoMo",
        "lang": "en",
        "speakers": speakers,
        "messages": messages,
        "probes": probes,
    }


def _number(key: str) -> int | None:
    found = _SESSION.fullmatch(key)
    return int(found[1]) if found else None


def _messages(talk: Mapping[str, Any], *, place: str) -> Iterator[dict[str, Any]]:
    numbers = sorted(number for number in map(_number, talk) if number is not None)
    for session in numbers:
        turns = talk[f"session_{session}"]
        time = content(talk.get(f"session_{session}_date_time"))
        inner = f"session_{session}"
        if not isinstance(turns, list):
            raise wrong(place, f"`{inner}` is not a list of turns")
        for index, each in enumerate(turns):
            turn = object_of(each, place=place, what=f"turn {index} of `{inner}`")
            if not isinstance(turn.get("speaker"), str):
                raise wrong(place, f"turn {index} of `{inner}` has no `speaker`")
            text = f"{turn['speaker']}: {_text(turn)}"
            yield {
                "role": "user" if turn["speaker"] == talk.get("speaker_a") else "assistant",
                "content": f"[{time}] {text}" if time and not index else text,
                "_id": str(turn.get("dia_id") or f"D{session}:{index + 1}"),
                "_session": session,
                "_time": time,
            }


def _text(turn: Mapping[str, Any]) -> str:
    said = content(turn.get("text"))
    shown = content(turn.get("blip_caption") or turn.get("query"))
    if shown:
        return f"{said} [shares a photo: {shown}]"
    return f"{said} [shares a photo]" if turn.get("img_url") else said


def _probe(asked: Mapping[str, Any], qid: str, ids: set[str]) -> dict[str, Any]:
    """Return a question; evidence that names no turn is kept apart, under `unresolved`."""
    category = asked.get("category")
    fields = texts(asked.get("evidence"))
    named = [
        (field, [f"D{int(s)}:{int(t)}" for s, t in _EVIDENCE.findall(field)]) for field in fields
    ]
    evidence = [each for _, found in named for each in found if each in ids]
    unresolved = [field for field, found in named if not found or not ids.issuperset(found)]
    abstain = {"abstain": True} if category == _ADVERSARIAL else {}
    lured = {k: content(asked[k]) for k in ("adversarial_answer",) if k in asked}
    return {
        "qid": qid,
        "type": TYPES.get(category, str(category)) if isinstance(category, int) else str(category),
        "question": content(asked.get("question")),
        "answers": texts(asked.get("answer")),
        "evidence": evidence,
        "flags": [],
        **lured,
        **abstain,
        **({"unresolved": unresolved} if unresolved else {}),
    }
