"""What the notes quote beside the summaries: standing instructions and identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from memory import events, ledger
from memory.fences import quoted
from memory.flow.effects import Emit, Flow
from memory.flow.segment import numbering
from memory.flow.state import Context, Prompt, State
from memory.messages import WireMessage, text_of
from memory.records import Identifier, Segment, Standing
from memory.standing import standing

__all__ = (
    "capped",
    "identifiers",
    "pinned",
    "pins_of",
    "shown_beside",
    "standing_instructions",
)

_RANKS = {"pinned": 0, "system": 1, "user": 2}
"""Whose wishes give way last."""


def standing_instructions(
    prompt: Prompt, context: Context, state: State, dropped: Sequence[int], *, room: float
) -> Flow[tuple[Standing, ...]]:
    """Return what holds when `dropped` have left the view, oldest first, as far as there is room.

    Args:
        prompt: Whose conversation it is.
        context: How it is counted.
        state: The view before.
        dropped: The messages that leave it.
        room: Tokens there are.
    """
    record, rest = state.view.record, state.view.thread.rest
    gone = set(dropped)
    later = [prompt.clean(rest[i], i) for i in state.view.loose if i not in gone]
    left = [prompt.clean(rest[i], i) for i in dropped]
    base = record.standing if record else ()
    if prompt.quoted is not None:  # what a user asked for too stays when it is not pinned any more
        base = tuple(_unpinned(base))
    said = pinned(prompt, standing(left, later, base))
    chosen = capped(context, said, room)
    if lost := len(said) - len(chosen):
        event = events.StandingCapped(namespace=prompt.namespace, dropped=lost)
        yield from Emit(event=event).perform()
    return chosen


def pinned(prompt: Prompt, said: Sequence[Standing]) -> tuple[Standing, ...]:
    """Return what holds with the sentences that the caller pinned now in place of earlier ones."""
    if prompt.quoted is None:
        return tuple(said)
    return (*_unpinned(said), *(Standing(text, "pinned") for text in prompt.quoted))


def pins_of(quoted: Sequence[str]) -> bytes | None:
    """Return a digest of the sentences that are pinned; None for none."""
    if not quoted:
        return None
    return blake2b(repr(sorted(quoted)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _unpinned(said: Sequence[Standing]) -> list[Standing]:
    return [each for each in said if each.source != "pinned"]


def capped(context: Context, said: Sequence[Standing], room: float) -> tuple[Standing, ...]:
    """Return what there is room for: users' sentences give way first, of each kind the oldest."""
    order = sorted(range(len(said)), key=lambda i: (_RANKS.get(said[i].source, len(_RANKS)), -i))
    chosen, texts = set[int](), set[str]()
    for index in order:
        text = said[index].text
        cost = 0 if text in texts else context.meter.text(quoted(text)) + 1
        if cost <= room:
            room -= cost
            chosen.add(index)
            texts.add(text)
    return tuple(each for index, each in enumerate(said) if index in chosen)


def identifiers(
    prompt: Prompt,
    context: Context,
    state: State,
    gone: Sequence[int],
    *,
    shown: Sequence[str],
    room: float,
) -> tuple[Identifier, ...]:
    """Return what can be referred to again in messages that are not shown, as far as it fits.

    Args:
        prompt: Whose conversation it is.
        context: How it is counted.
        state: The view before.
        gone: The messages that will not be shown, by index.
        shown: What will be shown beside the list: it need not be repeated there.
        room: Tokens there are.
    """
    if not context.policy.identifiers or room <= 0:
        return ()
    record, rest = state.view.record, state.view.thread.rest
    known = record.identifiers if record and numbering(state) else ()
    messages: list[WireMessage] = [prompt.clean(rest[i], i) for i in gone]
    ranked = ledger.identifiers(messages, known=known)
    return ledger.fitting(ranked, room=room, count=context.meter.text, shown="\n".join(shown))


def shown_beside(
    state: State,
    gone: Sequence[int],
    segments: Sequence[Segment],
    said: Sequence[Standing],
) -> list[str]:
    """Return the texts that will stand in the view beside the list of identifiers."""
    missing, rest = set(gone), state.view.thread.rest
    verbatim = [text_of(rest[i]) for i in state.view.loose if i not in missing]
    return [*verbatim, *(s.text for s in segments), *(each.text for each in said)]
