"""The envelope of a sealed record, and what stands open around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from memory.errors import CorruptError, SealedError, StoreError
from memory.records import Compaction, Logged, Pinned, Turn, Undone
from memory.stores._keyring import HASH, VERSION, content_of, later, sealed_text, where
from memory.stores.codec import decode, encode
from memory.stores.keys import key_digest

if TYPE_CHECKING:
    from memory.records import LogKey, Record
    from memory.stores._keyring import Digest, UserKeys

__all__ = ("opened", "sealed", "token_of")


def sealed(record: Record, keys: UserKeys, key: LogKey) -> Record:
    """Return a record of the same kind that an inner store may have: see `SealedStore`.

    Raises:
        StoreError: A message holds something that is not JSON.
    """
    kind, body = encode(record)
    token = sealed_text(keys.fernets[keys.newest], key_digest(key), kind, body.encode())
    envelope = {"v": VERSION, "kid": keys.newest, "ct": token}
    return _around(record, envelope, keys.digest(_scope(key)))


def opened(record: Record, keys: UserKeys | None, key: LogKey, *, log: bytes | None) -> Record:
    """Return the record that was sealed.

    Args:
        record: What the inner store has.
        keys: The user's keys; None when there are none.
        key: The log it was found in, or any without a name of that user.
        log: The digest of the log it must have been sealed for; None for any without a name.

    Raises:
        SealedError: No key opens it.
        CorruptError: It was sealed for another place, or altered.
        StoreError: It is not sealed, or in a form of a later version.
    """
    envelope = _envelope(record)
    if envelope is None:
        msg = f"{where(key)} was written without sealing: read it with a store without keys"
        raise StoreError(msg)
    if envelope["v"] != VERSION:
        raise StoreError(later(key, envelope["v"]))
    fernet = None if keys is None else keys.fernets.get(str(envelope["kid"]))
    content = None if fernet is None else content_of(fernet, envelope["ct"])
    if keys is None or content is None:
        error = SealedError(where(key))
        if keys is None or fernet is not None:
            error.add_note("The user's key was destroyed, or the text is not what was written.")
        raise error
    origin, kind, body = content
    if log is not None and origin != log.hex():
        raise CorruptError(where(key), "a record was sealed for another log")
    found = decode(kind, body, where=where(key))
    if record != _around(found, envelope, keys.digest(_scope(key))):
        raise CorruptError(where(key), "what stands beside a sealed text does not fit it")
    return found


def _scope(key: LogKey) -> bytes:
    return key_digest(key) if key.name else b""


def token_of(record: Record) -> str | None:
    """Return the sealed text in a record, or None where there is none."""
    envelope = _envelope(record)
    return None if envelope is None else str(envelope["ct"])


def _around(record: Record, envelope: Mapping[str, Any], digest: Digest) -> Record:
    """Return what stands open of a record, with an envelope for the rest.

    Messages are counted by whoever has them, so there is an empty one for each.
    """
    match record:
        case Turn():
            return Turn(
                start=record.start,
                messages=tuple({} for _ in record.messages),
                head=(envelope,),
                complete=record.complete,
                replied=record.replied,
            )
        case Logged():
            return Logged(index=record.index, link=digest(record.link), message=envelope)
        case Undone():
            mark = bytes(HASH) if record.mark is None else digest(record.mark)
            return Undone(mark=mark + json.dumps(dict(envelope)).encode())
        case Pinned():
            return Pinned(text=json.dumps(dict(envelope)), held=record.held)
    return Compaction(
        covered=record.covered,
        coverage=digest(record.coverage),
        adopted=record.adopted,
        adoption=digest(record.adoption),
        mark=None if record.mark is None else digest(record.mark),
        synthetic=envelope,
    )


def _envelope(record: Record) -> Mapping[str, Any] | None:
    """Return the envelope of a record, or None where there is none."""
    found: Any = None
    match record:
        case Turn(head=head):
            found = head[0] if head else None
        case Logged(message=message):
            found = message
        case Compaction(synthetic=synthetic):
            found = synthetic
        case Undone(mark=mark):
            found = _parsed((mark or b"")[HASH:])
        case Pinned(text=text):
            found = _parsed(text)
    whole = isinstance(found, Mapping) and {"v", "kid", "ct"} <= found.keys()
    return found if whole else None


def _parsed(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
