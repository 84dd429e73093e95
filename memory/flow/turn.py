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
from memory.flow.resend import Remedy, learn, lower, reply_room, shed_media, shrink
from memory.flow.state import Context, Fitted, Prompt
from memory.overflow import Overflow, body_too_large, overflow_of
from memory.replies import Reply

__all__ = ("answered", "send")


def send(prompt: Prompt, context: Context) -> Flow[Any]:
    """Send a prompt, fitted and after its conversation, and return the response of the client.

    Where the server refuses it for its size, it is made smaller and sent again, once for each
    remedy; every other error is the caller's.

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
    try:
        answer = yield from _sent(prompt, first)
    except Exception as error:  # noqa: BLE001  # raised again below, unless there is a remedy
        refused = error
    else:
        return (yield from _taken(prompt, context, fitted, answer))
    remedy, answer = yield from _again(prompt, context, first, refused)
    return (yield from _taken(prompt, context, remedy.fitted, answer))


def answered(prompt: Prompt, context: Context, fitted: Fitted, reply: Reply) -> Flow[None]:
    """Learn from a reply, put the turn on record, and have a summary written ahead if one is due.

    What was sent without being counted is not learnt from: most conversations stay that short,
    and need no vocabulary as long as they do.
    """
    usage = reply.usage
    try:
        if usage is not None:
            context.windows.accepted(prompt.model, usage.prompt_tokens)
        if fitted.counted and usage is not None:
            context.meter.observe(
                fitted.messages,
                usage=usage,
                tools=prompt.tools,
                reply=reply.message if reply.measured else None,
                thinking=prompt.thinking,
                keep_reasoning=prompt.keep_reasoning,
                seen=fitted.seen,
            )
        yield from commit(prompt, reply, patience=context.patience)
        if is_due(prompt, context, fitted, reply):
            yield from Spawn(flow=summarize_ahead(prompt, context, reply)).perform()
    except Exception as error:  # noqa: BLE001  # the caller has a reply; nothing may spoil it
        unrecorded = prompt.joined is not None and prompt.record
        yield from failed(prompt, error, unrecorded=unrecorded).perform()


def _taken(prompt: Prompt, context: Context, fitted: Fitted, answer: Answer) -> Flow[Any]:
    if answer.reply is not None:
        yield from answered(prompt, context, fitted, answer.reply)
    return answer.response


def _again(
    prompt: Prompt, context: Context, first: Remedy, refused: Exception
) -> Flow[tuple[Remedy, Answer]]:
    """Send what was refused once more for each remedy there is; raise the refusal if none helps."""
    if body_too_large(refused):
        remedy = yield from _tried(prompt, shed_media(prompt, context, first), refused)
        return remedy, (yield from _sent(prompt, remedy))
    tokens = yield from learn(prompt, context, first, _overflow(refused))
    lowered = lower(prompt, context, first, tokens)
    if lowered is not None:
        try:
            return lowered, (yield from _sent(prompt, lowered))
        except Exception as error:  # noqa: BLE001  # raised below, unless there is a remedy
            refused = error
        tokens = yield from learn(prompt, context, lowered, _overflow(refused))
    remedy = yield from _tried(prompt, shrink(prompt, context, first, tokens), refused)
    return remedy, (yield from _sent(prompt, remedy))


def _overflow(refused: Exception) -> Overflow:
    overflow = overflow_of(refused)
    if overflow is None:
        raise refused
    return overflow


def _sent(prompt: Prompt, remedy: Remedy) -> Flow[Answer]:
    fitted = remedy.fitted
    if remedy.change is not None:
        event = events.Resent(
            namespace=prompt.namespace, change=remedy.change, tokens=remedy.tokens
        )
        yield from Emit(event=event).perform()
        fitted = replace(fitted, changed=True)
    return (yield from Send(prompt=prompt, fitted=fitted, completion=remedy.completion).perform())


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
