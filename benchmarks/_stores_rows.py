"""What the benchmark of stores writes: turns of conversations, as records and as rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks._synthetic import Message, Writer
from memory.records import LogKey, Turn, Usage
from memory.stores.codec import encode
from memory.stores.keys import key_digest, owner_digest

__all__ = ("OWNER", "Group", "Source", "Step", "key_of", "source", "steps", "turns")

CORPORA: Final = ("locomo", "tau_airline")
"""Chats of two people, and runs of an agent with tools; a group of each in turn."""
INVENTED: Final = 2_000
"""Groups, where there are no corpora."""
TOKENS: Final = 100
"""Tokens of a message, in what is said of its cost."""
OWNER: Final = "bench"
"""The namespace and the user of all conversations."""

Group = tuple[Message, ...]
"""What one turn adds: what was new in the request, then the reply."""


class Source(NamedTuple):
    """Where the messages come from."""

    name: str
    groups: Sequence[Group]


class Step(NamedTuple):
    """One append: as a record for a store, and as rows for a database without one."""

    conversation: int
    record: Turn
    names: tuple[Any, ...]
    """The row of the conversation, which is written where it is new."""
    values: tuple[Any, ...]
    """The row of the record, but for the number of its conversation."""


def source(data: Path) -> Source:
    """Return the groups of real conversations in a directory, or synthetic ones in their place.

    Raises:
        OSError: A corpus is there and cannot be read.
    """
    found = [list(_groups(data / f"{name}.jsonl")) for name in CORPORA]
    if not all(found):
        return Source("synthetic", [_invented(writer) for writer in [Writer("stores")] * INVENTED])
    mixed = [group for pair in zip(*found, strict=False) for group in pair]
    return Source(" and ".join(CORPORA), mixed)


def turns(groups: Sequence[Group], count: int, *, first: int = 0) -> list[Turn]:
    """Return so many turns of one conversation, from group `first` on and around."""
    taken = [groups[(first + place) % len(groups)] for place in range(count)]
    starts = accumulate(map(len, taken), initial=0)
    return [
        Turn(start=start, messages=messages, replied=True, usage=_usage(start, len(messages)))
        for start, messages in zip(starts, taken, strict=False)
    ]


def steps(
    groups: Sequence[Group],
    count: int,
    *,
    conversations: int,
    first: int = 0,
    share: tuple[int, int] = (0, 1),
) -> list[Step]:
    """Return so many appends, to each conversation in turn.

    Args:
        groups: What there is to say.
        count: How many appends.
        conversations: How many conversations all processes write to. One is everybody's; of
            many each process has its own.
        first: From which group on.
        share: Which process this is, and of how many.
    """
    place, processes = share
    common = conversations == 1
    own = [0] if common else range(place, conversations, processes)
    each = -(-count // len(own))
    logs = {c: turns(groups, each, first=first + c * each + place) for c in own}
    stride, offset = (processes, place) if common else (1, 0)
    made = (
        _step(c, number * stride + offset + 1, logs[c][number])
        for number in range(each)
        for c in own
    )
    return list(made)[:count]


@cache
def key_of(conversation: int) -> LogKey:
    """Return the key of a conversation."""
    return LogKey(namespace=OWNER, user=OWNER, name=f"conversation {conversation:04}")


def _usage(start: int, new: int) -> Usage:
    """Return what a server may have said: the corpora do not tell, and every turn has one."""
    sent = TOKENS * (start + new - 1)
    return Usage(prompt_tokens=sent, completion_tokens=TOKENS, cached_tokens=TOKENS * start)


def _step(conversation: int, seq: int, record: Turn) -> Step:
    key = key_of(conversation)
    kind, body = encode(record)
    total = record.start + len(record.messages)
    names = (OWNER, OWNER, key.name, key.root, time.time())
    values = (seq, kind, len(record.messages), total, "0123abcd", time.time(), body)
    return Step(conversation, record, (key_digest(key), owner_digest(OWNER, OWNER), *names), values)


def _groups(path: Path) -> Iterator[Group]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield from _grouped(json.loads(line)["messages"])


def _grouped(messages: Iterable[Message]) -> Iterator[Group]:
    """Yield what each request adds, with its reply; heads are left out."""
    group: list[Message] = []
    for message in messages:
        if message["role"] != "system":
            group.append({k: v for k, v in message.items() if not k.startswith("_")})
        if message["role"] == "assistant":
            yield tuple(group)
            group = []


def _invented(writer: Writer) -> Group:
    reply, question = writer.turn()
    return (question, reply)
