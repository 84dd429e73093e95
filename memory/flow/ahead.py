"""Writing a summary before it is needed, so that no turn waits for one."""

from __future__ import annotations

from dataclasses import replace

from memory.errors import SummaryError
from memory.flow.compact import compact, in_time
from memory.flow.effects import Claim, Flow, Release
from memory.flow.log import failed, key_of
from memory.flow.resume import find, resume
from memory.flow.state import Context, Fitted, Prompt
from memory.replies import Reply
from memory.view import Thread

__all__ = ("is_due", "summarize_ahead")

HIGHEST_TARGET = 0.9
"""Share of the mark that a compaction aims at, at most; else it would be due again at once."""


def is_due(prompt: Prompt, context: Context, fitted: Fitted, reply: Reply) -> bool:
    """Return whether the conversation may have passed the mark from which to summarise ahead."""
    if context.ahead is None or not prompt.record or not reply.complete:
        return False
    return fitted.tokens - fitted.recalled + _written(reply) > context.ahead * context.limit(prompt)


def summarize_ahead(prompt: Prompt, context: Context, reply: Reply) -> Flow[None]:
    """Put a compaction on record that the next prompt of the conversation will adopt.

    Until then nothing changes; a summary that cannot be had changes nothing at all, and the
    prompt that reaches the limit asks again. Whoever is summarising already is left alone.
    """
    thread = prompt.thread()
    claim = Claim(key=key_of(prompt, thread), links=thread.links, patience=0.0)
    if not (yield from claim.perform()):
        return
    try:
        early = yield from in_time(_early(prompt, context, reply))
        state = yield from resume(prompt, early, thread)
        todo = state.plan(early.policy)
        if todo.action == "compact" and not todo.missing:
            moved_on = yield from _moved_on(prompt, early, thread)
            if not moved_on:
                yield from compact(prompt, early, state, todo)
    except SummaryError:
        pass  # told as `Rejected`
    except Exception as error:  # noqa: BLE001  # nobody waits for this
        yield from failed(prompt, error).perform()
    yield from Release().perform()


def _moved_on(prompt: Prompt, context: Context, thread: Thread) -> Flow[bool]:
    """Return whether a later prompt of the conversation has been summarised meanwhile.

    What that covers may not be dropped from this one, so it cannot speak for it; but nobody needs
    a summary of this one any more.
    """
    _, records = yield from find(prompt, context, thread)
    return any(
        record.covered and record.adopted > len(thread.rest)
        for record in records
        if thread.links[record.covered : record.covered + 1] == [record.coverage]
    )


def _early(prompt: Prompt, context: Context, reply: Reply) -> Context:
    """Return how to judge a prompt that is to make room before it has to.

    The mark, less what the reply adds, is its limit; target and notes are as ever, in tokens.
    """
    limit = context.limit(prompt)
    mark = max(1, int((context.ahead or 1.0) * limit) - _written(reply))
    policy = context.policy
    scale = min(limit / mark, HIGHEST_TARGET / policy.target)
    early = replace(
        policy,
        budget=mark,
        trigger=min(1.0, policy.trigger * limit / mark),
        target=policy.target * scale,
        floor=policy.floor * scale,
        notes=policy.notes * scale,
        reserved=0.0,
    )
    return replace(context, policy=early, stands_in=False)


def _written(reply: Reply) -> int:
    """Return the tokens that the reply adds to the next prompt."""
    usage = reply.usage
    return usage.completion_tokens - usage.reasoning_tokens if usage else 0
