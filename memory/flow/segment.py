"""Writing the segment of one compaction: what its newly dropped messages came to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from memory import models
from memory.dates import span
from memory.flow.draft import FILTERED, OFFLINE, drafted
from memory.flow.effects import Flow
from memory.flow.state import Context, Prompt, State
from memory.messages import WireMessage
from memory.policy import Plan
from memory.records import Segment
from memory.summary import Draft, SummaryRequest, form_for, prompt_id

__all__ = ("made_of", "numbering", "obstacle", "originals", "readable", "write_segment")

TASK = 640
"""Tokens of a request for a summary beside what it quotes: the instruction, and what counts may
be wrong by."""
SLACK = 0.05
"""What counts may be wrong by as a share of the window, where they are estimates."""
NO_STORE = "the store failed, so the summary could not be kept"
TOO_MUCH = "the window of the summariser is too small for what has to go"
SWITCHED_OFF = "tool results are cleared in place of summaries"


def write_segment(
    prompt: Prompt, context: Context, state: State, todo: Plan, dropped: Sequence[int]
) -> Flow[Segment]:
    """Return the segment for what a plan drops.

    Raises:
        SummaryError: There is none, and the offline summariser does not stand in.
    """
    numbers = [i + 1 + numbering(state) for i in dropped]
    whole = tuple(originals(prompt, state, dropped, numbers).values())
    request = _request(prompt, context, state, todo, dropped)
    fits = request.source_tokens + request.cap <= readable(prompt, context, state)
    draft, tokens = yield from drafted(
        prompt,
        context,
        request,
        purpose="new",
        messages=len(dropped),
        spare=todo.spare,
        offline=replace(request, slice=whole, numbers=()),
        obstacle=obstacle(prompt, context, fits=fits),
    )
    return made_of(draft, tokens, context, numbers=numbers, dates=span(whole))


def made_of(
    draft: Draft,
    tokens: float,
    context: Context,
    *,
    numbers: Sequence[int],
    dates: tuple[str, str],
    level: int = 0,
    depth: int = 1,
) -> Segment:
    """Return the segment that a draft makes of the messages with these numbers."""
    following = pairwise(numbers)
    return Segment(
        text=draft.text.strip(),
        first=numbers[0],
        last=numbers[-1],
        gaps=tuple((one + 1, other - 1) for one, other in following if other > one + 1),
        tokens=round(tokens),
        author=draft.author,
        level=level,
        depth=depth,
        refused=draft.finish_reason == FILTERED,
        prompt="" if draft.author == OFFLINE else prompt_id(context.task),
        dates=dates,
    )


def readable(prompt: Prompt, context: Context, state: State) -> int:
    """Return the tokens that the summariser can read of a slice and write about it."""
    model = context.summarizer_model or prompt.model
    window = context.windows.of(model) or models.window(model)
    if not context.meter.counter.exact:
        window -= int(window * SLACK)
    return window - state.fixed - state.notes.total - TASK


def obstacle(prompt: Prompt, context: Context, *, fits: bool) -> str | None:
    """Return why a summary is not to be asked for, or None."""
    if prompt.blind:  # the next call would pay again
        return NO_STORE
    if context.policy.clear_tool_results == "only":
        return SWITCHED_OFF
    return None if fits else TOO_MUCH


def numbering(state: State) -> int:
    """Return how many messages lie before an input that begins with our own synthetic message."""
    record = state.view.record
    if record is None or not record.segments:
        return 0
    return max(0, max(s.last for s in record.segments) - record.covered)


def originals(
    prompt: Prompt, state: State, dropped: Collection[int], numbers: Sequence[int]
) -> dict[int, WireMessage]:
    """Return the messages that a segment covers by number, redacted; none if not at hand.

    They are not where the input begins with our own synthetic message in their place.

    Args:
        prompt: Whose conversation it is.
        state: The view before.
        dropped: What leaves it in this compaction, by index.
        numbers: The numbers of the messages, in order.
    """
    before = numbering(state)
    if numbers[0] - 1 - before < (1 if before else 0):
        return {}
    record, rest = state.view.record, state.view.thread.rest
    kept = set(record.kept if record else ()) - set(dropped)
    indexes = [number - 1 - before for number in numbers]
    return {i + 1 + before: prompt.clean(rest[i], i) for i in indexes if i not in kept}


def _request(
    prompt: Prompt, context: Context, state: State, todo: Plan, dropped: Sequence[int]
) -> SummaryRequest:
    view = state.view
    sizes = dict(zip(view.loose, state.sizes, strict=True))
    model = context.summarizer_model or prompt.model
    rest = tuple(prompt.clean(view.thread.rest[i], i) for i in dropped)
    shareable = prompt.shareable and prompt.redact is None
    form = form_for(rest, same_model=shareable and model == prompt.model)
    before = numbering(state)
    sent: Sequence[WireMessage] = ()
    if form == "shared":
        # As it was sent, what stays included: the server's cache holds exactly that prefix.
        end = view.loose.index(dropped[-1]) + 1
        sent = state.messages[: state.prefix]
        rest = tuple(state.messages[state.prefix : state.prefix + end])
    return SummaryRequest(
        form=form,
        model=model,
        prefix=tuple(sent),
        slice=rest,
        numbers=tuple(i + 1 + before for i in dropped) if form == "rendered" else (),
        tools=prompt.tools if form == "shared" else (),
        cap=todo.cap,
        source_tokens=sum(sizes[i] for i in dropped),
        task=context.task,
        cache_key=prompt.cache_key,
        deadline=context.deadline,
    )
