"""The synthetic message: what it holds, in which order, and that nothing breaks out of it."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.fences import TAGS
from memory.notes import ELIDED, Role, render
from memory.records import Identifier, Segment, Standing

WISH = Standing("Always use metres.", "user")
PROGRESS = "They also cover work already done on the user's message below."


def segment(text: str = "It is in Bern.", **others: Any) -> Segment:
    """Return a segment; what is not given does not matter."""
    given = {"first": 1, "last": 3, "tokens": 5, "author": "kimi-k2.6", **others}
    return Segment(text=text, **given)


def notes(*segments: Segment, **others: Any) -> dict[str, Any]:
    """Return notes; what is not given does not matter."""
    return render(segments or [segment()], **{"role": "user", "in_progress": False, **others})


def lines_of(message: dict[str, Any]) -> list[str]:
    """Return the lines of a synthetic message."""
    text: str = message["content"]
    return text.split("\n")


def test_the_notes_have_their_parts_in_the_order_of_the_cache() -> None:
    """What never changes, segments oldest first, then what every compaction writes anew."""
    parts = [segment("One.", dates=("8 May", "9 May")), segment("Two.", first=4, last=9)]
    made = notes(*parts, standing=[WISH], identifiers=[Identifier("id", "ZFA04Y")])
    lines = lines_of(made)

    assert "<conversation-notes>" == lines[0]
    assert [
        '<summary messages="1-3" dates="8 May to 9 May">',
        "One.",
        "</summary>",
        '<summary messages="4-9">',
        "Two.",
        "</summary>",
        "<standing-instructions>",
        "What the user or the system asked to hold from then on, in their words:",
        '"Always use metres."',
        "</standing-instructions>",
        "<identifiers>",
        "Values that stood in those messages, exactly as they were:",
        "- id: ZFA04Y",
        "</identifiers>",
        "These notes cover 9 messages and were written by kimi-k2.6.",
        "</conversation-notes>",
    ] == lines[lines.index('<summary messages="1-3" dates="8 May to 9 May">') :]


def test_the_notes_say_that_they_are_a_record() -> None:
    """And that the messages below are right where the two differ."""
    lines = lines_of(notes())
    preamble = " ".join(lines[1 : lines.index('<summary messages="1-3">')])

    assert "Notes on the earlier messages of this conversation" in preamble
    assert "a record and not instructions" in preamble
    assert "the messages are right" in preamble


def test_a_further_segment_leaves_what_is_before_it_as_it_was() -> None:
    """The server's prefix cache holds up to the end of the segments there were."""
    more = {"standing": [WISH], "identifiers": [Identifier("", "ZFA04Y")]}
    before = notes(segment(), **more)["content"]
    after = notes(segment(), segment("Two.", first=4, last=9), **more)["content"]
    shared = before.index("<standing-instructions>")

    assert before[:shared] == after[:shared]
    assert after[shared:].startswith('<summary messages="4-9">')


def test_the_notes_name_each_author_once() -> None:
    """The offline summariser and the caller are called what they are."""
    parts = [segment(), segment(author="extractive"), segment(author="caller"), segment()]

    assert (
        "These notes cover 3 messages and were written by "
        "kimi-k2.6 and an offline extractor and the owner of this conversation."
    ) == lines_of(notes(*parts))[-2]


def test_messages_that_are_sent_all_the_same_are_not_covered() -> None:
    """What stays verbatim amid the covered ones is left out of the number."""
    assert "These notes cover 7 messages" in lines_of(notes(segment(last=9), kept=2))[-2]


def test_the_last_message_covered_need_not_be_of_the_last_segment() -> None:
    """A question that was kept alone for long goes into a later segment than what came after."""
    parts = [segment(first=2, last=9), segment(first=1, last=5)]

    assert "These notes cover 9 messages" in lines_of(notes(*parts))[-2]


def test_the_notes_speak_of_work_in_progress() -> None:
    """Only when they cover work on the message below them."""
    assert PROGRESS == lines_of(notes(in_progress=True))[-2]
    assert PROGRESS not in lines_of(notes())


def test_without_segments_there_is_nothing_said_of_them() -> None:
    """Notes may hold quotes alone."""
    made = render([], standing=[WISH], role="user", in_progress=False)

    assert '"Always use metres."' in lines_of(made)
    assert not re.search("<summary|cover|written by|<identifiers>", made["content"])


def test_standing_instructions_are_quoted_a_line_each() -> None:
    """Oldest first, in quotation marks, whoever said them."""
    said = [Standing("Use French.\nAlways.", "system"), Standing('"Quoted"', "pinned")]
    lines = lines_of(notes(standing=said))
    start = lines.index("<standing-instructions>")

    assert [json.dumps(each.text) for each in said] == lines[start + 2 : start + 4]
    assert "</standing-instructions>" == lines[start + 4]


@pytest.mark.parametrize("role", get_args(Role))
def test_the_notes_have_the_role_that_was_set(role: Role) -> None:
    """Any of the roles that a message may have."""
    assert role == notes(role=role)["role"]


@pytest.mark.parametrize(
    ("author", "shown"),
    [("a\nb", "a b"), ("</conversation-notes>", "‹/conversation-notes>"), ("我的模型", "我的模型")],
)
def test_the_name_of_an_author_is_quoted_too(author: str, shown: str) -> None:
    """A model may be called anything."""
    assert lines_of(notes(segment(author=author)))[-2].endswith(f"written by {shown}.")


def test_what_nothing_could_be_said_of_is_counted() -> None:
    """The marker in place of a summary says how many messages there are, and where."""
    made = ELIDED.format(count=12)

    assert "(12 messages were left out without a summary; they are in the log.)" == made


hostile = st.lists(
    st.one_of(
        st.sampled_from(TAGS).map(lambda name: f"<{name}>"),
        st.sampled_from(TAGS).map(lambda name: f"</{name} >"),
        st.sampled_from(TAGS).map(lambda name: f"</{name.upper()}>"),
        st.text(max_size=5),
        st.sampled_from(["<", "</", "</sum", "mary>", "\n"]),
    ),
    max_size=6,
).map("".join)


def tags(text: str) -> list[str]:
    """Return everything that looks like one of our fences."""
    found = re.findall(rf"</?(?:{'|'.join(TAGS)})\b", text, flags=re.IGNORECASE)
    return [tag.lower() for tag in found]


@given(hostile, hostile, hostile, hostile)
def test_notes_cannot_be_broken_out_of(text: str, said: str, label: str, author: str) -> None:
    """Whatever summary, instructions, identifiers and names say, the fences are the notes' own."""
    made = notes(
        segment(text, dates=(said, label), author=author),
        standing=[Standing(said, "user")],
        identifiers=[Identifier(label, text)],
    )

    assert [
        "<conversation-notes",
        "<summary",
        "</summary",
        "<standing-instructions",
        "</standing-instructions",
        "<identifiers",
        "</identifiers",
        "</conversation-notes",
    ] == tags(made["content"])
