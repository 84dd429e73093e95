"""What to do when the server refuses a prompt for its size: each remedy once, never a loop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memory import events, models
from memory.flow.compact import alone, in_time, summarized
from memory.flow.effects import Emit, Flow
from memory.flow.fit import fit_or_pass, fitted_by
from memory.flow.resume import resume
from memory.flow.state import Context, Fitted, Prompt, State
from memory.messages import content_parts, is_media
from memory.overflow import Overflow

__all__ = ("Remedy", "learn", "lower", "reply_room", "shed_media", "shrink")

LEAST_REPLY = 256
"""Tokens below which a reply is of no use, so that the prompt has to give way."""
SHORT_REPLY = 1_024
"""Tokens to ask for where a server refused without a number."""
SLACK = 0.03
"""How far a prompt stays below the window, for what the counts may be wrong by."""
STEP = 0.9
"""What was refused is too large whatever was counted; this share of it is the most to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to send, or to send in place of what was refused.

    Attributes:
        change: What is different; None the first time.
        fitted: The messages.
        tokens: What they cost.
        completion: `max_completion_tokens` in place of the caller's; None for the caller's.
    """

    change: events.Change | None = None
    fitted: Fitted
    tokens: int = 0
    completion: int | None = None


def learn(prompt: Prompt, context: Context, remedy: Remedy, overflow: Overflow) -> Flow[int]:
    """Learn the window that a refusal tells of, and return what the prompt costs by it.

    A refusal without a number still says that the window is smaller than what was asked for.
    """
    counted = _tokens(prompt, context, remedy.fitted)
    completion = remedy.completion or prompt.completion or 0
    tokens = max(counted, (overflow.requested or 0) - completion)
    known = context.windows.of(prompt.model) or models.window(prompt.model)
    stated = overflow.window is not None
    window = min(known, tokens + completion) if overflow.window is None else overflow.window
    if context.windows.learn(prompt.model, window, stated=stated):
        event = events.WindowLearned(
            namespace=prompt.namespace, model=prompt.model, window=window, stated=stated
        )
        yield from Emit(event=event).perform()
    return tokens


def reply_room(
    prompt: Prompt, context: Context, fitted: Fitted, tokens: int | None = None
) -> int | None:
    """Return the room for the reply where a window that was learnt has less than was asked for.

    None where there is enough, or too little for any reply.

    Args:
        prompt: The request.
        context: How it is judged.
        fitted: What is to be sent.
        tokens: What that costs; None to count it where that matters.
    """
    window, asked = context.windows.of(prompt.model), prompt.completion
    if window is None or asked is None:
        return None
    most = context.windows.reply(prompt.model)
    if most is not None and asked > most:
        return most
    if (tokens or fitted.tokens) + asked <= window:
        return None
    cost = _tokens(prompt, context, fitted) if tokens is None else tokens
    room = window - cost - int(window * SLACK)
    return room if cost + asked > window and min(LEAST_REPLY, asked) <= room < asked else None


def lower(prompt: Prompt, context: Context, refused: Remedy, tokens: int) -> Remedy | None:
    """Return the same with less room for the reply, where the prompt alone fits the window."""
    asked = refused.completion or prompt.completion
    if asked and context.windows.is_guess(prompt.model) and asked > SHORT_REPLY:
        context.windows.shorten(prompt.model, SHORT_REPLY)
    room = reply_room(prompt, context, refused.fitted, tokens)
    if room is None or room == refused.completion:
        return None
    return replace(refused, change="completion", tokens=tokens, completion=room)


def shrink(prompt: Prompt, context: Context, refused: Remedy, tokens: int) -> Flow[Remedy | None]:
    """Compact until the prompt is well below what was refused; None where that is impossible.

    Raises:
        BudgetError: What may not be dropped is larger than the window leaves room for.
    """
    counted = _tokens(prompt, context, refused.fitted)
    # The server may count more than we do: what it counts has to fit, so ours has to be smaller.
    most = int(min(context.limit(prompt) * counted / max(tokens, counted), STEP * counted))
    tight = replace(context, policy=replace(context.policy, budget=max(1, most)))
    fitted = yield from fit_or_pass(prompt, tight)
    if list(fitted.messages) == list(refused.fitted.messages):
        return None
    room = reply_room(prompt, context, fitted)
    return Remedy(change="compaction", fitted=fitted, tokens=fitted.tokens, completion=room)


def shed_media(prompt: Prompt, context: Context, refused: Remedy) -> Flow[Remedy | None]:
    """Compact what holds images and may be dropped; None where nothing does."""
    state = yield from resume(prompt, context, prompt.thread())
    if _last_media(state) is None:
        return None

    def smaller(now: State) -> Flow[State]:
        todo = now.plan_cut(context.policy, place=_last_media(now) or 0)
        timed = yield from in_time(context)
        return (yield from summarized(prompt, timed, now, todo))

    state = yield from alone(
        prompt, context, state, smaller, done=lambda now: _last_media(now) is None
    )
    if list(state.messages) == list(refused.fitted.view):
        return None
    return Remedy(change="media", fitted=fitted_by(prompt, state), tokens=state.counts.total)


def _last_media(state: State) -> int | None:
    """Return the place after the last part that holds media and may be dropped."""
    rest = state.view.thread.rest
    places = [
        place
        for place, (indexes, protected) in enumerate(state.view.parts(), start=1)
        if not protected and any(is_media(part) for i in indexes for part in content_parts(rest[i]))
    ]
    return max(places, default=None)


def _tokens(prompt: Prompt, context: Context, fitted: Fitted) -> int:
    return fitted.tokens if fitted.counted else context.count(prompt, fitted.messages).total
