"""The estimate at its edges: the least that it can be, and texts beyond ASCII."""

from __future__ import annotations

import pytest

from memory.tokens import CLASS_OF_BYTE, TERMS, ByteClassEstimator, features, utf8_bound

count = ByteClassEstimator().count


@pytest.mark.parametrize(
    "text",
    [
        "Für Änderungen gibt es keine Gewähr, und Rückgaben müssen früher gemeldet werden. ",
        "Где находится ближайшая станция, и когда уходит последний поезд? ",
        "我们决定下周一发布新版本，小王负责测试。",
        "The quick brown fox jumps over the lazy dog. ",
    ],
    ids=["German", "Russian", "Chinese", "English"],
)
def test_twice_the_text_is_twice_the_tokens(text: str) -> None:
    """But for what happens at the seam: nothing is added for a text as such."""
    assert 2 * count(text) == pytest.approx(count(2 * text), abs=1.5)


@pytest.mark.parametrize(
    ("run", "least"),
    [(" " * 12_800, 100), ("\t" * 12_800, 100), ("(" * 1_600, 100), ("a" * 800, 100)],
    ids=["spaces", "tabs", "signs", "letters"],
)
def test_text_is_not_denser_than_the_densest_tokens(run: str, least: int) -> None:
    """128 spaces a token, 16 signs, 8 of anything else; and what it costs together adds up."""
    assert count(run) >= least


@pytest.mark.parametrize(
    ("letters", "signs", "least"), [(80, 0, 1_010), (800, 0, 1_100), (0, 1_600, 1_100)]
)
def test_the_least_of_a_mixture_is_the_sum_of_its_kinds(
    letters: int, signs: int, least: int
) -> None:
    """Beside a thousand tokens of spaces, which drive the sum down as far as it goes."""
    assert least == count(" " * 128_000 + "abcdefgh" * (letters // 8) + "(" * signs)


def test_a_word_may_be_one_token() -> None:
    """What is estimated to be little more is not rounded up."""
    assert 1 == count("!")
    assert 1 < count("hi") < 1.5


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("abc", 3), ("äöü", 6), ("好", 3), ("\ud800", 3)]
)
def test_the_bound_is_in_bytes(text: str, size: int) -> None:
    """Of UTF-8; half a character has three."""
    assert size == utf8_bound(text)


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("azAZ09", "llUUdd"),
        (" \n\r\t", "snnt"),
        ("_-./=*#~", "qqqqqqqq"),
        ("'\"`()[]{},:;<>", "kkkbbbbbbcccaa"),
        ("\0\x1f\x7f!@$%", "xxxpppp"),
        ("éΩЖא", "L.G.R.A."),
        ("ก™か好한Ａ", "T..E..K..C..H..F.."),
        ("🙂", "Z..."),
    ],
)
def test_each_byte_has_the_class_of_its_character(text: str, classes: str) -> None:
    """ASCII by what it is, the first byte of any other character by its script."""
    assert classes.encode() == text.encode().translate(CLASS_OF_BYTE)
    assert 256 == len(CLASS_OF_BYTE)
    runs = features(text, text.encode())[1 : 1 + len(TERMS)]
    assert [classes.count(run) for run in TERMS] == runs
