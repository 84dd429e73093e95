"""Recall: originals that a view leaves out are shown again with the message that asks for them.

What comes back stands in one message immediately before the last user message. It is never stored
and never hashed, and it stays the same as long as the user's last message and the latest compaction
do: while tools are called in between, a prompt begins with the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memory import events
from memory.errors import InvariantError
from memory.flow.effects import Emit, Flow, Prepare
from memory.flow.log import failed
from memory.flow.originals import Originals
from memory.flow.state import Context, Fitted, Prompt, State
from memory.flow.store_effects import Index
from memory.identity import see
from memory.messages import WireMessage, last_user
from memory.recall import Question, Ranking, fuse
from memory.recall.choice import Choice, relevance
from memory.recall.dating import dated
from memory.recall.questions import asks, question_of
from memory.recall.rendering import OPENING, is_snippet, snippet
from memory.view import View

__all__ = (
    "Recollection",
    "is_searched",
    "prepared",
    "recalled",
    "recollect",
    "recollected",
    "searched",
    "with_carried",
    "without_snippets",
)

WHOLE = 0.75
"""The relevance from which all of the room is used; with less it is as much less."""
STEPS = 32
"""How many sizes the room for what is recalled can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What recall adds to a prompt, and why.

    Attributes:
        choices: The passages, best first; empty where nothing is relevant enough, or has room.
        relevance: How relevant the best of what was found is; see
            `memory.recall.choice.relevance`.
        floor: How relevant it has to be.
        room: Tokens that there were for all of it.
        tokens: Tokens that it costs, its frame included; 0 where nothing is added.
        text: The passages as lines; empty for none.
        place: Before which message it is shown, counted from 0 without the head.
        failed: Whether nobody could search.
    """

    choices: tuple[Choice, ...] = ()
    relevance: float = 0.0
    floor: float = 0.0
    room: int = 0
    tokens: int = 0
    text: str = ""
    place: int = 0
    failed: bool = False

    @property
    def places(self) -> tuple[int, ...]:
        """Which messages are shown, counted from 0 without the head, in order."""
        return tuple(sorted(choice.place for choice in self.choices))


def recalled(prompt: Prompt, context: Context, state: State, fitted: Fitted) -> Flow[Fitted]:
    """Return what to send with what is recalled; without it where nothing is, or anything fails.

    Args:
        prompt: The request.
        context: How it is judged.
        state: The view that is to be sent.
        fitted: The same as an outcome.
    """
    recall = context.recall
    if recall is None or recall.mode != "auto" or state.view.record is None:
        return fitted
    found = yield from recollected(prompt, context, state)
    if found is None:
        return fitted
    added, found = _inserted(prompt, context, fitted, found)
    yield from Emit(event=_told(prompt, found)).perform()
    return added


def recollected(prompt: Prompt, context: Context, state: State) -> Flow[Recollection | None]:
    """Return what `recollect` does; None where that fails, which an event tells."""
    try:
        return (yield from recollect(prompt, context, state))
    except InvariantError:
        raise
    except Exception as error:  # noqa: BLE001  # no turn fails because of memory
        yield from failed(prompt, error).perform()
    return None


def recollect(prompt: Prompt, context: Context, state: State) -> Flow[Recollection | None]:
    """Return what recall adds to a view; None where nothing asks for anything.

    Args:
        prompt: The request.
        context: How it is judged.
        state: The view.
    """
    recall, thread = context.recall, state.view.thread
    asked = question_of(thread.rest, adopted=state.view.base.adopted)
    if recall is None or asked is None:
        return None
    place, question = asked
    search = Originals(prompt, context, state.view, max(place, state.view.base.covered), place)
    room = _room(state, recall.share * state.budget.limit)
    frame = context.meter.text(str(snippet([])["content"])) + 8
    nothing = Recollection(floor=recall.floor, room=max(0, int(room)), place=place)
    if room <= frame:
        return nothing
    record = state.view.base
    key = (prompt.log, thread.links[place + 1], record.mark, record.adoption, int(room))
    kept: Recollection | None = recall.kept.get(key)
    if kept is not None:  # the same turn: what was said since changes nothing
        return kept
    rankings, whole = yield from search.found(question)
    found = _chosen(search, question, rankings, nothing, room=room, frame=frame)
    return recall.kept.put(key, found) if whole else found


def _chosen(
    search: Originals,
    question: Question,
    rankings: Sequence[Ranking],
    nothing: Recollection,
    *,
    room: float,
    frame: float,
) -> Recollection:
    """Return what is shown of what was found."""
    told = relevance(rankings, hidden=search.hidden, asks=asks(question.text))
    ranking, speaks = _joint(search, question, rankings)
    told = max(told, nothing.floor) if speaks else told
    if told < nothing.floor:
        return replace(nothing, relevance=round(told, 4))
    choices = search.chosen(question, ranking, room * min(1.0, told / WHOLE) - frame)
    lines = search.lines(choices)
    cost = sum(search.context.meter.text(line) + 1 for line in lines) + frame
    return replace(
        nothing,
        relevance=round(told, 4),
        choices=tuple(choices),
        text="\n".join(lines),
        tokens=round(cost) if lines else 0,
    )


def _joint(
    search: Originals, question: Question, rankings: Sequence[Ranking]
) -> tuple[Ranking, bool]:
    """Return one ranking of all that was found, and whether a time was asked for; see `dated`."""
    ranking = rankings[0] if len(rankings) == 1 else fuse(rankings)
    return dated(ranking, question.text, search.dates, search.stop, search.prompt.said)


def _room(state: State, most: float) -> float:
    """Return the tokens that there are for what is recalled.

    They are reckoned at the last user message, so that they stay the same while tools are called;
    as those results leave less, a half is tried, and a quarter. They go in steps: a count that was
    estimated and is measured now changes by a few tokens, and what is shown should not.
    """
    left = state.budget.ceiling - state.counts.total
    at = last_user(state.messages)
    since = sum(state.counts[at + 1 :]) if at is not None else 0
    step = most / STEPS
    room = min(most, (left + since) // step * step)
    return next((part for part in (room, room / 2, room / 4) if part <= left), 0.0)


def _inserted(
    prompt: Prompt, context: Context, fitted: Fitted, found: Recollection
) -> tuple[Fitted, Recollection]:
    """Return what to send with the snippet message in its place, as far as there is room."""
    lines = found.text.split("\n") if found.text else []
    if not lines:
        return fitted, replace(found, choices=(), text="", tokens=0)
    added = _with(prompt, context, fitted, snippet(lines))
    if added is None:  # it was reckoned in lines, and is counted as a message
        return fitted, replace(found, choices=(), text="", tokens=0)
    return added, replace(found, tokens=added.recalled)


def _with(prompt: Prompt, context: Context, fitted: Fitted, message: WireMessage) -> Fitted | None:
    """Return what to send with a snippet message in its place; None where it has no room."""
    at, own = last_user(fitted.messages), see([message])
    if at is None or context.recall is None:
        return None
    sent = [*fitted.messages[:at], message, *fitted.messages[at:]]
    seen = [*fitted.seen[:at], *own, *fitted.seen[at:]]
    total = context.count(prompt, sent, seen=seen).total
    if total > context.limit(prompt):
        return None
    context.recall.shown.add(own[0].digest)
    return replace(
        fitted,
        messages=sent,
        seen=seen,
        changed=True,
        counted=True,
        tokens=total,
        snippet=at,
        recalled=total - fitted.tokens,
    )


def _told(prompt: Prompt, found: Recollection) -> events.Recalled:
    passages = tuple((each.place + 1, round(each.score, 4), each.tokens) for each in found.choices)
    return events.Recalled(
        namespace=prompt.namespace,
        passages=passages,
        relevance=found.relevance,
        floor=found.floor,
        tokens=found.tokens,
        room=found.room,
    )


def searched(
    prompt: Prompt, context: Context, view: View, query: str, *, room: float
) -> Flow[Recollection]:
    """Return what the model finds when it searches the originals that a view leaves out.

    Args:
        prompt: The request, after its conversation.
        context: How it is judged.
        view: What the model sees of it.
        query: What the model looks for.
        room: Tokens for what is found.
    """
    question = Question(text=query)
    search = Originals(prompt, context, view, len(view.thread.rest), None)
    rankings, whole = yield from search.found(question)
    ranking, _ = _joint(search, question, rankings)
    choices = search.chosen(question, ranking, room)
    lines = search.lines(choices)
    tokens = sum(context.meter.text(line) + 1 for line in lines)
    return Recollection(
        choices=tuple(choices),
        relevance=relevance(rankings, hidden=search.hidden),
        room=int(room),
        tokens=round(tokens),
        text="\n".join(lines),
        failed=not rankings and not whole,
    )


def is_searched(prompt: Prompt, context: Context, fitted: Fitted) -> bool:
    """Return whether a conversation is worth reading ahead, since it may be searched next."""
    recall = context.recall
    if recall is None or prompt.blind or not prompt.record:
        return False
    return fitted.record is not None or (recall.by_store and prompt.log is not None)


def prepared(prompt: Prompt, context: Context) -> Flow[None]:
    """Have what is new read by whoever will search it, so that no turn waits for that.

    Args:
        prompt: The request whose reply is there, after its conversation.
        context: How it is judged.
    """
    recall = context.recall
    try:
        if recall is not None and recall.by_store and prompt.log is not None:
            yield from Index(key=prompt.log).perform()
        view = View(prompt.thread())
        asked = question_of(view.thread.rest, adopted=0)
        # Up to the question, as it is asked: what follows it is read with the next one.
        originals = Originals(prompt, context, view, asked[0] if asked else len(view.thread.rest))
        _ = originals.dates  # is read ahead as well
        lexical = prompt.log is None or recall is None or not recall.by_store
        yield from Prepare(passages=originals.passages(), lexical=lexical).perform()
    except Exception as error:  # noqa: BLE001  # nobody waits for this
        yield from failed(prompt, error).perform()


def without_snippets(prompt: Prompt, context: Context) -> tuple[Prompt, WireMessage | None]:
    """Return a prompt without snippet messages of ours that the caller passed in again.

    Returns:
        The prompt, itself where there is none; and the one that stood immediately before the last
        user message, or None.
    """
    recall, messages = context.recall, prompt.messages
    if recall is None or not any(map(_may_be, messages)):
        return prompt, None
    ours = [_may_be(m) and is_snippet(m) and see([m])[0].digest in recall.shown for m in messages]
    if not any(ours):
        return prompt, None
    kept = [message for message, mine in zip(messages, ours, strict=True) if not mine]
    last = last_user(messages)
    carried = messages[last - 1] if last and ours[last - 1] else None
    return replace(prompt, messages=kept), carried


def with_carried(prompt: Prompt, context: Context, fitted: Fitted, message: WireMessage) -> Fitted:
    """Return what to send with a snippet message that the caller passed in again, if it has room.

    Fitting a view returns it: what was recalled for it is not looked for again.
    """
    return _with(prompt, context, fitted, message) or fitted


def _may_be(message: WireMessage) -> bool:
    """Return whether a message may be a snippet message, at the price of a look."""
    content = message.get("content")
    return isinstance(content, str) and content.startswith(OPENING)
