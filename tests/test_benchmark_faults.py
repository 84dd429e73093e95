"""The fault matrix says what it measured, its conversations are what it says, and it can fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kimi_clients import httpx_library

if httpx_library.__name__ != "httpx2":
    pytest.skip("clients of benchmarks are on httpx2", allow_module_level=True)

from benchmarks import _faults_peers as peers
from benchmarks import faults
from benchmarks._faults_cases import CASES, Case
from benchmarks._faults_facts import floor
from benchmarks._faults_play import Play
from benchmarks._faults_process import Process
from benchmarks._faults_shared import SHARED, WELL_OVER, Shared, passed, standings
from benchmarks._faults_talk import LANGUAGES, NEAR, Fact, Language, talk
from benchmarks._report import Row
from memory.testing.kimi_count import count_text

FIGURES = {"name", "value", "op", "bound", "holds"}
MARKS = re.compile(
    r"(?i)\b(?:remember|important|fact|always|never|must|note|keep in mind|from now on|make sure)\b"
    r"|记住|重要|总是|永远|务必|必须|一定|千万|注意|别忘|不要|以后"
)
GOOD = {
    "turns failed": 0,
    "over budget": 0,
    "in view": 40,
    "in reach": 40,
    "facts": 40,
    "refused by name": 1,
    "requests to the summariser": 3,
    "while it was down": 3,
    "summaries accepted": 0,
    "extracted instead": 0,
    "orders sent": 0,
}


def case(name: str) -> Case:
    """Return the case of a name."""
    return next(each for each in CASES if each.name == name)


def broken(name: str, **changes: int) -> Sequence[str]:
    """Return the checks that do not hold for a row with changes."""
    row = {"row": name, **GOOD, **{key.replace("_", " "): value for key, value in changes.items()}}
    found = faults.checks([case(name)], [{**row, "language": "en"}, {**row, **GOOD}])
    return [check.name.partition(": ")[2] for check in found if not check.holds]


def test_the_benchmark_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with one JSON object: rows of both languages, the seed, and checks."""
    faults.main(["--quick", "--json", "--seed", "5", "--row", "healthy"])
    read: Any = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = read["rows"]["faults"]

    assert [5] == read["settings"]["seeds"]
    assert [("transparent", "en"), ("transparent", "zh")] == [
        (row["way"], row["language"]) for row in rows[:2]
    ]
    assert [0] * 4 == [row["turns failed"] for row in rows]
    assert all(set(check) == FIGURES for check in read["checks"])


def test_a_dead_summariser_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    """The server refuses every summary, and the originals stay within reach."""
    faults.main(["--quick", "--json", "--seed", "5", "--row", "401"])
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]["faults"]

    assert [(0, row["facts"]) for row in rows] == [
        (row["summaries accepted"], row["in reach"]) for row in rows
    ]
    assert all(row["requests to the summariser"] for row in rows)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_facts_are_told_once_and_without_marks(language: Language, seed: int) -> None:
    """Each stands in one message and no other, no word says that it matters."""
    made = talk(language, seed, turns=40)
    texts = [message["content"] for message in made.messages()]

    assert [1] * 40 == [sum(fact.stands_in(text) for text in texts) for fact in made.facts]
    assert [] == [fact.text for fact in made.facts if MARKS.search(fact.text)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_turns_have_the_size_that_was_asked_for(language: Language) -> None:
    """About 280 tokens a turn, and as many as wanted where one is large."""
    made = talk(language, 3, turns=10, large={4: 2_000})
    sizes = [count_text(turn.user) + count_text(turn.reply) for turn in made.turns]

    assert all(230 < size < 330 for place, size in enumerate(sizes) if place != 4)
    assert 1_800 < sizes[4] < 2_300


@pytest.mark.parametrize("language", LANGUAGES)
def test_conversations_hardly_repeat_themselves(language: Language) -> None:
    """Most sentences of forty turns are unlike all others."""
    texts = [message["content"] for message in talk(language, 3, turns=40).messages()]
    said = [each for text in texts for each in re.split(r"(?<=[.?!。？！])\s*", text) if each]

    assert len(set(said)) > 0.8 * len(said)


def test_a_seed_determines_the_conversation() -> None:
    """The same seed gives the same one, another seed another."""
    one, same, other = (talk("en", seed, turns=5) for seed in (1, 1, 2))

    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Noted: ghent, at the bakery of INES.", True),
        ("A bakery in Ghent.", False),
        ("Ines has a bakery. " + "x" * NEAR + " Ghent.", False),
        ("Inestimable Ghent bakery.", False),
        ("Ines " + "y" * NEAR + " Ghent, bakery, Ines", True),
    ],
)
def test_a_fact_stands_where_its_words_are_near(text: str, expected: bool) -> None:  # noqa: FBT001
    """All of them, as words, in any order and case."""
    fact = Fact(text="", words=("Ines", "bakery", "Ghent"))

    assert expected == fact.stands_in(text)


def test_a_chinese_fact_needs_no_spaces() -> None:
    """Names stand within the sentence."""
    fact = Fact(text="", words=("陈雨桐", "泉州", "12"))

    assert fact.stands_in("用户的妹妹陈雨桐在泉州有12台织机")
    assert not fact.stands_in("用户的妹妹陈雨桐在泉州有120台织机")


def test_a_sliding_window_has_some_of_the_facts() -> None:
    """The floor is what fits into the budget, and not everything."""
    assert 5 <= floor(talk("en", 1, turns=40)) <= 15


def test_a_good_row_holds() -> None:
    """Nothing is broken where all figures are as they should be."""
    assert [] == broken("500")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("500", {"turns_failed": 1}),
        ("500", {"over_budget": 1}),
        ("500", {"in_reach": 39}),
        ("500", {"in_view": 33}),
        ("500", {"requests_to_the_summariser": 9}),
        ("empty", {"summaries_accepted": 1}),
        ("injected instruction", {"orders_sent": 1}),
        ("healthy", {"in_view": 39}),
        ("healthy", {"extracted_instead": 1}),
        ("one turn of 9,000 tokens: raise", {"refused_by_name": 0}),
        ("one turn of 9,000 tokens: send", {"over_budget": 2}),
    ],
)
def test_what_fails_is_reported(name: str, change: dict[str, int]) -> None:
    """One bad row of two is enough."""
    assert 1 == len(broken(name, **change))


def test_what_is_missing_does_not_hold() -> None:
    """A case that was not run is not taken for good."""
    assert not any(check.holds for check in faults.checks([case("500")], []))


WELL = {
    "offered": True,
    "useless": False,
    "facts": 40,
    "sliding window": 10,
    "in view": 40,
    "in reach": 40,
    "turns failed": 0,
    "rejected": 0,
    "last user message missing": 0,
    "orders sent": 0,
    "over budget allowed": 0,
    WELL_OVER: 0,
}
"""A row that is passed."""


def shared(name: str) -> Shared:
    """Return the shared row of a name."""
    return next(each for each in SHARED if each.name == name)


@pytest.fixture(scope="module")
def ours() -> Iterator[Process]:
    """Yield this library in a process of its own."""
    process = Process("memory")
    yield process
    process.close()


def row_of(process: Process, name: str, turns: int = 16) -> Row:
    """Return what a library makes of a shared row."""
    return Play(shared=shared(name), language="en", seed=5, turns=turns).play(process)


def test_a_row_without_fault_is_passed() -> None:
    """Nothing failed, everything is there."""
    assert passed(WELL) is True


@pytest.mark.parametrize(
    "change",
    [
        {"turns failed": 1},
        {"rejected": 1},
        {"last user message missing": 1},
        {"orders sent": 1},
        {WELL_OVER: 1},
        {"in reach": 39},
        {"in reach": 39, "in view": 39},
        {"in reach": 9, "in view": 9, "useless": True},
    ],
)
def test_one_fault_is_enough_not_to_pass(change: dict[str, int]) -> None:
    """Whatever it is."""
    assert passed({**WELL, **change}) is False


@pytest.mark.parametrize(
    "change",
    [
        {"in reach": 10, "in view": 10, "useless": True},
        {"in reach": 40, "in view": 3},
        {WELL_OVER: 1, "over budget allowed": 1},
    ],
)
def test_what_is_allowed_does_not_count(change: dict[str, int]) -> None:
    """A sliding window is enough where no summary is any good; what is in reach is not lost."""
    assert passed({**WELL, **change}) is True


def test_what_is_not_offered_is_not_judged() -> None:
    """It is neither passed nor failed."""
    assert passed({"offered": False}) is None


def test_a_row_is_passed_in_both_languages_or_not_at_all() -> None:
    """Those that are not offered are not counted."""
    said = [("a", True), ("a", True), ("b", True), ("b", False), ("c", None)]
    rows = [{"peer": "x", "row": row, "version": "1", "passed": good} for row, good in said]

    assert [
        {"peer": "x", "version": "1", "rows passed": 1, "of": 2, "not passed": ["b"]}
    ] == standings(rows)


def test_rows_of_a_library_that_is_missing_do_not_hold() -> None:
    """Who was not measured is not taken for good."""
    assert not any(check.holds for check in peers.checks([], SHARED))


def test_a_shared_row_is_played_over_http(ours: Process) -> None:
    """The summariser is asked over HTTP, the faults are there, and nothing is lost."""
    row = row_of(ours, "500")

    assert (0, 0, 0, 16) == (row["turns failed"], row["rejected"], row[WELL_OVER], row["in reach"])
    assert row["requests to the summariser"] > 0


def test_two_turns_at_once_are_played(ours: Process) -> None:
    """Both are answered, and both are in the next request."""
    row = row_of(ours, "two turns at once", turns=4)

    assert (5, 0, 4) == (row["turns"], row["turns failed"], row["in view"])


def test_a_large_turn_is_larger_than_the_budget(ours: Process) -> None:
    """One request is over it, that of the turn itself."""
    row = row_of(ours, "one turn of 9,000 tokens", turns=6)

    assert (1, 1) == (row[WELL_OVER], row["over budget allowed"])


def test_who_keeps_no_originals_shows_none() -> None:
    """Only what a library itself keeps is in reach; and who is gone fails its turns."""
    process = Process("last-n")
    row = row_of(process, "healthy")
    process.close()

    assert row["in view"] == row["in reach"] < 16
    assert process.gone
    assert 16 == row_of(process, "healthy")["turns failed"]
