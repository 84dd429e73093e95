"""Published files: how their layouts are recognised, and who reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from published import LOCOMO, LONGMEMEVAL, SAID, SHAREGPT, TAU, written

from benchmarks import _corpora
from memory.cli.reading import load, load_one
from memory.formats import TranscriptError, rows, scan
from memory.replay import join
from memory.testing.transcripts import read

OFFICIAL = {
    "locomo": (LOCOMO, "conv-1"),
    "longmemeval": (LONGMEMEVAL, "q1_abs"),
    "tau": (TAU, "tau_3_t2"),
    "sharegpt": (SHAREGPT, "s1"),
    "openai": ({"id": "o1", "messages": SAID}, "o1"),
}


@pytest.mark.parametrize("layout", ["list", "wide list", "lines", "one"])
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_format_is_recognised_in_every_layout(tmp_path: Path, name: str, layout: str) -> None:
    """By what is in the file, whatever that is called."""
    value, ident = OFFICIAL[name]
    text = {
        "list": json.dumps([value, value]),
        "wide list": json.dumps([value, value], indent=2),
        "lines": f"\n{json.dumps(value)}\n\n{json.dumps(value)}\n",
        "one": json.dumps(value, indent=2),
    }[layout]
    found = [*rows(written(tmp_path / "file.txt", text))]

    assert ([ident] if layout == "one" else [ident, ident]) == [each["id"] for each in found]


def test_what_cannot_be_read_spoils_nothing_before_it(tmp_path: Path) -> None:
    """A list that breaks off is read up to there, and the place is told."""
    path = written(tmp_path / "cut.json", json.dumps([LOCOMO, LOCOMO], indent=1)[:-40])
    kept, broken = scan(path)

    assert ("conv-1", f"{path}:[1]") == ((kept.row or {})["id"], broken.place)
    assert "not JSON" in str(broken.problem)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[1\n2]", "a comma is missing"),
        ("[\n[]\n", "the list is not closed"),
        ("[\n1] 2", "there is more after the end of the list"),
        ('{"simulations": []}', "`simulations` is empty"),
        ('{"simulations": [1]}', "not an object"),
    ],
)
def test_a_list_that_is_none_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    """With what is wrong with it."""
    found = [*scan(written(tmp_path / "x.json", text))]

    assert complaint in str(found[-1].problem)


def test_an_empty_list_is_no_conversation(tmp_path: Path) -> None:
    """It is named, and not passed over in silence."""
    (skipped,) = read(written(tmp_path / "x.json", "[\n]")).skipped

    assert "no messages in it" == skipped.reason


@pytest.mark.parametrize("text", [b'{"messages": []}\n{"\xff', b'[\n{"messages": []},\n"\xff"]'])
def test_other_encodings_are_refused(tmp_path: Path, text: bytes) -> None:
    """A file that is not UTF-8 is told, wherever that comes to light."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(text)

    assert "not UTF-8" in str([*scan(path)][-1].problem)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_of_messages_is_one_conversation(tmp_path: Path, indent: int | None) -> None:
    """Whether it stands on one line or on many."""
    (found,) = rows(written(tmp_path / "m.json", json.dumps(SAID, indent=indent)))

    assert SAID == found["messages"]


def test_lines_of_messages_are_one_conversation(tmp_path: Path) -> None:
    """As programs write them that log what is said."""
    (found,) = rows(written(tmp_path / "m.jsonl", "\n".join(map(json.dumps, SAID))))

    assert SAID == found["messages"]


def test_a_message_among_conversations_is_none(tmp_path: Path) -> None:
    """Lines that are not all messages are taken one by one."""
    path = written(tmp_path / "m.jsonl", f"{json.dumps(SAID[1])}\n{json.dumps(SAID)}")
    first, second = scan(path)

    assert (f"{path}:1", None) == (first.place, first.row)
    assert {"messages": SAID} == second.row


def test_a_list_on_a_long_line_is_read_in_pieces(tmp_path: Path) -> None:
    """It may be larger than what one wants to hold."""
    path = tmp_path / "long.json"
    path.write_text(f"[{json.dumps(TAU)},{' ' * (1 << 24)}{json.dumps(TAU)}]", encoding="utf-8")

    assert ["tau_3_t2", "tau_3_t2"] == [each["id"] for each in rows(path)]


def test_a_conversation_on_a_long_line_is_read_whole(tmp_path: Path) -> None:
    """Lines have no greatest length."""
    long = {"id": "a", "messages": [{"role": "user", "content": "x" * (1 << 24)}]}
    path = written(tmp_path / "long.jsonl", f"{json.dumps(long)}\n{json.dumps(TAU)}")

    assert ["a", "tau_3_t2"] == [each["id"] for each in rows(path)]


def test_rows_stop_at_what_is_none(tmp_path: Path) -> None:
    """Whoever wants to go on uses `scan`."""
    path = written(tmp_path / "x.jsonl", f"{json.dumps(TAU)}\n{{broken")
    found = rows(path)

    assert "tau_3_t2" == next(found)["id"]
    with pytest.raises(TranscriptError, match=r"x\.jsonl:2: not JSON"):
        next(found)


def test_conversations_without_names_are_numbered(tmp_path: Path) -> None:
    """By their lines, or their places in the list; the only one is called as the file."""
    line = json.dumps(SAID)

    assert ["1", "3"] == [r["id"] for r in rows(written(tmp_path / "a.jsonl", f"{line}\n\n{line}"))]
    assert ["1", "2"] == [r["id"] for r in rows(written(tmp_path / "b.json", f"[{line},{line}]"))]
    assert ["c"] == [r["id"] for r in rows(written(tmp_path / "c.json", line))]


class TestReaders:
    """The commands, the checks and the benchmarks read these files."""

    def test_commands_keep_the_ids_that_evidence_names(self, tmp_path: Path) -> None:
        """`join` puts them beside the messages."""
        (joined,) = join(load(written(tmp_path / "l.json", json.dumps([LOCOMO]))), chain=1)

        assert ["D2:1", "D2:2", "D2:3", "D10:1"] == joined["ids"]

    def test_one_conversation_is_chosen_among_many(self, tmp_path: Path) -> None:
        """By its id, without the notes of the data set."""
        path = written(tmp_path / "t.json", json.dumps([TAU, {**TAU, "trial": 7}]))
        found = load_one(path, conversation="tau_3_t7")

        assert SAID == found["messages"]

    def test_checks_read_a_corpus(self, tmp_path: Path) -> None:
        """Each conversation of it is a transcript."""
        reading = read(written(tmp_path / "l.json", json.dumps([LOCOMO, LONGMEMEVAL, TAU])))

        assert ["conv-1", "q1_abs", "tau_3_t2"] == [each.id for each in reading.transcripts]

    @pytest.mark.parametrize(
        ("file", "name"),
        [
            ("locomo10.json", "locomo"),
            ("longmemeval_s.json", "longmemeval"),
            ("gpt-4o-airline.json", "tau_airline"),
            ("mine.json", "mine"),
        ],
    )
    def test_benchmarks_find_published_files(self, tmp_path: Path, file: str, name: str) -> None:
        """Where there are no lines of rows of that name."""
        written(tmp_path / file, json.dumps([SHAREGPT, SHAREGPT]))

        assert ["s1"] == [each["id"] for each in _corpora.rows(tmp_path, name, limit=1)]

    def test_rows_of_our_own_come_first(self, tmp_path: Path) -> None:
        """They may be corrected."""
        written(tmp_path / "locomo10.json", json.dumps([LOCOMO]))
        written(tmp_path / "locomo.jsonl", json.dumps({"id": "own", "messages": []}))

        assert ["own"] == [each["id"] for each in _corpora.rows(tmp_path, "locomo")]

    def test_a_corpus_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        """By the name of the file of rows."""
        with pytest.raises(FileNotFoundError, match=r"locomo\.jsonl"):
            _corpora.rows(tmp_path, "locomo")
