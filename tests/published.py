"""Small conversations, invented here, in the shapes that data sets are published in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOCOMO = {
    "sample_id": "conv-1",
    "conversation": {
        "speaker_a": "Ann",
        "speaker_b": "Ben",
        "session_10_date_time": "9:00 am on 3 May, 2023",
        "session_10": [{"speaker": "Ben", "dia_id": "D10:1", "text": "Back again."}],
        "session_2_date_time": "8:00 am on 1 May, 2023",
        "session_2": [
            {"speaker": "Ann", "dia_id": "D2:1", "text": "I have a dog."},
            {
                "speaker": "Ben",
                "dia_id": "D2:2",
                "text": "Look.",
                "img_url": ["https://example.org/1.jpg"],
                "blip_caption": "a photo of a cat",
                "query": "cat",
            },
            {"speaker": "Ann", "dia_id": "D2:3", "text": "Mine.", "img_url": ["x"]},
        ],
        "session_3_date_time": "8:00 am on 2 May, 2023",
    },
    "qa": [
        {"question": "Which pet?", "answer": "a dog", "evidence": ["D2:1"], "category": 4},
        {"question": "When?", "answer": 2023, "evidence": ["D2:1; D:10:01"], "category": 2},
        {"question": "Who sang?", "adversarial_answer": "Ann", "evidence": ["D"], "category": 5},
    ],
    "session_summary": {},
}
LONGMEMEVAL = {
    "question_id": "q1_abs",
    "question_type": "multi-session",
    "question": "How many cats?",
    "answer": 2,
    "question_date": "2023/06/01 (Thu) 10:00",
    "haystack_session_ids": ["later", "earlier"],
    "haystack_dates": ["2023/05/30 (Tue) 23:40", "2023/05/20 (Sat) 02:21"],
    "haystack_sessions": [
        [{"role": "user", "content": "And a second cat.", "has_answer": True}],
        [
            {"role": "user", "content": "I have a cat.", "has_answer": True},
            {"role": "assistant", "content": "Nice.", "has_answer": False},
        ],
    ],
    "answer_session_ids": ["earlier", "later"],
}
SAID: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is seat 4 free?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "look", "arguments": '{"seat": 4}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "name": "look", "content": "free"},
    {"role": "assistant", "content": "It is."},
]
TAU = {"task_id": 3, "reward": 1.0, "info": {"task": {}}, "traj": SAID, "trial": 2}
TAU2_RUN = {
    "id": "0f",
    "task_id": "12",
    "trial": 0,
    "termination_reason": "user_stop",
    "reward_info": {"reward": 0.0},
    "messages": [
        {"role": "assistant", "content": "Hi.", "turn_idx": 0, "timestamp": "2025-01-01T10:00:00"},
        {"role": "user", "content": "No signal.", "tool_calls": None},
        {
            "role": "user",
            "content": None,
            "tool_calls": [{"id": "u", "name": "reboot", "arguments": {}, "requestor": "user"}],
        },
        {"role": "tool", "id": "u", "content": "done", "requestor": "user", "error": False},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "a", "name": "find", "arguments": {"line": 7}, "requestor": "assistant"},
                {"id": "b", "name": "find", "arguments": {"line": 8}, "requestor": "assistant"},
            ],
        },
        {
            "role": "tool",
            "tool_messages": [
                {"role": "tool", "id": "a", "content": "on", "requestor": "assistant"},
                {"role": "tool", "id": "b", "content": None, "requestor": "assistant"},
            ],
        },
        {"role": "user", "content": "UklGRg==", "is_audio": True, "audio_script_gold": "Thanks."},
    ],
}
TAU2 = {
    "timestamp": "2025-01-01",
    "info": {"environment_info": {"domain_name": "telecom", "policy": "Help.", "tool_defs": None}},
    "tasks": [],
    "simulations": [TAU2_RUN, {**TAU2_RUN, "trial": 1}],
}
SHAREGPT = {
    "id": "s1",
    "system": "Be brief.",
    "tools": json.dumps([{"name": "look", "description": "", "parameters": {}}]),
    "conversations": [
        {"from": "human", "value": "Is seat 4 free?"},
        {"from": "function_call", "value": '{"name": "look", "arguments": {"seat": 4}}'},
        {"from": "observation", "value": "free"},
        {"from": "gpt", "value": "It is."},
    ],
}


def written(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path
