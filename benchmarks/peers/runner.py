"""Runs a peer through a conversation, request by request, and judges what it sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.peers import Entry
from benchmarks.peers.cases import Case, head_of
from benchmarks.peers.contract import Peer, Setting
from benchmarks.peers.summariser import WELL, Summariser
from memory.invariants import INVARIANTS, Run, Sending, run_violations
from memory.messages import WireMessage, last_user, role_of
from memory.meter import Meter
from memory.policy import Budget, Policy
from memory.vocabulary import resolve

__all__ = ("JUDGE", "NUMBERS", "Played", "play")

JUDGE: Final = Meter(resolve())
"""Counts the tokens of everybody: exactly where the vocabulary is installed."""
NUMBERS: Final = {
    check.__name__: invariant.number
    for invariant in INVARIANTS
    for check in (*invariant.checks, *invariant.run_checks)
}
"""The invariant of each check, by the name of the check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one conversation.

    Attributes:
        run: What was sent.
        broken: What is wrong with it, by the name of the check.
        cut: In how many requests not everything was sent.
        asked: How many summaries were asked for.
    """

    run: Run
    broken: dict[str, str]
    cut: int
    asked: int


def play(entry: Entry, case: Case, behaviour: str = WELL) -> Played:
    """Make every request of a conversation, the last one twice; a turn that fails ends it.

    Args:
        entry: Whom to run.
        case: The conversation.
        behaviour: That of the summariser.
    """
    summariser = Summariser(behaviour)
    setting = Setting(
        limit=case.limit, head=head_of(case.messages), write=summariser.write, count=_count
    )
    run = _run(entry.make(setting), case)
    run = replace(run, unusable=summariser.unusable)
    cut = sum(list(each.sent) != list(each.given) for each in run.sendings)
    return Played(run=run, broken=run_violations(run), cut=cut, asked=summariser.asked)


def _run(peer: Peer, case: Case) -> Run:
    sendings: list[Sending] = []
    errors: list[Exception] = []
    asked = case.requests
    try:
        for messages in (*asked, asked[-1]):
            sending = peer.send(messages)
            sendings.append(_judged(sending, case.limit))
    except Exception as error:  # noqa: BLE001  # whatever reaches a caller is judged
        errors.append(error)
    whole = len(sendings) > len(asked)
    return Run(
        sendings=sendings[: len(asked)],
        repeats=[(sendings[-2], sendings[-1])] if whole else (),
        events=tuple(peer.events),
        errors=errors,
        new=JUDGE.count(case.messages).total,
        thresholds=_thresholds(case),
    )


def _thresholds(case: Case) -> Budget | None:
    """Return trigger and target, the latter no lower than what has to stay and room for notes.

    None where little is left between the two: there the number of summaries says nothing.
    """
    policy = Policy(budget=case.limit)
    usual = policy.thresholds(limit=case.limit, measured=0, exact=JUDGE.counter.exact)
    staying = max(_count(_staying(messages)) for messages in case.requests)
    target = max(usual.target, int(staying + policy.notes * case.limit))
    return replace(usual, target=target) if target < 0.8 * usual.trigger else None


def _staying(messages: Sequence[WireMessage]) -> list[WireMessage]:
    """Return the system prompt, the last user message and the exchange that is open."""
    last = last_user(messages)
    asked = [i for i, m in enumerate(messages) if role_of(m) == "assistant"]
    opened = messages[asked[-1] :] if asked and role_of(messages[-1]) == "tool" else []
    return [*head_of(messages), *([] if last is None else [messages[last]]), *opened]


def _judged(sending: Sending, limit: int) -> Sending:
    """Return a request with what the judge counted."""
    return replace(
        sending,
        tokens=JUDGE.count(sending.sent).total,
        limit=limit,
        sizes=list(JUDGE.count(sending.given)),
    )


def _count(messages: Sequence[WireMessage]) -> int:
    return JUDGE.count(messages).total
