"""The invariants on recorded conversations: replayed request by request, and judged.

`check_transcript` sends the beginnings of a conversation through a real manager, offline, and
checks what comes back. It is what the pytest plugin and `kimi-memory check` are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from memory.errors import ConfigError
from memory.manager import MemoryManager
from memory.messages import WireMessage, head_length, role_of, split
from memory.testing.transcript_files import (
    Reading,
    Skipped,
    Transcript,
    TranscriptError,
    find,
    read,
    transcript,
)
from memory.testing.transcript_replay import Replay, stops
from memory.testing.transcript_report import TranscriptReport, Violation, total
from memory.testing.unreliable import Unreliable

if TYPE_CHECKING:
    from memory.summarizers.contract import Summarizer

__all__ = (
    "REQUESTS",
    "Reading",
    "Skipped",
    "Transcript",
    "TranscriptError",
    "TranscriptReport",
    "Violation",
    "check_transcript",
    "find",
    "random_budget",
    "read",
    "stops",
    "total",
    "transcript",
)

REQUESTS = 16
"""How many requests of a conversation are replayed where nothing else is said."""
_EDITED = 4
"""One more such share of them is made again after an edit."""
_UNRELIABLE = 3
"""The share of them that is replayed with a summariser that fails."""
_ROOM = 400
"""Tokens that a random budget leaves at least beside what may not be dropped."""


def check_transcript(
    conversation: Transcript | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    budget: int,
    seed: int = 0,
    cuts: int | Sequence[int] = REQUESTS,
    summarizer: Summarizer | None = None,
    manager_factory: Callable[..., MemoryManager] | None = None,
    contents: bool = False,
) -> TranscriptReport:
    """Replay requests of a conversation and check each, and all together.

    A request is made again, what was sent for it is passed in again, and now and then the manager
    is opened anew on the same store; then the caller goes back, takes a turn out, and goes on.
    Nothing is sent anywhere.

    Args:
        conversation: One of a file, an object with `messages`, or a list of messages.
        budget: Prompt tokens allowed.
        seed: Which requests are made, where it goes on after an edit, and how summaries fail.
        cuts: How many requests at most; or how many messages each of them has.
        summarizer: Who writes summaries; None for the offline summariser and then, for a third of
            the requests, one that fails in every way it can.
        manager_factory: Makes the managers, given `store`, `namespace`, `budget`, `hooks` and
            `summarizer`, as with `functools.partial(MemoryManager, target=0.3)`; None for
            `MemoryManager`.
        contents: Whether descriptions show how texts begin.

    Raises:
        ConfigError: `budget` or `cuts` is no positive number.
        TranscriptError: `conversation` is none.
    """
    _positive("budget", budget)
    one = _transcript(conversation)
    random = Random(f"{seed}:{one.id}")
    chosen = _chosen(one.messages, cuts, random)
    replay = Replay(
        one,
        budget=budget,
        seed=seed,
        make=manager_factory,
        contents=contents,
    )
    replay.play(chosen, random, summarizer=summarizer, edits=len(chosen) // _EDITED)
    if summarizer is None and len(chosen) >= _UNRELIABLE:
        few = sorted(random.sample(chosen, len(chosen) // _UNRELIABLE))
        replay.play(few, random, summarizer=Unreliable(f"{seed}:{one.id}"))
    return replay.report()


def random_budget(
    conversation: Transcript | Mapping[str, Any] | Sequence[Mapping[str, Any]], *, seed: int = 0
) -> int:
    """Return a budget at which a conversation has to be compacted, by a seed; tokens.

    It lies between what may not be dropped and six tenths of the whole.

    Raises:
        TranscriptError: `conversation` is none.
    """
    one = _transcript(conversation)
    with MemoryManager(hooks=()) as manager:
        counts = manager.count(one.messages, tools=one.tools, model=one.model)
    start = head_length(one.messages)
    parts = [sum(counts[p.start : p.stop]) for p in split(one.messages, start=start)]
    said = (n for n, m in zip(counts, one.messages, strict=True) if role_of(m) == "user")
    fixed = counts.total - sum(counts[start:])
    least = fixed + max(parts, default=0) + max(said, default=0) + _ROOM
    most = max(least, counts.total * 6 // 10)
    return Random(f"budget:{seed}:{one.id}").randint(least, most)


def _transcript(value: Transcript | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Transcript:
    if isinstance(value, Transcript):
        return value
    plain = dict(value) if isinstance(value, Mapping) else [*value]
    return transcript(plain, name="conversation")


def _chosen(
    messages: Sequence[WireMessage], cuts: int | Sequence[int], random: Random
) -> list[int]:
    """Return where requests end, in order: single ones and some that follow each other."""
    if not isinstance(cuts, int):
        for cut in cuts:
            _positive("cuts", cut, most=len(messages))
        return [*cuts]
    _positive("cuts", cuts)
    possible = stops(messages)
    if len(possible) <= cuts:
        return possible
    places = {len(possible) - 1}
    while len(places) < cuts:
        first = random.randrange(len(possible))
        run = range(first, min(first + random.choice((1, 1, 2, 4)), len(possible)))
        places.update([*run][: cuts - len(places)])
    return [possible[place] for place in sorted(places)]


def _positive(name: str, value: object, *, most: float = inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        bound = "" if most == inf else f" and at most {most:,}"
        text = f"{name}={value!r} must be a positive whole number{bound}"
        raise ConfigError(text)
