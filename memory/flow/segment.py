"""Having one segment written: by the summariser, else by the offline one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memory import events, models
from memory.errors import SummaryError
from memory.flow.effects import Emit, Extract, Flow, Summarize
from memory.flow.state import Context, Prompt, State
from memory.messages import WireMessage
from memory.meter import believed
from memory.policy import Plan
from memory.records import Segment
from memory.summary import Draft, SummaryRequest, form_for, refusal

__all__ = ("write_segment",)

LONGEST_REASON = 200
"""Characters of an error that go into events and so into logs."""
TASK = 640
"""Tokens of a request for a summary beside what it quotes: the instruction, and what counts may
be wrong by."""
NO_STORE = "the store failed, so the summary could not be kept"
TOO_MUCH = "the window of the summariser is too small for what has to go"
ELIDED = "({count} messages without text that could be quoted; they are in the log.)"


def write_segment(
    prompt: Prompt, context: Context, state: State, todo: Plan, dropped: Sequence[int]
) -> Flow[Segment]:
    """Return the new segment.

    Raises:
        SummaryError: There is none, and the offline summariser does not stand in.
    """
    request = _request(prompt, context, state, todo, dropped)
    fits = request.source_tokens + request.cap <= readable(prompt, context, state)
    draft, tokens = yield from _draft(
        prompt, context, request, messages=len(dropped), obstacle=_obstacle(prompt, fits=fits)
    )
    base = state.view.record
    folded = base.segments if base and todo.fold else ()
    place = 1 + _offset(state)
    return Segment(
        text=draft.text.strip(),
        first=min([*(s.first for s in folded), *(i + place for i in dropped)]),
        last=max([*(s.last for s in folded), *(i + place for i in dropped)]),
        tokens=round(tokens),
        author=draft.author,
        level=1 + max((s.level for s in folded), default=-1),
    )


def readable(prompt: Prompt, context: Context, state: State) -> int:
    """Return the tokens that the summariser can read of a slice and write about it."""
    model = context.summarizer_model or prompt.model
    window = context.windows.of(model) or models.window(model)
    return window - state.fixed - state.notes - TASK


def _obstacle(prompt: Prompt, *, fits: bool) -> str | None:
    """Return why a summary is not to be asked for, or None."""
    if prompt.blind:  # the next call would pay again
        return NO_STORE
    return None if fits else TOO_MUCH


def _offset(state: State) -> int:
    """Return how many messages lie before an input that begins with our own synthetic message."""
    record = state.view.record
    if record is None or not record.segments:
        return 0
    return max(0, max(s.last for s in record.segments) - record.covered)


def _request(
    prompt: Prompt, context: Context, state: State, todo: Plan, dropped: Sequence[int]
) -> SummaryRequest:
    view = state.view
    sizes = dict(zip(view.loose, state.sizes, strict=True))
    model = context.summarizer_model or prompt.model
    sent = state.messages[: state.prefix]
    rest: Sequence[WireMessage] = [view.thread.rest[i] for i in dropped]
    form = form_for(rest, same_model=model == prompt.model and prompt.shareable)
    if form == "shared":
        # As it was sent, what stays included: the server's cache holds exactly that prefix.
        end = view.loose.index(dropped[-1]) + 1 if dropped else 0
        rest = state.messages[len(sent) : len(sent) + end]
    return SummaryRequest(
        form=form,
        model=model,
        prefix=tuple(sent),
        slice=tuple(rest),
        previous=view.record.segments if view.record else (),
        fold=todo.fold,
        tools=prompt.tools,
        cap=todo.cap,
        source_tokens=sum(sizes[i] for i in dropped) + (state.notes if todo.fold else 0),
        cache_key=prompt.cache_key,
        deadline=context.deadline,
    )


def _draft(
    prompt: Prompt,
    context: Context,
    request: SummaryRequest,
    *,
    messages: int,
    obstacle: str | None,
) -> Flow[tuple[Draft, float]]:
    start = events.Summarizing(
        messages=messages,
        tokens=request.source_tokens,
        cap=request.cap,
        form=request.form,
    )
    yield from _tell(prompt, start)
    draft: Draft | None = None
    reason: str | None = None
    try:
        draft = yield from _asked(request, obstacle)
        reason = _judge(draft, request, context)
    except SummaryError as error:
        reason = str(error)[:LONGEST_REASON] or "the summariser failed"
    if draft is None or reason is not None:
        author = draft.author if draft else request.model
        reason = reason or "the summariser failed"
        yield from _tell(prompt, events.Rejected(author=author, reason=reason))
        if not context.stands_in:
            raise SummaryError(reason)
        yield from _tell(prompt, events.FellBack(reason=reason))
        draft = yield from Extract(request=request).perform()
    if not draft.text.strip():  # media, or nothing at all
        draft = replace(draft, text=ELIDED.format(count=messages), tokens=None)
    tokens = _tokens(draft, context)
    accepted = events.Accepted(author=draft.author, tokens=round(tokens), cap=request.cap)
    yield from _tell(prompt, accepted)
    return draft, tokens


def _asked(request: SummaryRequest, obstacle: str | None) -> Flow[Draft]:
    if obstacle is not None:
        raise SummaryError(obstacle)
    return (yield from Summarize(request=request).perform())


def _tell(prompt: Prompt, event: events.Event) -> Flow[None]:
    yield from Emit(event=replace(event, namespace=prompt.namespace)).perform()


def _judge(draft: Draft, request: SummaryRequest, context: Context) -> str | None:
    return refusal(
        draft,
        cap=request.cap,
        source_tokens=request.source_tokens,
        tokens=_tokens(draft, context),
    )


def _tokens(draft: Draft, context: Context) -> float:
    """Return what the text costs: as reported, unless that cannot be true."""
    counted = context.meter.text(draft.text.strip())
    if draft.tokens is None or context.meter.counter.exact:
        return counted
    return believed(draft.tokens, counted)
