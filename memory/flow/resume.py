"""From what is on record to the view that an input has: the part that costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from memory import events
from memory.errors import ConflictError
from memory.flow.compose import requoted
from memory.flow.effects import Emit, Flow
from memory.flow.log import append, compacted, gone, key_of
from memory.flow.past import Past
from memory.flow.state import Context, Prompt, State
from memory.flow.store_effects import Find, Known, Load
from memory.identity import difference, digest
from memory.records import Compaction, Logged
from memory.view import Thread, View, adopted, covering, own, revealing

__all__ = ("best", "diverged", "earliest", "find", "resume")

FAR = 4
"""How many times the trigger what a view shows verbatim may be before no shallower one is looked
at: two estimates of one message differ by no more."""


def earliest(prompt: Prompt) -> Flow[int | None]:
    """Return the smallest number of messages that a record for this input was made for, or None."""
    if prompt.blind:
        return None
    if prompt.log is None:
        return (yield from Known(namespace=prompt.space, user=prompt.user).perform())
    past = Past.of((yield from Load(key=prompt.log).perform()))
    least = min((record.adopted for record in past.compactions), default=None)
    return 0 if past.quoted else least


def find(prompt: Prompt, context: Context, thread: Thread) -> Flow[tuple[Thread, list[Compaction]]]:
    """Return the records that could speak for an input, oldest first.

    An input that begins with our own synthetic message gets a record of its own, and a thread
    whose head ends before that message. It is known by its digest being on record, never by its
    text: a look-alike is user text.
    """
    if prompt.blind:
        return thread, []
    first = [seen.digest for seen in thread.seen[: thread.start + 1]]
    found: Sequence[Compaction]
    if prompt.log is None:
        hashes = frozenset(thread.links).union(first)
        wanted = Find(namespace=prompt.space, user=prompt.user, hashes=hashes)
        found = yield from wanted.perform()
    else:
        found = Past.of((yield from Load(key=prompt.log).perform())).compactions
    found = (*found, *context.unsaved.of(key_of(prompt, thread)))
    for record in found:
        if record.mark in first:
            place = first.index(record.mark)
            if place < thread.start:  # sent in the role of a system message
                thread = thread.starting_at(place)
            return thread, [*found, own(record, thread.links[1])]
    return thread, list(found)


def resume(prompt: Prompt, context: Context, thread: Thread) -> Flow[State]:
    """Return the view that the records give for this input, as good as it gets without paying."""
    thread, records = yield from find(prompt, context, thread)
    state = best(prompt, context, thread, records)
    record = state.view.record
    yield from _saved(prompt, context, thread, record)
    latest = adopted(records, thread.links)
    passing = bool(prompt.pinned - prompt.lasting)
    if record is not None and record != latest and state.fits and not passing:
        # From now on this input has a record of its own, so that its next view only grows.
        made = replace(record, adopted=thread.settled, adoption=thread.links[thread.settled])
        with suppress(ConflictError):  # whoever is busy there does not need it either
            yield from append(prompt, thread, made)
            if prompt.record:  # what is recalled for it depends on when it was adopted
                state = replace(state, view=View(thread, made))
        if prompt.record:
            yield from compacted(prompt, made, paid=False).perform()
    return state


def _saved(
    prompt: Prompt, context: Context, thread: Thread, record: Compaction | None
) -> Flow[None]:
    """Put a record in use on record that the store did not take when it was made."""
    key = key_of(prompt, thread)
    if record is None or not prompt.record or record not in context.unsaved.of(key):
        return
    with suppress(Exception):  # told when it happened first; it holds here meanwhile
        yield from append(prompt, thread, record, originals=gone(record))
        context.unsaved.saved(key, record)


def best(prompt: Prompt, context: Context, thread: Thread, records: Sequence[Compaction]) -> State:
    """Return the adopted view if it fits, else the shallowest covering one that does.

    Where none fits, the deepest one is the cheapest to go on from.
    """
    records = [revealing(record, thread) for record in records]
    return requoted(prompt, context, _best(prompt, context, thread, records))


def _best(prompt: Prompt, context: Context, thread: Thread, records: Sequence[Compaction]) -> State:
    state = State.of(prompt, context, View(thread, adopted(records, thread.links)))
    if state.fits:
        return state
    found = covering(records, thread)
    fitting: State | None = None
    for record in reversed(found):  # each has the tail of the one before, and more
        other = State.of(prompt, context, View(thread, record))
        if other.fits:
            fitting = other
        elif sum(other.sizes[len(record.kept) :]) > FAR * other.budget.trigger:
            break  # what a record keeps besides is its own, and no other need have it
    if fitting is not None:
        return fitting
    deepest = max(found, key=lambda record: record.covered, default=None)
    least = state.view.record.covered if state.view.record else 0
    if deepest is None or deepest.covered <= least:
        return state
    return State.of(prompt, context, View(thread, deepest))


def diverged(prompt: Prompt, state: State) -> Flow[None]:
    """Tell where an input without any record differs from one that was summarised before.

    Most of it must be the same: many conversations begin with the same greeting.
    """
    thread = state.view.thread
    if state.view.record is not None or prompt.blind:
        return
    log = yield from Load(key=key_of(prompt, thread)).perform()
    held = len(thread.rest)
    logged = [r for r in log.records if isinstance(r, Logged) and r.index < held]
    other = [r for r in logged if digest(r.message) != thread.mark(r.index)]
    if not other or 2 * len(other) > len(logged):
        return
    first = min(other, key=lambda record: record.index)
    event = events.PrefixDiverged(
        namespace=prompt.namespace,
        index=first.index,
        key=difference(thread.rest[first.index], first.message) or "content",
    )
    yield from Emit(event=event).perform()
