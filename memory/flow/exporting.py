"""A conversation as one JSON object, and back into a store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, get_args

from memory.errors import HistoryError
from memory.flow.conversation import in_use
from memory.flow.effects import Flow
from memory.flow.log import write
from memory.flow.past import Past
from memory.flow.store_effects import Log
from memory.identity import digest, see
from memory.messages import WireMessage, clone, head_length, wire
from memory.records import (
    Compaction,
    Identifier,
    LogKey,
    Pinned,
    Record,
    Segment,
    Shortened,
    Source,
    Turn,
    segment_of,
    standing_of,
)
from memory.redaction import Redact, every_text, redacted
from memory.view import Thread

__all__ = ("FORMAT", "exported", "restore")

FORMAT = "kimi-memory/conversation-1"
"""Which layout an export has."""


def exported(key: LogKey, known: Past) -> dict[str, Any]:
    """Return a conversation as a JSON object, with all that is needed to go on elsewhere."""
    digests = see(known.messages)
    return {
        "format": FORMAT,
        "user": key.user,
        "conversation": key.name,
        "head": [*map(clone, known.head)],
        "messages": [*map(clone, known.messages)],
        "complete": not known.broken,
        "replied": known.replied,
        "compactions": [_compaction(record) for record in in_use(known)],
        "pinned": {
            "messages": [i for i, seen in enumerate(digests) if seen.digest in known.pinned],
            "sentences": list(known.quoted),
        },
    }


def restore(key: LogKey, given: object, redact: Redact | None = None) -> Flow[int]:
    """Begin a conversation with what was exported; return how many messages it has then.

    Args:
        key: The log of the conversation.
        given: What `exported` returned, or a list of messages.
        redact: What is done to every text of it first.

    Raises:
        HistoryError: It is neither, or the conversation has messages already.
        ConflictError: Others kept writing.
    """
    first, records = _records(_redacted(given, redact))

    def begun(log: Log) -> Sequence[Record]:
        if Past.of(log).messages:
            msg = "the conversation has messages already: forget it first, or use another name"
            raise HistoryError(msg, index=0)
        return records

    yield from write(key, begun)
    return len(first.messages)


def _records(given: object) -> tuple[Turn, list[Record]]:
    body: Mapping[str, Any] = given if isinstance(given, Mapping) else {"messages": given}
    if "messages" not in body:
        msg = "this is no export of a conversation: it has no messages"
        raise HistoryError(msg, index=0)
    layout = body.get("format", FORMAT)
    if layout != FORMAT:
        msg = f"format {layout!r} is not known: export it with a kimi-memory that writes {FORMAT!r}"
        raise HistoryError(msg, index=0)
    said = [*map(clone, wire(_listed(body, "messages")))]
    head = [*map(clone, wire(_listed(body, "head")))]
    if head_length(head) != len(head):
        msg = "the head of an export holds system and developer messages only"
        raise HistoryError(msg, index=0)
    start = 0 if head else head_length(said)
    first = Turn(
        start=0,
        messages=tuple(said[start:]),
        head=tuple(head or said[:start]) or None,
        complete=bool(body.get("complete", True)) or not said[start:],
        replied=bool(body.get("replied", False)) and bool(said[start:]),
    )
    links = Thread.of(first.messages, start=0).links
    try:
        found = [_read(each, links) for each in _listed(body, "compactions")]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        msg = f"a compaction of the export cannot be read ({type(error).__name__}): leave it out"
        raise HistoryError(msg, index=0) from error
    return first, [first, *found, *_pins(body, first.messages)]


def _pins(body: Mapping[str, Any], messages: Sequence[WireMessage]) -> list[Pinned]:
    given = body.get("pinned", {})
    given = given if isinstance(given, Mapping) else {}
    places, sentences = _listed(given, "messages"), _listed(given, "sentences")
    sized = all(isinstance(place, int) and 0 <= place < len(messages) for place in places)
    if not sized or not all(isinstance(text, str) and text for text in sentences):
        msg = "what is pinned in the export cannot be read: leave it out"
        raise HistoryError(msg, index=0)
    marks = [digest(messages[place]) for place in places]
    return [*(Pinned(digest=mark) for mark in marks), *(Pinned(text=text) for text in sentences)]


def _redacted(given: object, redact: Redact | None) -> object:
    """Return an export with its texts redacted, those of its summaries and quotes included."""
    if redact is None:
        return given
    body: Mapping[str, Any] = given if isinstance(given, Mapping) else {"messages": given}
    clean = dict(body)
    for name in ("messages", "head"):
        clean[name] = [redacted(each, redact) for each in wire(_listed(body, name))]
    clean["compactions"] = [_clean(each, redact) for each in _listed(body, "compactions")]
    clean["pinned"] = every_text(body.get("pinned", {}), redact)
    return clean


def _clean(compaction: Any, redact: Redact) -> Any:
    """Return a compaction with its texts redacted, but not who wrote or asked for them."""
    clean = every_text(compaction, redact)
    if not isinstance(compaction, Mapping):
        return clean
    for name, key in (("segments", "author"), ("segments", "prompt"), ("standing", 1)):
        for one, other in zip(_listed(compaction, name), clean.get(name, ()), strict=False):
            with suppress(KeyError, IndexError, TypeError):  # told when it is read
                other[key] = one[key]
    return clean


def _listed(body: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = body.get(name, [])
    if not isinstance(found, list | tuple):
        msg = f"{name} must be a list, as in an export or a list of messages"
        raise HistoryError(msg, index=0)
    return found


def _compaction(record: Compaction) -> dict[str, Any]:
    return {
        "covered": record.covered,
        "adopted": record.adopted,
        "kept": list(record.kept),
        "standing": [list(each) for each in record.standing],
        "identifiers": [list(each) for each in record.identifiers],
        "tokens_before": record.tokens_before,
        "tokens_after": record.tokens_after,
        "cost": record.cost,
        "synthetic": None if record.synthetic is None else clone(record.synthetic),
        "segments": [_segment(each) for each in record.segments],
        "shortened": [asdict(item) for item in record.shortened],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    lists = {"dates": list(segment.dates), "gaps": [*map(list, segment.gaps)]}
    return asdict(segment) | lists


def _read(body: Mapping[str, Any], links: Sequence[bytes]) -> Compaction:
    """Return a compaction whose hashes are those of the messages it came with.

    Raises:
        ValueError: It could not be one of these messages; or `KeyError`, `TypeError` and so on.
    """
    covered, adopted, synthetic = body["covered"], body["adopted"], body.get("synthetic")
    adopted = max(covered, min(adopted, len(links) - 1))
    kept, cost = body.get("kept", []), body.get("cost")
    short = tuple(Shortened(**each) for each in body.get("shortened", ()))
    segments = tuple(map(segment_of, body.get("segments", ())))
    standing = tuple(map(standing_of, body.get("standing", ())))
    listed = tuple(Identifier(*each) for each in body.get("identifiers", ()))
    _whole(covered, adopted, *kept, body.get("tokens_before", 0), body.get("tokens_after", 0))
    _whole(*(number for each in short for number in (each.index, each.head, each.tail)))
    _whole(*(n for s in segments for n in (s.first, s.last, s.tokens, s.level, s.depth)))
    _whole(*(number for s in segments for gap in s.gaps for number in gap))
    _texts(*(text for s in segments for text in (s.text, s.author, s.prompt, *s.dates)))
    _texts(*(text for each in (*standing, *listed) for text in each))
    if not {each.source for each in standing} <= set(get_args(Source)):
        msg = "nobody is known who asked for a standing instruction"
        raise ValueError(msg)
    inside = all(place < covered for place in kept) and all(s.index < len(links) - 1 for s in short)
    if not inside or (cost is not None and not 0 <= cost < math.inf):
        msg = "it is of other messages"
        raise ValueError(msg)
    note: WireMessage | None = None if synthetic is None else clone(wire([synthetic])[0])
    return Compaction(
        covered=covered,
        coverage=links[covered],
        adopted=adopted,
        adoption=links[adopted],
        kept=tuple(kept),
        segments=segments,
        standing=standing,
        identifiers=listed,
        shortened=short,
        synthetic=note,
        mark=None if note is None else digest(note),
        cost=cost,
        tokens_before=body.get("tokens_before", 0),
        tokens_after=body.get("tokens_after", 0),
    )


def _whole(*values: object) -> None:
    if not all(isinstance(value, int) and value >= 0 for value in values):
        msg = "a number is not a whole one, or negative"
        raise ValueError(msg)


def _texts(*values: object) -> None:
    if not all(isinstance(value, str) for value in values):
        msg = "a text is none"
        raise ValueError(msg)
