"""Rows written in published shapes and read again: roles, texts, order and evidence are kept."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from depth import examples
from hypothesis import given
from hypothesis import strategies as st
from official import as_locomo, as_longmemeval, as_sharegpt, as_tau, as_tau2

import corpora
from memory.formats import row
from memory.formats.files import entries
from memory.formats.lists import elements

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SAID = st.tuples(st.booleans(), TEXTS)
SESSIONS = st.lists(st.lists(SAID, min_size=1, max_size=3), min_size=1, max_size=4)
SPEAKERS = ("Ann", "Ben")
KINDS = ("multi-hop", "temporal", "open-domain", "single-hop", "adversarial")


@st.composite
def dated(draw: st.DrawFn, *, named: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """Return messages in dated sessions, and the ids of some of them as evidence."""
    messages: list[dict[str, Any]] = []
    for session, turns in enumerate(draw(SESSIONS), start=1):
        time = f"2023/05/{session:02} (Sat) 02:21"
        for index, (by_user, text) in enumerate(turns, start=1):
            speaker = f"{SPEAKERS[not by_user]}: " if named else ""
            begin = f"[{time}] " if index == 1 else ""
            messages.append(
                {
                    "role": "user" if by_user else "assistant",
                    "content": f"{begin}{speaker}{text}",
                    "_id": f"D{session}:{index}" if named else f"s{session}_{index}",
                    "_session": session,
                    "_time": time,
                }
            )
    ids = [message["_id"] for message in messages]
    chosen = draw(st.sets(st.sampled_from(ids)))
    return messages, [each for each in ids if each in chosen]


@st.composite
def talks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return messages with whole exchanges among them."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": draw(TEXTS)}]
    for turn in range(draw(st.integers(0, 5))):
        messages.append({"role": "user", "content": draw(TEXTS)})
        calls = draw(st.integers(0, 2))
        named = [f"look:{turn}.{n}" for n in range(calls)]
        made = [
            {
                "id": name,
                "type": "function",
                "function": {"name": "look", "arguments": json.dumps({"x": draw(TEXTS)})},
            }
            for name in named
        ]
        if made:
            messages.append({"role": "assistant", "content": None, "tool_calls": made})
        messages += [
            {"role": "tool", "tool_call_id": name, "content": draw(TEXTS)} for name in named
        ]
        messages.append({"role": "assistant", "content": draw(TEXTS)})
    return messages


def told(messages: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what a message says: role, text, and calls with what they are given."""
    return [
        (
            message["role"],
            message["content"],
            [
                (c["function"]["name"], json.loads(c["function"]["arguments"]))
                for c in message.get("tool_calls", ())
            ],
        )
        for message in messages
    ]


@examples(60)
@given(data=dated(named=True), kind=st.sampled_from(KINDS), answer=TEXTS)
def test_locomo_keeps_everything(
    data: tuple[list[dict[str, Any]], list[str]], kind: str, answer: str
) -> None:
    """Messages, notes and probes come back the same."""
    messages, evidence = data
    asked = {
        "qid": "locomo_0_qa0",
        "type": kind,
        "question": "?",
        "answers": [answer],
        "evidence": evidence,
        "flags": [],
        **({"abstain": True} if kind == "adversarial" else {}),
    }
    given_row = {"id": "c", "speakers": [*SPEAKERS], "messages": messages, "probes": [asked]}
    found = row(as_locomo(given_row))

    assert (messages, [asked]) == (found["messages"], found["probes"])


@examples(60)
@given(data=dated(named=False), answer=TEXTS)
def test_longmemeval_keeps_everything(
    data: tuple[list[dict[str, Any]], list[str]], answer: str
) -> None:
    """Messages, notes and the probe come back the same."""
    messages, evidence = data
    asked = {
        "qid": "q",
        "type": "multi-session",
        "question": "?",
        "answers": [answer],
        "evidence": evidence,
        "flags": [],
        "question_date": "2024/05/01 (Wed) 02:21",
        "evidence_sessions": ["s1"],
    }
    found = row(as_longmemeval({"id": "q", "messages": messages, "probes": [asked]}))

    assert (messages, [asked]) == (found["messages"], found["probes"])


@examples(60)
@given(messages=talks())
def test_tau_keeps_every_message(messages: list[dict[str, Any]]) -> None:
    """A trajectory is a list of them."""
    found = row(as_tau({"id": "tau_1_t0", "reward": 1.0, "messages": messages}))

    assert messages == [{k: m[k] for k in m if k != "_id"} for m in found["messages"]]


@examples(60)
@given(messages=talks())
def test_tau2_keeps_what_is_said_and_called(messages: list[dict[str, Any]]) -> None:
    """Calls have another form there; the policy is not among the messages."""
    found = row(as_tau2({"id": "tau2_1_t0", "reward": 1.0, "messages": messages}))

    assert told(messages[1:]) == told(found["messages"])
    assert [m.get("tool_call_id") for m in messages[1:]] == [
        m.get("tool_call_id") for m in found["messages"]
    ]


@examples(60)
@given(messages=talks())
def test_sharegpt_keeps_what_is_said_and_called(messages: list[dict[str, Any]]) -> None:
    """Calls have no ids there, so they get some, and every result answers its call."""
    found = row(as_sharegpt({"id": "s", "messages": messages}))["messages"]
    called = [call["id"] for message in found for call in message.get("tool_calls", ())]

    assert told(messages) == told(found)
    assert called == [m["tool_call_id"] for m in found if m["role"] == "tool"]
    assert len({*called}) == len(called)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


class Slow(io.StringIO):
    """A file that gives one character at a time, however many are asked for."""

    def read(self, size: int | None = -1, /) -> str:
        """Return the next character."""
        del size
        return super().read(1)


@examples(60)
@given(found=st.lists(JSON, max_size=5), indent=st.sampled_from([None, 1]))
def test_elements_are_those_of_the_list(found: list[Any], indent: int | None) -> None:
    """Wherever the text is cut while it is read."""
    text = json.dumps(found, indent=indent, ensure_ascii=False)

    assert found == [*elements(Slow(text), "")]
    assert found == [*elements(Slow(text[1:]), text[:1])]


@examples(60)
@given(text=st.text('[]{}",:1 \nx', max_size=20))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """What is no JSON is told in place of a value."""
    assert all(place.startswith("x") for place, _, _ in entries(io.StringIO(text), name="x"))


@corpora.requires("locomo")
def test_the_corpus_written_as_it_is_published_reads_the_same() -> None:
    """Messages and probes, but for what was corrected in it later."""
    path = corpora.DIRECTORY / "locomo.jsonl"
    own = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [row(as_locomo(each), number=number) for number, each in enumerate(own)]
    later = {"flags", "corrected_answer", "corrected_evidence"}

    assert [each["messages"] for each in own] == [each["messages"] for each in found]
    assert [_probes(each, without=later) for each in own] == [
        _probes(each, without=later) for each in found
    ]


@corpora.requires("tau_airline")
def test_runs_written_as_they_are_published_read_the_same() -> None:
    """Messages as they are; their ids have the place in the published file."""
    path = corpora.DIRECTORY / "tau_airline.jsonl"
    own = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:20]]
    for each in own:
        number = int(each["messages"][0]["_id"].partition(":")[0])
        renamed = {**each, "id": each["id"].replace("tau_airline", "tau")}
        assert each["messages"] == row(as_tau(renamed), number=number)["messages"]


def _probes(each: dict[str, Any], *, without: set[str]) -> list[dict[str, Any]]:
    return [{key: p[key] for key in p if key not in without} for p in each["probes"]]


@pytest.mark.parametrize("name", ["beam_100k", "zh_haystack", "bfcl_multi_turn", "swe_agent"])
def test_rows_of_our_own_are_read_as_they_are(name: str) -> None:
    """Every other corpus is one of rows."""
    path = corpora.DIRECTORY / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"no {path.name} in {corpora.DIRECTORY}")
    with path.open(encoding="utf-8") as lines:
        own = json.loads(next(lines))

    assert own == row(own)
