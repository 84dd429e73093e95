"""Having a text written: by the summariser, asked again once, else by the offline one."""

from __future__ import annotations

from dataclasses import replace

from memory import events
from memory.acceptance import refusal
from memory.errors import SummaryError
from memory.flow.effects import Emit, Extract, Flow, Now, Summarize
from memory.flow.state import Context, Prompt
from memory.meter import believed
from memory.notes import ELIDED
from memory.summary import Draft, SummaryRequest

__all__ = ("FILTERED", "OFFLINE", "drafted", "text_tokens")

OFFLINE = "extractive"
"""The author of what was written without a model."""
LONGEST_REASON = 200
"""Characters of an error that go into events and so into logs."""
ATTEMPTS = 2
"""How often a summariser is asked for one text whose answers cannot be used."""
FILTERED = "content_filter"
"""The `finish_reason` of what was refused for its content."""
FAILED = "the summariser failed"
PAUSED = "it failed before and is left alone for {seconds:.0f} s more"


def drafted(
    prompt: Prompt,
    context: Context,
    request: SummaryRequest,
    *,
    purpose: events.Purpose,
    messages: int,
    spare: int = 0,
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
    draft, reason, filtered = yield from _asked(prompt, context, request, obstacle)
    if draft is None:
        if not context.stands_in:
            raise SummaryError(reason)
        yield from _tell(prompt, events.FellBack(reason=reason))
        longer = replace(request, cap=request.cap + spare)
        draft = yield from Extract(request=longer).perform()
        draft = replace(draft, finish_reason=FILTERED) if filtered else draft
    if not draft.text.strip():  # media, or nothing at all
        draft = replace(draft, text=ELIDED.format(count=messages), tokens=None)
    tokens = text_tokens(context, draft)
    accepted = events.Accepted(author=draft.author, tokens=round(tokens), cap=request.cap)
    yield from _tell(prompt, accepted)
    return draft, tokens


def _asked(
    prompt: Prompt, context: Context, request: SummaryRequest, obstacle: str | None
) -> Flow[tuple[Draft | None, str, bool]]:
    """Return a draft that passed, or None, why there is none, and whether that is its content."""
    if obstacle is None:
        now = yield from Now().perform()
        if wait := context.breaker.wait(request.model, now):
            obstacle = PAUSED.format(seconds=wait)
    if obstacle is not None:
        yield from _rejected(prompt, request.model, obstacle)
        return None, obstacle, False
    error: SummaryError | None = None
    reason = FAILED
    for _ in range(ATTEMPTS):
        try:
            draft = yield from Summarize(request=request).perform()
        except SummaryError as failure:
            error, reason = failure, str(failure)[:LONGEST_REASON] or FAILED
            yield from _rejected(prompt, request.model, reason)
            break
        fault = _judge(context, draft, request)
        if fault is None:
            context.breaker.worked(request.model)
            return draft, "", False
        reason = fault
        yield from _rejected(prompt, draft.author, reason)
        if draft.finish_reason == FILTERED:
            return None, reason, True
        request = replace(request, correction=reason)
    filtered = error is not None and error.filtered
    if not filtered:
        yield from _failed(prompt, context, request.model, final=error is not None and error.final)
    return None, reason, filtered


def _rejected(prompt: Prompt, author: str, reason: str) -> Flow[None]:
    yield from _tell(prompt, events.Rejected(author=author, reason=reason))


def _failed(prompt: Prompt, context: Context, model: str, *, final: bool) -> Flow[None]:
    now = yield from Now().perform()
    if pause := context.breaker.failed(model, now, final=final):
        yield from _tell(prompt, events.SummarizerPaused(model=model, seconds=pause))


def _judge(context: Context, draft: Draft, request: SummaryRequest) -> str | None:
    if draft.author == OFFLINE:  # nothing but sentences of the conversation
        return None
    return refusal(
        draft,
        cap=request.cap,
        source_tokens=request.source_tokens,
        tokens=text_tokens(context, draft),
    )


def text_tokens(context: Context, draft: Draft) -> float:
    """Return what a text costs: as reported, unless that cannot be true."""
    counted = context.meter.text(draft.text.strip())
    if draft.tokens is None or context.meter.counter.exact:
        return counted
    return believed(draft.tokens, counted)


def _tell(prompt: Prompt, event: events.Event) -> Flow[None]:
    yield from Emit(event=replace(event, namespace=prompt.namespace)).perform()
