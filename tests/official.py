"""Rows turned into the shapes that data sets are published in, for the tests of their readers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from memory.formats import locomo

CATEGORIES = {kind: number for number, kind in locomo.TYPES.items()}
_PHOTO = re.compile(r" \[shares a photo: (.*)\]$", re.DOTALL)

Row = Mapping[str, Any]


def as_locomo(row: Row) -> dict[str, Any]:
    """Return a sample of LoCoMo that a row could have been read from."""
    user, other = row["speakers"]
    talk: dict[str, Any] = {"speaker_a": user, "speaker_b": other}
    for session, said in groupby(row["messages"], key=lambda message: message["_session"]):
        turns = [*said]
        time = turns[0]["_time"]
        talk[f"session_{session}_date_time"] = time
        talk[f"session_{session}"] = [_turn(each, f"[{time}] ") for each in turns]
    return {
        "sample_id": row["id"],
        "conversation": talk,
        "qa": [_question(probe) for probe in row["probes"]],
        "event_summary": {},
        "observation": {},
        "session_summary": {},
    }


def _turn(message: Row, date: str) -> dict[str, Any]:
    speaker, _, text = message["content"].removeprefix(date).partition(": ")
    turn = {"speaker": speaker, "dia_id": message["_id"], "text": text}
    photo = _PHOTO.search(text)
    if photo is None:
        return turn
    shown = {"img_url": ["https://example.org/1.jpg"], "blip_caption": photo[1], "query": "x"}
    return {**turn, "text": text[: photo.start()], **shown}


def _question(probe: Row) -> dict[str, Any]:
    keys = {"question": probe["question"], "evidence": probe["evidence"]}
    answers = {"answer": probe["answers"][0]} if probe["answers"] else {}
    lured = {key: probe[key] for key in ("adversarial_answer",) if key in probe}
    return {**keys, "category": CATEGORIES[probe["type"]], **answers, **lured}


def as_longmemeval(row: Row) -> dict[str, Any]:
    """Return a question of LongMemEval that a row could have been read from."""
    (probe,) = row["probes"]
    names, dates, sessions = [], [], []
    for _, said in groupby(row["messages"], key=lambda message: message["_session"]):
        turns = [*said]
        names.append(turns[0]["_id"].rpartition("_")[0])
        dates.append(turns[0]["_time"])
        sessions.append([_said(each, probe["evidence"]) for each in turns])
    return {
        "question_id": row["id"],
        "question_type": probe["type"],
        "question": probe["question"],
        "answer": probe["answers"][0],
        "question_date": probe["question_date"],
        "haystack_session_ids": names,
        "haystack_dates": dates,
        "haystack_sessions": sessions,
        "answer_session_ids": probe["evidence_sessions"],
    }


def _said(message: Row, evidence: Sequence[str]) -> dict[str, Any]:
    text = message["content"].removeprefix(f"[{message['_time']}] ")
    marked = {"has_answer": True} if message["_id"] in evidence else {}
    return {"role": message["role"], "content": text, **marked}


def as_tau(row: Row) -> dict[str, Any]:
    """Return a trajectory of tau-bench that a row could have been read from."""
    task, _, trial = row["id"].removeprefix("tau_").rpartition("_t")
    said = [{key: each[key] for key in each if key != "_id"} for each in row["messages"]]
    named = {"task_id": int(task), "trial": int(trial)}
    return {**named, "reward": row["reward"], "info": {"task": {}}, "traj": said}


def as_tau2(row: Row) -> dict[str, Any]:
    """Return a run of tau2-bench that a row could have been read from."""
    task, _, trial = row["id"].removeprefix("tau2_").rpartition("_t")
    ended = {"termination_reason": "user_stop", "reward_info": {"reward": row["reward"]}}
    return {
        "id": "run",
        "task_id": task,
        "trial": int(trial),
        **ended,
        "messages": [_flat(each) for each in row["messages"] if each["role"] != "system"],
    }


def _flat(message: Row) -> dict[str, Any]:
    if message["role"] == "tool":
        named = {"id": message["tool_call_id"], "requestor": "assistant", "error": False}
        return {"role": "tool", "content": message["content"], **named}
    calls = [
        {
            "id": call["id"],
            "name": call["function"]["name"],
            "arguments": json.loads(call["function"]["arguments"]),
            "requestor": "assistant",
        }
        for call in message.get("tool_calls", ())
    ]
    return {"role": message["role"], "content": message["content"], "tool_calls": calls or None}


def as_sharegpt(row: Row) -> dict[str, Any]:
    """Return a conversation in ShareGPT's format that a row could have been read from."""
    return {"id": row["id"], "conversations": [_from(each) for each in row["messages"]]}


def _from(message: Row) -> dict[str, Any]:
    names = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}
    calls = [call["function"] for call in message.get("tool_calls", ())]
    if not calls:
        return {"from": names[message["role"]], "value": message["content"]}
    made = [{"name": c["name"], "arguments": json.loads(c["arguments"])} for c in calls]
    return {"from": "function_call", "value": json.dumps(made)}
