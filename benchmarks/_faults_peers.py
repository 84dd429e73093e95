"""The fault matrix beside the peers' rows: the same conversations and faults, in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from benchmarks._faults_play import Play
from benchmarks._faults_process import Process
from benchmarks._faults_shared import Shared, passed
from benchmarks._faults_talk import LANGUAGES, Language
from benchmarks._report import Check, Row
from benchmarks.peers import COMPARED
from benchmarks.peers.faults_child import OURS

__all__ = ("CONTENDERS", "LATEST", "checks", "measure")

LATEST: Final = "last-n"
"""The latest messages that fit: what can be done without a library."""
CONTENDERS: Final = (
    OURS,
    "langchain",
    "langmem",
    "llamaindex",
    "agno",
    "pydantic_ai",
    "openai_agents",
    "litellm",
    LATEST,
)
"""Whose rows are in the matrix."""
TOGETHER: Final = frozenset({OURS, "litellm", LATEST})
"""Who takes two turns of one conversation at once; what the others keep of one has no lock."""
PATIENT: Final = frozenset({"langchain", "llamaindex"})
"""Who waits the longest for a summariser, and so is begun with."""
SIDE: Final = 4
"""Libraries side by side: for much of the time they wait for a summariser."""


def measure(
    rows: Sequence[Shared], seeds: Sequence[int], turns: int, names: Sequence[str] = CONTENDERS
) -> list[Row]:
    """Return the rows of all libraries, in both languages, for each seed.

    Args:
        rows: What is wrong.
        seeds: Those of the conversations.
        turns: How many turns have a fact.
        names: Which libraries.
    """
    with ThreadPoolExecutor(max_workers=SIDE) as pool:
        waiting = {
            (name, language): pool.submit(_played, name, language, rows, seeds, turns)
            for name in sorted(names, key=lambda name: name not in PATIENT)
            for language in LANGUAGES
        }
        return [row for n in names for each in LANGUAGES for row in waiting[n, each].result()]


def _played(
    name: str, language: Language, rows: Sequence[Shared], seeds: Sequence[int], turns: int
) -> list[Row]:
    """Return the rows of a library in one language; one whose process ends gets another one."""
    made: list[Row] = []
    process = Process(name)
    try:
        for shared in rows:
            for seed in seeds:
                play = Play(shared=shared, language=language, seed=seed, turns=turns)
                offered = not shared.together or name in TOGETHER
                if offered and process.gone:
                    process.close()
                    process = Process(name)
                played: dict[str, Any] = play.play(process) if offered else {}
                row = {
                    "peer": name,
                    "title": COMPARED[name].title,
                    "row": shared.name,
                    "language": language,
                    "seed": seed,
                    "offered": offered,
                    "useless": shared.useless,
                    **played,
                }
                made.append({**row, "passed": passed(row)})
    finally:
        process.close()
    return made


def checks(rows: Sequence[Row], shared: Sequence[Shared]) -> list[Check]:
    """Return what has to hold: every library was measured, and ours passes every row.

    What the others do not pass has no bound: it is told.

    Args:
        rows: Those of all libraries.
        shared: What was to be played.
    """
    names = {each.name for each in shared}
    made: list[Check] = []
    for peer in CONTENDERS:
        mine = [row for row in rows if row["peer"] == peer]
        # A library that could not be begun has no version.
        known = {row["row"] for row in mine if not row["offered"] or row["version"] is not None}
        missing = len(names - known)
        made.append(Check(name=f"{peer}: rows not played", value=missing, op="==", bound=0))
    ours = [row for row in rows if row["peer"] == OURS]
    failed = sum(not row["passed"] for row in ours) if ours else None
    made.append(Check(name=f"{OURS}: shared rows not passed", value=failed, op="==", bound=0))
    return made
