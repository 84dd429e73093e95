"""Full-text search: terms, queries, what of a message is searched, and in which order."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searches import MATCHES, typed

from memory.analysis.folding import folded
from memory.records import Turn
from memory.stores.search import (
    Query,
    Term,
    documents_of,
    terms_of,
    text_of_message,
    words_of,
)
from memory.testing.strategies import conversations


def term(text: str) -> Term:
    """Return a term that is looked for as it is."""
    return Term(text)


def begins(text: str) -> Term:
    """Return what looks for terms that begin so."""
    return Term(text, prefix=True)


def said(content: Any, **more: Any) -> dict[str, Any]:
    """Return a message."""
    return {"role": "assistant", "content": content, **more}


def called(name: str, arguments: Any) -> dict[str, Any]:
    """Return a message that calls a function and says nothing."""
    function = {"name": name, "arguments": arguments}
    return said(None, tool_calls=[{"id": "1", "type": "function", "function": function}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n\t ", []),
        ("!?…。、「」", []),
        ("The quick-brown FOX.", ["the", "quick", "brown", "fox"]),
        ("again and again", ["again", "and", "again"]),
        ("snake_case", ["snake", "case", "¤snake·case"]),
        ("naïve_café", ["naïve", "café"]),
        ("窗", ["窗"]),
        ("靠窗", ["靠窗", "窗"]),
        ("靠窗的", ["靠窗", "窗的", "的"]),
        ("靠窗 座位", ["靠窗", "窗", "座位", "位"]),
        ("靠窗，座位", ["靠窗", "窗", "座位", "位"]),
        ("减少Token", ["减少", "少", "token"]),
        ("2024年", ["2024", "年"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー", "ー"]),
        ("한국어", ["한국", "국어", "어"]),
        ("𠀀𠀁", ["𠀀𠀁", "𠀁"]),
        ("我・你", ["我", "你"]),
        ("ภาษา", ["ภา", "าษ", "ษา", "า"]),
    ],
)
def test_terms_of_a_text(text: str, expected: list[str]) -> None:
    """Words as they are, scripts without spaces as pairs and the last character."""
    assert expected == terms_of(text)


@pytest.mark.parametrize(
    "word", ["हिन्दी", "مرحبا", "العَرَبِيَّة", "привет", "ελληνικά", "עברית", "தமிழ்", "ተማሪ"]
)
def test_words_of_other_scripts_stay_whole(word: str) -> None:
    """Marks belong to the word."""
    assert 1 == len(terms_of(word))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＡＢＣ", "abc"),
        ("Straße", "STRASSE"),
        ("ﬁne", "fine"),
        ("café", "cafe\u0301"),
        ("ｱｲｽ", "アイス"),
        ("葛\U000e0100飾", "葛飾"),
        ("co\u00adoperate", "cooperate"),
        ("می‌خواهم", "میخواهم"),
        ("ΐ", "ι\u0308\u0301"),
        ("\ufeffword", "word"),
    ],
)
def test_spellings_of_one_word(one: str, other: str) -> None:
    """Width, case, composition and what nobody sees make no difference."""
    assert terms_of(one) == terms_of(other)


def test_a_term_has_a_length() -> None:
    """Of a longer word its beginning counts, in a text and in a query."""
    assert ["x" * 64] == terms_of("x" * 65)
    assert (term("é" * 64),) == Query.parse("é" * 100).terms


def test_what_can_be_no_character_parts_words() -> None:
    """NUL and half a surrogate pair are in no term."""
    assert ["a", "b", "c"] == terms_of("a\0b\ud800c")


def test_a_heap_of_marks_costs_no_time() -> None:
    """Sorting them all would take a quarter of an hour."""
    before = time.perf_counter()

    terms_of("a" + "\u0300\u0316" * 400_000)

    assert time.perf_counter() - before < 5


@given(typed())
def test_terms_are_letters_digits_and_marks(text: str) -> None:
    """So no term needs quoting, and each fits every database."""
    for each in terms_of(text):
        assert 1 <= len(each) <= 64
        assert "_" not in each
        assert not any(c.isspace() or not c.isprintable() for c in each)
        assert each.encode()


@given(typed())
def test_terms_do_not_change_when_made_again(text: str) -> None:
    """A term is folded for good, so that it is the same wherever it comes from."""
    for each in terms_of(text):
        assert each == folded(each)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quick fox", (term("quick"), term("fox"))),
        ("fox fox FOX", (term("fox"),)),
        ("tok*", (begins("tok"),)),
        ("tok* tok", (begins("tok"), term("tok"))),
        ("to*ken", (begins("to"), term("ken"))),
        ("＊tok＊", (begins("tok"),)),
        ("tok *", (term("tok"),)),
        ("窗", (begins("窗"),)),
        ("靠窗", (term("靠窗"),)),
        ("靠窗*", (term("靠窗"),)),
        ("靠窗的", (term("靠窗"), term("窗的"))),
        ("减少Tok*", (term("减少"), begins("tok"))),
        ("2024年", (term("2024"), begins("年"))),
        ('"a b" OR c:d^2', tuple(map(term, ["a", "b", "or", "c", "d", "2"]))),
    ],
)
def test_what_a_query_asks_for(text: str, expected: tuple[Term, ...]) -> None:
    """Words are exact, a star and a lone character ask for beginnings, nothing is an operator."""
    assert expected == Query.parse(text).terms


@pytest.mark.parametrize("text", ["", " ", "***", '"', "\ud800", "( ) & | ! <-> :", "…", "👍"])
def test_a_query_without_terms_matches_nothing(text: str) -> None:
    """It is false, and there is nothing to send to a database."""
    query = Query.parse(text)

    assert not query
    assert ("", "") == (query.fts5("all"), query.tsquery("any"))
    assert not any(query.matches(["a"], match) or query.matches([], match) for match in MATCHES)


def test_a_pasted_text_is_a_query() -> None:
    """Its first 64 terms count."""
    query = Query.parse(" ".join(f"w{number}" for number in range(5_000)))

    assert [f"w{number}" for number in range(64)] == [each.text for each in query.terms]


def test_queries_of_databases() -> None:
    """Each term is quoted; beginnings have the mark of their database."""
    query = Query((term("a"), begins("窗")))

    assert '"a" AND "窗"*' == query.fts5("all")
    assert '"a" OR "窗"*' == query.fts5("any")
    assert "'a' & '窗':*" == query.tsquery("all")
    assert "'a' | '窗':*" == query.tsquery("any")


def test_a_term_of_any_text_is_quoted() -> None:
    """Though the analyser makes none that needs it."""
    assert '"say ""hi"""' == term('say "hi"').fts5
    assert r"'it''s \\'" == term("it's \\").tsquery


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("的窗", "靠窗的座位"),
        ("窗座", "靠窗 座位"),
        ("tok", "token"),
        ("oken*", "token"),
        ("quick cat", "the quick brown fox"),
        ("窗 门", "靠窗"),
    ],
)
def test_what_is_not_found(query: str, text: str) -> None:
    """Other characters, characters apart, and parts of a word."""
    assert not Query.parse(query).matches(terms_of(text), "all")


@given(typed())
def test_a_text_is_found_by_itself(text: str) -> None:
    """Whatever was said can be typed to find it."""
    query = Query.parse(text)

    assert bool(query) == query.matches(terms_of(text), "all")


@given(typed(), st.integers(0, 20), st.integers(1, 20))
def test_any_part_of_chinese_is_found(text: str, start: int, length: int) -> None:
    """However long it is, and wherever it begins."""
    sentence = "我们明天上午去北京看长城"
    part = sentence[start % len(sentence) :][:length]

    assert Query.parse(part).matches(terms_of(f"{text} {sentence}"), "all")


def test_the_text_of_a_message() -> None:
    """Parts are texts of their own; media are left out, and so are thoughts."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    parts = [{"type": "text", "text": "first"}, image, {"type": "text", "text": "second"}]
    message = said(parts, reasoning_content="hidden")

    assert "first\nsecond" == text_of_message(message)
    assert "first second" == words_of(message)


def test_what_a_message_calls() -> None:
    """Names and arguments are searched; they are shown as they were sent."""
    message = called("find_seat", '{"where": "\\u9760\\u7a97", "note": "a\\nb", "n": [1, null]}')

    assert f"find_seat({message['tool_calls'][0]['function']['arguments']})" == text_of_message(
        message
    )
    assert "find seat ¤find·seat where 靠窗 窗 note a b n 1" == words_of(message)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "look"),
        (None, "look"),
        ("not json {", "look not json"),
        ("[" * 100_000, "look"),
        ("9" * 5_000, "look " + "9" * 64),
        ({"q": "x"}, "look q x"),
        ('"data:image/png;base64,iVBORw0KGgo="', "look"),
        ('{"a": "data:image/png;base64,iVBORw0KGgo=", "b": 1}', "look a b 1"),
        ({"a": "data:image/png;base64,iVBORw0KGgo="}, "look a"),
    ],
)
def test_arguments_of_all_kinds(arguments: Any, expected: str) -> None:
    """Whatever a model wrote there."""
    assert expected == words_of(called("look", arguments))


def test_a_picture_in_a_text_is_left_out() -> None:
    """A data URL is nothing that anybody looks for."""
    message = said(
        f"see ![plot](data:image/svg+xml;charset=utf-8;base64,{'QUJD/+' * 1_000}==) here"
    )

    assert "see ![plot](…) here" == text_of_message(message)
    assert "see plot here" == words_of(message)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "user"},
        said(None),
        said([]),
        said(None, tool_calls="none"),
        said(None, tool_calls=[{"id": "1"}, 5, {"function": "x"}]),
    ],
)
def test_a_message_may_say_nothing(message: dict[str, Any]) -> None:
    """It has neither a text nor words, whatever is wrong with it."""
    assert ("", "") == (text_of_message(message), words_of(message))


@pytest.mark.parametrize("unit", ["汉字", "word ", "é ", "a-", "xyz", "\ufdfa "])
def test_words_have_a_size(unit: str) -> None:
    """A `tsvector` takes no more; the last term is a whole one."""
    words = words_of(said(unit * 300_000))

    assert len(words.encode()) < 250_000
    assert set(words.split(" ")) <= set(terms_of(unit * 200))


@given(conversations(largest=20, most=3))
def test_words_are_the_terms_of_what_was_said(messages: list[dict[str, Any]]) -> None:
    """Each text of a message is found by its message."""
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            terms = terms_of(content)
            assert terms == words_of(message).split()[: len(terms)]


def test_documents_of_a_turn() -> None:
    """Places go on from the start of the turn; who says nothing is no document."""
    turn = Turn(start=4, messages=(said("a b"), said(""), {"role": "user", "content": "窗"}))

    first, second = documents_of(turn)

    assert (4, 0, "assistant", "a b", 2) == (
        first.place,
        first.item,
        first.role,
        first.words,
        first.length,
    )
    assert (6, 2, "user", "窗", 1) == (
        second.place,
        second.item,
        second.role,
        second.words,
        second.length,
    )


def test_a_word_of_json_is_a_word() -> None:
    """What a tool returned as JSON is searched as the text it is."""
    message = {"role": "tool", "content": json.dumps({"city": "北京"}, ensure_ascii=False)}

    assert Query.parse("北京").matches(words_of(message).split(), "all")


@given(st.text(st.characters(max_codepoint=127), max_size=300))
def test_plain_text_is_read_as_any_other(text: str) -> None:
    """The short way for ASCII finds the terms that the long one does."""
    assert terms_of(text) == terms_of(f"{text} é")[:-1]
