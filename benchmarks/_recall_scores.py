"""How much of what a probe asks for stands in what is sent, in the readings of `benchmarks.recall`.

`READINGS` says what each of them is. What is sent is read without the question itself; of a snippet
message count the quotations and dates, and neither its frame nor the numbers of its lines: an
answer "7 May" is not found in "7 user: …".
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from benchmarks._measures import (
    Probe,
    answer_recall,
    answer_recall_in_text,
    content,
    probes,
    shown,
)
from memory.messages import text_of
from memory.recall import is_snippet

__all__ = ("READINGS", "Places", "Reading", "Showing", "Wanted", "passages", "score", "wanted")

Message = Mapping[str, Any]
Reading = Literal["parts", "words", "evidence", "whole", "verbatim", "nuggets", "exact", "apart"]
READINGS: Final[Mapping[Reading, str]] = {
    "parts": "content words of the answer, also as parts of longer words",
    "words": "content words of the answer, as words",
    "evidence": "messages of the evidence, verbatim or cited in a snippet",
    "whole": "messages of the evidence, verbatim or cited in full",
    "verbatim": "messages of the evidence, verbatim",
    "nuggets": "items of the rubric of which 0.8 of the content words are there",
    "exact": "probes of which an answer is there, whatever its case and punctuation",
    "apart": "the same between the ends of words, as the checker of BFCL compares",
}
"""What each reading counts, as a share from 0 to 1."""
NUGGET: Final = 0.8
"""The share of an item's content words from which it counts as there."""
_RUBRIC: Final = re.compile(r"^LLM response should \w+:\s*", re.IGNORECASE)
_LINE: Final = re.compile(r"^(\d+) \S+: (\".*\")$")
_DROPPED: Final = re.compile(r"[,./\-_*^()]")
"""What the checker of BFCL takes out of both sides."""
_WRONG: Final = "audit:"
_CITATION: Final = "audit:WRONG_CITATION"
"""Says that the evidence is wrong, and not the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One probe.

    Attributes:
        qid: Its id.
        type: Its kind, as the corpus names it.
        question: What is asked.
        probe: The content words of its answer; None where it has none.
        evidence: Which messages the answer is in, by place; empty where nobody says.
        nuggets: The content words of each item of its rubric.
        answers: The answers, each of them right.
    """

    qid: str
    type: str
    question: str
    probe: Probe | None = None
    evidence: tuple[int, ...] = ()
    nuggets: tuple[frozenset[str], ...] = ()
    answers: tuple[str, ...] = ()


def wanted(
    found: Iterable[Mapping[str, Any]], ids: Sequence[str], *, audited: bool = True
) -> list[Wanted]:
    """Return the probes of a conversation that can be scored.

    Left out are those whose right answer is that there is none.

    Args:
        found: The probes, as the corpus has them.
        ids: The ids of the messages.
        audited: Whether those are left out as well whose answer an audit of the corpus found to be
            wrong, and the evidence of those whose citation it found to be wrong.
    """
    places = {each: place for place, each in enumerate(ids)}
    return [
        _wanted(each, places, audited=audited)
        for each in found
        if not (each.get("abstain") or (audited and _is_wrong(each)))
    ]


def _wanted(found: Mapping[str, Any], places: Mapping[str, int], *, audited: bool) -> Wanted:
    cited = [each for each in map(str, found.get("evidence") or ()) if each in places]
    known = not audited or _CITATION not in (found.get("flags") or ())
    items = [content(_RUBRIC.sub("", each)) for each in found.get("rubric") or ()]
    return Wanted(
        qid=str(found["qid"]),
        type=str(found.get("type", "")),
        question=str(found["question"]),
        probe=next(iter(probes([found])), None),
        evidence=tuple(sorted({places[each] for each in cited})) if known else (),
        nuggets=tuple(item for item in items if item),
        answers=tuple(map(str, found["answers"])),
    )


def _is_wrong(probe: Mapping[str, Any]) -> bool:
    flags = probe.get("flags") or ()
    return any(flag.startswith(_WRONG) and flag != _CITATION for flag in flags)


class Places:
    """Where the messages of a conversation stand.

    Args:
        messages: The conversation.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._at = defaultdict[str, list[int]](list)
        for place, message in enumerate(messages):
            self._at[shown([message])].append(place)

    def of(self, sent: Sequence[Message]) -> frozenset[int]:
        """Return which messages stand verbatim in what is sent; of equal ones the latest."""
        found, after = set[int](), 1 << 62
        for message in reversed(sent):
            known = self._at.get(shown([message]), [])
            before = bisect_left(known, after)
            if before:
                after = known[before - 1]
                found.add(after)
        return frozenset(found)


@dataclass(frozen=True, kw_only=True)
class Showing:
    """What a model would see.

    Attributes:
        text: All that can be read.
        verbatim: Which messages stand there as they are, by place.
        cited: Which are cited besides.
        whole: Which of those are cited from beginning to end.
    """

    text: str
    verbatim: frozenset[int]
    cited: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()

    @cached_property
    def words(self) -> frozenset[str]:
        """The content words of the text."""
        return content(self.text)

    @cached_property
    def plain(self) -> str:
        """The text without case and punctuation."""
        return _standard(self.text)


def passages(message: Message) -> tuple[str, list[tuple[int, str]]]:
    """Return what is to be read in a snippet message, and the place and text of each quotation."""
    read, quoted = list[str](), list[tuple[int, str]]()
    for line in text_of(message).split("\n"):
        if found := _LINE.match(line):
            said = json.loads(found[2])
            quoted.append((int(found[1]) - 1, said))
            read.append(said)
        elif line.startswith("["):
            read.append(line)
    return ("\n".join(read), quoted) if is_snippet(message) else ("", [])


def score(asked: Wanted, seen: Showing, readings: Iterable[Reading]) -> dict[Reading, float]:
    """Return the share of what is asked for that can be seen, by reading.

    A reading that says nothing about this probe is left out.
    """
    found = ((reading, _WAYS[reading](asked, seen)) for reading in readings)
    return {reading: value for reading, value in found if value is not None}


_WAYS: Final[Mapping[Reading, Callable[[Wanted, Showing], float | None]]] = {
    "parts": lambda asked, seen: _first(answer_recall_in_text(_given(asked), seen.text)),
    "words": lambda asked, seen: _first(answer_recall(_given(asked), seen.words)),
    "evidence": lambda asked, seen: _share(asked, seen.verbatim | seen.cited),
    "whole": lambda asked, seen: _share(asked, seen.verbatim | seen.whole),
    "verbatim": lambda asked, seen: _share(asked, seen.verbatim),
    "nuggets": lambda asked, seen: _mean(
        len(item & seen.words) >= NUGGET * len(item) for item in asked.nuggets
    ),
    "exact": lambda asked, seen: float(any(_standard(a) in seen.plain for a in asked.answers)),
    "apart": lambda asked, seen: float(any(_stands(a, seen.plain) for a in asked.answers)),
}


def _given(asked: Wanted) -> list[Probe]:
    return [] if asked.probe is None else [asked.probe]


def _share(asked: Wanted, places: frozenset[int]) -> float | None:
    return _mean(place in places for place in asked.evidence)


def _first(values: Sequence[float]) -> float | None:
    return values[0] if values else None


def _mean(values: Iterator[bool]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _stands(answer: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(_standard(answer))}\b", text) is not None


def _standard(text: str) -> str:
    return _DROPPED.sub("", text).lower().replace("'", '"')
