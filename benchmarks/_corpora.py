"""The recorded conversations that benchmarks run on, as they would be sent.

Keys of messages that start with `_` belong to the corpus and are never sent; what they say (ids,
sessions, times) stands beside the messages, place by place. The files are not part of this
repository: `--data DIR` says where they are, and may have the files that others publish as they
are: see `OFFICIAL`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from memory import formats
from memory.replay import join

__all__ = (
    "DATA",
    "OFFICIAL",
    "Recording",
    "SessionSummary",
    "add_data_argument",
    "chained",
    "load",
    "rows",
    "session_summaries",
    "source",
)

DATA: Final = Path(
    os.environ.get("KIMI_MEMORY_DATA") or Path(__file__).parents[2] / "shared" / "data"
)
"""Where the corpora are unless `--data` says otherwise."""

OFFICIAL: Final[Mapping[str, Sequence[str]]] = {
    "locomo": ("locomo10.json",),
    "longmemeval": (
        "longmemeval_s_cleaned.json",
        "longmemeval_s.json",
        "longmemeval_s",
        "longmemeval_oracle.json",
        "longmemeval_oracle",
    ),
    "tau_airline": ("gpt-4o-airline.json",),
    "tau_retail": ("gpt-4o-retail.json",),
}
"""The published files of a corpus, which are read where `NAME.jsonl` is not there."""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """What a model wrote about one session of a conversation when that was over.

    Attributes:
        session: The number of the session, as in `Recording.sessions`.
        last: The id of its last message, as in `Recording.ids`.
        text: The summary.
    """

    session: int
    last: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recorded conversation; what is known of a message has the same place as the message.

    Attributes:
        id: Its id in the corpus.
        messages: The messages as they are sent, without keys of the corpus.
        ids: The id of each message; empty where it has none.
        sessions: The session each message belongs to; None where the corpus has no sessions.
        times: When each was written, as the corpus words it; empty where it does not say.
        tools: The tool declarations.
        probes: What is asked afterwards, as the corpus has it.
        lang: Its language: `"en"`, `"zh"`, …; empty where the corpus does not say.
    """

    id: str
    messages: Sequence[Message]
    ids: Sequence[str]
    sessions: Sequence[int | None]
    times: Sequence[str]
    tools: Sequence[Mapping[str, Any]] = ()
    probes: Sequence[Mapping[str, Any]] = ()
    lang: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Recording:
        """Return one row of a corpus as a recording."""
        found = row["messages"]
        (conversation,) = join([row], chain=1)
        if len(conversation["messages"]) != len(found):
            message = f"{row['id']}: its system prompt is repeated; read it with `chained`"
            raise ValueError(message)
        return cls(
            id=str(row["id"]),
            messages=conversation["messages"],
            ids=[str(m.get("_id", "")) for m in found],
            sessions=[m.get("_session") for m in found],
            times=[str(m.get("_time") or "") for m in found],
            tools=row.get("tools") or (),
            probes=row.get("probes") or (),
            lang=str(row.get("lang", "")),
        )

    def conversation(self) -> dict[str, Any]:
        """Return it in the form that `memory.replay` takes."""
        pieces = [(0, self.tools)]
        return {"id": self.id, "messages": list(self.messages), "pieces": pieces}


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--data DIR`, the directory of the corpora, to the arguments of a benchmark."""
    parser.add_argument("--data", type=Path, default=DATA, help="directory of the corpora")


def source(data: Path, name: str) -> Path:
    """Return the file of a corpus: `data/name.jsonl`, or a published one where that is not there.

    Published ones are those in `OFFICIAL` and `name.json`. Where there is none at all it is the
    first.
    """
    own = data / f"{name}.jsonl"
    published = (data / each for each in (*OFFICIAL.get(name, ()), f"{name}.json"))
    return own if own.exists() else next(filter(Path.is_file, published), own)


def rows(data: Path, name: str, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the rows of a corpus, at most `limit` of them; those of `name.jsonl` as they are.

    Raises:
        OSError: The file cannot be read.
        TranscriptError: A published file holds something else.
    """
    path = source(data, name)
    if path.suffix != ".jsonl":
        with closing(formats.rows(path)) as found:
            return list(islice(found, limit))
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, limit)]


def load(data: Path, name: str, *, limit: int | None = None) -> list[Recording]:
    """Return the conversations of a corpus, at most `limit` of them.

    Raises:
        OSError: The file cannot be read.
    """
    return [Recording.of(row) for row in rows(data, name, limit=limit)]


def chained(data: Path, name: str, *, chain: int, limit: int | None = None) -> list[dict[str, Any]]:
    """Return every `chain` conversations joined into one, as `memory.replay.join` joins them.

    What is left over makes no shorter one. `limit` is the most joined conversations.

    Raises:
        OSError: The file cannot be read.
    """
    read = rows(data, name, limit=None if limit is None else chain * limit)
    return join(read[: len(read) // chain * chain], chain=chain)


def session_summaries(data: Path) -> dict[str, list[SessionSummary]]:
    """Return the summaries of the sessions of LoCoMo's conversations, by conversation, in order.

    Raises:
        OSError: The file cannot be read.
    """
    return {
        row["id"]: [
            SessionSummary(session=each["session"], last=each["last_id"], text=each["summary"])
            for each in row["sessions"]
        ]
        for row in rows(data, "locomo_recorded_summaries")
    }
