"""When to compact and what to drop: pure and total.

`plan` takes sizes, never text. It answers for every input, also for one that the API would
refuse, and it never asks for a summary that cannot help: one that would stand for less than it
costs, or for parts that may not be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from memory import models
from memory.errors import ConfigError

__all__ = ("Budget", "Oversize", "Plan", "Policy", "Sized", "plan", "plan_cut")

Oversize = Literal["raise", "send", "shorten-tool-results"]
"""What to do when the messages that may not be dropped are larger than the limit."""

NOTES_FRAME = 128
"""Tokens of the synthetic message around its first segment: 100 exactly, 120 by the estimator."""
FLOOR_OF_TARGET = 0.56
"""The default floor as a share of the target."""
SEGMENT_FRAME = 24
"""Tokens around each further segment, with the name of another author: 18 exactly."""
SMALLEST_SEGMENT = 48
"""Tokens below which a summary says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The token thresholds of one request.

    Attributes:
        limit: Tokens the prompt may have.
        trigger: Tokens above which a compaction is due.
        target: Tokens a compaction aims at.
    """

    limit: int
    trigger: int
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much to send and what to give up first; shares are of the limit.

    Attributes:
        budget: Prompt tokens as the server counts them, tools included; None takes the window
            of the request's model.
        target: Where a compaction brings the view.
        floor: Where a compaction does not go below, if it can help it.
        notes: How much the segments may have together.
        oversize: What to do when what may not be dropped is larger than the limit.
        reply_reserve: Tokens of the window kept free for the reply when the request does not
            set `max_completion_tokens`.
        margin_measured: Distance of the trigger from the limit for tokens the server reported.
        margin_exact: The same for tokens counted with the exact vocabulary.
        margin_estimated: The same for tokens that were estimated.
        margin_tools: The same for tool declarations never measured, as a share of themselves.
    """

    budget: int | None = None
    target: float = 0.5
    floor: float = 0.28
    notes: float = 0.2
    oversize: Oversize = "raise"
    reply_reserve: int = 8_192
    margin_measured: float = 0.02
    margin_exact: float = 0.03
    margin_estimated: float = 0.12
    margin_tools: float = 0.15

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: A value is out of its range; the message names it.
        """
        if self.budget is not None and self.budget < 1:
            msg = f"budget={self.budget} must be a positive number of tokens"
            raise ConfigError(msg)
        if not 0 < self.floor < self.target < 1:
            msg = f"0 < floor < target < 1 must hold: floor={self.floor}, target={self.target}"
            raise ConfigError(msg)
        if not 0 < self.notes < self.target:
            msg = f"0 < notes < target must hold: notes={self.notes}, target={self.target}"
            raise ConfigError(msg)
        if self.oversize not in ("raise", "send", "shorten-tool-results"):
            msg = f'oversize={self.oversize!r}: use "raise", "send" or "shorten-tool-results"'
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
        trigger = limit * (1 - margin) - self.margin_tools * cold_tools
        target = int(limit * self.target)
        return Budget(limit=limit, trigger=max(target + 1, int(trigger)), target=target)


class Sized(NamedTuple):
    """One part with its cost."""

    tokens: int
    protected: bool


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
        cap: Tokens that the new segment may have.
        fold: Whether the new segment also rewrites all segments there are.
        missing: Tokens by which the protected parts alone exceed the limit; 0 when they fit.
    """

    action: Literal["send", "compact"]
    reason: str
    tokens: int
    projected: int
    limit: int
    cut: int = 0
    cap: int = 0
    fold: bool = False
    missing: int = 0


class _Cut(NamedTuple):
    place: int
    """Parts before this one are dropped."""
    rest: int
    """Tokens of the view without any notes, were those parts dropped."""
    dropped: int


def plan(parts: Sequence[Sized], *, fixed: int, notes: int, budget: Budget, policy: Policy) -> Plan:
    """Decide whether to compact, where to cut and how long the new segment may be.

    Args:
        parts: The parts of the view after the synthetic message, oldest first.
        fixed: Tokens of everything that is always sent: head, tools, opening of the reply.
        notes: Tokens of the synthetic message there is; 0 for none.
        budget: The thresholds of this request.
        policy: The shares.
    """
    total = fixed + notes + sum(part.tokens for part in parts)
    if total <= budget.trigger:
        return _send(total, budget, "fits")
    cuts = _cuts(parts, fixed)
    if not cuts and notes and total > budget.limit:
        cuts = [_Cut(0, total - notes, 0)]  # the notes themselves are all that can shrink
    if not cuts:
        return _send(total, budget, "nothing may be dropped", missing=total - budget.limit)
    cut = _choose(cuts, notes=notes, budget=budget, policy=policy)
    planned = _planned(cut, "over the trigger", total, notes=notes, budget=budget, policy=policy)
    if total - planned.projected < _worth(total, planned.missing, budget):
        missing = max(0, total - budget.limit)
        return _send(total, budget, "too little may be dropped to be worth it", missing=missing)
    return planned


def plan_cut(
    parts: Sequence[Sized], *, place: int, fixed: int, notes: int, budget: Budget, policy: Policy
) -> Plan:
    """Plan to drop what stands before `place`, whatever that saves; nothing where all is held.

    Args:
        parts: The parts of the view after the synthetic message, oldest first.
        place: Parts before this one are dropped unless protected.
        fixed: Tokens of everything that is always sent.
        notes: Tokens of the synthetic message there is; 0 for none.
        budget: The thresholds of this request.
        policy: The shares.
    """
    total = fixed + notes + sum(part.tokens for part in parts)
    cuts = [cut for cut in _cuts(parts, fixed) if cut.place <= place]
    if not cuts:
        return _send(total, budget, "nothing may be dropped")
    return _planned(cuts[-1], "asked for", total, notes=notes, budget=budget, policy=policy)


def _planned(
    cut: _Cut, reason: str, total: int, *, notes: int, budget: Budget, policy: Policy
) -> Plan:
    cap, fold = _segment(cut, notes=notes, budget=budget, policy=policy)
    return Plan(
        action="compact",
        reason=reason,
        tokens=total,
        projected=cut.rest + _notes_after(notes, cap, fold=fold),
        limit=budget.limit,
        cut=cut.place,
        cap=cap,
        fold=fold,
        missing=max(0, cut.rest + NOTES_FRAME + SMALLEST_SEGMENT - budget.limit),
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
        cuts.append(_Cut(index, rest, dropped))
    return cuts


def _choose(cuts: Sequence[_Cut], *, notes: int, budget: Budget, policy: Policy) -> _Cut:
    """Return the shallowest cut that reaches the target, or one before it when that is too deep.

    Parts are indivisible, so the step over a large one can leave next to nothing. Keeping that
    part is better as long as the view still gets clearly below the trigger.
    """

    def after(cut: _Cut) -> int:
        cap, fold = _segment(cut, notes=notes, budget=budget, policy=policy)
        return cut.rest + _notes_after(notes, cap, fold=fold)

    place = next((i for i, cut in enumerate(cuts) if after(cut) <= budget.target), None)
    if place is None:
        return cuts[-1]
    cut, shallower = cuts[place], cuts[max(0, place - 1)]
    bare = cut.rest + notes < policy.floor * budget.limit
    gain = (budget.trigger - budget.target) // 4
    return shallower if bare and after(shallower) <= budget.trigger - gain else cut


def _segment(cut: _Cut, *, notes: int, budget: Budget, policy: Policy) -> tuple[int, bool]:
    """Return the cap of the new segment, and whether it must fold the others into itself."""
    share = int(policy.notes * budget.limit)
    source = cut.dropped
    full = notes + share // 4 > share + NOTES_FRAME
    least = cut.rest + notes + SEGMENT_FRAME + SMALLEST_SEGMENT
    fold = full or not source or (notes > 0 and least > budget.limit)
    frame = NOTES_FRAME if fold or not notes else notes + SEGMENT_FRAME
    cap = share // 2 if fold else share // 4
    # Where little is left verbatim, the notes may say more.
    bare = int(policy.floor * budget.limit) - cut.rest - (0 if fold else notes)
    cap = max(cap, min(bare, budget.target - cut.rest - frame))
    room = budget.limit - cut.rest - frame
    return max(SMALLEST_SEGMENT, min(cap, room, (source + (notes if fold else 0)) * 3 // 5)), fold


def _notes_after(notes: int, cap: int, *, fold: bool) -> int:
    return cap + (NOTES_FRAME if fold or not notes else notes + SEGMENT_FRAME)
