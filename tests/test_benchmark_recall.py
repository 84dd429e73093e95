"""The benchmark of recall measures what comes back, and is able to fail."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from corpora import DIRECTORY, requires

pytest.importorskip("splintr")

from benchmarks import _recall_cost as cost
from benchmarks import _recall_injection as injection
from benchmarks import _recall_protocol as protocol
from benchmarks import recall
from benchmarks._hostile import TRANSCRIPTS
from benchmarks._recall_cost import Expense
from benchmarks._recall_injection import Recalled, unguarded
from benchmarks._recall_protocol import MODES, STYLES, Sent
from benchmarks._recall_report import AUTO, WHOLE, Point, figures, talk_checks, turn_checks
from benchmarks._recall_scores import READINGS, Places, Showing, Wanted, passages, score, wanted
from benchmarks._recall_talks import METHODS, Asked, Talk
from benchmarks._recall_turns import Turns
from benchmarks._report import Check
from benchmarks._suite_schema import problems
from memory.recall.rendering import Line, lines_of, snippet
from memory.tuning.bills import Bill

SAID = [
    {"role": "user", "content": "Ann: I sail."},
    {"role": "assistant", "content": "Bo: Since when?"},
    {"role": "user", "content": "Ann: I sail."},
]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Return the report of a small run, as its JSON reads."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        recall.main(["--quick", "--json", "--workers", "1", "--data", str(DIRECTORY)])
    read: dict[str, Any] = json.loads(printed.getvalue().splitlines()[-1])
    return read


def asked(share: float = 1.0, *, kind: str = "temporal", **changes: Any) -> Asked:
    """Return a question of which so much is found, in every reading and by every method."""
    readings = ("parts", "evidence", "exact")
    scores = {method: dict.fromkeys(readings, share) for method in METHODS}
    usual = {"tokens": 900, "recalled": 200, "passages": 3, "compacted": False}
    return Asked(qid="q", type=kind, scores=scores, **usual | changes)  # type: ignore[arg-type]


def talk(share: float = 1.0, **changes: Any) -> Talk:
    """Return a conversation with one question, as it should be, with changes."""
    usual = {"requests": 9, "snippets": 4, "compactions": 2, "history": 20_000, "largest": 1_900}
    return Talk(id="one", asked=[asked(share)], **usual | changes)


def talks(**changes: Any) -> dict[tuple[str, str], list[Talk]]:
    """Return such a conversation for every corpus."""
    corpora = ("locomo", "beam_100k", "zh_haystack", "bfcl_memory")
    return {
        **{(corpus, AUTO): [talk(**changes)] for corpus in corpora},
        ("locomo", WHOLE): [talk(**changes)],
    }


def expense(prompt: int, cached: int, *snippets: int) -> Expense:
    """Return what a conversation came to."""
    turns = replace(Bill().turns, prompt=prompt, cached=cached)
    bill = replace(Bill(), turns=turns, requests=Bill().requests._replace(turns=9))
    return Expense(bill=bill, compactions=1, searches=3, snippets=snippets)


def broken(found: list[Check]) -> int:
    """Return how many checks do not hold."""
    return sum(not check.holds for check in found)


def one(**changes: Any) -> Wanted:
    """Return a probe."""
    found: dict[str, Any] = {
        "qid": "q",
        "type": "t",
        "question": "When?",
        "answers": ["7 May"],
        "evidence": ["b"],
        "rubric": ["LLM response should state: a red boat", "LLM response should mention: Ann"],
    }
    return wanted([found | changes], ["a", "b"])[0]


@requires("locomo")
@requires("zh_haystack")
@requires("beam_100k")
@requires("tau_airline")
def test_the_benchmark_prints_its_figures(report: dict[str, Any]) -> None:
    """It ends with one JSON object as all benchmarks print it, with every table."""
    headings = {
        *("recall", "kinds of questions", "what was sent", "share of the budget"),
        *("single turns", "cost", "protocol", "injection"),
    }

    assert [] == problems(report)
    assert headings == {heading for heading, rows in report["rows"].items() if rows}


@requires("locomo")
@requires("zh_haystack")
@requires("beam_100k")
@requires("tau_airline")
def test_recall_lies_between_chance_and_the_full_text(report: dict[str, Any]) -> None:
    """On a chat, with as many tokens of other originals in the place of those recalled."""
    (row,) = (
        row
        for row in report["rows"]["recall"]
        if (row["corpus"], row["settings"], row["reading"]) == ("locomo", AUTO, "evidence")
    )

    assert row["random snippets"] < row["sent"] < row["full"] == 100.0


@requires("locomo")
@requires("zh_haystack")
@requires("beam_100k")
@requires("tau_airline")
def test_questions_do_not_influence_one_another(report: dict[str, Any]) -> None:
    """What is sent for one is what a real request would be, and no prompt is over budget."""
    names = ("largest prompt", "as a real request", "searches that failed")
    found = [c for c in report["checks"] if any(name in c["name"] for name in names)]

    assert [] == [c["name"] for c in found if not c["holds"]]


def test_good_figures_pass() -> None:
    """The bounds are met by conversations as they should be."""
    assert 0 == broken(talk_checks(talks()))


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"share": 0.5}, 7),
        ({"share": 0.81}, 4),
        ({"largest": 20_000}, 5),
        ({"failed": 1}, 5),
        ({"as_real": False}, 5),
        ({"compactions": 0}, 5),
    ],
)
def test_what_is_wrong_with_conversations_is_reported(changes: dict[str, Any], number: int) -> None:
    """Too little that is found, prompts too large, searches that fail, nothing to be recalled."""
    assert number == broken(talk_checks(talks(**changes)))


def test_temporal_questions_are_judged_on_their_own() -> None:
    """However much of the others is found."""
    both = [asked(0.5), *[asked(kind="other")] * 9]

    assert 2 == broken(talk_checks({k: [replace(talk(), asked=both)] for k in talks()}))


def test_a_retriever_that_finds_little_is_reported() -> None:
    """On each corpus that has a bound."""
    few = Turns(types=["t"], found=[0.5], chance=[0.1], most=[1.0])

    assert 2 == broken(turn_checks({"locomo": [few], "zh_haystack": [few], "beam_100k": [few]}))


def test_figures_stand_beside_floor_and_ceiling() -> None:
    """The share of the budget is among them."""
    found = figures(talks(), [Point("locomo", 0.1, [talk(0.5)])], {})
    named = {figure.name: figure for figure in found}

    assert 50.0 == named["locomo, 10 % of the budget for recall"].value
    assert (100.0, 100.0) == (
        named[f"locomo, {AUTO}, parts"].floor,
        named[f"locomo, {AUTO}, parts"].ceiling,
    )


@pytest.mark.parametrize(
    ("prompt", "cached", "number"),
    [(1_000, 900, 0), (1_000, 860, 2), (1_500, 1_350, 1)],
    ids=["the same", "less is cached", "more is sent"],
)
def test_dearer_conversations_are_reported(prompt: int, cached: int, number: int) -> None:
    """By their cached share, and by their price."""
    found = {"off": [expense(1_000, 900)], "auto": [expense(prompt, cached, 70)]}

    assert number == broken(cost.checks(found))


def test_what_the_server_refuses_is_reported() -> None:
    """So are prompts over budget, broken promises, and what was never put to the test."""
    keys = [("locomo", mode, style) for mode in MODES for style in STYLES]
    good = {key: Sent(snippets=1, searches=1) for key in keys}
    bad = Sent(snippets=1, rejected=1, over=2, broken=Counter(a=1), failed=Counter(b=1))

    assert 0 == broken(protocol.checks(good, {"locomo": Sent(snippets=1)}))
    assert 4 == broken(protocol.checks(good | {keys[0]: bad}, {"locomo": Sent(snippets=1)}))
    assert 1 == broken(protocol.checks(good | {keys[0]: Sent()}, {"locomo": Sent(snippets=1)}))
    assert 1 == broken(protocol.checks(good, {"locomo": Sent()}))
    assert 1 == broken(protocol.checks(good, {"locomo": bad}))


def test_what_is_promoted_is_reported() -> None:
    """So is what never came back, and a reader that finds nothing."""
    good, bad = Recalled(views=1, holding=1), Recalled(promoted=["a"], leaked=["b"], failed=1)

    assert 0 == broken(injection.checks([good], [True]))
    assert 5 == broken(injection.checks([bad], [False]))


def test_the_reader_sees_what_is_not_quoted() -> None:
    """In every hostile transcript."""
    assert all(map(unguarded, TRANSCRIPTS))


def test_numbers_of_lines_are_not_read() -> None:
    """Of a snippet message count the quotations, as they were said, and the dates."""
    shown = [Line(6, "user", "one\ntwo", "8 May"), Line(8, "assistant", "three")]
    read, quoted = passages(snippet(lines_of(shown)))

    assert "[8 May]\none\ntwo\nthree" == read
    assert [(6, "one\ntwo"), (8, "three")] == quoted


def test_another_message_has_no_passages() -> None:
    """Whatever it looks like inside."""
    assert ("", []) == passages({"role": "user", "content": '7 user: "one"'})


def test_of_equal_messages_the_latest_is_the_one_that_is_sent() -> None:
    """Each counts once, and notes are none of them."""
    places = Places(SAID)

    assert {2} == places.of([{"role": "user", "content": "notes"}, SAID[0]])
    assert {0, 1, 2} == places.of(SAID)


def test_every_reading_is_a_share() -> None:
    """Of words, of messages, of items, of answers."""
    seen = Showing(text="A RED boat in Maya.", verbatim=frozenset(), cited=frozenset({1}))
    found = score(one(), seen, READINGS)

    assert {"parts": 0.5, "words": 0.0, "evidence": 1.0, "whole": 0.0, "verbatim": 0.0} | {
        "nuggets": 0.5,
        "exact": 0.0,
        "apart": 0.0,
    } == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [("On 7 May.", (1.0, 1.0)), ("(7 MAY)", (1.0, 1.0)), ("17 May", (1.0, 0.0)), ("7", (0.0, 0.0))],
)
def test_answers_are_found_as_the_corpus_compares_them(
    text: str, expected: tuple[float, float]
) -> None:
    """Whatever their case and punctuation; and apart from other words, or not."""
    found = score(one(), Showing(text=text, verbatim=frozenset()), ("exact", "apart"))

    assert expected == (found["exact"], found["apart"])


def test_wrong_answers_and_citations_do_not_count() -> None:
    """Unless a reading takes the corpus as it was published."""
    citation, answer = "audit:WRONG_CITATION", "audit:HALLUCINATION"
    found = {"qid": "q", "question": "?", "answers": ["x"], "evidence": ["a"], "flags": [answer]}

    assert () == one(flags=[citation]).evidence
    assert [] == wanted([found], ["a"])
    assert [(0,)] == [each.evidence for each in wanted([found], ["a"], audited=False)]
