"""What one conversation cost: every request a fake server billed, by what it was for.

Dollars are only put on at the end, by a price file, so that one run can be priced again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from memory.events import Purpose
from memory.testing import Served
from memory.testing.kimi_call import Call
from memory.testing.kimi_count import count_text
from memory.testing.kimi_models import model_like
from memory.testing.kimi_prompt import Part, Prompts
from memory.tuning.prices import NOTHING, Volume

__all__ = ("Asked", "Bill", "Requests", "added", "billed", "seconds", "shared_tokens")

UNCACHED: Final = 5_000.0
"""Prompt tokens a second that a server reads, where it has not cached them."""
CACHED: Final = 50_000.0
"""The same for those that it has."""
WRITTEN: Final = 60.0
"""Completion tokens a second that it writes."""


class Requests(NamedTuple):
    """How many requests there are of each kind that a bill tells apart."""

    turns: int = 0
    breaks: int = 0
    summaries: int = 0
    merges: int = 0


NO_REQUESTS: Final = Requests()


class Asked(NamedTuple):
    """What is asked of a summariser from a place in the log of its server on."""

    place: int
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What was billed for one conversation, or for several.

    Attributes:
        turns: Requests that answer the user.
        shared: Tokens at the beginning of their prompts that the turn before had sent too.
        breaks: Turns sent right after a summary was written; among `turns`.
        summaries: Requests for notes on messages newly dropped.
        merges: Requests for one text in place of two earlier ones.
        requests: How many there are of each.
        largest: Tokens of the largest prompt of a turn.
        refused: Requests of any kind that were refused.
        waits: Seconds before the first token of each turn, summaries before it included.
    """

    turns: Volume = NOTHING
    shared: int = 0
    breaks: Volume = NOTHING
    summaries: Volume = NOTHING
    merges: Volume = NOTHING
    requests: Requests = NO_REQUESTS
    largest: int = 0
    refused: int = 0
    waits: tuple[float, ...] = ()

    @property
    def volume(self) -> Volume:
        """All that was paid for."""
        return added((self.turns, self.summaries, self.merges))

    @property
    def cached_share(self) -> float:
        """The share of all prompt tokens that the server billed as cached, 0 to 1."""
        return self.volume.cached / max(1, self.volume.prompt)

    @property
    def shared_share(self) -> float:
        """The share of the prompt tokens of turns that the turn before had sent too, 0 to 1."""
        return self.shared / max(1, self.turns.prompt)

    def __add__(self, other: Bill) -> Bill:
        """Return the bill for both."""
        counts = map(sum, zip(self.requests, other.requests, strict=True))
        return Bill(
            turns=added((self.turns, other.turns)),
            shared=self.shared + other.shared,
            breaks=added((self.breaks, other.breaks)),
            summaries=added((self.summaries, other.summaries)),
            merges=added((self.merges, other.merges)),
            requests=Requests(*counts),
            largest=max(self.largest, other.largest),
            refused=self.refused + other.refused,
            waits=self.waits + other.waits,
        )


def added(volumes: Sequence[Volume]) -> Volume:
    """Return the tokens of several volumes."""
    return Volume(
        prompt=sum(each.prompt for each in volumes),
        cached=sum(each.cached for each in volumes),
        completion=sum(each.completion for each in volumes),
    )


def billed(served: Sequence[Served], asked: Sequence[Asked] = (), *, shared: bool = True) -> Bill:
    """Return the bill for what a server was asked, in order.

    Args:
        served: Its log.
        asked: What each request for notes was for, oldest first.
        shared: Whether to find out what each prompt shares with the one before, to the token,
            which takes the exact vocabulary and some time.
    """
    good = [each for each in served if each.error is None]
    turns = [each for each in good if each.kind == "chat"]
    notes = [(place, each) for place, each in enumerate(served) if each.kind == "summary"]
    merging = [_purpose(place, asked) == "merge" for place, _ in notes]
    merges = [each for (_, each), one in zip(notes, merging, strict=True) if one]
    summaries = [each for (_, each), one in zip(notes, merging, strict=True) if not one]
    breaks = [each for each, before in _with_summaries(good) if before]
    groups = (turns, breaks, summaries, merges)
    return Bill(
        turns=Volume.of(turns),
        shared=sum(shared_tokens(turns)) if shared else 0,
        breaks=Volume.of(breaks),
        summaries=Volume.of(summaries),
        merges=Volume.of(merges),
        requests=Requests(*map(len, groups)),
        largest=max((each.prompt_tokens for each in turns), default=0),
        refused=len(served) - len(good),
        waits=tuple(
            seconds(each) + sum(seconds(note, whole=True) for note in before)
            for each, before in _with_summaries(good)
        ),
    )


def _purpose(place: int, asked: Sequence[Asked]) -> Purpose:
    """Return what a request in the log was for: the last that was asked for before it."""
    return next((each.purpose for each in reversed(asked) if each.place <= place), "new")


def seconds(request: Served, *, whole: bool = False) -> float:
    """Return the seconds before the first token of a reply, or with `whole` before the last."""
    uncached = request.prompt_tokens - request.cached_tokens
    first = uncached / UNCACHED + request.cached_tokens / CACHED
    return first + (request.completion_tokens / WRITTEN if whole else 0.0)


def _with_summaries(served: Sequence[Served]) -> Iterator[tuple[Served, list[Served]]]:
    """Yield each turn with the requests for notes between the turn before and itself."""
    waiting: list[Served] = []
    for each in served:
        if each.kind == "summary":
            waiting.append(each)
        elif each.kind == "chat":
            yield each, waiting
            waiting = []


def shared_tokens(turns: Sequence[Served]) -> list[int]:
    """Return how many leading tokens of each prompt the prompt before had too, to the token."""
    prompts = Prompts(count_text)
    import splintr  # noqa: PLC0415  # an extra, and 0.2 s

    encode = splintr.Tokenizer.from_pretrained("kimi_k2").encode_ordinary
    found, before = list[int](), list[Part]()
    for each in turns:
        parts = prompts.prompt(Call(body=each.body, model=model_like(each.body["model"])))
        found.append(_common(before, parts, encode))
        before = parts
    return found


def _common(
    before: Sequence[Part], after: Sequence[Part], encode: Callable[[str], list[int]]
) -> int:
    total = 0
    for old, new in zip(before, after, strict=False):
        if old.pieces == new.pieces:
            total += new.tokens
            continue
        for mine, theirs in zip(_tokens(old, encode), _tokens(new, encode), strict=False):
            if mine != theirs:
                break
            total += 1
        break
    return total


def _tokens(part: Part, encode: Callable[[str], list[int]]) -> Iterator[object]:
    for piece in part.pieces:
        if isinstance(piece, str):
            yield from encode(piece)
        else:
            yield piece
