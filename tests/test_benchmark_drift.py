"""The benchmark of drift says what it measured, and is able to fail."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("splintr")

from benchmarks import drift
from benchmarks._corpora import Recording
from benchmarks._stubs import stub
from benchmarks._synthetic import Writer
from memory.records import Compaction, Segment
from memory.summary import SummaryRequest

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = {"name", "value", "op", "bound", "holds"}


def row(name: str, *, messages: int = 60) -> dict[str, Any]:
    """Return a chat in the form of the corpus; something is asked of each of its messages."""
    writer = Writer(name)
    said = [
        {
            "role": "assistant" if place % 2 else "user",
            "content": f"Fact number {place} is F{place:05d}. {writer.text(900)}",
            "_id": f"D{place}",
        }
        for place in range(messages)
    ]
    probes = [
        {"qid": f"q{place}", "answers": [f"F{place:05d}"], "evidence": [f"D{place}"]}
        for place in range(messages)
    ]
    return {"id": name, "messages": said, "probes": probes}


def recording(name: str = "one", **more: Any) -> Recording:
    """Return the same chat as it is measured."""
    return Recording.of(row(name, **more))


def found(**changes: Any) -> drift.Drift:
    """Return figures that pass every check, with changes."""
    recalls = {form: [[1 - k / 100] for k in range(10)] for form in drift.FORMS}
    good = drift.Drift(id="one", recalls=recalls, depths=[1, 5], reads=[1, 3], tokens=[100] * 10)
    return replace(good, **changes)


def broken(*drifts: drift.Drift) -> int:
    """Return how many checks do not hold."""
    return sum(not check.holds for check in drift.checks(drifts))


def test_the_benchmark_of_drift_prints_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with one JSON object: a row for each compaction and form, and three checks."""
    rows = [json.dumps(row(name)) for name in ("one", "two")]
    (tmp_path / "locomo.jsonl").write_text("\n".join(rows), encoding="utf-8")
    drift.main(["--quick", "--json", "--data", str(tmp_path)])
    read = json.loads(capsys.readouterr().out.splitlines()[-1])
    curve, slopes, about = read["rows"].values()

    assert [FIGURES] * 3 == [set(check) for check in read["checks"]]
    assert [1, 2, 3] == [each["compaction"] for each in curve]
    assert list(drift.FORMS) == [each["form"] for each in slopes]
    assert [("one", 3)] == [(each["conversation"], each["compactions"]) for each in about]
    assert all(each["full text"] == 100 for each in curve)
    assert all(each["memory"] >= each["empty summary"] for each in curve)


def test_good_figures_pass() -> None:
    """The bounds are met by figures as they should be."""
    assert 0 == broken(found(), found())


@pytest.mark.parametrize(
    "change",
    [
        {"recalls": {"memory": [[1 - k * 0.016] for k in range(10)]}},
        {"depths": [1, 6]},
        {"tokens": [100] * 9},
    ],
    ids=["falls", "deep", "few"],
)
def test_bad_figures_are_reported(change: dict[str, Any]) -> None:
    """Each fails the check that is about it."""
    assert 1 == broken(found(**change))


def test_what_is_missing_does_not_hold() -> None:
    """A run without a compaction fails every check."""
    assert 3 == broken(drift.Drift(id="one"))


def test_falls_are_slopes_in_points() -> None:
    """Each probe has its own; they need not be straight."""
    assert [2.0, 0.0, -1.0] == [
        round(fall, 9)
        for fall in drift.falls([[1.0, 0.5, 0.0], [0.98, 0.5, 0.01], [0.96, 0.5, 0.02]])
    ]
    assert [50.0] == drift.falls([[1.0], [0.0], [0.0]])


def test_early_probes_have_all_their_evidence_in_the_first_tenth() -> None:
    """One whose evidence is partly elsewhere is left out, and so is one without any."""
    chat = recording()
    asked = [
        {"qid": "in", "answers": ["a1"], "evidence": ["D0", "D1"]},
        {"qid": "both", "answers": ["a1"], "evidence": ["D0", "D50"]},
        {"qid": "none", "answers": ["a1"], "evidence": []},
    ]

    assert ["in"] == [p.qid for p in drift.early(replace(chat, probes=asked), 60)]
    assert [] == drift.early(replace(chat, probes=asked), 9)


def test_chats_are_joined_in_a_ring() -> None:
    """Each begins one conversation and keeps its probes and the ids that those name."""
    joined = list(drift.chained([recording("one"), recording("two")], chain=2))

    assert ["one", "two"] == [each.id for each in joined]
    assert [120, 120] == [len(each.messages) for each in joined]
    assert ["D0", "1/D0"] == [joined[0].ids[0], joined[0].ids[60]]
    assert recording("two").probes == joined[1].probes


def test_reads_are_counted_by_message() -> None:
    """A request says which messages it quotes; one that does not is about new ones."""
    said = tuple({"role": "user", "content": text} for text in ("Yes.", "No.", "Yes.", "Why?"))
    reader = drift.Reader(stub("lead"), said)
    request = SummaryRequest(form="shared", model="m", slice=said[:2], cap=100, source_tokens=9)
    reader.summarize(request)
    reader.summarize(replace(request, slice=said[2:3]))
    reader.summarize(replace(request, slice=said[1:3], numbers=(2, 3)))

    assert ([1, 2, 2, 0], 3) == (reader.reads, reader.calls)


def test_the_rolling_form_digests_everything_each_time() -> None:
    """Its text is written from the text before and what is new, within the same size."""
    said = [{"role": "user", "content": f"Fact {place} is new."} for place in range(4)]
    rolling = drift.Rolling(stub("lead"), said)
    rolling.cover(2, cap=100)
    first = rolling.text
    rolling.cover(4, cap=100)

    assert "Fact 3" not in first
    assert all(f"Fact {place}" in rolling.text for place in range(4))


def test_depths_are_those_of_the_segments() -> None:
    """Each message has the depth of the segment that covers it."""
    segments = [
        Segment(text="a", first=1, last=3, tokens=1, author="m", depth=2),
        Segment(text="b", first=4, last=4, tokens=1, author="m"),
    ]
    record = Compaction(covered=4, coverage=b"", adopted=4, adoption=b"", segments=tuple(segments))

    assert [2, 2, 2, 1] == list(drift.depths(record))
