"""The guard: what `fit` is about to return is judged by the invariants before anybody gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memory import events
from memory.errors import InvariantError
from memory.flow.effects import Emit, Flow
from memory.flow.log import failed, key_of
from memory.flow.state import Context, Fitted, Prompt
from memory.flow.store_effects import Load
from memory.identity import see
from memory.invariants import Sending, describe, violations
from memory.invariants.sending import head_of
from memory.messages import WireMessage, head_length
from memory.records import Record

__all__ = ("guarded",)


def guarded(prompt: Prompt, context: Context, fitting: Flow[Fitted]) -> Flow[Fitted]:
    """Run a flow that fits a prompt, and judge what it comes to as the policy of checking says.

    Raises:
        InvariantError: A promise is broken, under `check="raise"`.
    """
    if context.check == "off":
        return (yield from fitting)
    before = _copied(prompt.messages)
    fitted = yield from fitting
    try:
        sending = yield from _sending(prompt, context, fitted, before)
        found = violations(sending)
    except Exception as error:  # noqa: BLE001  # a request that cannot be judged is let through
        told = failed(prompt, error)
        yield from told.perform()
        return fitted
    for check, reason in found.items():
        event = events.InvariantBroken(namespace=prompt.namespace, check=check, reason=reason)
        yield from Emit(event=event).perform()
    if found and context.check == "raise":
        raise InvariantError(found, describe(sending))
    return fitted


def _copied(value: Any) -> Any:
    """Return a copy of a wire value that shares no list or dict with it, tuples as tuples."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_copied, value)) if type(value) in (list, tuple) else [*value]
    return value


def _sending(
    prompt: Prompt, context: Context, fitted: Fitted, before: Sequence[WireMessage]
) -> Flow[Sending]:
    log = yield from _log(prompt, context, fitted)
    chosen = context.policy.oversize == "send"
    return Sending(
        given=prompt.messages,
        sent=fitted.view,
        record=fitted.record,
        recalled=fitted.shown,
        log=log,
        tokens=context.count(prompt, fitted.messages, seen=see(fitted.messages)).total,
        limit=None if chosen else context.limit(prompt),
        before=before,
        stored=_stored(prompt),
        pending=len(prompt.joined.new) if prompt.joined else 0,
        pinned=prompt.pinned,
        quoted=_quoted(prompt, context),
    )


def _stored(prompt: Prompt) -> list[WireMessage] | None:
    """Return the messages as they are put on record, where that is another form of them."""
    if prompt.redact is None:
        return None
    start = head_length(prompt.messages)
    return [prompt.clean(message, i - start) for i, message in enumerate(prompt.messages)]


def _log(prompt: Prompt, context: Context, fitted: Fitted) -> Flow[tuple[Record, ...] | None]:
    """Return the log of a prompt; None where it cannot speak for what was left out."""
    if fitted.record is None or prompt.blind or not prompt.record:
        return None
    seen = Sending(given=prompt.messages, sent=fitted.view, record=fitted.record)
    key = key_of(prompt, prompt.thread().starting_at(head_of(seen)))
    if context.unsaved.of(key):
        return None
    try:
        return (yield from Load(key=key).perform()).records
    except Exception:  # noqa: BLE001  # the guard must not fail a turn that memory did not fail
        return None


def _quoted(prompt: Prompt, context: Context) -> tuple[str, ...]:
    """Return the sentences that the notes have to quote; none where there is no room for all."""
    room = context.policy.standing * context.limit(prompt)
    needed = sum(context.meter.text(text) + 1 for text in prompt.quoted or ())
    return (prompt.quoted or ()) if 2 * needed <= room else ()
