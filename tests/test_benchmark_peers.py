"""The comparison with other libraries: its scribe, its judge, its figures, without any peer."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("splintr")
pytest.importorskip("uvicorn")

from benchmarks._corpora import Recording, SessionSummary
from benchmarks._measures import count
from benchmarks._stubs import Recorded
from benchmarks.peers import COMPARED, PEERS, Entry
from benchmarks.peers.compare import compare, runs
from benchmarks.peers.figures import checks, figures, table
from benchmarks.peers.litellm import remember
from benchmarks.peers.match import Line, Match
from benchmarks.peers.scribe import NOTHING, SHARE, Scribe, asked_for, letters
from benchmarks.peers.talks import CORPORA, Corpus, Talk, told_apart
from benchmarks.peers.views import Judge
from memory.replay import steps
from memory.summary import SummaryRequest

BUDGET = 1_200
HEAD: dict[str, Any] = {"role": "system", "content": "You help with a garden, and keep it short."}
SMALL = Corpus(file="invented", title="invented", budgets=(BUDGET, 800), conversations=1)
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "look", "arguments": '{"bed": "bed number 3"}'},
        }
    ],
}


def said(number: int) -> list[dict[str, Any]]:
    """Return a turn and its reply, which nobody else has said."""
    asked = f"In bed number {number} there grow {number * 7} rows of plant{number:02} & more."
    told = "\n".join(
        f'Step {step} with plant{number:02}: water it "early", {step} hours before the sun comes.'
        for step in range(1, 5)
    )
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]


def talk(turns: int = 12, *, head: bool = False, summaries: bool = False) -> Talk:
    """Return an invented conversation with one probe about its first turn."""
    messages = [HEAD] if head else []
    messages += [message for number in range(1, turns + 1) for message in said(number)]
    ids = [f"m{place}" for place in range(len(messages))]
    recording = Recording(
        id="garden",
        messages=messages,
        ids=ids,
        sessions=[place // 8 for place in range(len(messages))],
        times=[""] * len(messages),
        probes=[
            {"qid": "q", "type": "fact", "answers": ["plant01 early"], "evidence": [ids[1]]},
            {"qid": "w", "type": "fact", "answers": ["no"], "evidence": [], "flags": ["audit:X"]},
        ],
    )
    if not summaries:
        return Talk.of(recording)
    told = SessionSummary(session=0, last=ids[7], text="Plant1 to plant4 are watered early.")
    return Talk.of(recording, [told])


@pytest.mark.parametrize(
    "escape",
    [
        pytest.param(str, id="as it is"),
        pytest.param(html.escape, id="XML"),
        pytest.param(json.dumps, id="JSON"),
        pytest.param(lambda text: text.replace(" ", "\n  "), id="wrapped"),
    ],
)
def test_messages_are_found_however_a_prompt_writes_them(escape: Any) -> None:
    """What stands in a prompt is found as text, as XML and as JSON."""
    some = talk()
    wanted = list(some.recording.messages[4:9])
    prompt = "\n".join(f"<m>{escape(message['content'])}</m>" for message in wanted)
    assert Scribe(some, budget=BUDGET).standing(letters(prompt)) == wanted


def test_the_head_is_never_summarised() -> None:
    """A system prompt that stands in a prompt is none of the messages."""
    some = talk(head=True)
    prompt = letters(" ".join(message["content"] for message in some.recording.messages[:3]))
    expected = list(some.recording.messages[1:3])
    assert expected == Scribe(some, budget=BUDGET).standing(prompt)


def test_a_message_that_was_cut_counts_with_what_is_there() -> None:
    """Half of a message is summarised as that half."""
    some = talk()
    whole = some.recording.messages[5]["content"]
    (found,) = Scribe(some, budget=BUDGET).standing(letters(whole[: len(whole) - 20]))
    assert whole.startswith(found["content"])
    assert len(whole) - 30 < len(found["content"]) < len(whole)


def test_a_short_message_counts_beside_a_neighbour_alone() -> None:
    """A word that stands anywhere is no message of its own."""
    some = talk(3)
    short: dict[str, Any] = {"role": "user", "content": "rows"}
    messages = [*some.recording.messages, short, *said(9)]
    recording = replace(some.recording, messages=messages, ids=[""] * len(messages))
    scribe = Scribe(Talk.of(recording), budget=BUDGET)
    first, last = messages[0]["content"], said(9)[0]["content"]
    assert scribe.standing(letters(first)) == [messages[0]]
    assert scribe.standing(letters(f"rows {last}")) == [short, said(9)[0]]


def test_what_was_written_before_is_carried_on() -> None:
    """A summary of a summary still says what the first one said."""
    some = talk()
    scribe = Scribe(some, budget=BUDGET)
    first = scribe.write("\n".join(m["content"] for m in some.recording.messages[:4]))
    second = scribe.write(f"{first}\n{some.recording.messages[6]['content']}")
    assert "plant01" in second
    assert "plant04" in second


def test_nothing_to_summarise_is_said_to_be_nothing() -> None:
    """A prompt without a message of the conversation has a short answer."""
    assert Scribe(talk(), budget=BUDGET).write("Summarise this.") == NOTHING


@settings(deadline=None, max_examples=25)
@given(most=st.integers(20, 2_000), words=st.integers(20, 2_000))
def test_a_summary_has_the_smallest_of_three_lengths(most: int, words: int) -> None:
    """The request, the prompt and the common cap all bind."""
    some = talk()
    source = "\n".join(m["content"] for m in some.recording.messages)
    prompt = f"Write at most {words} tokens.\n{source}"
    body = {
        "max_tokens": most,
        "messages": [{"role": "user", "content": prompt}],
        "thinking": {"type": "disabled"},
    }
    text = Scribe(some, budget=BUDGET).answer(body)
    assert count(text) <= min(most, words, int(SHARE * BUDGET))


def test_a_length_that_somebody_names_in_the_conversation_is_none() -> None:
    """Only what the prompt itself asks for counts."""
    wanted = "I want it in at most 50 words, please."
    assert asked_for(wanted) == 75
    assert asked_for(f"user: {wanted}", said=letters(f"user: {wanted}")) is None
    assert asked_for("Use up to 1,000 tokens.", said=letters(wanted)) == 1_000


def test_recorded_summaries_are_those_of_the_stub() -> None:
    """With sessions that a model summarised, the scribe writes what `Recorded` writes."""
    some = talk(summaries=True)
    slice_ = tuple(some.recording.messages[:12])
    cap = int(SHARE * BUDGET)
    request = SummaryRequest(form="rendered", model="", slice=slice_, cap=cap, source_tokens=cap)
    expected = Recorded(some.recording, some.summaries).summarize(request).text
    prompt = "\n".join(message["content"] for message in slice_)
    assert expected == Scribe(some, budget=BUDGET).write(prompt)
    assert "Plant1 to plant4 are watered early." in expected


def test_a_probe_with_a_wrong_answer_is_left_out() -> None:
    """What an audit found to be wrong is not asked."""
    assert [probe["qid"] for probe in talk().probes] == ["q"]


def test_a_view_is_judged_beside_its_floor_and_its_ceiling() -> None:
    """Words of the answer are looked up in the view, in the latest messages and in everything."""
    some = talk()
    messages = some.recording.messages
    found = Judge(some).recall(messages[:2], len(messages), 200)
    expected = {"view, parts": [1.0], "last n, parts": [0.5], "full, parts": [1.0]}
    assert expected == {name: found[name] for name in expected}


def test_no_view_has_nothing() -> None:
    """A turn that failed knows no answer."""
    some = talk()
    assert Judge(some).recall(None, 24, 0)["view, parts"] == [0.0]


def test_a_value_is_looked_up_where_it_was_said() -> None:
    """What a tool is called with counts where the history has it."""
    some = talk(4)
    messages = [*some.recording.messages, {"role": "user", "content": "Look."}, CALL]
    recording = replace(some.recording, messages=messages, ids=[""] * len(messages))
    with_call = Talk.of(recording)
    *_, last = steps(with_call.conversation)
    found = Judge(with_call).references(last.messages[-1:], last, 0)
    assert {"view": [0.0], "last n": [0.0], "full": [1.0]} == found


def match(name: str, some: Talk | None = None, *, budget: int = BUDGET) -> Line:
    """Return what comes of a conversation with one that needs no environment."""
    return Match(COMPARED[name], some or talk(20, head=True), budget=budget).play()


def test_the_memory_keeps_the_budget_and_asks_over_http() -> None:
    """No request is refused or too large, and the summaries are on the bill."""
    line = match("memory")
    assert (0, 0, 0) == (line.failed, line.rejected, line.refused)
    assert max(line.sizes) <= BUDGET
    assert line.calls == sum(line.bill.requests[2:]) > 0


def test_the_latest_messages_keep_the_budget_without_summaries() -> None:
    """The floor needs nobody."""
    line = match("last-n")
    assert line.calls == 0
    assert max(line.sizes) <= BUDGET


def test_everything_is_the_ceiling() -> None:
    """Full history knows every answer, whatever it costs."""
    line = match("full")
    assert line.last["view, parts"] == line.last["full, parts"] == [1.0]
    assert max(line.sizes) > BUDGET


class Faulty:
    """Raises at every second turn, and sends half an exchange of a tool at the others."""

    events = ()

    def __init__(self, _: object) -> None:
        self._turns = 0

    def send(self, given: Any) -> Any:
        """Fail in one of two ways."""
        self._turns += 1
        if self._turns % 2:
            msg = "not today"
            raise RuntimeError(msg)
        return type("Sent", (), {"sent": [given[0], CALL]})()


class Fault(Entry):
    """The entry of a peer that is not in the package."""

    def make(self, setting: Any) -> Any:
        """Return a new one."""
        return Faulty(setting)


def test_turns_that_fail_and_turns_that_are_refused_are_told_apart() -> None:
    """An error of the library fails a turn, a refusal of the server rejects it."""
    entry = Fault(name="memory", title="", distribution="", adapter="")
    line = Match(entry, talk(4, head=True), budget=BUDGET).play()
    assert (line.failed, line.rejected, len(line.sizes)) == (2, 2, 2)
    assert line.errors[0] == "RuntimeError: not today"


def test_what_does_not_depend_on_the_budget_is_run_once() -> None:
    """Full history is the same at every budget."""
    assert list(runs(COMPARED["full"], SMALL)) == [("defaults", BUDGET)]
    assert list(runs(COMPARED["last-n"], SMALL)) == [("matched", BUDGET), ("matched", 800)]


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    """Return what a small run of those without an environment writes, as from its JSON."""
    some, corpus = [talk(20, head=True)], replace(CORPORA["locomo"], budgets=(BUDGET, 800))
    made = [compare(COMPARED[name], corpus, some) for name in ("memory", "last-n", "full")]
    told: list[dict[str, Any]] = json.loads(json.dumps(made))
    budgets = dict(zip((BUDGET, 800), CORPORA["locomo"].budgets, strict=True))
    for each in told:
        for line in each["lines"]:
            line["budget"] = budgets[line["budget"]]
    return [{**each, "corpus": "locomo"} for each in told]


def test_there_is_a_row_for_each_peer_row_and_budget(found: list[dict[str, Any]]) -> None:
    """What was run once stands at both budgets."""
    rows = [(row["peer"], row["row"], row["budget"]) for row in table(found)]
    each = [("memory", "matched"), ("memory", "defaults"), ("last-n", "matched")]
    each.append(("full", "defaults"))
    assert [(*one, budget) for budget in CORPORA["locomo"].budgets for one in each] == rows


def test_every_check_is_made_at_every_budget(found: list[dict[str, Any]]) -> None:
    """Recall, the server's refusals, the budget and failures are checked."""
    made = checks(table(found))
    assert {each.name.partition(":")[0] for each in made} == {
        "locomo at 6,000",
        "locomo at 4,000",
    }
    assert all(each.value is not None for each in made)


def test_the_headline_figures_are_ours(found: list[dict[str, Any]]) -> None:
    """Recall with its floor and ceiling, and dollars."""
    names = [figure.name for figure in figures(table(found))]
    assert names == ["locomo at 6000, recall", "locomo at 6000, 1,000 requests"]


def row(peer: str, *, recall: float, usd: float, **more: Any) -> dict[str, Any]:
    """Return a row of the table as far as it is checked."""
    zeros = dict.fromkeys(("rejected", "rejected summaries", "over budget", "failed"), 0)
    ahead = 80.0 - recall
    known = {"corpus": "zh", "budget": 2_000, "row": "matched", "requests": 100}
    between = {"ahead": ahead, "ahead low": ahead - 3, "ahead high": ahead + 3}
    return {**known, **zeros, "peer": peer, "usd": usd, **between, **more}


def test_a_rival_that_is_better_beyond_the_interval_fails_the_check() -> None:
    """First or tied: two points behind is a tie where the interval has three, four are none."""
    ours = row("memory", recall=80, usd=1)
    tied, behind = (checks([ours, row("x", recall=r, usd=2)])[0] for r in (82, 84))
    assert (True, False) == (tied.holds, behind.holds)


def test_a_cheaper_rival_counts_within_two_points_alone() -> None:
    """Who knows much less may be cheaper."""
    ours = row("memory", recall=80, usd=1)
    near, far = (checks([ours, row("x", recall=r, usd=0.5)])[1] for r in (79, 70))
    assert (False, True) == (near.holds, far.holds)


def test_who_does_not_keep_the_budget_is_no_rival() -> None:
    """More than two requests of a hundred over the budget are not the same budget."""
    ours = row("memory", recall=80, usd=1)
    made = checks([ours, row("x", recall=99, usd=0.5, **{"over budget": 3})])
    assert ["rejected", "rejected summaries", "over budget", "failed"] == [
        each.name.rpartition(": ")[2] for each in made
    ]


def test_the_other_benchmark_has_the_same_peers_as_before() -> None:
    """Those that are only compared are not judged by our promises."""
    assert list(PEERS) == ["memory", "langchain", "langmem", "litellm"]


def test_ids_of_tool_calls_that_come_again_are_told_apart() -> None:
    """A recorded id that is used twice is two ids in what peers are given."""
    answer = {"role": "tool", "tool_call_id": "call_1", "content": "found"}
    found = told_apart([CALL, answer, CALL, answer])
    assert [found[0]["tool_calls"][0]["id"], found[1]["tool_call_id"]] == ["call_1"] * 2
    assert [found[2]["tool_calls"][0]["id"], found[3]["tool_call_id"]] == ["call_1_2"] * 2


@given(st.lists(st.text(), min_size=1))
def test_counts_that_are_remembered_are_the_same(texts: list[str]) -> None:
    """What litellm is made to remember adds up to what it would count."""

    def counter(model: str = "", text: str | None = None, messages: Any = None) -> int:
        assert model == "gpt-4o"
        return len(text) if text else 3 + sum(4 + len(each["content"]) for each in messages)

    utils = SimpleNamespace(token_counter=counter)
    remember(utils)
    messages = [{"role": "user", "content": text} for text in texts]
    expected = counter(model="gpt-4o", messages=messages)
    assert expected == utils.token_counter(model="gpt-4o", messages=messages)
    assert utils.token_counter(model="gpt-4o", text="five!") == 5
