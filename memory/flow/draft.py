"""Having a text written: by the summariser, asked again once, else by the offline one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from memory import events
from memory.acceptance import refusal
from memory.errors import SummaryError
from memory.flow.effects import Emit, Extract, Flow, Now, Summarize
from memory.flow.state import Context, Prompt
from memory.meter import believed
from memory.notes import ELIDED
from memory.summary import Draft, SummaryRequest

__all__ = ("FILTERED", "OFFLINE", "drafted")

OFFLINE = "extractive"
"""The author of what was written without a model."""
LONGEST_REASON = 200
"""Characters of an error that go into events and so into logs."""
ATTEMPTS = 2
"""How often a summariser is asked for one text whose answers cannot be used."""
FILTERED = "content_filter"
"""The `finish_reason` of what was refused for its content."""
FAILED = "the summariser failed"
NO_TIME = "there is no time left for it in this compaction"
SHORTEST = 0.05
"""Seconds below which there is no use in asking."""
PAUSED = "it failed before and is left alone for {seconds:.0f} s more"


class _Outcome(NamedTuple):
    """What asking a summariser came to."""

    draft: Draft | None
    reason: str = ""
    """Why there is none."""
    filtered: bool = False
    """Whether what was to be summarised was refused for its content."""
    final: bool = False
    """Whether asking again cannot help."""


def drafted(
    prompt: Prompt,
    context: Context,
    request: SummaryRequest,
    *,
    purpose: events.Purpose,
    messages: int,
    spare: int = 0,
    offline: SummaryRequest | None = None,
    obstacle: str | None = None,
) -> Flow[tuple[Draft, float]]:
    """Return a text that may be used, and its tokens.

    Args:
        prompt: Whose conversation it is.
        context: How it is judged.
        request: What is asked for.
        purpose: What for.
        messages: How many messages it will stand for.
        spare: Tokens that it may have beyond its cap where it is only extracted: whole sentences
            say less for their length, and cost nothing.
        offline: What the offline summariser is asked for; None for the same.
        obstacle: Why the summariser is not to be asked; None where it is.

    Raises:
        SummaryError: There is none, and the offline summariser does not stand in.
    """
    start = events.Summarizing(
        purpose=purpose,
        messages=messages,
        tokens=request.source_tokens,
        cap=request.cap,
        form=request.form,
    )
    yield from _tell(prompt, start)
    outcome = yield from _asked(prompt, context, request, obstacle)
    draft = outcome.draft
    if draft is None:
        if not context.stands_in:
            raise SummaryError(outcome.reason)
        yield from _tell(prompt, events.FellBack(reason=outcome.reason))
        request = replace(offline or request, cap=request.cap + spare)
        draft = yield from Extract(request=request).perform()
        draft = replace(draft, finish_reason=FILTERED) if outcome.filtered else draft
    if not draft.text.strip():  # media, or nothing at all
        draft = replace(draft, text=ELIDED.format(count=messages), tokens=None)
    tokens = _tokens(context, draft)
    accepted = events.Accepted(author=draft.author, tokens=round(tokens), cap=request.cap)
    yield from _tell(prompt, accepted)
    return draft, tokens


def _asked(
    prompt: Prompt, context: Context, request: SummaryRequest, obstacle: str | None
) -> Flow[_Outcome]:
    """Return what asking came to: at most one request that corrects the first one."""
    who = f"{prompt.asker}{request.model}"
    closed = obstacle or (yield from _closed(context, who))
    if closed is not None:
        return (yield from _rejected(prompt, request.model, closed))
    outcome = _Outcome(None, FAILED)
    for _ in range(ATTEMPTS):
        try:
            draft = yield from _answer(context, request)
        except SummaryError as error:
            outcome = yield from _rejected(prompt, request.model, _reason(error), error=error)
            break
        fault = _judge(context, draft, request)
        if fault is None:
            context.breaker.worked(who)
            return _Outcome(draft)
        outcome = yield from _rejected(prompt, draft.author, fault, draft=draft)
        if outcome.filtered:
            break
        request = replace(request, correction=fault)
    if not outcome.filtered:
        yield from _failed(prompt, context, request.model, who, final=outcome.final)
    return outcome


def _closed(context: Context, who: str) -> Flow[str | None]:
    """Return why nobody is to be asked now, or None."""
    now = yield from Now().perform()
    if context.until != math.inf and context.until - now < SHORTEST:
        return NO_TIME
    wait = context.breaker.wait(who, now)
    return PAUSED.format(seconds=wait) if wait else None


def _answer(context: Context, request: SummaryRequest) -> Flow[Draft]:
    """Ask once, in the time that is left."""
    if context.until != math.inf:
        left = context.until - (yield from Now().perform())
        request = replace(request, deadline=max(SHORTEST, min(request.deadline, left)))
    return (yield from Summarize(request=request).perform())


def _reason(error: SummaryError) -> str:
    return str(error)[:LONGEST_REASON] or FAILED


def _rejected(
    prompt: Prompt,
    author: str,
    reason: str,
    *,
    error: SummaryError | None = None,
    draft: Draft | None = None,
) -> Flow[_Outcome]:
    yield from _tell(prompt, events.Rejected(author=author, reason=reason))
    filtered = draft.finish_reason == FILTERED if draft else error is not None and error.filtered
    return _Outcome(None, reason, filtered=filtered, final=error is not None and error.final)


def _failed(prompt: Prompt, context: Context, model: str, who: str, *, final: bool) -> Flow[None]:
    now = yield from Now().perform()
    if pause := context.breaker.failed(who, now, final=final):
        yield from _tell(prompt, events.SummarizerPaused(model=model, seconds=pause))


def _judge(context: Context, draft: Draft, request: SummaryRequest) -> str | None:
    if draft.author == OFFLINE:  # nothing but sentences of the conversation
        return None
    return refusal(
        draft,
        cap=request.cap,
        source_tokens=request.source_tokens,
        tokens=_tokens(context, draft),
    )


def _tokens(context: Context, draft: Draft) -> float:
    """Return what a text costs: as reported, unless that cannot be true."""
    counted = context.meter.text(draft.text.strip())
    if draft.tokens is None or context.meter.counter.exact:
        return counted
    return believed(draft.tokens, counted)


def _tell(prompt: Prompt, event: events.Event) -> Flow[None]:
    yield from Emit(event=replace(event, namespace=prompt.namespace)).perform()
