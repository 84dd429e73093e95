"""`fit` and `outlook`: the two flows that users know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory import events
from memory.counts import Counts
from memory.errors import BudgetError, InvariantError
from memory.flow.clearing import intended
from memory.flow.compact import alone, compact, in_time
from memory.flow.effects import Emit, Flow
from memory.flow.guard import guarded
from memory.flow.log import append, failed
from memory.flow.recall import (
    Recollection,
    recalled,
    recollected,
    with_carried,
    without_snippets,
)
from memory.flow.resume import best, diverged, earliest, find, resume
from memory.flow.state import Context, Fitted, Prompt, State
from memory.identity import Seen, see
from memory.messages import WireMessage
from memory.oversize import culprits, shortenings
from memory.policy import Plan
from memory.records import Compaction, Shortened
from memory.view import View

SHORTENINGS = 4
"""How often protected tool results are cut again, where what stays is denser than the average."""
PASSES = 8
"""A view may turn out larger than projected where tokens are estimated, and a summariser may not
hold all that has to go: then once more, as long as that makes it smaller."""

__all__ = ("Outlook", "fit", "fit_or_pass", "fitted_by", "outlook")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What `fit` would do with a prompt, found out for free.

    Attributes:
        plan: The decision.
        counts: The tokens of the view as it stands, message by message.
        record: The record it follows now, or None.
        dropped: The messages that would be summarised in addition, by index into the prompt.
        recalled: What would be shown again of the originals that the view leaves out, and why;
            None where nothing is looked for.
    """

    plan: Plan
    counts: Counts
    record: Compaction | None
    dropped: tuple[int, ...]
    recalled: Recollection | None = None


def fit(prompt: Prompt, context: Context) -> Flow[Fitted]:
    """Return what to send for a prompt: itself, or a view of it within the budget.

    Raises:
        BudgetError: What may not be dropped exceeds the limit, under `oversize="raise"`.
        InvariantError: A promise is broken, under `check="raise"`.
    """
    prompt, carried = without_snippets(prompt, context)
    return (yield from guarded(prompt, context, _fit(prompt, context, carried)))


def _fit(prompt: Prompt, context: Context, carried: WireMessage | None) -> Flow[Fitted]:
    seen = see(prompt.messages)
    shortest = yield from earliest(prompt)
    if shortest is None or shortest > len(prompt.messages):  # no record can speak for it
        bound = _bound(prompt, context, seen)
        if carried is None and bound <= _least_trigger(prompt, context):
            return Fitted(messages=prompt.messages, seen=seen, tokens=bound)
        state = State.of(prompt, context, View(prompt.thread(seen=seen, linked=False)))
        if state.fits:
            yield from Emit(event=_counted(prompt, state)).perform()
            fitted = fitted_by(prompt, state)
            return with_carried(prompt, context, fitted, carried) if carried else fitted
    state = yield from resume(prompt, context, prompt.thread(seen=seen))
    yield from Emit(event=_counted(prompt, state)).perform()
    if not state.fits and state.plan(context.policy).action == "compact":
        yield from diverged(prompt, state)
        state = yield from alone(prompt, context, state, lambda now: _lower(prompt, context, now))
    elif not state.fits:
        state = yield from _lower(prompt, context, state)
    fitted = fitted_by(prompt, state)
    if carried is not None:
        return with_carried(prompt, context, fitted, carried)
    return (yield from recalled(prompt, context, state, fitted))


def _lower(prompt: Prompt, context: Context, state: State) -> Flow[State]:
    """Return a view under the limit, by compactions and whatever the policy allows beside them."""
    context = yield from in_time(context)
    stuck, held = 0, False
    for _ in range(PASSES):
        todo = state.plan(context.policy)
        if todo.missing:
            state = yield from _oversize(prompt, context, state, todo)
            todo = state.plan(context.policy)
        before = state.counts.total
        if todo.action == "compact":
            state = yield from compact(prompt, context, state, todo)
        done = state.counts.total <= state.budget.limit
        stuck += state.counts.total >= before
        held = todo.missing > 0
        if held or done or todo.action == "send" or stuck > 1:
            break
    done = state.counts.total <= state.budget.limit or held
    if not done and context.policy.oversize != "send":
        raise _too_large(state, state.counts.total)  # notes that cost more than could be foreseen
    return state


def fit_or_pass(prompt: Prompt, context: Context) -> Flow[Fitted]:
    """Return what to send for a prompt, and the prompt itself if memory fails.

    The user's turn does not fail because of memory. Without its store it does what it can: the
    offline summariser keeps the prompt within the budget, and nothing is put on record.

    Raises:
        BudgetError: What may not be dropped exceeds the limit, under `oversize="raise"`: the
            caller asked for that.
        InvariantError: A promise is broken, under `check="raise"`: so is this.
    """
    try:
        return (yield from fit(prompt, context))
    except InvariantError:
        raise
    except BudgetError:
        if not context.windows.is_guess(prompt.model):
            raise
        context.windows.refute(prompt.model)  # let the server say it, with the number
        return (yield from fit_or_pass(prompt, context))
    except Exception as error:  # noqa: BLE001  # whatever it is, the request goes out
        told = failed(prompt, error)
    yield from told.perform()
    try:
        return (yield from fit(_blind(prompt), context))
    except (BudgetError, InvariantError):
        raise
    except Exception:  # noqa: BLE001  # as above; it was told already
        return Fitted(messages=prompt.messages)


def _blind(prompt: Prompt) -> Prompt:
    """Return a prompt of which nothing is stored or sent to a summariser."""
    return replace(prompt, record=False, blind=True, redact=None)


def outlook(prompt: Prompt, context: Context) -> Flow[Outlook]:
    """Return what `fit` would do with a prompt; nothing is spent and nothing written."""
    thread, records = yield from find(prompt, context, prompt.thread())
    state = best(prompt, context, thread, records)
    todo = state.plan(context.policy)
    if todo.action == "compact":
        todo, _ = intended(prompt, context, state, todo)
    dropped = tuple(thread.start + index for index in state.dropped(todo))
    record = state.view.record
    found = None
    if record is not None and context.recall is not None and context.recall.mode == "auto":
        found = yield from recollected(prompt, context, state)
    return Outlook(plan=todo, counts=state.counts, record=record, dropped=dropped, recalled=found)


def _bound(prompt: Prompt, context: Context, seen: Sequence[Seen]) -> int:
    """Return an upper bound of the tokens of a prompt, from its bytes alone."""
    return context.meter.bound(prompt.messages, tools=prompt.tools, seen=seen)


def _least_trigger(prompt: Prompt, context: Context) -> int:
    """Return the trigger of a prompt of which nothing is known."""
    limit = context.limit(prompt)
    return context.policy.thresholds(limit=limit, measured=0.0, exact=False).trigger


def fitted_by(prompt: Prompt, state: State) -> Fitted:
    """Return the outcome that a view is."""
    given, record = prompt.messages, state.view.record
    same = record is None or (
        len(state.messages) == len(given) and list(state.messages) == list(given)
    )
    return Fitted(
        messages=given if same else state.messages,
        seen=state.seen,
        changed=not same,
        counted=True,
        record=record,
        tokens=state.counts.total,
    )


def _oversize(prompt: Prompt, context: Context, state: State, todo: Plan) -> Flow[State]:
    """What may not be dropped exceeds the limit: do what the policy says.

    Raises:
        BudgetError: The policy is to raise, or shortening tool results is not enough.
    """
    policy = context.policy.oversize
    least = todo.limit + todo.missing
    event = events.Overflowed(
        namespace=prompt.namespace, tokens=least, limit=todo.limit, policy=policy
    )
    yield from Emit(event=event).perform()
    if policy == "send":
        return state
    if policy == "shorten-tool-results":
        shorter = _shortened(prompt, context, state)
        if shorter is not None and shorter.view.record is not None:
            record = shorter.view.record
            originals = [item.index for item in record.shortened]
            yield from append(prompt, state.view.thread, record, originals=originals)
            return shorter
    raise _too_large(state, least)


def _too_large(state: State, least: int) -> BudgetError:
    """Return the error for a prompt that cannot have fewer than `least` tokens."""
    found = culprits(state.view, state.counts)
    found["room for notes"] = least - sum(found.values()) - state.counts.reply
    return BudgetError(tokens=least, limit=state.budget.limit, culprits=found)


def _shortened(prompt: Prompt, context: Context, state: State) -> State | None:
    """Return a view with protected tool results shortened until it fits, or None.

    Texts are cut by their average density; where what stays is denser, it is cut again.
    """
    for _ in range(SHORTENINGS):
        missing = state.plan(context.policy).missing
        if not missing:
            return state
        short = shortenings(state.view, state.sizes, missing)
        if not short:
            return None
        record = _with_shortened(state.view, short)
        state = State.of(prompt, context, View(state.view.thread, record))
    return None if state.plan(context.policy).missing else state


def _with_shortened(view: View, short: Sequence[Shortened]) -> Compaction:
    thread = view.thread
    base, link = view.base, thread.links[thread.settled]
    again = {item.index for item in short}
    kept = tuple(item for item in base.shortened if item.index not in again)
    return replace(base, adopted=thread.settled, adoption=link, shortened=(*kept, *short))


def _counted(prompt: Prompt, state: State) -> events.Counted:
    return events.Counted(
        namespace=prompt.namespace,
        tokens=state.counts.total,
        messages=len(state.messages),
        trigger=state.budget.trigger,
        limit=state.budget.limit,
        measured=state.counts.measured,
    )
