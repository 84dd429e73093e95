"""Records as JSON texts, and back: what stands in the rows of every durable store.

Stored texts are read by later versions of this library: keys are only ever added, with a default
for texts that lack them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from memory.errors import CorruptError, StoreError
from memory.records import (
    Compaction,
    Identifier,
    Logged,
    Pinned,
    Record,
    Shortened,
    Turn,
    Undone,
    Usage,
    segment_of,
    standing_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("decode", "encode", "hashes_of", "messages_after", "messages_in")


_USAGE = tuple(field.name for field in fields(Usage))
HASHES = ("coverage", "adoption", "mark", "head", "pins", "origin")
_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ASCII = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def encode(record: Record) -> tuple[str, str]:
    """Return the kind of a record and its body as JSON, which can be written as UTF-8.

    Raises:
        StoreError: A message holds something that is not JSON.
    """
    kind, body = _body(record)
    try:
        text = _PLAIN.encode(body)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, as a broken client may send
        return kind, _ASCII.encode(body)
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"a message holds what is not JSON, so it cannot be stored: {error}"
        raise StoreError(msg) from error
    return kind, text


def decode(kind: str, body: str | bytes, *, where: str) -> Record:
    """Return the record that `encode` made these of.

    Args:
        kind: Its kind.
        body: Its body.
        where: Which row this is, for the error.

    Raises:
        CorruptError: They are not a record.
    """
    try:
        return _READERS[kind](json.loads(body))
    except Exception as error:
        reason = f"{type(error).__name__} in a record of kind {kind!r}"
        raise CorruptError(where, reason) from error


def hashes_of(record: Compaction) -> frozenset[bytes]:
    """Return the hashes by which `find` has to know a compaction."""
    marks = () if record.mark is None else (record.mark,)
    return frozenset({record.coverage, record.adoption, *marks})


def messages_in(record: Record) -> int:
    """Return how many original messages a record holds."""
    if isinstance(record, Turn):
        return len(record.messages)
    return int(isinstance(record, Logged))


def messages_after(record: Record, before: int) -> int:
    """Return how many messages a conversation has after a record, if it had `before`."""
    return record.start + len(record.messages) if isinstance(record, Turn) else before


def _body(record: Record) -> tuple[str, dict[str, Any]]:
    match record:
        case Turn():
            body: dict[str, Any] = {
                "start": record.start,
                "messages": record.messages,
                "complete": record.complete,
                "replied": record.replied,
            }
            if record.head is not None:
                body["head"] = record.head
            if (usage := record.usage) is not None:  # `asdict` would take longer than all the rest
                body["usage"] = {name: getattr(usage, name) for name in _USAGE}
            if record.at is not None:
                body["at"] = record.at
            return "turn", body
        case Logged():
            body = {"index": record.index, "link": record.link.hex(), "message": record.message}
            return "message", body
        case Undone():
            body = {"mark": _hex(record.mark), "content": _hex(record.content)}
            return "undone", body
        case Pinned():
            body = {"text": record.text, "digest": _hex(record.digest), "held": record.held}
            return "pinned", body
    return "compaction", _compaction(record)


def _compaction(record: Compaction) -> dict[str, Any]:
    body = {name: getattr(record, name) for name in Compaction.__slots__}
    for name in HASHES:
        body[name] = _hex(body[name])
    body["segments"] = [asdict(segment) for segment in record.segments]
    body["shortened"] = [asdict(item) for item in record.shortened]
    return body


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _read_turn(body: dict[str, Any]) -> Turn:
    head, usage = body.get("head"), body.get("usage")
    return Turn(
        start=body["start"],
        messages=tuple(body["messages"]),
        head=None if head is None else tuple(head),
        complete=body["complete"],
        replied=body["replied"],
        usage=None if usage is None else Usage(**usage),
        at=body.get("at"),
    )


def _read_message(body: dict[str, Any]) -> Logged:
    return Logged(index=body["index"], link=bytes.fromhex(body["link"]), message=body["message"])


def _read_undone(body: dict[str, Any]) -> Undone:
    return Undone(mark=_bytes(body["mark"]), content=_bytes(body.get("content")))


def _read_pinned(body: dict[str, Any]) -> Pinned:
    return Pinned(text=body["text"], digest=_bytes(body["digest"]), held=body["held"])


def _read_compaction(body: dict[str, Any]) -> Compaction:
    for name in HASHES:
        body[name] = _bytes(body.get(name))
    body["measured"] = tuple((place, cost) for place, cost in body.get("measured", ()))
    body["kept"] = tuple(body["kept"])
    body["standing"] = tuple(map(standing_of, body["standing"]))
    body["identifiers"] = tuple(Identifier(*item) for item in body.get("identifiers", ()))
    body["segments"] = tuple(map(segment_of, body["segments"]))
    body["shortened"] = tuple(Shortened(**item) for item in body["shortened"])
    return Compaction(**body)


_READERS: dict[str, Callable[[dict[str, Any]], Record]] = {
    "turn": _read_turn,
    "message": _read_message,
    "undone": _read_undone,
    "pinned": _read_pinned,
    "compaction": _read_compaction,
}
