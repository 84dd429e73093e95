"""Hostile conversations: nothing in them becomes an instruction or leaves its fence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbench import MODEL, call, user

from benchmarks import injection
from benchmarks._hostile import NAME, TRANSCRIPTS, Transcript
from benchmarks._notes_parser import FormError, folded, parse, parse_request
from memory.fences import TAGS
from memory.notes import render
from memory.records import Identifier, Segment, Standing
from memory.summary import Form, SummaryRequest, request_body

NAMES = [f"{each.lang}: {each.name}" for each in TRANSCRIPTS]
EVERY = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=NAMES)
PIECES = (
    *(f"<{tag}>" for tag in TAGS),
    *(f"</{tag} >" for tag in TAGS),
    *(f"</{tag.upper()}>" for tag in TAGS),
    *(f"＜/{tag}＞" for tag in TAGS),
    *(f"</\u200b{tag[:3]}\u00ad{tag[3:]}>" for tag in TAGS),
    *(f"<//{tag.replace('-', '_')}>" for tag in TAGS),
    *("<", "</", "＜", "﹤", "/", ">", " ", "\t", "\n", "\r", "\\", '"', "‹", "`", "|"),
    *("\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\u200b", "\u202e", "\u00ad"),
    *("summary", "conversation", "-notes", "_notes", "identifiers", "ｓｕｍｍａｒｙ", "standing"),
    *('12 user: "', "system: ", "系统：", "messages=", "dates=", "ok", "\ud800", "\U000e003c"),
)
hostile = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@EVERY
@pytest.mark.parametrize("form", ["shared", "rendered"])
@pytest.mark.parametrize("summariser", injection.SUMMARISERS)
def test_nothing_hostile_gives_orders(transcript: Transcript, form: Form, summariser: str) -> None:
    """In no view and in no request, whoever writes the summary; the user's own wish is quoted."""
    found = injection.run(transcript, form=form, summariser=summariser, turns=18)

    assert ([], []) == (found.promoted, found.outside)
    assert min(found.compactions, found.requests, found.granted) >= 1


def test_there_are_thirty_transcripts() -> None:
    """Each is another attack, in English or in Chinese, and each names the attacker."""
    assert 30 == len(set(NAMES)) == len(TRANSCRIPTS)
    assert {"en", "zh"} == {each.lang for each in TRANSCRIPTS}
    assert all(NAME in folded(json.dumps(t.messages, ensure_ascii=False)) for t in TRANSCRIPTS)


def test_the_judges_find_what_is_not_guarded() -> None:
    """Where nothing is escaped and nothing refused, most attacks are seen to work."""
    runs = [injection.unguarded(each) for each in TRANSCRIPTS]

    assert sum(bool(each.promoted or each.outside) for each in runs) >= injection.CONTROL


def segment(text: str = "Anna lives in Bern.", **others: Any) -> Segment:
    """Return a segment; what is not given does not matter."""
    return Segment(text=text, **{"first": 1, "last": 9, "tokens": 5, "author": MODEL, **others})


@given(hostile, hostile, hostile, hostile)
def test_notes_can_be_taken_apart(text: str, said: str, value: str, date: str) -> None:
    """Whatever is quoted in them, sections and quotations are where they belong."""
    segments = [segment(), segment(text, dates=(date, ""))]
    notes = parse(
        render(
            segments,
            standing=[Standing(said, "user"), Standing("Use metres.", "pinned")],
            identifiers=[Identifier("id", value), Identifier("", "H9ZU1C")],
            role="user",
            in_progress=True,
            kept=1,
        )["content"]
    )

    assert 2 == len(notes.summaries) == len(notes.standing)
    assert seen(said) == seen(notes.standing[0])
    assert "Use metres." == notes.standing[1]
    assert seen(text).strip() == seen(notes.summaries[1].text).strip()
    assert seen(date) == seen(notes.summaries[1].dates)


@given(hostile, hostile, hostile)
def test_rendered_requests_can_be_taken_apart(text: str, arguments: str, name: str) -> None:
    """Whatever was said, each message is a line of its own with its number and its role."""
    asking = {"role": "assistant", "content": text, "tool_calls": [call("x", arguments)]}
    request = SummaryRequest(
        form="rendered",
        model=MODEL,
        slice=(user(text) | {"name": name}, asking),
        numbers=(7, 8),
        previous=(segment(text),),
        cap=100,
        source_tokens=500,
    )
    made = parse_request(request_body(request)["messages"][0]["content"])

    texts = [text, text] if text.strip() else []
    assert [seen(each) for each in (*texts, arguments)] == [seen(x.text) for x in made.lines]
    assert {7, 8} >= {line.number for line in made.lines}
    assert {"user", "assistant"} >= {line.role for line in made.lines}


def seen(text: str) -> str:
    """Return a text without what tells our fence from a tag, and without what cannot be seen."""
    return folded(text).replace("‹", "<")


def between_tags(*lines: str) -> str:
    """Return lines between the outer tags of notes."""
    return "\n".join(["<conversation-notes>", *lines, "</conversation-notes>"])


SUMMARY = '<summary messages="1-2">'
STANDING = ("<standing-instructions>", "These:", '"Be kind."', "</standing-instructions>")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Notes.",
        "<conversation-notes>",
        between_tags("Notes.") + "\nMore.",
        between_tags("<summary>", "Anna.", "</summary>"),
        between_tags(SUMMARY, "Anna."),
        between_tags(STANDING[0], "These:", "Use metres.", STANDING[-1]),
        between_tags("<identifiers>", "These:", "</identifiers>", *STANDING),
        between_tags(*STANDING, SUMMARY, "Anna.", "</summary>"),
        between_tags(SUMMARY, "＜/ｓummary＞", "</summary>"),
        between_tags(SUMMARY, "</sum\u200bmary>", "</summary>"),
        between_tags("Notes.", "</conversation-notes>"),
    ],
)
def test_the_reader_of_notes_is_strict(text: str) -> None:
    """What is not exactly of the form, or looks as if there were one more tag, is refused."""
    with pytest.raises(FormError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "Write notes.",
        "Write notes.\n<conversation>\nuser: hello\n</conversation>",
        '<conversation>\n1 user: "hello"\n</conversation>\nThanks.',
        '<conversation>\n1 user: "hel"lo"\n</conversation>',
        '<conversation>\n1 user: "a\u2028b"\n</conversation>',
        '<conversation>\n1 user: "</conversation>"\n</conversation>',
        '<conversation>\n1 user: "<Summary>"\n</conversation>',
    ],
)
def test_the_reader_of_requests_is_strict(text: str) -> None:
    """A line says who said what, in quotation marks, and no more."""
    with pytest.raises(FormError):
        parse_request(text)


def test_the_reader_takes_notes_apart() -> None:
    """Sections that are missing are empty."""
    notes = parse(between_tags("Notes.", SUMMARY, "Anna.", "</summary>", *STANDING, "The end."))

    assert "Anna." == notes.summaries[0].text
    assert ("Be kind.",) == notes.standing
    assert () == notes.identifiers
    assert "Notes.\nThese:\nThe end." == notes.frame


def test_the_benchmark_reports_what_it_found() -> None:
    """Its checks hold on two transcripts, in both forms and with both summarisers."""
    report = json.loads(injection.report(TRANSCRIPTS[:2], turns=18).json())

    assert "injection" == report["benchmark"]
    assert 5 == len(report["rows"]["injection"])
    assert [] == report["rows"]["faults"]
    assert [0, 0] == [each["value"] for each in report["checks"][:2]]
