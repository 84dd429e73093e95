"""From what a manager did to something that can be judged: see `memory.invariants`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memory.flow import Load
from memory.identity import chain, digest
from memory.invariants import Sending, kept_messages_are_verbatim, record_is_of_this_input
from memory.invariants.recalled import parted
from memory.messages import WireMessage, head_length, wire
from memory.recall import is_snippet
from memory.records import Compaction, LogKey, Record
from memory.redaction import redacted
from memory.view import own

if TYPE_CHECKING:
    from memory.manager import Manager

__all__ = ("witness",)


def witness(
    manager: Manager,
    given: Sequence[WireMessage],
    sent: Sequence[WireMessage],
    *,
    tokens: int | None = None,
    limit: int | None = None,
    before: Sequence[WireMessage] | None = None,
    quoted: Sequence[str] = (),
    pinned: Collection[bytes] = frozenset(),
    conversation: str | None = None,
) -> Sending:
    """Return what was sent in place of `given`, with what the manager's store says about it.

    Messages of the manager's own that show originals again are not among what was given, as they
    are not for the manager, though the caller may have passed them in again.

    The record is known by the digest of its synthetic message and never by its text. For a call
    of the user in force (`override(user=…)`) this has to be called with the same user in force.

    Args:
        manager: Who fitted it; either kind, since its store is read in place.
        given: The whole conversation as the caller has it.
        sent: The messages that left.
        tokens: What they cost, in tokens; None when not known.
        limit: What they may cost, in tokens; None for no limit.
        before: A copy of `given`, made before the call.
        quoted: The sentences that are pinned.
        pinned: The digests of messages that are pinned.
        conversation: The name of the conversation; None for a transparent call.

    Raises:
        HistoryError: One of `given` is not a mapping.
        StoreError: The store cannot be read.
    """
    passed = wire(given)
    given = _without_snippets(manager, passed)
    sent, recalled = parted(given, sent)
    if recalled is not None and recalled[0] in passed:
        recalled = None  # it went along: its numbers are those of another list
    redact = manager.outside.redact
    stored = None if redact is None else [redacted(message, redact) for message in given]
    log = _log(manager, given, conversation)
    sending = Sending(
        given=given,
        sent=sent,
        log=log,
        tokens=tokens,
        limit=limit,
        before=before,
        stored=stored,
        pinned=pinned,
        quoted=quoted,
        sizes=manager.count(given) if manager.counter.exact else None,
        recalled=recalled,
    )
    made = [replace(sending, record=record) for record in _records(manager, sending)]
    marked = [each for each in made if each.record and each.record.mark is not None]
    return next((e for e in [*reversed(made), sending] if _explains(e)), [sending, *marked][-1])


def _without_snippets(manager: Manager, given: Sequence[WireMessage]) -> Sequence[WireMessage]:
    recall = manager.context().recall
    able = [] if recall is None else [each for each in given if is_snippet(each)]
    if recall is None or not able:
        return given
    return [each for each in given if each not in able or digest(each) not in recall.shown]


def _log(
    manager: Manager, given: Sequence[WireMessage], conversation: str | None
) -> tuple[Record, ...]:
    if conversation is None:
        return manager.log(given)
    key: LogKey = manager.log_of(conversation)
    return manager.outside.perform(Load(key=key)).records  # type: ignore[no-any-return]


def _records(manager: Manager, sending: Sending) -> list[Compaction]:
    """Return the records that may explain what was sent, oldest first.

    Those whose synthetic message was sent, and those without one, which clear results only.
    Records of one summary differ in what they keep and shorten, each for its own input.
    """
    size = head_length(sending.given)
    first = [digest(message) for message in sending.sent[: size + 1]]
    known = [record for record in sending.log or () if isinstance(record, Compaction)]
    user = manager.effective().get("user", "")
    known += manager.store.find(manager.namespace, frozenset(first), user=user)
    found = [record for record in known if record.mark is None or record.mark in first]
    passed = {digest(message) for message in sending.given[: size + 1]}
    begun = [record for record in found if record.mark in passed]
    return [*found, *(own(record, chain([record.synthetic or {}])[1]) for record in begun)]


def _explains(sending: Sending) -> bool:
    checks = (record_is_of_this_input, kept_messages_are_verbatim)
    return all(check(sending) is None for check in checks)
