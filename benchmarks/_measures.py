"""What is measured of a text or a view: how much of what is asked later is still in it.

Everything here is a pure function of texts; tokens are counted as Kimi counts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from memory.tuning.averages import interval, mean
from memory.tuning.recall import (
    Probe,
    answer_recall,
    answer_recall_in_text,
    content,
    leaves,
    probes,
    readable,
    shown,
    values,
)

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
    "readable",
    "sentences",
    "shown",
    "sizes",
    "values",
)

_END: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")


@cache
def _encode() -> Callable[[str], Sequence[int]]:
    import splintr  # noqa: PLC0415  # 0.2 s, and several benchmarks never count

    encode: Callable[[str], Sequence[int]] = splintr.Tokenizer.from_pretrained("kimi_k2").encode_raw
    return encode


def count(text: str) -> int:
    """Return the tokens of a text as Kimi counts them."""
    return len(_encode()(text))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, English or Chinese; the end of a line ends one too."""
    return [sentence.strip() for sentence in _END.split(text) if sentence.strip()]


def sizes(messages: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the tokens of what each message shows."""
    return [count(shown([message])) for message in messages]
