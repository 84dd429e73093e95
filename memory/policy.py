"""When to compact and what to drop: pure and total.

`plan` takes sizes, never text. It answers for every input, also for one that the API would
refuse, and it never asks for a summary that cannot help: one that would stand for less than it
costs, or for parts that may not be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from memory import models
from memory.budget import Budget
from memory.errors import ConfigError

__all__ = (
    "NO_NOTES",
    "Budget",
    "Clearing",
    "Notes",
    "Oversize",
    "Plan",
    "Policy",
    "Sized",
    "plan",
    "plan_cut",
)

Oversize = Literal["raise", "send", "shorten-tool-results"]
"""What to do when the messages that may not be dropped are larger than the limit."""

Clearing = Literal["before-summary", "off", "only"]
"""Whether old tool results are taken out before anything is summarised, never, or instead."""

NOTES_FRAME = 104
"""Tokens of the synthetic message around its segments: 80 exactly, 96 by the estimator."""
FLOOR_OF_TARGET = 0.56
"""The default floor as a share of the target."""
SEGMENT_FRAME = 24
"""Tokens around each segment, with its dates: 18 exactly."""
SEGMENTS = 7
"""How many segments the notes have room for before any have to merge."""
FEWEST_SEGMENTS = 3
"""How many have room where there is little of it; with one alone every merge would be of all."""
USUAL_SEGMENT = 200
"""Tokens that a segment may have however small the limit is, if there is room for a few."""
SMALLEST_SEGMENT = 48
"""Tokens below which a summary says nothing."""
LEAST_NOTES = NOTES_FRAME + SEGMENT_FRAME + SMALLEST_SEGMENT
"""Tokens of the least that can be said of what was dropped."""
LEAST_IDENTIFIERS = 600
"""Tokens that identifiers may have where the limit is small."""
MOST_IDENTIFIERS = 0.2
"""The share of the limit that those tokens may be."""
SHORTEST_TAIL = 0.06
"""Share of the limit that stays verbatim where the target is out of reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much to send and what to give up first; shares are of the limit.

    Attributes:
        budget: Prompt tokens as the server counts them, tools included; None takes the window
            of the request's model.
        trigger: Above what a compaction is due; at most the limit less its margin.
        target: Where a compaction brings the view.
        floor: Where a compaction does not go below, if it can help it.
        notes: How much the segments may have together.
        standing: How much quoted instructions may have together.
        identifiers: How much the list of identifiers may have; at least 600 tokens, 0 for none.
        clear_tool_results: What to do with old tool results.
        oversize: What to do when what may not be dropped is larger than the limit.
        reply_reserve: Tokens of the window kept free for the reply when the request does not
            set `max_completion_tokens`.
        margin_measured: Distance of the trigger from the limit for tokens the server reported.
        margin_exact: The same for tokens counted with the exact vocabulary.
        margin_estimated: The same for tokens that were estimated.
        margin_tools: The same for tool declarations never measured, as a share of themselves.
        reserved: How much is kept free at all times for what is recalled.
    """

    budget: int | None = None
    trigger: float = 1.0
    target: float = 0.45
    floor: float = 0.25
    notes: float = 0.35
    standing: float = 0.1
    identifiers: float = 0.1
    clear_tool_results: Clearing = "before-summary"
    oversize: Oversize = "raise"
    reply_reserve: int = 8_192
    margin_measured: float = 0.02
    margin_exact: float = 0.03
    margin_estimated: float = 0.12
    margin_tools: float = 0.15
    reserved: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: A value is out of its range; the message names it.
        """
        if self.budget is not None and self.budget < 1:
            msg = f"budget={self.budget} must be a positive number of tokens"
            raise ConfigError(msg)
        for name, above in (("floor", "target"), ("notes", "target"), ("target", "trigger")):
            low, high = getattr(self, name), getattr(self, above)
            if not 0 < low < high <= 1:
                msg = f"0 < {name} < {above} <= 1 must hold: {name}={low}, {above}={high}"
                raise ConfigError(msg)
        for name in ("standing", "identifiers", "reserved"):
            if not 0 <= getattr(self, name) < 1:
                msg = f"{name}={getattr(self, name)} must be a share of the limit, 0 to below 1"
                raise ConfigError(msg)
        for name, choices in (("clear_tool_results", Clearing), ("oversize", Oversize)):
            if getattr(self, name) not in get_args(choices):
                said = ", ".join(f'"{each}"' for each in get_args(choices))
                msg = f"{name}={getattr(self, name)!r}: use one of {said}"
                raise ConfigError(msg)

    def limit(self, *, model: str, completion: int | None = None, window: int | None = None) -> int:
        """Return the tokens a prompt for `model` may have.

        Args:
            model: The model of the request; its window is the upper bound.
            completion: `max_completion_tokens` of the request, which the window has to hold too
                (Moonshot refuses prompt + completion > window).
            window: The window where the server told it; None for that of the table. Then the
                reply gives way first, and only `reply_reserve` is kept for it.
        """
        known = models.window(model) if window is None else window
        reserve = min(self.reply_reserve, known // 2)
        if completion is not None and window is not None:
            reserve = min(reserve, completion)
        elif completion is not None and completion < known:
            reserve = completion  # one that leaves no prompt at all is for the server to refuse
        if self.budget is not None and window is None and not models.is_known(model):
            return self.budget
        room = max(1, known - reserve)
        return room if self.budget is None else min(self.budget, room)

    def room_for_identifiers(self, limit: int) -> int:
        """Return the tokens that the list of identifiers may have within `limit`."""
        if not self.identifiers:
            return 0
        share = max(self.identifiers, min(MOST_IDENTIFIERS, LEAST_IDENTIFIERS / limit))
        return int(share * limit)

    def thresholds(
        self, *, limit: int, measured: float, exact: bool, cold_tools: int = 0
    ) -> Budget:
        """Return limit, trigger and target for a prompt whose count is known so well.

        The margin goes from that of an uncertain count to that of a measured one with the share
        of the prompt that was measured, instead of jumping when the first reply arrives.

        Args:
            limit: Tokens the prompt may have.
            measured: The share of the count that the server reported, 0 to 1.
            exact: Whether the exact vocabulary counted the rest.
            cold_tools: Tokens of tool declarations never measured.
        """
        guess = self.margin_exact if exact else self.margin_estimated
        margin = measured * self.margin_measured + (1 - measured) * guess
        trigger = min(limit * self.trigger, limit * (1 - margin) - self.margin_tools * cold_tools)
        target = int(limit * self.target)
        low = max(target + 1, int(trigger - self.reserved * limit))
        return Budget(limit=limit, trigger=low, target=target, reserved=max(0, int(trigger) - low))


class Sized(NamedTuple):
    """One part with its cost."""

    tokens: int
    protected: bool


class Notes(NamedTuple):
    """What the synthetic message costs, in tokens."""

    total: int
    segments: int  # how much of that its segments are, with the frame of each
    held: int = 0  # what quotes of pinned sentences need


NO_NOTES = Notes(0, 0)
"""The cost of no synthetic message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with a view; `plan` makes it, nothing was spent on it.

    Attributes:
        action: `"send"` the view as it is, or `"compact"` it first.
        reason: Why, in a few words.
        tokens: What the view costs now.
        projected: What it is expected to cost after the compaction.
        limit: Tokens it may cost.
        cut: Parts before this one are dropped unless protected; 0 with `"send"`.
        cap: Tokens that the new segment may have; 0 where none is wanted.
        spare: Tokens that a segment may have beyond that where it costs nothing to write.
        share: Tokens that all segments may have together afterwards.
        missing: Tokens by which the protected parts alone exceed the limit; 0 when they fit.
    """

    action: Literal["send", "compact"]
    reason: str
    tokens: int
    projected: int
    limit: int
    cut: int = 0
    cap: int = 0
    spare: int = 0
    share: int = 0
    missing: int = 0


class _Cut(NamedTuple):
    place: int  # parts before this one are dropped
    rest: int  # tokens of the view without any notes, were those parts dropped
    dropped: int
    fixed: int  # tokens of it that no later compaction can drop either


class _Room(NamedTuple):
    cap: int
    share: int
    after: int  # what the view is expected to cost then


def plan(
    parts: Sequence[Sized],
    *,
    fixed: int,
    notes: Notes,
    budget: Budget,
    policy: Policy,
    due: bool = False,
) -> Plan:
    """Decide whether to compact, where to cut and how long the new segment may be.

    Args:
        parts: The parts of the view after the synthetic message, oldest first.
        fixed: Tokens of everything that is always sent: head, tools, opening of the reply.
        notes: What the synthetic message there is costs.
        budget: The thresholds of this request.
        policy: The shares.
        due: Whether to compact although the view fits.
    """
    total = fixed + notes.total + sum(part.tokens for part in parts)
    if total <= budget.trigger and not due:
        return _send(total, budget, "fits")
    cuts = _cuts(parts, fixed)
    if not cuts and notes.total and total > budget.limit:
        cuts = [_Cut(0, total - notes.total, 0, fixed)]  # only the notes themselves can shrink
    if not cuts:
        return _send(total, budget, "nothing may be dropped", missing=total - budget.limit)
    cut = _choose(cuts, notes=notes, budget=budget, policy=policy)
    planned = _planned(cut, "over the trigger", total, notes=notes, budget=budget, policy=policy)
    if total - planned.projected < _worth(total, planned.missing, budget):
        missing = max(0, total - budget.limit)
        return _send(total, budget, "too little may be dropped to be worth it", missing=missing)
    return planned


def plan_cut(
    parts: Sequence[Sized], *, place: int, fixed: int, notes: Notes, budget: Budget, policy: Policy
) -> Plan:
    """Plan to drop what stands before `place`, whatever that saves; nothing where all is held.

    Args:
        parts: The parts of the view after the synthetic message, oldest first.
        place: Parts before this one are dropped unless protected.
        fixed: Tokens of everything that is always sent.
        notes: What the synthetic message there is costs.
        budget: The thresholds of this request.
        policy: The shares.
    """
    total = fixed + notes.total + sum(part.tokens for part in parts)
    cuts = [cut for cut in _cuts(parts, fixed) if cut.place <= place]
    if not cuts:
        return _send(total, budget, "nothing may be dropped")
    return _planned(cuts[-1], "asked for", total, notes=notes, budget=budget, policy=policy)


def _planned(
    cut: _Cut, reason: str, total: int, *, notes: Notes, budget: Budget, policy: Policy
) -> Plan:
    room = _room(cut, notes=notes, budget=budget, policy=policy)
    return Plan(
        action="compact",
        reason=reason,
        tokens=total,
        projected=room.after,
        limit=budget.limit,
        cut=cut.place,
        cap=room.cap,
        spare=max(0, room.share - notes.segments - room.cap - SEGMENT_FRAME) // 3,
        share=room.share,
        missing=max(0, cut.rest + LEAST_NOTES - budget.limit),
    )


def _worth(total: int, missing: int, budget: Budget) -> int:
    """Return the tokens that a compaction must save to be worth a summary.

    A sliver is not worth a call every turn, least of all where no compaction reaches the limit;
    what does reach the limit always is.
    """
    if missing:
        return (budget.trigger - budget.target) // 2
    return (budget.trigger - budget.target) // 10 if total <= budget.limit else 1


def _send(total: int, budget: Budget, reason: str, *, missing: int = 0) -> Plan:
    return Plan(
        action="send",
        reason=reason,
        tokens=total,
        projected=total,
        limit=budget.limit,
        missing=max(0, missing),
    )


def _cuts(parts: Sequence[Sized], fixed: int) -> list[_Cut]:
    """Return the places to cut, shallowest first: after each part that may be dropped."""
    rest = fixed + sum(part.tokens for part in parts)
    dropped = 0
    cuts = []
    for index, part in enumerate(parts, start=1):
        if part.protected:
            continue
        rest -= part.tokens
        dropped += part.tokens
        cuts.append(_Cut(index, rest, dropped, fixed))
    return cuts


def _choose(cuts: Sequence[_Cut], *, notes: Notes, budget: Budget, policy: Policy) -> _Cut:
    """Return the shallowest cut that reaches the target, or one before it when that is too deep.

    Parts are indivisible, so the step over a large one can leave next to nothing. Keeping that
    part is better as long as the view still gets clearly below the trigger.
    """

    def after(cut: _Cut) -> int:
        return _room(cut, notes=notes, budget=budget, policy=policy).after

    deepest = after(cuts[-1])
    target = budget.target
    if deepest > target:  # then not everything is given up for nothing
        highest = budget.trigger - (budget.trigger - target) // 2
        target = max(deepest, min(deepest + int(SHORTEST_TAIL * budget.limit), highest))
    place = next(i for i, cut in enumerate(cuts) if after(cut) <= target)
    cut, shallower = cuts[place], cuts[max(0, place - 1)]
    bare = cut.rest + notes.total < policy.floor * budget.limit
    gain = (budget.trigger - budget.target) // 4
    return shallower if bare and after(shallower) <= budget.trigger - gain else cut


def _room(cut: _Cut, *, notes: Notes, budget: Budget, policy: Policy) -> _Room:
    """Return what the notes may have after a cut.

    Where little is left verbatim they may say more than their share; where little room is left
    for them, less: also where head and notes together would make the next compaction due soon.
    """
    spare = budget.trigger - cut.rest - SMALLEST_SEGMENT - SEGMENT_FRAME
    quoted = min(notes.total - notes.segments, spare)  # quotes give way, but for pinned ones
    other = max(NOTES_FRAME + notes.held, quoted)
    bare = int(policy.floor * budget.limit) - cut.rest - notes.segments - other
    more = min(bare, budget.target - cut.rest - other - notes.segments)
    whole = int(policy.notes * budget.limit)
    cap = max(whole // SEGMENTS - SEGMENT_FRAME, USUAL_SEGMENT, more)
    cap = min(cap, cut.dropped * 3 // 5) if cut.dropped else 0
    quotes = max(other, NOTES_FRAME + policy.room_for_identifiers(budget.limit))
    lasting = budget.trigger - (budget.trigger - budget.target) // 2 - cut.fixed - quotes
    held = cut.rest + LEAST_NOTES > budget.limit and policy.oversize == "send"
    room = lasting if held else min(budget.limit - cut.rest - other, lasting)
    share = min(max(whole, notes.segments + more), room)
    share = max(share, SMALLEST_SEGMENT + SEGMENT_FRAME)
    cap = max(min(cap, share // FEWEST_SEGMENTS - SEGMENT_FRAME), SMALLEST_SEGMENT) if cap else 0
    new = cap + SEGMENT_FRAME if cap else 0
    return _Room(cap, share, cut.rest + other + min(notes.segments + new, share))
