"""Quoting what somebody else wrote."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.fences import TAGS, fenced, quoted

UNSEEN = ("\u200b", "\u00ad", "\ufeff", "\u2060", "\u200d", "\ufe0f", "\U000e0001")
PIECES = (
    *(f"<{tag}>" for tag in TAGS),
    *(f"</{tag} >" for tag in TAGS),
    *(f"</{tag.upper()}>" for tag in TAGS),
    *("<", "</", "＜", "﹤", "/", "\\", "sum", "mary>", " ", "\n", "-notes", "_notes", *UNSEEN),
)
hostile = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=8).map("".join)


def plain(text: str) -> str:
    """Return a text as it reads: unseen characters gone, wide letters narrow, dashes alike."""
    narrow = unicodedata.normalize("NFKC", text)
    seen = "".join(c for c in narrow if unicodedata.category(c) not in {"Cf", "Mn"})
    return re.sub(r"[-_\s]+", "-", seen).casefold()


def tags(text: str) -> list[str]:
    """Return what reads as one of our tags."""
    return re.findall(rf"<[-/\\]*(?:{'|'.join(TAGS)})(?![a-z0-9])", plain(text))


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize(
    "spelling",
    [
        "<{}>",
        "</{}>",
        "</ {}>",
        "< / {} >",
        "<{} messages='1-3'>",
        "<\n{}>",
        "<//{}>",
        "<\\{}>",
        "＜{}＞",
        "＜／{}＞",
        "﹤{}﹥",
        "<\u200b{}>",
        "</\ufeff{}>",
    ],
)
def test_no_tag_of_ours_stays_however_it_is_spelled(tag: str, spelling: str) -> None:
    """Upper case, full width, blanks, unseen characters: its bracket is another one."""
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in tag)
    split = f"{tag[:2]}\u00ad\u200b{tag[2:]}"
    for name in (tag, tag.upper(), tag.replace("-", "_"), wide, split):
        text = spelling.format(name)

        assert "‹" + text[1:] == fenced(text)


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "<b>bold</b>",
        "<summaryx>",
        "<summary2>",
        "if (conversation > identifiers)",
        "vector<identifier>",
        "summary>",
        "‹summary>",
        "<>",
        "<",
        "",
    ],
)
def test_what_is_no_tag_of_ours_stays_as_it_is(text: str) -> None:
    """Code and comparisons are not touched."""
    assert text == fenced(text)


@given(hostile)
def test_nothing_reads_as_a_tag_of_ours(text: str) -> None:
    """Whatever it is put together from."""
    assert [] == tags(fenced(text))


@given(hostile)
def test_nothing_but_brackets_changes(text: str) -> None:
    """Each is replaced by one character, in its place."""
    made = fenced(text)

    assert len(text) == len(made)
    assert all(
        one == other or (one in "<＜﹤" and other == "‹")
        for one, other in zip(text, made, strict=True)
    )


@given(hostile)
def test_fencing_twice_is_fencing_once(text: str) -> None:
    """What was quoted may be quoted again."""
    assert fenced(text) == fenced(fenced(text))


@given(hostile)
def test_a_quotation_is_one_line_that_reads_back(text: str) -> None:
    """It is JSON; only the beginnings of our tags differ."""
    made = quoted(text)

    assert [made] == made.splitlines()
    assert fenced(text).replace("<", "‹") == json.loads(made).replace("<", "‹")
    assert [] == tags(made)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('say "yes"', '"say \\"yes\\""'),
        ("a\nb\tc", '"a\\nb\\tc"'),
        ("a\u2028b", '"a\\u2028b"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("a\u200bb", '"a\\u200bb"'),
        ("a\x85b", '"a\\u0085b"'),
        ("\U000e0041", '"\\udb40\\udc41"'),
        ("我们 🎉", '"我们 🎉"'),
        ("👩\u200d🚀", '"👩\u200d🚀"'),
        ("می\u200cخواهم", '"می\u200cخواهم"'),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, made: str) -> None:
    """Letters of any script stay, and so do the joiners that belong to them."""
    assert made == quoted(text)
