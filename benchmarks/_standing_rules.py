"""How well the marker rules find what a user wants to hold from now on.

Recall and precision on sentences written for it, in two languages; on the instructions that BEAM
planted; and how many of the user messages of other corpora are taken for one. Those corpora were
looked at while the rules were written; the other side of two of them, people as well, was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import _standing_chinese as chinese
from benchmarks import _standing_english as english
from benchmarks import _standing_retractions as retractions
from benchmarks._corpora import rows as corpus_rows
from benchmarks._report import Check, Row
from memory.standing import instructions, standing

__all__ = ("checks", "measure")

_SETS: Final = (
    # name, instructions, near misses
    ("English, fitted", english.WISHES, english.MISSES),
    ("English, held out", english.HELD_OUT, english.HELD_OUT_MISSES),
    ("Chinese, fitted", chinese.WISHES, chinese.MISSES),
    ("Chinese, held out", chinese.HELD_OUT, chinese.HELD_OUT_MISSES),
)
_RETRACTIONS: Final = (
    # name, wishes, retractions with the place of the wish that each means
    ("English, fitted", retractions.ENGLISH_WISHES, retractions.ENGLISH),
    ("English, held out", retractions.ENGLISH_WISHES, retractions.ENGLISH_HELD_OUT),
    ("Chinese, fitted", retractions.CHINESE_WISHES, retractions.CHINESE),
    ("Chinese, held out", retractions.CHINESE_WISHES, retractions.CHINESE_HELD_OUT),
)
_CORPORA: Final = (
    # corpus, whose messages are read
    ("locomo", "user"),
    ("tau_airline", "user"),
    ("zh_haystack", "user"),
    ("bfcl_memory", "user"),
    ("bfcl_multi_turn", "user"),
    ("swe_agent", "user"),
    ("locomo", "assistant"),
    ("zh_haystack", "assistant"),
)
_OWN_RULES: Final = frozenset({"swe_agent"})
"""Corpora whose user messages do give rules to the assistant: their hits are no mistakes."""

Message = dict[str, Any]


def measure(data: Path) -> list[Row]:
    """Return a row for each set of sentences, for BEAM's probes and for each corpus.

    Recall and precision in percent; `per 1,000` is how many of 1,000 messages are taken to hold an
    instruction.
    """
    planted = [_planted(data, kind) for kind in ("instruction_following", "preference_following")]
    return [*_sentences(), *_retractions(), *planted, _whole(data), *_corpora(data)]


def checks(rows: Sequence[Row]) -> list[Check]:
    """Return what has to hold of the rows that `measure` returned."""
    held = list[Check]()
    for row in rows:
        name = row["set"]
        if "wrongly ended" in row:
            held.append(_check(f"{name}: wishes wrongly ended", row["wrongly ended"], "<=", 1))
        if name.startswith("retractions") and "held out" in name:
            held.append(_check(f"{name}: ended, %", row["recall"], ">=", 70.0))
        elif "held out" in name:
            held.append(_check(f"{name}: recall, %", row["recall"], ">=", 90.0))
            held.append(_check(f"{name}: near misses taken, %", row["false %"], "<=", 10.0))
        elif name == "beam_100k: instruction_following":
            held.append(_check(f"{name}: recall, %", row["recall"], ">=", 90.0))
        elif "per 1,000" in row and not row["gives rules"]:
            held.append(_check(f"{name}: taken per 1,000", row["per 1,000"], "<=", 10.0))
    return held


def _check(name: str, value: float, op: Any, bound: float) -> Check:
    return Check(name=f"standing rules, {name}", value=value, op=op, bound=bound)


def _sentences() -> Iterator[Row]:
    for name, wishes, misses in _SETS:
        found, false = _taken(wishes), _taken(misses)
        yield {
            "set": name,
            "sentences": len(wishes),
            "recall": 100 * found / len(wishes),
            "near misses": len(misses),
            "false %": 100 * false / len(misses),
            "precision": 100 * found / max(1, found + false),
        }


def _retractions() -> Iterator[Row]:
    """Yield how many retractions end the wish they mean, and how many wishes others end."""
    for name, wishes, pairs in _RETRACTIONS:
        ended = [(set(_ended(wishes, text)), wishes[place]) for text, place in pairs]
        yield {
            "set": f"retractions, {name}",
            "sentences": len(pairs),
            "recall": 100 * sum(wish in gone for gone, wish in ended) / len(pairs),
            "wrongly ended": sum(len(gone - {wish}) for gone, wish in ended),
        }
    sets: tuple[Sequence[str], ...] = (retractions.ENGLISH_WISHES, retractions.CHINESE_WISHES)
    wrong = sum(len(_ended(wishes, text)) for wishes in sets for text in retractions.OTHERS)
    sentences = len(retractions.OTHERS)
    yield {"set": "retractions, none", "sentences": sentences, "wrongly ended": wrong}


def _ended(wishes: Sequence[str], text: str) -> list[str]:
    """Return which of the wishes a user ends who says `text` some time after them."""
    said = [{"role": "user", "content": each} for each in (*wishes, "Thanks.", "Ok.", text)]
    left = {each.text for each in standing(said, [], ())}
    return [wish for wish in wishes if wish not in left]


def _taken(texts: Iterable[str]) -> int:
    return sum(bool(instructions(text)) for text in texts)


def _planted(data: Path, kind: str) -> Row:
    """Return of how many probes of BEAM a message that they rest on is found.

    A preference ("I prefer X, can you help me …") is a fact for the summary, and no instruction.
    """
    probes = found = 0
    for row in corpus_rows(data, "beam_100k"):
        messages = {message["_id"]: message["content"] for message in row["messages"]}
        for probe in row["probes"]:
            if probe["type"] == kind and probe["evidence"]:
                probes += 1
                found += bool(_taken(messages[each] for each in probe["evidence"]))
    return {"set": f"beam_100k: {kind}", "probes": probes, "recall": 100 * found / probes}


def _whole(data: Path) -> Row:
    """Return the share of hits in BEAM that are planted: messages that say nothing else."""
    texts = list(_said(data, "beam_100k", "user"))
    hits = [(text, instructions(text)) for text in texts]
    hits = [(text, found) for text, found in hits if found]
    planted = sum(" ".join(text.split()) == " ".join(found) for text, found in hits)
    return {
        "set": "beam_100k: user messages",
        "messages": len(texts),
        "taken": len(hits),
        "precision": 100 * planted / max(1, len(hits)),
    }


def _corpora(data: Path) -> Iterator[Row]:
    for name, role in _CORPORA:
        texts = list(_said(data, name, role))
        taken = _taken(texts)
        yield {
            "set": f"{name}: {role} messages",
            "messages": len(texts),
            "taken": taken,
            "per 1,000": 1000 * taken / len(texts),
            "gives rules": name in _OWN_RULES,
        }


def _said(data: Path, name: str, role: str) -> Iterator[str]:
    for row in corpus_rows(data, name):
        for message in row["messages"]:
            if message["role"] == role and isinstance(message["content"], str):
                yield message["content"]
