"""How much of what is asked or referred to later is still in a text: recall without a model.

Everything here is a pure function of texts.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memory.messages import text_of, tool_calls

__all__ = (
    "Probe",
    "answer_recall",
    "answer_recall_in_text",
    "content",
    "leaves",
    "probes",
    "readable",
    "shown",
    "values",
)

_CJK: Final = "\u3400-\u9fff"
_TERM: Final = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_FUNCTION_WORDS: Final = frozenset(
    """a an and are as at be been but by can did do does for from had has have he her his how i if
    in is it its me my no not of on or our she so that the their them they this to was we were what
    when where which who will with would yes you your""".split()  # noqa: SIM905  # a list is a page
)
_LEAST: Final = 3
"""Characters from which the value of an argument is a reference and no flag or count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question about a conversation, as far as it can be scored without a model.

    Attributes:
        qid: Its id.
        type: Its kind, as the corpus names it.
        words: The content words of the gold answer; never empty.
        evidence: The ids of the messages that the answer is in.
    """

    qid: str
    type: str
    words: frozenset[str]
    evidence: tuple[str, ...] = ()


def content(text: str) -> frozenset[str]:
    """Return the content words of a text, and the character pairs of its Chinese."""
    found = set[str]()
    for run in _TERM.findall(text.lower()):
        if run[0] >= _CJK[0] and len(run) > 1:
            found.update(map("".join, itertools.pairwise(run)))
        elif run not in _FUNCTION_WORDS:
            found.add(run)
    return frozenset(found)


def probes(found: Iterable[Mapping[str, Any]]) -> list[Probe]:
    """Return the probes of a corpus that have an answer with content words.

    Left out are those whose right answer is that there is none.
    """
    read = [
        Probe(
            qid=str(each.get("qid", "")),
            type=str(each.get("type", "")),
            words=content(" ".join(map(str, each["answers"]))),
            evidence=tuple(map(str, each.get("evidence") or ())),
        )
        for each in found
        if not each.get("abstain")
    ]
    return [probe for probe in read if probe.words]


def answer_recall(asked: Iterable[Probe], words: frozenset[str]) -> list[float]:
    """Return for each probe the share (0 to 1) of its answer's content words among `words`."""
    return [len(probe.words & words) / len(probe.words) for probe in asked]


def answer_recall_in_text(asked: Iterable[Probe], text: str) -> list[float]:
    """Return the same with a word that is part of a longer one counted as well.

    So "paint" is found in "painting", and alas "art" in "party". With it the floors and ceilings
    come out as in the reference that the bounds were set by: see `benchmarks._quality_recall`.
    """
    low = text.lower()
    return [sum(word in low for word in probe.words) / len(probe.words) for probe in asked]


def shown(messages: Iterable[Mapping[str, Any]]) -> str:
    """Return everything a model can read in messages: texts, and tool calls with arguments."""
    found = list[str]()
    for message in messages:
        found.append(text_of(message))
        for call in tool_calls(message):
            function = call.get("function") or {}
            found.append(f"{function.get('name')} {function.get('arguments')}")
    return "\n".join(found)


def leaves(value: object) -> list[str]:
    """Return the values in parsed arguments that refer to something: of 3 characters and more."""
    if isinstance(value, Mapping):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in leaves(each)]
    if value is None or isinstance(value, bool):
        return []
    text = str(value)
    return [text] if len(text) >= _LEAST else []


def values(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values that the calls of a message pass, of three characters and more."""
    for call in tool_calls(message):
        arguments = str((call.get("function") or {}).get("arguments"))
        try:
            yield from leaves(json.loads(arguments, parse_int=str, parse_float=str))
        except ValueError:
            yield from leaves(arguments)


def readable(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what messages show, with the values of arguments as they read outside JSON."""
    return "\n".join([shown(messages), *(value for each in messages for value in values(each))])
