"""The analyser: stems, identifiers, beginnings, questions, and what all of it costs."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searches import MATCHES, typed
from snowballstemmer.english_stemmer import EnglishStemmer  # type: ignore[import-untyped]

from memory.analysis import SIZE, Query, Term, length_of, terms_of, written
from memory.analysis.stems import stem_of
from memory.records import Match

IDENTIFIERS = (
    *("order_12-AB/7", "user@example.com", "/srv/app/main.py", "192.168.0.1", "2024-05-15"),
    *("snake_case_name", "HAT-123", "v1.2.3", r"C:\data\new", "10:30", "main.py", "a#b", "c++17-2"),
)


def whole(text: str) -> list[str]:
    """Return the identifiers among the terms of a text."""
    return [term for term in terms_of(text) if term.startswith("¤")]


def found(query: str, text: str, match: Match = "all") -> bool:
    """Return whether a text is found."""
    return Query.parse(query).matches(terms_of(text), match)


def asked(text: str, context: str = "") -> list[str]:
    """Return the texts of the terms of a question."""
    return [term.text for term in Query.of_question(text, context).terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("running", ["run", "¬running"]),
        ("Meetings", ["meet", "¬meetings"]),
        ("run", ["run"]),
        ("us", ["us"]),
        ("naïves", ["naïves"]),
        ("runs2", ["runs2"]),
        ("running" * 4, ["running" * 4]),
        ("我running", ["我", "run", "¬running"]),
    ],
)
def test_english_words_are_stemmed(text: str, expected: list[str]) -> None:
    """The word itself stands beside its stem; what does not look English is kept."""
    assert expected == terms_of(text)


@given(st.text("abcdefghilmnorstuvy", min_size=1, max_size=30))
def test_stems_are_those_of_snowball(word: str) -> None:
    """Of words that can be English ones."""
    expected = EnglishStemmer().stemWord(word) if 3 <= len(word) <= 24 else word

    assert expected == stem_of(word)


def test_threads_do_not_mix_up_stems() -> None:
    """Each word is stemmed by itself, whoever else stems at the time."""
    words = [f"{first}{second}{end}" for first in "bdfgl" for second in "aeiou" for end in ENDS]
    expected = [EnglishStemmer().stemWord(word) for word in words] * 4
    stem_of.cache_clear()

    with ThreadPoolExecutor(8) as threads:
        assert expected == list(threads.map(stem_of, words * 4))


ENDS = ("tting", "tional", "tness", "ble", "zations", "rred", "lies", "ously")


def test_importing_loads_no_stemmer() -> None:
    """It comes with the first word that is stemmed."""
    code = (
        "import sys, memory, memory.analysis as a; b = 'snowballstemmer' in sys.modules;"
        "a.terms_of('running'); print(b, 'snowballstemmer' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False True" == done.stdout.strip()


@pytest.mark.parametrize("text", IDENTIFIERS)
def test_identifiers_are_found_whole(text: str) -> None:
    """Between any punctuation and beside Chinese, as one term and by their pieces."""
    (identifier,) = whole(text)

    assert [identifier] == whole(f"see ({text}), or…") == whole(f"订单{text}已发货")
    assert Term(identifier) in Query.parse(f'"{text}"').terms
    assert Query.parse(text).matches(terms_of(f"({text})"), "all")


@pytest.mark.parametrize(
    "text",
    [
        *("well-known", "e.g.", "i.e. this", "the end. Then", "wait...what", "note:this", "U.S.A."),
        *("mother-in-law", "C++", "--dry-run", "it's", "1,000", "50%", "$5", "#7", "a + b", "-1"),
        *("éa-1", "a-1é", "2-1\u0308"),
    ],
)
def test_these_are_no_identifiers(text: str) -> None:
    """Words that prose joins, signs around a word, and pieces that are not ASCII."""
    assert [] == whole(text)


def test_kinds_of_joints_make_no_difference() -> None:
    """A date is one, however it is written."""
    assert whole("2024-05-15") == whole("2024/05/15") == whole("2024.05..15")


def test_identifiers_are_not_mixed_up() -> None:
    """The same pieces in another order are another one."""
    assert found("192.168.0.1", "at 192.168.0.1!")
    assert not found("192.168.0.1", "at 0.1.192.168")
    assert found("192 168", "at 0.1.192.168")


def test_of_a_long_identifier_the_beginning_counts() -> None:
    """As of a long word."""
    (one,) = whole("/data" * 50)

    assert 64 == len(one)
    assert found("/data" * 50, "/data" * 60)


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("run*", "running", True),
        ("runn*", "running", True),
        ("running*", "running", True),
        ("runner*", "running", False),
        ("dyi*", "dying", True),
        ("tok*", "tok123", True),
        ("order_12*", "order_12-AB/7", True),
        ("order_12*", "order 12 AB", False),
        ("running", "runs", True),
        ("窗*", "靠窗的", True),
    ],
)
def test_what_begins_so_is_found(query: str, text: str, *, expected: bool) -> None:
    """A star asks for what was written, and for stems."""
    assert expected == found(query, text)


@given(st.text("abdeginrsty", min_size=1, max_size=12), st.integers(1, 12))
def test_any_beginning_of_a_word_is_found(word: str, letters: int) -> None:
    """However it is stemmed."""
    assert found(f"{word[:letters]}*", f"the {word}!")


def test_a_word_and_its_stem_count_once() -> None:
    """Both begin so, and were said in one word."""
    assert 3 == Term("run", prefix=True).count(terms_of("running runs run dog"))


@given(typed())
def test_the_length_counts_what_was_said(text: str) -> None:
    """Terms that say again what others say are not counted."""
    plain = [term for term in terms_of(text) if term[0] not in "¬¤"]

    assert len(plain) == length_of(written(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When did Caroline go to the meetings?", ["carolin", "go", "meet"]),
        ("What happened last week, or in May 2023?", ["happen", "last", "week", "2023"]),
        ("Where's order_12?", ["order", "12", "¤order·12"]),
        ("我的手机是什么牌子的？", ["手机", "牌子"]),
        ("他的狗呢", ["狗"]),
        ("上周我去了哪里", ["上周", "去"]),
        ("what did you do?", ["what", "did", "you", "do"]),
        ("是什么", ["是什", "什么"]),
        ("", []),
        ("?!", []),
    ],
)
def test_what_a_question_asks_for(text: str, expected: list[str]) -> None:
    """Its words with content; all of them where there are no others."""
    assert expected == [term for term in asked(text) if term != "may"]


def test_may_is_a_month() -> None:
    """Words that tell a time are no function words."""
    assert ["may", "2023"] == asked("when in May 2023")


def test_the_context_counts_half() -> None:
    """After the question, and only where that does not have the term."""
    terms = Query.of_question("the red fox", "a fox was running").terms

    assert [("red", 1.0), ("fox", 1.0), ("run", 0.5)] == [(t.text, t.weight) for t in terms]


def test_the_question_comes_before_its_context() -> None:
    """Of 64 terms."""
    terms = asked(" ".join(f"q{n}" for n in range(60)), " ".join(f"c{n}" for n in range(60)))

    assert [f"q{n}" for n in range(60)] + [f"c{n}" for n in range(4)] == terms


def test_weights_make_no_other_term() -> None:
    """Counts of terms are kept by term."""
    assert {Term("a"): 1} == {Term("a", weight=0.5): 1}


@given(typed(), typed(), typed(), st.sampled_from(MATCHES))
def test_any_question_can_be_asked(text: str, context: str, said: str, match: Match) -> None:
    """There are terms where there are words, and never too many."""
    query = Query.of_question(text, context)

    assert len(query.terms) <= 64
    assert bool(query) >= bool(Query.parse(text))
    assert query.matches(terms_of(said), match) in (True, False)


@pytest.mark.parametrize(
    "unit", ["a", "a-", "1_", "/", "a1.-", "é-1", "汉a-1", "a*", ".a", "@", "ab.", "running ", "\\"]
)
def test_hostile_texts_cost_little_time(unit: str) -> None:
    """Looking at a character twice would take minutes."""
    text = unit * (1_000_000 // len(unit))
    before = time.perf_counter()

    size = len(written(text).encode())
    queries = Query.parse(text), Query.of_question(text, text)

    assert time.perf_counter() - before < 5
    assert size < SIZE
    assert all(len(query.terms) <= 64 for query in queries)
