"""What is measured of a text or a view: how much of what is asked later is still in it.

Everything here is a pure function of texts; tokens are counted as Kimi counts them.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any, Final

from memory.messages import text_of, tool_calls

__all__ = (
    "Probe",
    "answer_recall",
    "answer_recall_in_text",
    "content",
    "count",
    "interval",
    "leaves",
    "mean",
    "probes",
    "sentences",
    "shown",
    "sizes",
)

_CJK: Final = "\u3400-\u9fff"
_TERM: Final = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_END: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")
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


@cache
def _encode() -> Callable[[str], Sequence[int]]:
    import splintr  # noqa: PLC0415  # 0.2 s, and several benchmarks never count

    encode: Callable[[str], Sequence[int]] = splintr.Tokenizer.from_pretrained("kimi_k2").encode_raw
    return encode


def count(text: str) -> int:
    """Return the tokens of a text as Kimi counts them."""
    return len(_encode()(text))


def content(text: str) -> frozenset[str]:
    """Return the content words of a text, and the character pairs of its Chinese."""
    found = set[str]()
    for run in _TERM.findall(text.lower()):
        if run[0] >= _CJK[0] and len(run) > 1:
            found.update(map("".join, itertools.pairwise(run)))
        elif run not in _FUNCTION_WORDS:
            found.add(run)
    return frozenset(found)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, English or Chinese; the end of a line ends one too."""
    return [sentence.strip() for sentence in _END.split(text) if sentence.strip()]


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


def sizes(messages: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the tokens of what each message shows."""
    return [count(shown([message])) for message in messages]


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


def interval(
    groups: Sequence[Sequence[float]], *, resamples: int = 2_000, seed: int = 20_240_501
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over all values, drawn by group.

    Args:
        groups: The values of each conversation; those of one are not independent.
        resamples: How many times as many groups are drawn.
        seed: What the draws follow from.
    """
    draw = random.Random(seed)
    sums = [(sum(group), len(group)) for group in groups if group]
    if not sums:
        return float("nan"), float("nan")
    means = list[float]()
    for _ in range(resamples):
        chosen = draw.choices(sums, k=len(sums))
        means.append(sum(s for s, _ in chosen) / sum(n for _, n in chosen))
    means.sort()
    return means[int(0.025 * resamples)], means[int(0.975 * resamples) - 1]


def mean(groups: Sequence[Sequence[float]]) -> float:
    """Return the mean over all values of all groups."""
    return fmean(itertools.chain.from_iterable(groups))
