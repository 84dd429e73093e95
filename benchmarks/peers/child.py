"""Runs one peer through all conversations, in its own environment.

    python -m benchmarks.peers.child NAME --conversations N --seed S --report FILE

Writes one JSON object: how often each promise was broken, and for each way in which one was the
smallest conversation that does it.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

from benchmarks.peers import PEERS, Entry
from benchmarks.peers.cases import QUIET, Case, cases, drawn, shorter
from benchmarks.peers.runner import JUDGE, NUMBERS, Played, play
from benchmarks.peers.summariser import BEHAVIOURS, WELL
from memory.invariants import CHECKS, Sending, describe

__all__ = ("Search", "main", "measure")

Row = dict[str, Any]


def measure(entry: Entry, *, number: int, chance: int, rounds: int) -> Row:
    """Return what a peer does with so many conversations.

    Args:
        entry: The peer.
        number: How many conversations.
        chance: The seed.
        rounds: How many are looked at to make an example small.
    """
    drawings = drawn(number, chance=chance)
    rows, examples, shown = [], [], set[str]()
    for behaviour, part in _parts(drawings, entry):
        played = [(case, play(entry, case, behaviour)) for case in part]
        rows.append(_row(behaviour, [each for _, each in played]))
        search = Search(entry, behaviour, rounds=rounds)
        for check in sorted({name for _, each in played for name in each.broken} - shown):
            broken = [case for case, each in played if check in each.broken]
            examples.append(_example(search, check, broken))
            shown.add(check)
    return {
        "peer": entry.name,
        "version": version(entry.distribution),
        "judge": JUDGE.counter.name,
        "exact": JUDGE.counter.exact,
        "conversations": len(drawings),
        "digest": _digest(drawings),
        "rows": rows,
        "examples": examples,
    }


def _parts(drawings: Sequence[Case], entry: Entry) -> list[tuple[str, Sequence[Case]]]:
    """Return which conversations have which summariser: all the good one, each one bad one."""
    bad = [each for each in BEHAVIOURS if each != WELL] if entry.summarises else []
    spread = [(each, drawings[place :: len(bad)]) for place, each in enumerate(bad)]
    return [(WELL, drawings), *spread]


class EnoughError(BaseException):
    """As many conversations were looked at as may be; hypothesis lets it pass, as an interrupt."""


class Search:
    """Looks for small conversations in which a peer breaks a promise.

    What became of a conversation is kept for the next promise.

    Args:
        entry: The peer.
        behaviour: That of the summariser.
        rounds: How many new conversations are looked at for one promise, once from the one known
            and once by hypothesis.
    """

    def __init__(self, entry: Entry, behaviour: str, *, rounds: int) -> None:
        self.entry, self.behaviour, self._rounds = entry, behaviour, rounds
        self._known: dict[str, frozenset[str]] = {}
        self._left = 0
        self._best: Case

    def small(self, check: str, case: Case) -> Case:
        """Return a small conversation that breaks a check.

        Turns are left out of the one known, and hypothesis looks for another; the smaller one is
        returned.

        Args:
            check: Its name.
            case: One that breaks it.
        """
        self._left, self._best = self._rounds, case
        with suppress(EnoughError):
            while other := next((o for o in shorter(case) if self._breaks(check, o)), None):
                case = other
        self._left, self._best = self._rounds, case
        options = settings(
            max_examples=self._rounds, phases=[Phase.generate, Phase.shrink], **QUIET
        )
        with suppress(EnoughError, NoSuchExample):
            find(cases(least=0), partial(self._breaks, check), settings=options, random=Random(1))
        return self._best

    def _breaks(self, check: str, case: Case) -> bool:
        name = repr(case)
        if name not in self._known:
            if not self._left:
                raise EnoughError
            self._left -= 1
            self._known[name] = frozenset(self.play(case).broken)
        if check not in self._known[name]:
            return False
        self._best = min(self._best, case, key=_size)
        return True

    def play(self, case: Case) -> Played:
        """Return what becomes of a conversation."""
        return play(self.entry, case, self.behaviour)


def _row(behaviour: str, played: Sequence[Played]) -> Row:
    """Return how often each promise was broken, in conversations."""
    numbers = Counter(n for each in played for n in {NUMBERS[name] for name in each.broken})
    checks = Counter(name for each in played for name in each.broken)
    return {
        "summariser": behaviour,
        "conversations": len(played),
        "requests": sum(len(each.run.sendings) for each in played),
        "requests cut": sum(each.cut for each in played),
        "conversations cut": sum(each.cut > 0 for each in played),
        "summaries asked for": sum(each.asked for each in played),
        "broken": {str(number): numbers[number] for number in sorted(numbers)},
        "checks": dict(sorted(checks.items())),
    }


def _example(search: Search, check: str, broken: Sequence[Case]) -> Row:
    """Return the smallest conversation found that breaks a promise, and what was sent."""
    smallest = min(broken, key=_size)
    small = search.small(check, smallest)
    played = search.play(small)
    sending = _guilty(played, check)
    return {
        "peer": search.entry.name,
        "invariant": NUMBERS[check],
        "check": check,
        "summariser": search.behaviour,
        "sentence": played.broken[check],
        "limit": small.limit,
        "shrunk": small != smallest,
        "given": list(sending.given) if sending else list(small.messages),
        "sent": list(sending.sent) if sending else None,
        "notes": list(sending.notes or ()) if sending else [],
        "table": describe(sending) if sending else None,
    }


def _size(case: Case) -> tuple[int, int]:
    return len(case.messages), len(repr(case))


def _guilty(played: Played, check: str) -> Sending | None:
    """Return the request that a check is about; of several requests the last one."""
    sendings = played.run.sendings
    if check in CHECKS:
        return next(each for each in sendings if CHECKS[check](each) is not None)
    return sendings[-1] if sendings else None


def _digest(drawings: Sequence[Case]) -> str:
    said = json.dumps([[case.limit, *case.messages] for case in drawings])
    return blake2b(said.encode(), digest_size=8).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure a peer and write the report."""
    parser = argparse.ArgumentParser(description="run one library through many conversations")
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("--conversations", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # what peers warn of is not what is judged
    logging.disable()
    found: Mapping[str, Any] = measure(
        PEERS[options.name],
        number=options.conversations,
        chance=options.seed,
        rounds=options.rounds,
    )
    options.report.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
