"""The benchmark of what is still known after summaries measures it, and is able to fail."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from corpora import DIRECTORY, requires

pytest.importorskip("splintr")

from benchmarks import quality
from benchmarks._corpora import Recording, SessionSummary, chained
from benchmarks._measures import (
    answer_recall,
    answer_recall_in_text,
    content,
    count,
    interval,
    leaves,
    probes,
    sentences,
)
from benchmarks._quality_recall import METHODS, Chat
from benchmarks._quality_references import Run
from benchmarks._quality_report import checks
from benchmarks._quality_sentences import KINDS, LANGUAGES, PLANTED, Planted
from benchmarks._quality_standing import Fate, Held
from benchmarks._stubs import HOSTILE, Recorded, leading, stub
from memory.summary import SummaryRequest

FIGURES = {"name", "value", "op", "bound", "holds"}
SAID = [
    ("user", "Hello. I am Ann and I sail."),
    ("assistant", "Nice to meet you, Ann."),
    ("user", "My boat is red. It is called Heron."),
    ("assistant", "A fine name."),
    ("user", "We won the cup in May."),
]


def messages() -> list[dict[str, Any]]:
    """Return a short chat."""
    return [{"role": role, "content": text} for role, text in SAID]


def recording() -> Recording:
    """Return that chat as a recording of two sessions, the second of which goes on."""
    ids = [f"m{place}" for place in range(len(SAID))]
    return Recording(
        id="chat", messages=messages(), ids=ids, sessions=[1, 1, 2, 2, 2], times=[""] * 5
    )


def request(said: list[dict[str, Any]], cap: int = 60) -> SummaryRequest:
    """Return a request for a summary."""
    return SummaryRequest(
        form="rendered", model="kimi-k2.6", slice=tuple(said), cap=cap, source_tokens=1_000
    )


def recorded() -> Recorded:
    """Return the stub that knows what was written of the first session."""
    return Recorded(recording(), [SessionSummary(session=1, last="m1", text="Ann sails. So so.")])


def written(name: str, said: list[dict[str, Any]], calls: int = 1) -> list[str]:
    """Return what a new stub answers."""
    writer = stub(name)
    return [writer.summarize(request(said)).text for _ in range(calls)]


def chat(**shares: float) -> Chat:
    """Return a conversation that passes every check, with changes to its recall."""
    good = {"view": 0.8, "static": 0.8, "same tail": 0.8, "last n": 0.5, "full": 0.9}
    last = {method: [share] for method, share in (good | shares).items()}
    found = Chat(id="one", largest=6_000)
    for name in ("last", "parts", "everything", "late", "late_parts", "views"):
        setattr(found, name, last)
    return found


def held(*, through: int = 10, lost: int | None = None, capped: int = 0) -> Held:
    """Return a conversation in which one wish of each kind was planted."""
    fates = [
        Fate(wish=Planted(kind, kind), planted=0, through=through, views=1, lost=lost)
        for kind in KINDS
    ]
    return Held(language="en", stub="empty", fates=fates, compactions=through, capped=capped)


def run(*found: float, largest: int = 8_000) -> Run:
    """Return a chained conversation with the fate of each value."""
    return Run(
        id="one", budget=8_000, stub="empty", found=[*found], latest=[*found], largest=largest
    )


def broken(
    chats: dict[str, list[Chat]] | None = None, wishes: Held | None = None, runs: Run | None = None
) -> int:
    """Return how many checks do not hold."""
    label = "target 0.9, notes 0.7"
    chats = chats or {"defaults": [chat()], label: [chat()]}
    found = checks(chats, [wishes or held()], [runs or run(1.0)], budget=6_000)
    return sum(not check.holds for check in found)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Return the report of a small run, as its JSON reads."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        quality.main(["--quick", "--json", "--data", str(DIRECTORY)])
    read: dict[str, Any] = json.loads(printed.getvalue().splitlines()[-1])
    return read


@requires("zh_haystack")
@requires("locomo")
@requires("tau_airline")
def test_the_benchmark_prints_its_figures(report: dict[str, Any]) -> None:
    """It ends with one JSON object that states the settings it ran with."""
    assert all(FIGURES == set(check) for check in report["checks"])
    assert {"defaults", "recall", "scope", "seconds"} == set(report["settings"])
    assert {
        "recall, LoCoMo",
        "standing wishes",
        "rules that find wishes",
        "references, tau-bench",
    } == set(report["rows"])


@requires("zh_haystack")
@requires("locomo")
@requires("tau_airline")
def test_a_view_lies_between_floor_and_ceiling(report: dict[str, Any]) -> None:
    """And is as large as it may be at most."""
    row = report["rows"]["recall, LoCoMo"][0]

    assert row["last n"] < row["view"] < row["full"]
    assert all(c["holds"] for c in report["checks"] if "largest view" in c["name"])


@requires("zh_haystack")
@requires("locomo")
@requires("tau_airline")
def test_what_is_pinned_and_what_the_system_says_stays(report: dict[str, Any]) -> None:
    """Whatever the summariser writes."""
    rows = [row for row in report["rows"]["standing wishes"] if row["kind"] != "user"]

    assert [100.0, 100.0] == [row["kept in every view"] for row in rows]
    assert all(row["compactions"] for row in rows)


def test_good_figures_pass() -> None:
    """The bounds are met by figures as they should be."""
    assert 0 == broken()


@pytest.mark.parametrize(
    ("shares", "number"),
    [({"view": 0.64}, 7), ({"static": 0.9}, 3), ({"view": 0.7}, 4)],
    ids=["knows little", "static is better", "knows too little of what it could"],
)
def test_recall_that_is_low_is_reported(shares: dict[str, float], number: int) -> None:
    """By the settings that it was measured with, and beside the static summary."""
    found = {"defaults": [chat(**shares)], "target 0.9, notes 0.7": [chat(**shares)]}

    assert number == broken(found)


def test_a_view_over_its_budget_is_reported() -> None:
    """Of chats and of chained conversations."""
    large = replace(chat(), largest=6_001)

    assert 1 == broken({"defaults": [large], "target 0.9, notes 0.7": [chat()]})
    assert 1 == broken(runs=run(1.0, largest=8_001))


def test_a_wish_that_is_lost_is_reported() -> None:
    """Once for each kind."""
    assert len(KINDS) == broken(wishes=held(lost=3))


def test_too_few_compactions_are_reported() -> None:
    """What was not put to the test does not pass it; nor where there was no room."""
    assert 1 == broken(wishes=held(through=9))
    assert 1 == broken(wishes=held(capped=1))


def test_a_reference_that_is_lost_is_reported() -> None:
    """One of ten is too many."""
    assert 1 == broken(runs=run(*[1.0] * 9, 0.0))


def test_every_wish_is_there_once() -> None:
    """At least twelve of each kind in each language, and none is part of another."""
    for language in LANGUAGES:
        texts = [wish.text for wish in PLANTED[language]]
        number = [sum(wish.kind == kind for wish in PLANTED[language]) for kind in KINDS]

        assert min(number) >= 12
        assert all(a not in b and b not in a for a, b in pairwise(sorted(texts)))


def test_stubs_answer_the_same_every_time() -> None:
    """And what a pass loses is another thing in the next one."""
    for name in ("empty", "void", "lead", "extractive", "hostile", "lossy-0.5"):
        assert written(name, messages(), calls=3) == written(name, messages(), calls=3)
    assert 3 == len(set(written("lossy-0.5", messages(), calls=3)))


def test_the_hostile_stub_takes_turns() -> None:
    """Each of its answers, then the first again."""
    writer = stub("hostile")
    found = [writer.summarize(request([])) for _ in range(len(HOSTILE) + 1)]

    assert [*HOSTILE, HOSTILE[0]] == found


def test_a_stub_that_does_not_exist_is_refused() -> None:
    """By its name."""
    with pytest.raises(ValueError, match="no stub 'best'"):
        stub("best")


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("lossy-0", ["- user: Hello. I am Ann and I sail."]), ("lossy-1", [""])],
)
def test_what_is_lost_follows_from_the_loss(loss: str, expected: list[str]) -> None:
    """Nothing at 0 and everything at 1."""
    assert expected == written(loss, messages()[:1])


def test_a_recorded_summary_stands_for_the_session_that_ends_in_the_slice() -> None:
    """What comes after it is extracted."""
    text = recorded().summarize(request(messages()[1:3])).text

    assert "Ann sails. So so." == text.splitlines()[0]
    assert "Heron" in text


def test_the_place_of_a_slice_is_found_by_its_texts() -> None:
    """What is not of the conversation stands where the message before it does."""
    foreign = {"role": "user", "content": "Who are you?"}

    assert [2, 3, 3, 4] == recorded().places([*messages()[2:4], foreign, messages()[4]])


def test_of_each_text_the_beginning_is_kept() -> None:
    """The second sentences come after all first ones."""
    texts = ["One is red. Two is blue. Three is green.", "Four is dark. Five is light."]
    cap = count(" One is red.\n") + count(" Four is dark.\n") + count(" Two is blue.\n")

    assert "One is red. Two is blue.\nFour is dark." == leading(texts, cap=cap)


def test_probes_without_words_are_left_out() -> None:
    """So are those that should not be answered."""
    found: list[dict[str, Any]] = [
        {"qid": "a", "type": "t", "answers": ["7 May"], "evidence": ["m1"]},
        {"qid": "b", "type": "t", "answers": ["the"], "evidence": []},
        {"qid": "c", "type": "t", "answers": ["May"], "evidence": [], "abstain": True},
    ]
    (probe,) = probes(found)

    assert (0.5, 1.0) == (
        answer_recall([probe], content("in may"))[0],
        answer_recall([probe], content("on 7 May"))[0],
    )


def test_a_part_of_a_word_counts_in_the_other_reading() -> None:
    """Whatever its case; what is not there counts in neither."""
    asked = probes([{"answers": ["paint boats"]}])

    assert [0.0] == answer_recall(asked, content("Painting a BOAT."))
    assert [0.5] == answer_recall_in_text(asked, "Painting a BOAT.")


def test_the_interval_is_drawn_by_conversation() -> None:
    """Equal conversations leave nothing to chance, however their values differ."""
    assert (0.5, 0.5) == interval([[0.0, 1.0], [0.0, 1.0]])
    assert (0.0, 1.0) == interval([[0.0, 0.0], [1.0, 1.0]])


def test_sentences_end_as_people_end_them() -> None:
    """In English, in Chinese, and at the end of a line."""
    assert ["One.", "Two", "三。", "四"] == sentences("One. Two\n三。四")


def test_leaves_are_values_that_refer_to_something() -> None:
    """What is short, true or nothing does not."""
    given = {"a": ["JFK", 12, None, True], "b": {"c": "x" * 3, "d": 1_200}}

    assert ["JFK", "xxx", "1200"] == leaves(given)


def test_a_recording_has_its_ids_beside_the_messages() -> None:
    """Keys of the corpus are not sent."""
    row = {"id": 1, "messages": [{"role": "user", "content": "Hi", "_id": "D1:1", "_session": 1}]}
    found = Recording.of(row)

    assert [{"role": "user", "content": "Hi"}] == found.messages
    assert (["D1:1"], [1], [""]) == (found.ids, found.sessions, found.times)


@requires("tau_airline")
def test_what_makes_no_whole_chain_is_left_out() -> None:
    """And one system prompt speaks for all."""
    (one,) = chained(DIRECTORY, "tau_airline", chain=2, limit=1)

    assert 2 == len(one["pieces"])
    assert 1 == sum(message["role"] == "system" for message in one["messages"])


def test_methods_are_the_columns() -> None:
    """The view is the first, between the others."""
    assert ("view", "full") == (METHODS[0], METHODS[-1])
