"""The conversations that peers are compared on, with what is asked of them afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks._corpora import Recording, SessionSummary, chained, load, session_summaries

__all__ = ("CHAIN", "CORPORA", "Corpus", "Talk", "talks", "told_apart")

CHAIN: Final = 8
"""Recorded runs of tau-bench that make one conversation."""
_WRONG: Final = "audit:"
_CITATION: Final = "audit:WRONG_CITATION"
"""Says that the evidence is wrong, and not the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What is run of one corpus.

    Attributes:
        file: Its name.
        title: What people call it.
        budgets: Tokens that a request may have, one run each.
        conversations: How many of it.
        chain: How many of its rows make one conversation.
    """

    file: str
    title: str
    budgets: tuple[int, ...]
    conversations: int
    chain: int = 1


CORPORA: Final[Mapping[str, Corpus]] = {
    "locomo": Corpus(file="locomo", title="LoCoMo", budgets=(6_000, 4_000), conversations=5),
    "beam": Corpus(file="beam_100k", title="BEAM-100K", budgets=(16_000, 8_000), conversations=4),
    "zh": Corpus(
        file="zh_haystack", title="Chinese haystack", budgets=(4_000, 2_000), conversations=6
    ),
    "tau": Corpus(
        file="tau_airline",
        title=f"tau-bench airline, chained by {CHAIN}",
        budgets=(8_000, 4_000),
        conversations=6,
        chain=CHAIN,
    ),
}
"""By the name that `--corpus` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One conversation.

    Attributes:
        recording: Its messages and what is known of them.
        conversation: The same in the form that `memory.replay.steps` takes.
        probes: What is asked about it; those with a gold answer known to be wrong are left out.
        summaries: What a model wrote of its sessions; empty where nobody did.
    """

    recording: Recording
    conversation: Mapping[str, Any]
    probes: Sequence[Mapping[str, Any]] = ()
    summaries: Sequence[SessionSummary] = ()

    @classmethod
    def of(cls, recording: Recording, summaries: Sequence[SessionSummary] = ()) -> Talk:
        """Return a recording as a talk."""
        return cls(
            recording=recording,
            conversation=recording.conversation(),
            probes=[probe for probe in recording.probes if not _is_wrong(probe)],
            summaries=[each for each in summaries if each.last in recording.ids],
        )


def talks(data: Path, corpus: Corpus, *, number: int | None = None) -> list[Talk]:
    """Return the conversations of a corpus.

    Args:
        data: The directory of the corpora.
        corpus: Which.
        number: How many; None for as many as are usual.

    Raises:
        OSError: The file cannot be read.
    """
    limit = corpus.conversations if number is None else number
    if corpus.chain > 1:
        joined = chained(data, corpus.file, chain=corpus.chain, limit=limit)
        return [_chained(each) for each in joined]
    told = session_summaries(data) if corpus.file == "locomo" else {}
    return [Talk.of(each, told.get(each.id, ())) for each in load(data, corpus.file, limit=limit)]


def _chained(conversation: Mapping[str, Any]) -> Talk:
    messages = told_apart(conversation["messages"])
    recording = Recording(
        id=conversation["id"],
        messages=messages,
        ids=[""] * len(messages),
        sessions=[None] * len(messages),
        times=[""] * len(messages),
    )
    return Talk(recording=recording, conversation={**conversation, "messages": messages})


def told_apart(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in which no id of a tool call comes again.

    The recordings repeat some, and more where they are joined; some libraries take what has the
    same id for the same call.
    """
    made: list[dict[str, Any]] = []
    times: Counter[str] = Counter()
    renamed: dict[str, str] = {}
    for message in messages:
        copy = dict(message)
        if calls := copy.get("tool_calls"):
            for call in calls:
                times[call["id"]] += 1
                again = times[call["id"]] > 1
                renamed[call["id"]] = f"{call['id']}_{times[call['id']]}" if again else call["id"]
            copy["tool_calls"] = [{**call, "id": renamed[call["id"]]} for call in calls]
        elif "tool_call_id" in copy:
            copy["tool_call_id"] = renamed.get(copy["tool_call_id"], copy["tool_call_id"])
        made.append(copy)
    return made


def _is_wrong(probe: Mapping[str, Any]) -> bool:
    flags = probe.get("flags") or ()
    return any(flag.startswith(_WRONG) and flag != _CITATION for flag in flags)
