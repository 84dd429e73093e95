"""The benchmark of promises elsewhere: its judge, its figures and its page, without any peer."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("splintr")

from benchmarks import violations
from benchmarks.peers import PEERS
from benchmarks.peers.cases import Case, drawn, plain, shorter
from benchmarks.peers.child import Search, measure
from benchmarks.peers.contract import Setting, noted
from benchmarks.peers.environments import ROOT, python
from benchmarks.peers.page import page, shown, table
from benchmarks.peers.runner import JUDGE, play
from benchmarks.peers.summariser import BEHAVIOURS, DownError, Summariser
from memory.invariants import Sending, summaries_are_usable
from memory.messages import WireMessage

ASKED: WireMessage = {"role": "user", "content": "Why?"}
SAID: WireMessage = {"role": "assistant", "content": "So it is. " * 40}
HEAD: WireMessage = {"role": "system", "content": "You help."}
LONG = Case(limit=1_500, messages=[HEAD, *[ASKED, SAID] * 20, ASKED])
ROW: dict[str, Any] = {
    "summariser": "well",
    "conversations": 200,
    "conversations cut": 120,
    "broken": {},
    "checks": {},
}
OURS: dict[str, Any] = {
    "peer": "memory",
    "version": "1.0",
    "judge": "counter",
    "conversations": 200,
    "digest": "d",
    "rows": [ROW],
    "examples": [],
}
EXAMPLE: dict[str, Any] = {
    "peer": "litellm",
    "invariant": 4,
    "check": "tool_calls_are_paired",
    "summariser": "well",
    "sentence": "request 2: message 0 breaks the pairing of tool calls",
    "limit": 1_500,
    "given": [ASKED, SAID],
    "sent": [SAID],
    "notes": [],
}
THEIRS: dict[str, Any] = {
    **OURS,
    "peer": "litellm",
    "rows": [{**ROW, "broken": {"4": 7}, "checks": {"tool_calls_are_paired": 7}}],
    "examples": [EXAMPLE],
}


class Forgetful:
    """A peer that sends the head and the last message, and says nothing of the rest."""

    events = ()

    def __init__(self, setting: Setting) -> None:
        self._head = list(setting.head)

    def send(self, given: Sequence[WireMessage]) -> Sending:
        """Leave out what is between."""
        return Sending(given=given, sent=[*self._head, given[-1]], log=None, notes=[])


def count(messages: Sequence[WireMessage]) -> int:
    """Return the characters of messages."""
    return sum(len(str(message["content"])) for message in messages)


def broken(*found: dict[str, Any]) -> list[str]:
    """Return the checks of a report that do not hold."""
    return [check.name for check in violations.checks(found) if not check.holds]


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the adapter of litellm one that forgets, and return its name."""
    module = type(sys)("benchmarks.peers.litellm")
    module.Trimmed = Forgetful  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "benchmarks.peers.litellm", module)
    return "litellm"


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_this_library_keeps_its_promises(behaviour: str) -> None:
    """A long conversation is cut, and nothing is broken, however the summariser behaves."""
    played = play(PEERS["memory"], LONG, behaviour)

    assert {} == played.broken
    assert len(LONG.requests) == len(played.run.sendings)
    assert played.cut > 0
    assert played.asked > 0


def test_a_peer_that_breaks_promises_is_found_out(forgetful: str) -> None:
    """Messages that are left out without a word break coverage."""
    found = play(PEERS[forgetful], LONG).broken

    assert {"absent_messages_are_covered"} == set(found)


def test_a_turn_that_fails_ends_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reached the caller is judged, and nothing is sent after it."""

    def send(self: Forgetful, given: Sequence[WireMessage]) -> Sending:  # noqa: ARG001
        raise DownError

    module = type(sys)("benchmarks.peers.litellm")
    module.Trimmed = Forgetful  # type: ignore[attr-defined]
    monkeypatch.setattr(Forgetful, "send", send)
    monkeypatch.setitem(sys.modules, "benchmarks.peers.litellm", module)
    played = play(PEERS["litellm"], LONG)

    assert {"turns_do_not_fail": "a turn failed with DownError: "} == played.broken
    assert () == tuple(played.run.sendings)


def test_an_example_is_smaller_than_what_it_was_found_in(forgetful: str) -> None:
    """Turns are left out while the promise stays broken."""
    small = Search(PEERS[forgetful], "well", rounds=20).small("absent_messages_are_covered", LONG)

    assert len(small.messages) < len(LONG.messages)
    assert "absent_messages_are_covered" in play(PEERS[forgetful], small).broken


def test_a_peer_is_measured(forgetful: str) -> None:
    """Its report counts conversations and has an example for each check that failed."""
    entry = replace(PEERS[forgetful], distribution="kimi-memory")
    found = measure(entry, number=3, chance=1, rounds=2)

    assert [("well", 3)] == [(row["summariser"], row["conversations"]) for row in found["rows"]]
    assert set(found["rows"][0]["checks"]) == {each["check"] for each in found["examples"]}


def test_the_same_chance_makes_the_same_conversations() -> None:
    """So every peer gets them, each in its own process."""
    assert drawn(4, chance=3) == drawn(4, chance=3)


def test_conversations_are_plain() -> None:
    """Nothing is left that only some can represent, and every call has an id of its own."""
    call = {"id": "look:0", "type": "function", "function": {"name": "look", "arguments": "no"}}
    result: WireMessage = {"role": "tool", "tool_call_id": "look:0", "content": "it"}
    asking: WireMessage = {"role": "assistant", "content": None, "tool_calls": [call]}
    named: WireMessage = {**ASKED, "name": "ann", "vendor": 1}
    wire = [HEAD, named, asking, result, HEAD, asking, result, {**SAID, "partial": True}]
    before = deepcopy(wire)
    made = plain(wire)

    assert before == wire
    assert [HEAD, ASKED] == made[:2]
    assert ["assistant", "tool"] * 2 == [message["role"] for message in made[2:]]
    assert ["call_1", "call_2"] == [message["tool_calls"][0]["id"] for message in made[2::2]]
    assert ["call_1", "call_2"] == [message["tool_call_id"] for message in made[3::2]]
    assert "{}" == made[2]["tool_calls"][0]["function"]["arguments"]


def test_a_shorter_conversation_lacks_whole_turns() -> None:
    """Head and last turn stay, and the longest cuts come first."""
    sizes = [len(each.messages) for each in shorter(LONG)]

    assert sorted(sizes) == sizes
    assert all(each.messages[0] == HEAD for each in shorter(LONG))
    assert all(each.messages[-1] == ASKED for each in shorter(LONG))


def test_notes_of_a_peer_become_a_record() -> None:
    """It covers what is gone, and the checks of summaries judge its text."""
    given = [HEAD, ASKED, SAID, ASKED]
    sending = Sending(given=given, sent=[HEAD, SAID, ASKED], notes=[1], sizes=[1, 4, 9, 4])
    record = noted(sending, text="", depth=1, count=count).record

    assert record is not None
    assert [(2, 1, 2)] == [(record.covered, s.first, s.last) for s in record.segments]
    assert summaries_are_usable(noted(sending, text="", depth=1, count=count)) is not None
    assert summaries_are_usable(noted(sending, text="x" * 99, depth=1, count=count)) is not None
    assert summaries_are_usable(noted(sending, text="x" * 9, depth=1, count=count)) is None


def test_requests_without_notes_have_no_record() -> None:
    """There is nothing to be on record."""
    sending = Sending(given=[ASKED], sent=[ASKED], notes=[])

    assert sending == noted(sending, text="x", depth=1, count=count)


def test_a_bad_summariser_is_bad() -> None:
    """What it writes is empty or longer than its source, and is remembered as unusable."""
    empty, long = Summariser("empty"), Summariser("long")

    assert "" == empty.write("one two")
    assert long.write("one two").startswith("one two\n")
    assert ([""], 1) == (empty.unusable, empty.asked)
    with pytest.raises(DownError):
        Summariser("raises").write("one two")


def test_a_good_summariser_is_short_and_the_same_every_time() -> None:
    """It depends on its source alone, and nothing of it is unusable."""
    good = Summariser("well")

    assert good.write("one two") == good.write("one two")
    assert JUDGE.text(good.write("w " * 500)) < 30
    assert [] == good.unusable


def test_the_judge_is_exact() -> None:
    """Everybody's tokens are counted with the vocabulary of Kimi."""
    assert JUDGE.counter.exact


def test_good_figures_hold() -> None:
    """What others break has no bound, as long as each way has its example."""
    assert [] == broken(OURS, THEIRS)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rows": [{**ROW, "broken": {"1": 1}}]}, "memory: promises broken"),
        ({"rows": [{**ROW, "conversations": 199}]}, "memory: conversations"),
        ({"rows": [{**ROW, "conversations cut": 0}]}, "memory: conversations cut"),
        (
            {"rows": [{**ROW, "checks": {"head_is_first": 1}}]},
            "memory: ways to break a promise without an example",
        ),
        ({"digest": "other"}, "sets of conversations"),
    ],
)
def test_figures_that_are_not_good_are_reported(change: dict[str, Any], name: str) -> None:
    """Each fails the check that is about it."""
    assert [name] == broken({**OURS, **change}, THEIRS)


def test_what_was_not_measured_does_not_hold() -> None:
    """A peer whose environment could not be made fails all its checks."""
    assert 5 == len(broken({"peer": "memory", "exit code": 1}))


def test_a_promise_that_cannot_be_judged_is_not_a_zero() -> None:
    """It says "not offered", unless it was seen to be broken."""
    row = {**ROW, "broken": {"8": 2}}
    (line,) = table([{**THEIRS, "rows": [row]}])

    assert (2, "not offered", 0) == (line["8"], line["9"], line["4"])


def test_the_page_shows_the_figures_and_an_example_of_each() -> None:
    """The table has the counts, and an example its sentence and its messages."""
    text = page([OURS, THEIRS], chance=5)

    assert "| litellm `trim_messages` 1.0 | none | 120 | 200 | 0 | 0 | 0 | 7 |" in text
    assert "### litellm `trim_messages`: pairing (4)" in text
    assert f"{EXAMPLE['sentence']}." in text
    assert "given  user 4 · assistant 400\nsent   assistant 400" in text


def test_messages_are_shown_without_their_contents() -> None:
    """Roles, sizes, and which call is answered by what; our own word for notes."""
    asking: WireMessage = {"role": "assistant", "content": "", "tool_calls": [{"id": "a"}]}
    result: WireMessage = {"role": "tool", "tool_call_id": "a", "content": "it"}

    expected = "NOTES 4 · assistant 0 calls a · tool a 2"
    assert expected == shown([ASKED, asking, result], [0])


def test_figures_can_be_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--read` takes the JSON of earlier runs, one peer each, and comes to the same."""
    files = [tmp_path / "ours.json", tmp_path / "theirs.json"]
    for file, each in zip(files, [OURS, THEIRS], strict=True):
        file.write_text(violations.report([each], number=200, chance=5).json())
    code = violations.main(["--json", "--read", *map(str, files)])
    read = json.loads(capsys.readouterr().out.splitlines()[-1])
    whole = json.loads(violations.report([OURS, THEIRS], number=200, chance=5).json())

    assert 0 == code
    assert whole["rows"] == read["rows"]
    assert whole["checks"] == read["checks"]


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_has_its_requirements(name: str) -> None:
    """They are installed beside this source tree."""
    file = violations.REQUIREMENTS / f"{name}.txt"

    assert file.exists()
    assert {str(file), str(ROOT)} <= set(python(file))
