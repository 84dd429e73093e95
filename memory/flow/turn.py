"""One request from the caller's messages to the reply, and what follows from that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memory import events
from memory.errors import BudgetError, InvariantError
from memory.flow.ahead import is_due, summarize_ahead
from memory.flow.conversation import commit, join
from memory.flow.effects import Answer, Emit, Flow, Send, Spawn
from memory.flow.fit import fit_or_pass
from memory.flow.log import failed
from memory.flow.recall import is_searched, prepared
from memory.flow.resend import Remedy, learn, lower, reply_room, shed_media, shrink
from memory.flow.searching import Offer, Round, learnt, search
from memory.flow.state import Context, Fitted, Prompt
from memory.overflow import Overflow, body_too_large, overflow_of
from memory.replies import Reply

__all__ = ("answered", "send")


def send(prompt: Prompt, context: Context, offer: Offer | None = None) -> Flow[Any]:
    """Send a prompt, fitted and after its conversation, and return the response of the client.

    Where the server refuses it for its size, it is made smaller and sent again, once for each
    remedy; every other error is the caller's. Searches of the model are answered in between.

    Args:
        prompt: The request; where the search tool is offered, it is the last of its tools.
        context: How it is judged.
        offer: How the search tool is offered; None where it is not.

    Raises:
        BudgetError: What may not be dropped exceeds the limit, under `oversize="raise"`.
        ConversationBusy: The conversation waits for tool results, and these are not.
        HistoryError: These are tool results, and the conversation waits for none.
        StoreError: The conversation cannot be read.
    """
    given = prompt.messages
    if prompt.log is not None:
        prompt = yield from join(prompt, patience=context.patience)
    fitted = yield from fit_or_pass(prompt, context)
    if fitted.messages is not given and not fitted.changed:
        fitted = replace(fitted, changed=True)
    first = Remedy(fitted=fitted, completion=reply_room(prompt, context, fitted))
    tool = offer.name if offer is not None and offer.is_for(prompt) else ""
    try:
        answer = yield from _sent(prompt, first, tool)
    except Exception as error:  # noqa: BLE001  # raised again below, unless there is a remedy
        refused = error
    else:
        return (yield from _taken(prompt, context, offer, fitted, answer))
    remedy, answer = yield from _again(prompt, context, first, refused, tool)
    return (yield from _taken(prompt, context, offer, remedy.fitted, answer))


def answered(prompt: Prompt, context: Context, fitted: Fitted, reply: Reply) -> Flow[None]:
    """Learn from a reply, put the turn on record, and have a summary written ahead if one is due.

    Searches that went before it are no part of the turn.
    """
    try:
        learnt(prompt, context, fitted, reply)
        yield from commit(prompt, reply, patience=context.patience)
        if is_due(prompt, context, fitted, reply):
            yield from Spawn(flow=summarize_ahead(prompt, context, reply)).perform()
        if is_searched(prompt, context, fitted):
            yield from Spawn(flow=prepared(prompt, context)).perform()
    except Exception as error:  # noqa: BLE001  # the caller has a reply; nothing may spoil it
        unrecorded = prompt.joined is not None and prompt.record
        yield from failed(prompt, error, unrecorded=unrecorded).perform()


def _taken(
    prompt: Prompt, context: Context, offer: Offer | None, fitted: Fitted, answer: Answer
) -> Flow[Any]:
    if offer is not None:
        prompt, fitted, answer = yield from search(prompt, context, offer, fitted, answer)
    if answer.reply is not None:
        yield from answered(prompt, context, fitted, answer.reply)
    return answer.response


def _again(
    prompt: Prompt, context: Context, first: Remedy, refused: Exception, tool: str
) -> Flow[tuple[Remedy, Answer]]:
    """Send what was refused once more for each remedy there is; raise the refusal if none helps."""
    if body_too_large(refused):
        remedy = yield from _tried(prompt, shed_media(prompt, context, first), refused)
        return remedy, (yield from _sent(prompt, remedy, tool))
    tokens = yield from learn(prompt, context, first, _overflow(refused))
    lowered = lower(prompt, context, first, tokens)
    if lowered is not None:
        try:
            return lowered, (yield from _sent(prompt, lowered, tool))
        except Exception as error:  # noqa: BLE001  # raised below, unless there is a remedy
            refused = error
        tokens = yield from learn(prompt, context, lowered, _overflow(refused))
    remedy = yield from _tried(prompt, shrink(prompt, context, first, tokens), refused)
    return remedy, (yield from _sent(prompt, remedy, tool))


def _overflow(refused: Exception) -> Overflow:
    overflow = overflow_of(refused)
    if overflow is None:
        raise refused
    return overflow


def _sent(prompt: Prompt, remedy: Remedy, tool: str) -> Flow[Answer]:
    fitted = remedy.fitted
    if remedy.change is not None:
        event = events.Resent(
            namespace=prompt.namespace, change=remedy.change, tokens=remedy.tokens
        )
        yield from Emit(event=event).perform()
        fitted = replace(fitted, changed=True)
    room = remedy.completion
    request = Send(prompt=prompt, fitted=fitted, completion=room)
    if tool:
        request = Round(prompt=prompt, fitted=fitted, completion=room, tool=tool)
    return (yield from request.perform())


def _tried(prompt: Prompt, remedy: Flow[Remedy | None], refused: Exception) -> Flow[Remedy]:
    """Return a remedy; without one the refusal is the caller's, with a note of what stands."""
    found: Remedy | None = None
    try:
        found = yield from remedy
    except BudgetError as error:
        refused.add_note(str(error))
    except InvariantError:
        raise
    except Exception as error:  # noqa: BLE001  # the refusal says more than what failed here
        yield from failed(prompt, error).perform()
    if found is None:
        raise refused
    return found
