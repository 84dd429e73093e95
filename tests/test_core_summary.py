"""Requests for summaries at their edges: the shortest, and instructions of any text."""

from __future__ import annotations

import re

import pytest
from workbench import user

from memory.summary import SummaryRequest, instruction, prompt_id


def request(cap: int, correction: str = "") -> SummaryRequest:
    """Return a request for a summary of so many tokens."""
    return SummaryRequest(
        form="shared",
        model="kimi-k2.6",
        slice=(user("a"),),
        cap=cap,
        source_tokens=500,
        correction=correction,
    )


@pytest.mark.parametrize(
    ("cap", "correction", "asked"),
    [
        (1, "", "Write at most 1 tokens (about 1 words)."),
        (2, "", "Write at most 1 tokens (about 1 words)."),
        (5, "", "Write at most 4 tokens (about 2 words)."),
        (5, "it is blank", "Write at most 3 tokens (about 2 words)."),
        (5_000, "", "Write at most 4,000 tokens (about 2,666 words)."),
    ],
)
def test_it_asks_for_so_much(cap: int, correction: str, asked: str) -> None:
    """Four fifths of the cap, three after a correction, and one token at least."""
    assert asked in instruction(request(cap, correction)).splitlines()


@pytest.mark.parametrize("task", ["Say it.", "只写要点", "\ud800"])
def test_the_id_of_a_wording_is_short(task: str) -> None:
    """Twelve digits behind the name of the library, whatever the text is made of."""
    assert re.fullmatch(r"kimi-memory/notes:[0-9a-f]{12}", prompt_id(task))
