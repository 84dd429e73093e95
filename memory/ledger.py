"""What can be referred to again in messages that are not shown any more: ids, paths, amounts.

Found by rules, without a model: the leaf values of tool arguments and of JSON results, and what
looks like an identifier in other text. A list of them beside the summaries keeps a later tool call
possible whose arguments no summary mentions.

What is listed first is decided as in human memory: every message that holds a value adds
`weight / age ** 0.75` to its score, where the age of the newest message is 1. So a value that is
used again and again stays, and so does a recent one. The weight is that of the place (an argument
of a call 4, a leaf of a result 1, words of the user 1, of the assistant 0.5) times what its kind
is worth (an id, path or link 1, a number 0.3); a long value pays for its room.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from memory.fences import fenced, quoted
from memory.messages import WireMessage, role_of, tool_calls
from memory.records import Identifier
from memory.sightings import Sight, sights

__all__ = ("fitting", "identifiers", "render")

_DECAY: Final = 0.75
_PRICE: Final = 0.25
"""The score falls with the length of a value to this power."""
_KNOWN: Final = 1.0
"""What an identifier of an earlier list is worth."""

_DENSEST: Final = 8
"""Characters that a token of a rendered list has at most; 2 to 3 are usual."""
_USUAL: Final = 2.5
_AIMED, _COUNTS = 4, 10
"""How many counts are aimed by the last one, and how many there are at most."""
_WORD: Final = re.compile("[^\\W\u3400-\u9fff]+")
_OCCURRENCES: Final = 8
"""How many places are looked at before a value counts as not shown."""
_GOES_ON: Final = re.compile(r"[^\W\u3400-\u9fff]|[./_-][^\W\u3400-\u9fff]")
_NEEDS_QUOTES: Final = re.compile(r"[\s,\"]")


class _Standing:
    """What is known of a value so far: its best label and its score."""

    __slots__ = ("label", "rank", "score")

    def __init__(self) -> None:
        self.label, self.rank, self.score = "", 0.0, 0.0

    def add(self, sight: Sight, fade: float) -> None:
        self.score += sight.weight * fade
        if sight.label and sight.weight >= self.rank:
            self.label, self.rank = sight.label, sight.weight


def identifiers(
    messages: Sequence[WireMessage], *, known: Sequence[Identifier] = ()
) -> list[Identifier]:
    """Return what can be referred to again, the most recent and most used first, each value once.

    Values are trimmed, on one line and of 3 to 120 characters; prose is not among them. A label
    is the name of the argument or the key of the result that a value stood under, else `"url"`,
    `"path"`, `"e-mail"`, `"amount"`, `"date"`, `"number"` or, for other ids and for quoted names,
    empty. Total: of messages that are malformed, what can be read is read.

    Args:
        messages: What is not shown any more, oldest first.
        known: What an earlier call returned, or the part of it that was listed, for messages
            before these that are not at hand; in that order they count as that old.
    """
    found: dict[str, _Standing] = {}
    tools = any(role_of(message) == "tool" or tool_calls(message) for message in messages)
    for age, message in zip(range(len(messages), 0, -1), messages, strict=True):
        fade = age**-_DECAY
        for sight in sights(message, tools=tools):
            found.setdefault(sight.value, _Standing()).add(sight, fade)
    for age, (label, value) in enumerate(known, start=len(messages) + 1):
        found.setdefault(value, _Standing()).add(Sight(label, value, _KNOWN), age**-_DECAY)
    ranked = sorted(found, key=lambda value: -found[value].score / max(1, len(value)) ** _PRICE)
    return [Identifier(found[value].label, value) for value in ranked]


def render(found: Sequence[Identifier]) -> str:
    """Return identifiers as lines for a reader, one for each label: `reservation_id: 4WQ150, VA1`.

    Lines stand in the order in which their labels appear first. Values are verbatim, fenced, and
    in quotation marks where they hold more than one word; what would break a line becomes a space.
    """
    lines: dict[str, list[str]] = {}
    for label, value in found:
        lines.setdefault(_flat(label), []).append(_flat(value))
    return fenced("\n".join(_line(label, values) for label, values in lines.items()))


def _line(label: str, values: Sequence[str]) -> str:
    listed = ", ".join(quoted(v) if _NEEDS_QUOTES.search(v) else v for v in values)
    return f"- {label}: {listed}" if label else f"- {listed}"


def _flat(text: str) -> str:
    return " ".join(text.split())


def fitting(
    ranked: Sequence[Identifier], *, room: float, count: Callable[[str], float], shown: str = ""
) -> tuple[Identifier, ...]:
    """Return as many of the first identifiers as fit into `room` tokens when rendered.

    What stands in `shown` is passed over. `count(render(result)) <= room` holds for any `count`
    that takes the empty text for free; it is called at most ten times, each time on a text of
    about the length of the result.

    Args:
        ranked: What `identifiers` returned.
        room: Tokens the list may have.
        count: Text -> tokens.
        shown: What is sent beside the list.
    """
    fresh = _unseen(ranked, shown, room * _DENSEST)
    sizes = list(accumulate(len(each.value) + 2 for each in fresh))
    low, high = 0, len(fresh) + 1
    place = bisect_right(sizes, room * _USUAL)
    for attempt in range(_COUNTS):
        if high - low <= 1:
            break
        place = min(max(place, low + 1), high - 1)
        cost = count(render(fresh[:place]))
        low, high = (place, high) if cost <= room else (low, place)
        aimed = bisect_right(sizes, room * sizes[place - 1] / max(cost, 1.0))
        place = aimed if attempt < _AIMED else (low + high) // 2
    return tuple(fresh[:low])


def _stands(value: str, text: str) -> bool:
    """Return whether a value stands in a text, and not only as a part of a longer one."""
    place = text.find(value)
    for _ in range(_OCCURRENCES):
        if place < 0:
            return False
        stop = place + len(value)
        if not _GOES_ON.match(text, stop) and not _WORD.match(text[max(0, place - 1) : place]):
            return True
        place = text.find(value, stop)
    return False


def _unseen(ranked: Sequence[Identifier], shown: str, most: float) -> list[Identifier]:
    """Return the first identifiers that do not stand in `shown`, `most` characters or more."""
    # Only a value whose words all stand in the text is looked for in it: the text may be large.
    words = frozenset(_WORD.findall(shown))
    fresh: list[Identifier] = []
    size = 0
    for each in ranked:
        if size > most:
            break
        if words.issuperset(_WORD.findall(each.value)) and _stands(each.value, shown):
            continue
        fresh.append(each)
        size += len(each.value)
    return fresh
