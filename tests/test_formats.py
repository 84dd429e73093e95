"""Conversations in published formats: what is read of small files written here in each shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from published import LOCOMO, LONGMEMEVAL, SAID, SHAREGPT, TAU, TAU2, TAU2_RUN, written

from memory.formats import TranscriptError, row, rows
from memory.testing.transcripts import read


def one(value: object) -> dict[str, Any]:
    """Return the row of a value."""
    return row(value, place="x")


def contents(found: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return roles and texts."""
    return [(message["role"], message["content"]) for message in found["messages"]]


class TestLocomo:
    """Samples of `locomo10.json`."""

    def test_turns_are_messages_in_the_order_of_the_sessions(self) -> None:
        """Names and dates are in the texts, sessions count as numbers, photos are told."""
        assert [
            ("user", "[8:00 am on 1 May, 2023] Ann: I have a dog."),
            ("assistant", "Ben: Look. [shares a photo: a photo of a cat]"),
            ("user", "Ann: Mine. [shares a photo]"),
            ("assistant", "[9:00 am on 3 May, 2023] Ben: Back again."),
        ] == contents(one(LOCOMO))

    def test_what_is_known_of_a_turn_stands_beside_it(self) -> None:
        """Its id, its session, and when that was."""
        message = one(LOCOMO)["messages"][-1]

        assert ("D10:1", 10) == (message["_id"], message["_session"])
        assert "9:00 am on 3 May, 2023" == message["_time"]

    def test_questions_are_probes(self) -> None:
        """By the meaning of their categories; answers are texts; misspelt evidence is found."""
        single, temporal, adversarial = one(LOCOMO)["probes"]

        assert ("single-hop", ["a dog"], ["D2:1"]) == (
            single["type"],
            single["answers"],
            single["evidence"],
        )
        assert ("temporal", ["2023"], ["D2:1", "D10:1"]) == (
            temporal["type"],
            temporal["answers"],
            temporal["evidence"],
        )
        assert (True, [], "Ann") == (
            adversarial["abstain"],
            adversarial["answers"],
            adversarial["adversarial_answer"],
        )

    def test_evidence_that_names_no_turn_is_kept_apart(self) -> None:
        """It is in the row, but not among the ids of messages."""
        probe = one(LOCOMO)["probes"][2]

        assert ([], ["D"]) == (probe["evidence"], probe["unresolved"])


class TestLongMemEval:
    """Questions of `longmemeval_*.json`."""

    def test_sessions_are_one_conversation_by_date(self) -> None:
        """The first turn of each has its date."""
        assert [
            ("user", "[2023/05/20 (Sat) 02:21] I have a cat."),
            ("assistant", "Nice."),
            ("user", "[2023/05/30 (Tue) 23:40] And a second cat."),
        ] == contents(one(LONGMEMEVAL))

    def test_turns_with_the_answer_are_evidence(self) -> None:
        """By ids of session and turn; the mark itself is no key of a message."""
        found = one(LONGMEMEVAL)
        (probe,) = found["probes"]

        assert ["earlier_1", "later_1"] == probe["evidence"]
        assert {"role", "content", "_id", "_session", "_time"} == found["messages"][0].keys()

    def test_the_question_is_the_probe(self) -> None:
        """One whose id says so has no answer."""
        (probe,) = one(LONGMEMEVAL)["probes"]

        assert ("q1_abs", "multi-session", ["2"], True) == (
            probe["qid"],
            probe["type"],
            probe["answers"],
            probe["abstain"],
        )

    def test_sessions_of_the_same_name_have_ids_of_their_own(self) -> None:
        """Otherwise evidence would name two turns."""
        doubled = {**LONGMEMEVAL, "haystack_session_ids": ["s", "s"]}

        assert ["s#2_1", "s#2_2", "s_1"] == [m["_id"] for m in one(doubled)["messages"]]


class TestTau:
    """Trajectories of tau-bench and result files of tau2-bench."""

    def test_a_trajectory_is_a_list_of_messages(self) -> None:
        """They are taken as they are, with ids of their own."""
        found = one(TAU)

        assert ("tau_3_t2", 1.0, "0:4") == (
            found["id"],
            found["reward"],
            found["messages"][4]["_id"],
        )
        assert SAID == [{k: m[k] for k in m if k != "_id"} for m in found["messages"]]

    def test_a_result_file_has_many_runs(self, tmp_path: Path) -> None:
        """Each is a conversation under the policy."""
        found = [*rows(written(tmp_path / "r.json", json.dumps(TAU2, indent=2)))]

        assert ["tau2_12_t0", "tau2_12_t1"] == [each["id"] for each in found]
        assert {("system", "Help.")} == {contents(each)[0] for each in found}

    def test_tools_of_the_user_are_told_as_text(self, tmp_path: Path) -> None:
        """They are no part of the talk with the agent, whose own calls are wire calls."""
        found = next(rows(written(tmp_path / "r.json", json.dumps(TAU2))))

        assert [
            ("system", "Help."),
            ("assistant", "Hi."),
            ("user", "No signal."),
            ("user", "[the user calls reboot{}]"),
            ("user", "[the user's tool returns: done]"),
            ("assistant", None),
            ("tool", "on"),
            ("tool", ""),
            ("user", "[audio] Thanks."),
        ] == contents(found)
        assert ['{"line": 7}', '{"line": 8}'] == [
            each["function"]["arguments"] for each in found["messages"][5]["tool_calls"]
        ]

    def test_a_run_in_a_file_of_its_own_is_read(self) -> None:
        """The policy is not in that file."""
        assert ("assistant", "Hi.") == contents(one(TAU2_RUN))[0]


class TestShareGpt:
    """Turns `from` somebody."""

    def test_turns_are_messages_and_calls_are_exchanges(self) -> None:
        """With the system prompt and the tools that stand beside them."""
        found = one(SHAREGPT)
        call = found["messages"][2]["tool_calls"][0]

        assert ["system", "user", "assistant", "tool", "assistant"] == [
            message["role"] for message in found["messages"]
        ]
        assert ("look", '{"seat": 4}') == (call["function"]["name"], call["function"]["arguments"])
        assert call["id"] == found["messages"][3]["tool_call_id"]
        assert ["look"] == [tool["function"]["name"] for tool in found["tools"]]

    @pytest.mark.parametrize("call", ["look!", '[{"name": "a"}, {"name": "b"}]', '{"x": 1}'])
    def test_a_call_that_does_not_fit_its_results_stays_text(self, call: str) -> None:
        """On the wire it would be refused."""
        turns = [{"from": "function_call", "value": call}, {"from": "tool", "value": "free"}]

        assert [
            ("assistant", f"[function call] {call}"),
            ("user", "[tool result] free"),
        ] == contents(one({"conversations": turns}))

    def test_a_result_without_a_call_stays_text(self) -> None:
        """Models that call within their text get results so."""
        turns = [{"from": "tool", "value": "free"}, {"from": "gpt", "value": "It is."}]

        assert [("user", "[tool result] free"), ("assistant", "It is.")] == contents(
            one({"conversations": turns})
        )

    def test_the_chosen_reply_is_the_last_message(self) -> None:
        """That is how preference files end."""
        turns = [{"from": "human", "value": "Hi."}]
        chosen = {"from": "gpt", "value": "Hello."}
        found = one({"conversations": turns, "chosen": chosen, "rejected": chosen})

        assert [("user", "Hi."), ("assistant", "Hello.")] == contents(found)

    @pytest.mark.parametrize("key", ["conversations", "conversation", "messages"])
    def test_turns_with_roles_are_messages(self, key: str) -> None:
        """Some files keep wire messages under the name of this format."""
        assert SAID == one({key: SAID})["messages"]

    def test_turns_from_may_stand_under_messages(self) -> None:
        """Some keep its turns under the name of OpenAI's."""
        assert [("user", "Hi.")] == contents(one({"messages": [{"from": "human", "value": "Hi."}]}))


class TestOpenAi:
    """Lists of messages, and what has one."""

    @pytest.mark.parametrize(
        "value",
        [
            SAID,
            {"messages": SAID},
            {"custom_id": "r", "method": "POST", "url": "/v1", "body": {"messages": SAID}},
            {"request": {"messages": SAID}, "response": {"error": {"message": "full"}}},
            {"input": {"messages": SAID[:-1]}, "preferred_output": SAID[-1:]},
        ],
        ids=["list", "fine-tuning", "batch", "log", "preference"],
    )
    def test_messages_are_found(self, value: object) -> None:
        """Where each format keeps them."""
        assert SAID == one(value)["messages"]

    @pytest.mark.parametrize("depth", ["body", ""])
    def test_a_logged_reply_is_the_last_message(self, depth: str) -> None:
        """Without the empty keys that replies come with."""
        reply = {**SAID[-1], "refusal": None, "annotations": []}
        answer = {"choices": [{"message": reply}]}
        response = {depth: answer} if depth else answer
        value = {"request": {"messages": SAID[:-1]}, "response": response}

        assert SAID == one(value)["messages"]

    def test_a_log_of_a_growing_talk_is_one_conversation(self, tmp_path: Path) -> None:
        """A logged reply and the one sent again are the same."""
        replies = [{**SAID[4], "refusal": None}, {"role": "assistant", "content": "Yes."}]
        requests = [SAID[:4], [*SAID, {"role": "user", "content": "Sure?"}]]
        lines = [
            json.dumps({"request": {"messages": m}, "response": {"choices": [{"message": r}]}})
            for m, r in zip(requests, replies, strict=True)
        ]
        reading = read(written(tmp_path / "log.jsonl", "\n".join(lines)))

        assert (1, [7]) == (reading.continued, [len(t.messages) for t in reading.transcripts])

    def test_our_own_rows_stay_as_they_are(self) -> None:
        """Probes and notes included."""
        own = {"id": "a", "lang": "zh", "messages": [{**SAID[1], "_id": "0:1"}], "probes": [{}]}

        assert own == one(own)

    def test_tools_as_text_are_read(self) -> None:
        """Data sets of rows with one schema keep them so."""
        tool = {"type": "function", "function": {"name": "look"}}

        assert [tool] == one({"messages": SAID, "tools": json.dumps([tool])})["tools"]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"conversation": {"speaker_a": "A"}}, "x: no `session_1` and so on with turns"),
        ({"conversation": {"session_1": 3}}, "x: `session_1` is not a list of turns"),
        ({"conversation": {"session_1": ["Hi."]}}, "x: turn 0 of `session_1` is not an object"),
        ({"conversation": {"session_1": [{"text": ""}]}}, "x: turn 0 of `session_1` has no `sp"),
        ({**LOCOMO, "qa": {}}, "x: `qa` is not a list"),
        ({"haystack_sessions": {}}, "x: `haystack_sessions` is not a list of sessions"),
        ({"haystack_sessions": [[{}]]}, "x: session 'session_1': message 0 is not an object"),
        ({"haystack_sessions": [], "haystack_dates": ["x"]}, "has 1 entries for 0 sessions"),
        ({"traj": None}, "x: not an object with a list of `messages`"),
        ({"task_id": 1, "termination_reason": "", "ticks": [1]}, "x: a run of spoken `ticks`"),
        ({**TAU2_RUN, "messages": [{"role": "x"}]}, "x: message 0 has the role 'x'"),
        (
            {**TAU2_RUN, "messages": [{"role": "user", "tool_calls": [{}]}]},
            "x: message 0 has a tool call without a `name`",
        ),
        ({"conversations": [{"from": "me", "value": ""}]}, "x: turn 0 is from 'me', not one of h"),
        ({"conversations": [{"from": "gpt"}]}, "x: turn 0 is not an object with `from` and `val"),
        ({"conversations": [], "tools": "{"}, "x: `tools` is not JSON"),
        ({"conversations": [], "tools": ["look"]}, "x: `tools` is not a list of objects"),
        ({"text": "Hi."}, "x: not an object with a list of `messages`"),
        (None, "x: not an object with a list of `messages`"),
    ],
)
def test_what_is_wrong_is_said_with_the_place(value: object, complaint: str) -> None:
    """And what was expected there."""
    with pytest.raises(TranscriptError) as caught:
        one(value)

    assert complaint in str(caught.value)
